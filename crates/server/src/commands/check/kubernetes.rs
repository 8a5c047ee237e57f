//! Corefiles in ConfigMaps: which files a pod would see, and where their lines stand in the YAML.

use super::setting::quantity;
use corefile::{Surroundings, Unreadable};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

/// Where ConfigMaps are mounted if no workload says otherwise.
const DIRECTORY: &str = "/etc/coredns";
/// The ConfigMap of fragments that managed clusters leave to their users.
const CUSTOM: &str = "coredns-custom";

/// A Corefile with everything that is mounted beside it.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// The path of the Corefile in the pod.
    pub(super) corefile: String,
    files: BTreeMap<String, File>,
    variables: HashMap<String, String>,
    /// The addresses of Services for DNS in the same stream.
    pub(super) cluster_ips: Vec<IpAddr>,
    /// The servers in the resolv.conf of the pod, if they are those of the cluster.
    pub(super) nameservers: Vec<IpAddr>,
    /// Octets of memory that the container may use.
    pub(super) memory: Option<u64>,
    /// Whether the Corefile is mounted with `subPath`.
    pub(super) sub_path: bool,
}

/// A key of a ConfigMap as a file.
#[derive(Clone, Debug)]
struct File {
    /// The lines as they stand in the YAML, with empty ones in front, so that line and column are
    /// those of the YAML; or the value alone. To the parser of Corefiles blanks do not matter.
    text: String,
    /// Octets of the value.
    octets: u64,
    /// Its name in messages.
    shown: String,
}

/// Every Corefile in a stream of manifests. `name` is that of the stream.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<Mounted>, String> {
    let documents = serde_saphyr::from_multiple::<Value>(text).map_err(|error| {
        let line = error.location().map(|location| format!("line {}: ", location.line()));
        format!("{}{}", line.unwrap_or_default(), error.without_snippet())
    })?;
    let mut stream = Stream::default();
    let mut text = Text { name, lines: text.lines().collect(), used: HashSet::new() };
    for document in &documents {
        stream.add(document, &mut text);
    }
    let mounted: Vec<_> = stream.maps.iter().flat_map(|map| stream.mounted(map)).collect();
    if !mounted.is_empty() {
        return Ok(mounted);
    }
    let fragments: Vec<_> = stream.maps.iter().filter_map(fragments).collect();
    if fragments.is_empty() {
        return Err("no ConfigMap here has a key `Corefile`".to_owned());
    }
    Ok(fragments)
}

/// What a stream of manifests says about the server.
#[derive(Default)]
struct Stream<'v> {
    maps: Vec<ConfigMap>,
    /// Specifications of pods.
    pods: Vec<&'v Value>,
    cluster_ips: Vec<IpAddr>,
}

struct ConfigMap {
    name: String,
    /// Files by key.
    data: BTreeMap<String, File>,
}

impl<'v> Stream<'v> {
    fn add(&mut self, object: &'v Value, text: &mut Text<'_>) {
        let kind = object["kind"].as_str().unwrap_or_default();
        match kind {
            "ConfigMap" => self.maps.push(ConfigMap::read(object, text)),
            "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" => {
                self.pods.push(&object["spec"]["template"]["spec"]);
            }
            "Pod" => self.pods.push(&object["spec"]),
            "Service" => self.cluster_ips.extend(addresses_for_dns(&object["spec"])),
            _ if kind.ends_with("List") => {
                for item in array(&object["items"]) {
                    self.add(item, text);
                }
            }
            _ => {}
        }
    }

    /// The Corefiles of a ConfigMap, each as the first container has it that mounts it.
    fn mounted(&self, map: &ConfigMap) -> Vec<Mounted> {
        let keys = map.data.keys().filter(|key| key.starts_with("Corefile"));
        keys.map(|key| self.mounted_key(map, key)).collect()
    }

    fn mounted_key(&self, map: &ConfigMap, key: &str) -> Mounted {
        for pod in &self.pods {
            for container in array(&pod["containers"]) {
                let mounts = mounts(pod, container);
                let own = mounts.iter().find(|mount| mount.map == map.name);
                let Some((own, path)) = own.and_then(|own| Some((own, own.path(key)?))) else {
                    continue;
                };
                let mut mounted = self.in_container(pod, container);
                mounted.corefile = path;
                mounted.sub_path = own.sub_path.is_some();
                for mount in &mounts {
                    for other in self.maps.iter().filter(|other| other.name == mount.map) {
                        mounted.put(other, |key| mount.path(key));
                    }
                }
                return mounted;
            }
        }
        let mut mounted = Mounted { cluster_ips: self.cluster_ips.clone(), ..Mounted::default() };
        mounted.corefile = format!("{DIRECTORY}/{key}");
        mounted.put(map, |key| Some(format!("{DIRECTORY}/{key}")));
        for custom in self.maps.iter().filter(|other| other.name == CUSTOM) {
            mounted.put(custom, |key| Some(format!("{DIRECTORY}/custom/{key}")));
        }
        mounted
    }

