//! The one privilege that the process uses: ports below 1024.

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Takes the right to bind low ports if it is there to take.
///
/// Must be called before the first thread is made, as each thread has rights of its own.
///
/// The file in the image carries the capability as *permitted* and no more. Were it *effective* too,
/// as in CoreDNS's image, the kernel would not start the program at all where the right is not
/// granted, not even with a high port (coredns/coredns#5969).
pub(crate) fn take_low_ports() {
    let Ok(mut sets) = capabilities(None) else { return };
    if sets.permitted.contains(CapabilitySet::NET_BIND_SERVICE) {
        sets.effective |= CapabilitySet::NET_BIND_SERVICE;
        // Without it the bind says what is missing.
        let _ = set_capabilities(None, sets);
    }
}
