//! Why a name has the answer that it has, in words for people.

use crate::address::Address;
use crate::answer::Found;
use crate::cluster::Cluster;
use crate::model::entry::namespace_of;
use crate::path::{Forms, Path};
use crate::view::{Pods, View};
use std::net::IpAddr;
use wire::Question;

impl Cluster {
    /// What the name of `question` stands for in this cluster and why `found` was found there: one
    /// sentence without a full stop, as a predicate (`has service web of namespace shop`). Empty if the
    /// name lies in no zone of the view.
    ///
    /// Looks again, and so may say something newer than the answer.
    pub fn explain(&self, view: &View, question: &Question, found: Found) -> String {
        let name = question.name();
        let Some((zone, above)) = view.find_zone(name) else { return String::new() };
        let source =
            if self.is_synced() && !self.is_listed() { " (known from the snapshot)" } else { "" };
        if let Some(address) = Address::from_reverse(name) {
            let address = IpAddr::from(address);
            return match found {
                Found::Answer => format!("knows who has the address {address}{source}"),
                Found::NotSynced => not_synced(&format!("the address {address}")),
                _ => format!("knows no service and no endpoint with the address {address}{source}"),
            };
        }
        let forms = Forms { imported: zone.is_imported, zonal: view.zonal && !zone.is_imported };
        let path = Path::read(above, forms);
        let subject = match path {
            // CoreDNS does without the underscores of a port's name, but no client asks so: it is a name
            // that was searched for.
            Path::Port { key, .. } if name.first_label().is_none_or(|it| !it.starts_with(b"_")) => {
                format!("a name below {}", service(key))
            }
            _ => subject(&path),
        };
        match found {
            Found::Answer | Found::Elsewhere => format!("has {subject}{source}"),
            Found::NoData => format!("has {subject}, but no {} for it{source}", question.rtype),
            Found::NotSynced => not_synced(&subject),
            Found::Refused => "hands out no zone this way".to_owned(),
            Found::NotHere => String::new(),
            Found::NoSuchName => {
                format!("lacks {subject}: {}{source}", self.why_absent(view, &path))
            }
        }
    }

    fn why_absent(&self, view: &View, path: &Path<'_>) -> String {
        if matches!(path, Path::Pod { .. } | Path::Pods { .. }) && view.pods == Pods::Disabled {
            return "`pods` is disabled".to_owned();
        }
        let Some(namespace) = namespace(path) else {
            return "no name of a cluster is like that".to_owned();
        };
        if !view.shows(namespace) {
            return format!("`namespaces` hides namespace {}", text(namespace));
        }
        if !self.has_namespace(namespace) {
            return format!("there is no namespace {}", text(namespace));
        }
        match *path {
            Path::Pod { label, .. } if Address::from_label(label).is_none() => {
                format!("{} is no address with hyphens", text(label))
            }
            Path::Pod { .. } => "no pod of the namespace has the address".to_owned(),
            Path::Imported { .. } => "no such endpoint is imported".to_owned(),
            Path::Service { key }
            | Path::Endpoint { key, .. }
            | Path::Port { key, .. }
            | Path::Zonal { key, .. } => self.why_service_absent(view, path, key),
            _ => "nothing has that name".to_owned(),
        }
    }

    fn why_service_absent(&self, view: &View, path: &Path<'_>, key: &[u8]) -> String {
        let exists = self.entry(key, |entry| entry.service().is_some()) == Some(true);
        match path {
            _ if !exists => "there is no such service".to_owned(),
            Path::Endpoint { .. } | Path::Zonal { .. } => {
                "the service has no such endpoint that is ready".to_owned()
            }
            Path::Port { .. } => "the service has no such port with a ready endpoint".to_owned(),
            _ if view.ignore_empty_services => {
                "no endpoint of it is ready, and `ignore empty_service` hides it".to_owned()
            }
            _ => "no endpoint of it is ready".to_owned(),
        }
    }
}

fn not_synced(subject: &str) -> String {
    format!("cannot tell about {subject} yet: not all of the cluster is known")
}

/// What a name stands for.
fn subject(path: &Path<'_>) -> String {
    match *path {
        Path::Apex => "the zone itself".to_owned(),
        Path::DnsVersion => "the version of the specification".to_owned(),
        Path::NameServer => "the name of this server".to_owned(),
        Path::Empty => "a name above others".to_owned(),
        Path::Services { namespace } => format!("the services of namespace {}", text(namespace)),
        Path::Pods { namespace } => format!("the pods of namespace {}", text(namespace)),
        Path::Service { key } => service(key),
        Path::Endpoint { key, label } => format!("endpoint {} of {}", text(label), service(key)),
        Path::Imported { key, label, cluster } => {
            format!("endpoint {} in cluster {} of {}", text(label), text(cluster), service(key))
        }
        Path::Zonal { key, .. } => format!("endpoints in a topology zone of {}", service(key)),
        Path::Port { key, port, protocol } => {
            format!("port {}/{} of {}", text(port), text(protocol), service(key))
        }
        Path::Pod { namespace, label } => {
            format!("pod {} of namespace {}", text(label), text(namespace))
        }
        Path::Nothing => "the name".to_owned(),
    }
}