    fn in_container(&self, pod: &Value, container: &Value) -> Mounted {
        let limit = container.pointer("/resources/limits/memory").and_then(Value::as_str);
        let variables = array(&container["env"]).iter().filter_map(|variable| {
            let value = variable["value"].as_str()?;
            Some((variable["name"].as_str()?.to_owned(), value.to_owned()))
        });
        // A pod in the network of its node has the node's resolver, unless it says so at length.
        let policy = pod["dnsPolicy"].as_str().unwrap_or("ClusterFirst");
        let in_node = pod["hostNetwork"].as_bool().unwrap_or(false);
        let asks_cluster =
            policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !in_node);
        Mounted {
            cluster_ips: self.cluster_ips.clone(),
            nameservers: if asks_cluster { self.cluster_ips.clone() } else { Vec::new() },
            memory: limit.and_then(|limit| quantity(limit).ok()),
            variables: variables.collect(),
            ..Mounted::default()
        }
    }
}

/// Fragments alone, in a Corefile that does nothing but import them.
fn fragments(map: &ConfigMap) -> Option<Mounted> {
    let has = |end: &str| map.data.keys().any(|key| key.ends_with(end));
    let (blocks, lines) = (has(".server"), has(".override"));
    if !blocks && !lines {
        return None;
    }
    let mut text = String::new();
    if lines {
        text += ".:53 {\n    import custom/*.override\n}\n";
    }
    if blocks {
        text += "import custom/*.server\n";
    }
    let mut mounted = Mounted { corefile: format!("{DIRECTORY}/Corefile"), ..Mounted::default() };
    mounted.put(map, |key| Some(format!("{DIRECTORY}/custom/{key}")));
    let octets = text.len() as u64;
    let base = File { text, octets, shown: "a Corefile that imports the fragments".to_owned() };
    mounted.files.insert(mounted.corefile.clone(), base);
    Some(mounted)
}

/// The addresses of a Service that has the port of DNS.
fn addresses_for_dns(spec: &Value) -> Vec<IpAddr> {
    if !array(&spec["ports"]).iter().any(|port| port["port"] == 53) {
        return Vec::new();
    }
    let addresses = array(&spec["clusterIPs"]).iter().chain(std::iter::once(&spec["clusterIP"]));
    let mut addresses: Vec<IpAddr> =
        addresses.filter_map(|address| address.as_str()?.parse().ok()).collect();
    addresses.dedup();
    addresses
}

/// One ConfigMap in one directory of a container.
struct Mount<'v> {
    map: &'v str,
    directory: &'v str,
    sub_path: Option<&'v str>,
    /// Which keys are files, and how they are called; empty for all.
    items: &'v [Value],
}

impl Mount<'_> {
    /// The path of a key in the container; `None` if it is not mounted.
    fn path(&self, key: &str) -> Option<String> {
        let item = self.items.iter().find(|item| item["key"] == key);
        let file = match item {
            Some(item) => item["path"].as_str()?,
            None if self.items.is_empty() => key,
            None => return None,
        };
        let directory = self.directory.trim_end_matches('/');
        match self.sub_path {
            None => Some(format!("{directory}/{file}")),
            Some(sub_path) => (sub_path == file).then(|| directory.to_owned()),
        }
    }
}

