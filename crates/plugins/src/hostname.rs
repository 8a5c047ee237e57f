//! The name of this machine.

/// The kernel's name of this machine, which in a pod is the pod's; `localhost` if it is not known.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}
