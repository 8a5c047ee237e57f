//! What is known of the place where the configuration will run.

use super::kubernetes::Mounted;
use lint::Scene;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

/// Where a configuration will run.
#[derive(Clone, Default)]
pub(super) struct Setting {
    /// The port of keys that name none.
    port: u16,
    /// The addresses of the server's own Service.
    cluster_ips: Vec<IpAddr>,
    /// Octets of memory.
    memory: Option<u64>,
    nameservers: Vec<IpAddr>,
    sub_path: Option<String>,
    /// The sizes of files that are mounted; none if files are those of this machine.
    mounted: Option<HashMap<String, u64>>,
}

impl Setting {
    /// Somewhere of which only the command line tells.
    pub(super) fn new(port: u16, cluster_ips: &[IpAddr], memory: Option<u64>) -> Self {
        Self { port, cluster_ips: cluster_ips.to_vec(), memory, ..Self::default() }
    }

    /// This machine; if that is a pod, then its resolver and its cluster count.
    #[expect(clippy::disallowed_methods, reason = "a pod tells of its cluster in its environment")]
    pub(super) fn here(&self) -> Self {
        let mut setting = self.clone();
        if std::env::var("KUBERNETES_SERVICE_HOST").is_err() {
            return setting;
        }
        let service = std::env::var("KUBE_DNS_SERVICE_HOST");
        setting.cluster_ips.extend(service.ok().and_then(|address| address.parse::<IpAddr>().ok()));
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        setting.nameservers = nameservers(&resolver);
        setting
    }

    /// The place of a mounted Corefile.
    pub(super) fn with(&self, mounted: &Mounted) -> Self {
        let mut setting = self.clone();
        setting.cluster_ips.extend(&mounted.cluster_ips);
        setting.memory = setting.memory.or(mounted.memory);
        setting.nameservers.clone_from(&mounted.nameservers);
        setting.sub_path = mounted.sub_path.then(|| "with `subPath`".to_owned());
        setting.mounted = Some(mounted.sizes());
        setting
    }

    /// Notes whether the Corefile is a mount of its own.
    pub(super) fn look_at_mount(&mut self, corefile: &str) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let path = std::path::absolute(Path::new(corefile)).unwrap_or_default();
        if is_mount(&mounts, &path) {
            self.sub_path = Some("as a single file, as `subPath` does".to_owned());
        }
    }

    /// The same for lints.
    pub(super) fn scene<'a>(&'a self, order: &'a [&'a str]) -> Scene<'a> {
        Scene {
            cluster_ips: self.cluster_ips.clone(),
            nameservers: self.nameservers.clone(),
            memory: self.memory,
            sizes: self,
            sub_path: self.sub_path.clone(),
            ..Scene::unknown(self.port, order)
        }
    }
}

impl lint::Sizes for Setting {
    fn size(&self, path: &str) -> Option<u64> {
        match &self.mounted {
            Some(mounted) => mounted.get(path).copied(),
            None => std::fs::metadata(path).ok().map(|metadata| metadata.len()),
        }
    }
}

/// The servers of a resolv.conf.
fn nameservers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines
        .filter_map(|rest| rest.split_whitespace().next()?.split('%').next()?.parse().ok())
        .collect()
}

/// Whether something is mounted at `path`: the fifth field of a line of mountinfo, proc(5).
fn is_mount(mountinfo: &str, path: &Path) -> bool {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    points.into_iter().any(|point| Path::new(point) == path)
}

/// Octets of a quantity as Kubernetes writes it: `170Mi`, `1G`, `1000000`.
pub(super) fn quantity(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, u64)] = &[
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let octets = number.parse::<u64>().ok().and_then(|number| number.checked_mul(size));
    octets.ok_or_else(|| "write a number of octets with Ki, Mi or Gi: `170Mi`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_kubernetes() {
        assert_eq!(quantity("170Mi"), Ok(170 << 20));
        assert_eq!(quantity("1G"), Ok(1_000_000_000));
        assert_eq!(quantity("42"), Ok(42));
        assert!(quantity("1.5Gi").is_err() && quantity("much").is_err() && quantity("").is_err());
        assert!(quantity("99999999999999Ti").is_err());
    }

    #[test]
    fn a_file_that_is_a_mount() {
        let info = "36 35 98:0 /a /etc/coredns/Corefile ro,noatime - ext4 /dev/x rw\n";
        assert!(is_mount(info, Path::new("/etc/coredns/Corefile")));
        assert!(!is_mount(info, Path::new("/etc/coredns")));
    }

    #[test]
    fn servers_of_a_resolver() {
        let text = "search a.test\nnameserver 10.0.0.1\n nameserver fe80::1%eth0\nnameserver x\n";
        assert_eq!(nameservers(text).len(), 2);
    }
}