fn mounts<'v>(pod: &'v Value, container: &'v Value) -> Vec<Mount<'v>> {
    let mut mounts = Vec::new();
    for mount in array(&container["volumeMounts"]) {
        let Some(directory) = mount["mountPath"].as_str() else { continue };
        let volume = array(&pod["volumes"]).iter().find(|volume| volume["name"] == mount["name"]);
        let Some(volume) = volume else { continue };
        let projected = array(&volume["projected"]["sources"]).iter();
        for source in std::iter::once(volume).chain(projected) {
            let map = &source["configMap"];
            let Some(name) = map["name"].as_str() else { continue };
            let (sub_path, items) = (mount["subPath"].as_str(), array(&map["items"]));
            mounts.push(Mount { map: name, directory, sub_path, items });
        }
    }
    mounts
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl ConfigMap {
    fn read(object: &Value, text: &mut Text<'_>) -> Self {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let namespace = metadata["namespace"].as_str().unwrap_or("default");
        let mut data = BTreeMap::new();
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            let Some(value) = value.as_str() else { continue };
            let octets = value.len() as u64;
            let file = match text.block(key, value) {
                Some(text_in_place) => {
                    File { text: text_in_place, octets, shown: text.name.to_owned() }
                }
                None => {
                    let shown = format!("{namespace}/{name}:{key}");
                    File { text: value.to_owned(), octets, shown }
                }
            };
            data.insert(key.clone(), file);
        }
        Self { name: name.to_owned(), data }
    }
}

/// The text of a stream of manifests.
struct Text<'t> {
    name: &'t str,
    lines: Vec<&'t str>,
    /// The first lines of blocks that have been found.
    used: HashSet<usize>,
}

impl Text<'_> {
    /// The lines of a literal block scalar (`KEY: |`) with this value, with an empty line for each
    /// line above; `None` if the value is written in another way.
    fn block(&mut self, key: &str, value: &str) -> Option<String> {
        let is_head = |line: &str| {
            let line = line.trim_start().trim_start_matches(['"', '\'']);
            let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
            let rest = rest.and_then(|rest| rest.strip_prefix(':'));
            rest.is_some_and(|rest| rest.trim_start().starts_with('|'))
        };
        let heads = self.lines.iter().enumerate().filter(|(_, line)| is_head(line));
        let mut starts = heads.map(|(head, _)| head + 1).filter(|start| !self.used.contains(start));
        let start = starts.find(|start| is_block(&self.lines[*start..], value))?;
        self.used.insert(start);
        let end = (start + value.lines().count()).min(self.lines.len());
        Some("\n".repeat(start) + &self.lines[start..end].join("\n") + "\n")
    }
}

/// Whether lines begin with those of `value`, all indented by the same blanks.
fn is_block(lines: &[&str], value: &str) -> bool {
    let mut indent = None;
    value.lines().enumerate().all(|(index, wanted)| {
        let line = lines.get(index).copied().unwrap_or_default();
        if wanted.is_empty() {
            return line.trim().is_empty();
        }
        let Some(before) = line.strip_suffix(wanted) else { return false };
        before.bytes().all(|octet| octet == b' ')
            && *indent.get_or_insert(before.len()) == before.len()
    })
}

impl Mounted {
    fn put(&mut self, map: &ConfigMap, path: impl Fn(&str) -> Option<String>) {
        for (key, file) in &map.data {
            if let Some(path) = path(key) {
                self.files.insert(path, file.clone());
            }
        }
    }

    /// The text of the Corefile.
    pub(super) fn text(&self) -> &[u8] {
        self.files.get(&self.corefile).map_or(b"", |file| file.text.as_bytes())
    }

    /// How a file of the pod is called in messages.
    pub(super) fn shown(&self, path: &str) -> Option<String> {
        self.files.get(path).map(|file| file.shown.clone())
    }

    /// The octets of every file.
    pub(super) fn sizes(&self) -> HashMap<String, u64> {
        self.files.iter().map(|(path, file)| (path.clone(), file.octets)).collect()
    }

    fn is_directory(&self, path: &str) -> bool {
        let path = format!("{}/", path.trim_end_matches('/'));
        self.files.keys().any(|file| file.starts_with(&path))
    }
}

/// The files of the pod, and its variables; other variables are those of this machine.
impl Surroundings for Mounted {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        match self.files.get(path) {
            Some(file) => Ok(file.text.clone().into_bytes()),
            None if self.is_directory(path.trim_end_matches("/..data")) => {
                Err(Unreadable::Directory)
            }
            None => Err(Unreadable::Missing),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let directory = format!("{}/", directory.trim_end_matches('/'));
        let below = self.files.keys().filter_map(|path| path.strip_prefix(&directory));
        let names = below.filter_map(|rest| rest.split('/').next());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.dedup();
        if !names.is_empty() {
            // Where a mounted ConfigMap really has its files.
            names.push("..data".to_owned());
        }
        names
    }