fn namespace<'a>(path: &Path<'a>) -> Option<&'a [u8]> {
    match *path {
        Path::Services { namespace } | Path::Pods { namespace } | Path::Pod { namespace, .. } => {
            Some(namespace)
        }
        Path::Service { key }
        | Path::Endpoint { key, .. }
        | Path::Imported { key, .. }
        | Path::Zonal { key, .. }
        | Path::Port { key, .. } => Some(namespace_of(key)),
        _ => None,
    }
}

/// The service of a key: two labels in wire form.
fn service(key: &[u8]) -> String {
    let name = key.split_first().and_then(|(length, rest)| rest.get(..usize::from(*length)));
    format!("service {} of namespace {}", text(name.unwrap_or_default()), text(namespace_of(key)))
}

/// A label, whatever octets it has.
fn text(label: &[u8]) -> String {
    label.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use crate::objects::{Event, Exposure, Kind, Kinds, Namespace, Object, Service, Target};
    use crate::{Model, Options, Pods, View};
    use wire::{NameBuf, Question, RecordType, Reply};

    /// What is said about the address of a name in front of `cluster.local`.
    fn said(model: &Model, change: impl FnOnce(&mut Options), name: &str) -> String {
        let mut options = Options::new(vec!["cluster.local".parse().unwrap()]);
        options.pods = Pods::Insecure;
        change(&mut options);
        let view = View::new(options).unwrap();
        let name: NameBuf = format!("{name}.cluster.local").parse().unwrap();
        let question = Question::new(name.as_name(), RecordType::A);
        let found = model.cluster().answer(&view, &question, &mut Reply::default());
        model.cluster().explain(&view, &question, found)
    }

    fn model(awaited: Kinds) -> Model {
        let service = Service {
            namespace: "shop".into(),
            name: "db".into(),
            target: Target::Endpoints,
            ports: Vec::new(),
            exposure: Exposure::default(),
        };
        let namespace = Object::Namespace(Namespace { name: "shop".into() });
        let mut model = Model::new(awaited);
        model.apply([namespace, Object::Service(service)].map(Event::Apply), 1);
        model
    }

    #[test]
    fn what_is_missing_is_named() {
        let model = model(Kinds::none());
        for (name, expected) in [
            ("db.shop.svc", "lacks service db of namespace shop: no endpoint of it is ready"),
            (
                "a.db.shop.svc",
                "lacks endpoint a of service db of namespace shop: \
                 the service has no such endpoint that is ready",
            ),
            ("web.shop.svc", "lacks service web of namespace shop: there is no such service"),
            ("web.dev.svc", "lacks service web of namespace dev: there is no namespace dev"),
            ("x.shop.pod", "lacks pod x of namespace shop: x is no address with hyphens"),
            ("1-2-3-4.shop.pod", "has pod 1-2-3-4 of namespace shop"),
            ("shop.svc", "has the services of namespace shop, but no A for it"),
            ("x", "lacks the name: no name of a cluster is like that"),
        ] {
            assert_eq!(said(&model, |_| {}, name), expected);
        }
    }

    #[test]
    fn what_the_directive_hides_is_named() {
        let model = model(Kinds::none());
        assert_eq!(
            said(&model, |it| it.namespaces = Some(vec!["dev".into()]), "db.shop.svc"),
            "lacks service db of namespace shop: `namespaces` hides namespace shop"
        );
        assert_eq!(
            said(&model, |it| it.pods = Pods::Disabled, "1-2-3-4.shop.pod"),
            "lacks pod 1-2-3-4 of namespace shop: `pods` is disabled"
        );
    }

    #[test]
    fn what_is_not_known_yet_is_not_denied() {
        let model = model(Kinds::none().with(Kind::Service));
        assert_eq!(
            said(&model, |_| {}, "web.shop.svc"),
            "cannot tell about service web of namespace shop yet: not all of the cluster is known"
        );
        let mut model = model;
        model.finish_restoring(1, true);
        assert_eq!(
            said(&model, |_| {}, "web.shop.svc"),
            "lacks service web of namespace shop: there is no such service (known from the snapshot)"
        );
    }
}
