//! What `kubernetes` tells `metadata` about a question.

use super::Kubernetes;
use crate::env::Describe;
use chain::Exchange;
use cluster::Described;
use std::borrow::Cow;
use wire::{Name, NameBuf};

type Labels = Vec<(Cow<'static, str>, String)>;

impl Describe for Kubernetes {
    fn describe(&self, x: &Exchange, labels: &mut Labels) {
        let mut add = |label, value| labels.push((Cow::Borrowed(label), value));
        let cluster = self.source.cluster();
        let client = x.client.peer.ip();
        if let Some((namespace, name)) = cluster.and_then(|it| it.pod_of(&self.view, client)) {
            add("kubernetes/client-namespace", namespace);
            add("kubernetes/client-pod-name", name);
        }
        let Some(described) = self.view.describe(x.question.name()) else { return };
        let Ok(Described { kind, namespace, service, endpoint, port, protocol }) = described else {
            return add("kubernetes/parse-error", "invalid query name".to_owned());
        };
        for (label, octets) in [
            ("kubernetes/port-name", port),
            ("kubernetes/protocol", protocol),
            ("kubernetes/endpoint", endpoint),
            ("kubernetes/service", service),
            ("kubernetes/namespace", namespace),
            ("kubernetes/kind", kind),
        ] {
            add(label, text(octets));
        }
    }
}

/// A label of a name, with escapes where it needs them.
fn text(label: &[u8]) -> String {
    if label.is_empty() {
        return String::new();
    }
    let name = NameBuf::child(label, Name::ROOT).map_or(String::new(), |name| name.to_string());
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}