    #[expect(clippy::disallowed_methods, reason = "a Corefile may name variables")]
    fn variable(&self, name: &str) -> Option<String> {
        let possible = !name.is_empty() && !name.contains(['=', '\0']);
        let here = || possible.then(|| std::env::var(name).ok()).flatten();
        self.variables.get(name).cloned().or_else(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Mounted {
        let mut mounted = read("cm.yaml", text).unwrap();
        assert_eq!(mounted.len(), 1, "{mounted:?}");
        mounted.remove(0)
    }

    const MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data:
  Corefile: |
    .:53 {

        whoami
    }
  zone.db: \"a 1 IN A 10.0.0.1\"
";

    #[test]
    fn a_block_keeps_its_place() {
        let mounted = one(MAP);
        assert_eq!(mounted.corefile, "/etc/coredns/Corefile");
        let text = std::str::from_utf8(mounted.text()).unwrap();
        assert_eq!(text, "\n\n\n\n\n    .:53 {\n\n        whoami\n    }\n");
        assert_eq!(mounted.shown("/etc/coredns/Corefile").unwrap(), "cm.yaml");
        assert_eq!(mounted.shown("/etc/coredns/zone.db").unwrap(), "kube-system/coredns:zone.db");
        assert_eq!(mounted.sizes()["/etc/coredns/zone.db"], 17);
        let mut names = mounted.list("/etc/coredns");
        names.sort_unstable();
        assert_eq!(names, ["..data", "Corefile", "zone.db"]);
        assert_eq!(mounted.read("/etc/coredns/..data"), Err(Unreadable::Directory));
        assert_eq!(mounted.read("/etc/nothing"), Err(Unreadable::Missing));
    }

    #[test]
    fn the_same_text_twice_has_two_places() {
        let list = "apiVersion: v1\nkind: List\nitems:\n".to_owned()
            + &["a", "b"].map(|name| {
                format!("- kind: ConfigMap\n  metadata: {{name: {name}}}\n  data:\n    Corefile: |-\n      . {{\n      }}\n")
            }).concat();
        let both = read("l.yaml", &list).unwrap();
        let first = |mounted: &Mounted| mounted.text().iter().take_while(|o| **o == b'\n').count();
        assert_eq!(both.iter().map(first).collect::<Vec<_>>(), [7, 13]);
    }

    #[test]
    fn quoted_values_are_known_by_their_key() {
        let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
            "data": {"Corefile": ". {\n whoami\n}\n"}}"#;
        let mounted = one(json);
        assert_eq!(mounted.shown("/etc/coredns/Corefile").unwrap(), "default/c:Corefile");
        assert_eq!(mounted.text(), b". {\n whoami\n}\n");
    }

    #[test]
    fn a_workload_says_where_files_are() {
        let deployment = "---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: coredns
        env: [{name: UP, value: 192.0.2.1}]
        resources: {limits: {memory: 170Mi}}
        volumeMounts:
        - {name: config, mountPath: /conf/, readOnly: true}
        - {name: more, mountPath: /conf/one.server, subPath: one.server}
      volumes:
      - {name: config, configMap: {name: coredns, items: [{key: Corefile, path: base}]}}
      - {name: more, configMap: {name: coredns-custom}}
---
apiVersion: v1
kind: Service
spec: {clusterIP: 10.96.0.10, ports: [{port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns-custom}
data: {one.server: 'a.test { }', two.server: 'b.test { }'}
";
        let mounted = one(&format!("{MAP}{deployment}"));
        let paths: Vec<_> = mounted.files.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/conf/base", "/conf/one.server"]);
        assert_eq!((mounted.corefile.as_str(), mounted.sub_path), ("/conf/base", false));
        assert_eq!(mounted.memory, Some(170 << 20));
        assert_eq!(mounted.variable("UP").as_deref(), Some("192.0.2.1"));
        assert_eq!(mounted.nameservers, mounted.cluster_ips);
        assert_eq!(mounted.cluster_ips, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn whatever_is_cut_off_or_left_out_is_read_or_refused() {
        for at in 0..MAP.len() {
            let _ = read("x", &MAP[..at]);
            let _ = read("x", &format!("{}{}", &MAP[..at], &MAP[at + 1..]));
        }
    }

    #[test]
    fn what_is_no_configuration() {
        assert!(read("x", "kind: ConfigMap\ndata: {a: b}\n").unwrap_err().contains("Corefile"));
        assert!(read("x", "kind: [\n").unwrap_err().contains("line"));
        assert!(read("x", "kind: ConfigMap\ndata: 3\n").is_err());
        assert!(read("x", "").is_err());
    }
}
