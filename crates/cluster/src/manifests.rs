//! A cluster out of manifest files, for servers that have no API server to ask.
//!
//! **What this is.** [`Manifests`] reads YAML and JSON as `kubectl apply` does: several documents
//! in a file, `List` kinds, kinds that do not matter here ignored. It tells what it holds as a
//! relist, so that the model finds out what has changed.
//!
//! **What this is not.** It opens no file and watches no directory.

use crate::objects::{Document, Event, IMPORTED_LABEL, Key, Kind, Object};
use crate::selector::Selector;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// A file as it was read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// What it is called in mistakes; a file keeps its last good objects under this name.
    pub path: &'a str,
    /// All of its content; none if it is there and cannot be read, which whoever tried has to tell.
    pub text: Option<&'a str>,
}

/// Something in a file that could not be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 if it is not known.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.reason)
    }
}

/// The objects of a set of manifest files.
#[derive(Debug, Default)]
pub struct Manifests {
    /// `labels`: for services, slices and pods.
    labels: Selector,
    /// Of the services those that any of these selects; all if there is none.
    any_labels: Vec<Selector>,
    /// `namespace_labels`.
    namespace_labels: Selector,
    /// For ingresses, gateways, routes and the like; none if these do not matter.
    route_labels: Option<Selector>,
    files: BTreeMap<String, Vec<Placed>>,
}

/// An object and the line of its document.
#[derive(Clone, Debug)]
struct Placed {
    object: Object,
    line: u64,
}

impl Manifests {
    /// No files yet. Only objects that the selectors select will be taken.
    pub fn new(labels: Selector, namespace_labels: Selector) -> Self {
        Self { labels, namespace_labels, ..Self::default() }
    }

    /// The same, but what only [`crate::gateway`] needs matters too: those that the selector selects.
    #[must_use]
    pub fn with_routes(self, route_labels: Selector) -> Self {
        Self { route_labels: Some(route_labels), ..self }
    }

    /// The same, but of the services only those that any of these selectors selects, if there are
    /// any.
    #[must_use]
    pub fn with_any_labels(self, any_labels: Vec<Selector>) -> Self {
        Self { any_labels, ..self }
    }

    /// Becomes the content of `files`, as far as it can be used.
    ///
    /// A file with a mistake, or one that cannot be read, keeps the objects that it had when it was
    /// good; one that never was gives those of its objects that can be read. Of objects with one key
    /// the first counts.
    pub fn read(&mut self, files: &[File<'_>]) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut last_good = std::mem::take(&mut self.files);
        for File { path, text } in files {
            let before = mistakes.len();
            let objects = text.map(|text| self.read_file(path, text, &mut mistakes));
            let is_good = objects.is_some() && mistakes.len() == before;
            let kept = last_good.remove(*path).filter(|_| !is_good);
            self.files.insert((*path).to_owned(), kept.or(objects).unwrap_or_default());
        }
        mistakes.extend(self.repeated());
        mistakes
    }

    /// Everything that is held, as one relist of each kind.
    pub fn events(&self) -> Vec<Event> {
        let mut first: HashMap<Key, &Object> = HashMap::new();
        for placed in self.files.values().flatten() {
            first.entry(placed.object.key()).or_insert(&placed.object);
        }
        let objects = first.into_values().map(|object| Event::Apply(object.clone()));
        let begin = Kind::ALL.into_iter().map(Event::RelistBegin);
        begin.chain(objects).chain(Kind::ALL.into_iter().map(Event::RelistEnd)).collect()
    }

    fn read_file(&self, path: &str, text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Placed> {
        let mut mistake = |line, reason| {
            mistakes.push(Mistake { path: path.to_owned(), line, reason });
        };
        let documents = match serde_saphyr::from_multiple::<Spanned<Value>>(text) {
            Ok(documents) => documents,
            Err(error) => {
                let line = error.location().map_or(0, |location| location.line());
                mistake(line, error.without_snippet().to_string());
                return Vec::new();
            }
        };
        let mut objects = Vec::new();
        for document in documents {
            let line = document.referenced.line();
            for value in items(document.value) {
                for kind in kinds_of(&value) {
                    match self.object(kind, value.clone()) {
                        Ok(object) => objects.extend(object.map(|object| Placed { object, line })),
                        Err(reason) => mistake(line, reason),
                    }
                }
            }
        }
        objects
    }

    /// The object of a document, if it is selected.
    fn object(&self, kind: Kind, mut document: Value) -> Result<Option<Object>, String> {
        let everything = Selector::default();
        let selector = match kind {
            Kind::Namespace => &self.namespace_labels,
            Kind::Service | Kind::EndpointSlice | Kind::Pod | Kind::ImportedSlice => &self.labels,
            Kind::ServiceImport => &everything,
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => match &self.route_labels {
                Some(labels) => labels,
                None => return Ok(None),
            },
        };
        let labels = document.pointer("/metadata/labels").and_then(Value::as_object);
        let texts = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let labels = texts.collect();
        let any = &self.any_labels;
        let is_any = || any.is_empty() || any.iter().any(|selector| selector.selects(&labels));
        if !selector.selects(&labels) || kind == Kind::Service && !is_any() {
            return Ok(None);
        }
        let metadata = document.get_mut("metadata").and_then(Value::as_object_mut);
        if let Some(metadata) = metadata.filter(|_| kind.is_namespaced()) {
            metadata.entry("namespace").or_insert_with(|| "default".into());
        }
        match Document::from_json(kind, &document.to_string()) {
            Ok(document) => Ok(document.object),
            Err(odd) => Err(format!("not a {} as expected: {odd}", kind.name())),
        }
    }

    /// Objects whose key stands earlier too.
    fn repeated(&self) -> Vec<Mistake> {
        let mut first: HashMap<Key, (&str, u64)> = HashMap::new();
        let mut mistakes = Vec::new();
        for (path, placed) in &self.files {
            for Placed { object, line } in placed {
                match first.entry(object.key()) {
                    Entry::Vacant(place) => {
                        place.insert((path, *line));
                    }
                    Entry::Occupied(known) => {
                        let Key { kind, namespace, name } = known.key();
                        let (kind, (known_path, known_line)) = (kind.name(), known.get());
                        let reason = format!(
                            "{kind} {namespace}/{name} stands in {known_path}:{known_line} already"
                        );
                        mistakes.push(Mistake { path: path.clone(), line: *line, reason });
                    }
                }
            }
        }
        mistakes
    }
}

/// The objects of a document: its items if it is a list.
fn items(mut document: Value) -> Vec<Value> {
    let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").filter(|_| is_list).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => vec![document],
    }
}

/// Which kinds that matter a document is of: a slice of a service may be one of an imported service
/// as well. Other groups have kinds of the same name.
fn kinds_of(document: &Value) -> impl Iterator<Item = Kind> {
    let text = |field: &str| document[field].as_str().map(str::to_owned);
    let (version, name) = (text("apiVersion"), text("kind"));
    let is_imported =
        document.pointer("/metadata/labels").is_some_and(|it| !it[IMPORTED_LABEL].is_null());
    Kind::ALL.into_iter().filter(move |kind| {
        let known = match kind {
            Kind::ImportedSlice if is_imported => Kind::EndpointSlice.name(),
            kind => kind.name(),
        };
        name.as_deref() == Some(known) && version.as_deref() == Some(kind.api_version())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
";

    fn read(manifests: &mut Manifests, files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|&(path, text)| File { path, text: Some(text) }).collect();
        manifests.read(&files).iter().map(Mistake::to_string).collect()
    }

    fn names(manifests: &Manifests) -> Vec<String> {
        let applied = manifests.events().into_iter().filter_map(|event| match event {
            Event::Apply(object) => Some(object.key()),
            _ => None,
        });
        let mut names: Vec<_> = applied
            .map(|key| format!("{} {}/{}", key.kind.name(), key.namespace, key.name))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn documents_lists_and_other_kinds() {
        let mut manifests = Manifests::default();
        let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}},
            {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "other"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": 7}]}"#;
        assert_eq!(
            read(&mut manifests, &[("a.yaml", TWO), ("b.json", list), ("c.yaml", "")]),
            [""; 0]
        );
        assert_eq!(
            names(&manifests),
            ["Namespace /shop", "Service default/db", "Service shop/web"]
        );
    }

    #[test]
    fn imports() {
        let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport", "metadata": {"name": "db"}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "both", "labels": {
                "kubernetes.io/service-name": "derived", "multicluster.kubernetes.io/service-name": "db",
                "multicluster.kubernetes.io/source-cluster": "east"}}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "ImportedEndpointSlice", "metadata": {"name": "none"}}]}"#;
        let mut manifests = Manifests::default();
        assert_eq!(read(&mut manifests, &[("a.json", list)]), [""; 0]);
        let expected = [
            "EndpointSlice default/both",
            "ImportedEndpointSlice default/both",
            "ServiceImport default/db",
        ];
        assert_eq!(names(&manifests), expected);
    }

    #[test]
    fn of_several_selectors_one_is_enough() {
        let any = ["app=db", "app=web,!legacy"].map(|text| text.parse().unwrap());
        let team: Selector = "team!=b".parse().unwrap();
        let mut manifests = Manifests::new(team, Selector::default()).with_any_labels(any.into());
        let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"app": "db"}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b", "labels": {"app": "web"}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c", "labels": {"app": "web", "legacy": ""}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d", "labels": {"app": "db", "team": "b"}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "e"}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "f"}}]}"#;
        assert_eq!(read(&mut manifests, &[("a.json", list)]), [""; 0]);
        assert_eq!(names(&manifests), ["Namespace /f", "Service default/a", "Service default/b"]);
    }

    #[test]
    fn selectors_select() {
        let selector = |text: &str| text.parse().unwrap();
        let mut manifests = Manifests::new(selector("app=db"), selector("team=a"));
        read(&mut manifests, &[("a.yaml", TWO)]);
        assert_eq!(names(&manifests), ["Namespace /shop"]);
    }

    #[test]
    fn routes_matter_to_those_who_want_them() {
        let route = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, labels: {k8s-gateway.dns/ignore: \"true\"}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
";
        let mut manifests = Manifests::default();
        assert_eq!(read(&mut manifests, &[("a.yaml", route)]), [""; 0]);
        assert_eq!(names(&manifests), [""; 0]);
        let selector = "k8s-gateway.dns/ignore!=true".parse().unwrap();
        let mut manifests = Manifests::default().with_routes(selector);
        read(&mut manifests, &[("a.yaml", route)]);
        assert_eq!(names(&manifests), ["HTTPRoute default/shop"]);
    }

    #[test]
    fn a_broken_file_keeps_its_last_good_objects() {
        let mut manifests = Manifests::default();
        assert_eq!(read(&mut manifests, &[("a.yaml", TWO)]), [""; 0]);
        let mistakes = read(&mut manifests, &[("a.yaml", "kind: Service\nmetadata: {name: [\n")]);
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].starts_with("a.yaml:"), "{mistakes:?}");
        let odd = TWO.replace("name: web", "name: we.b");
        let mistakes = read(&mut manifests, &[("a.yaml", &odd)]);
        assert_eq!(
            mistakes,
            ["a.yaml:5: not a Service as expected: `metadata.name` \"we.b\" is no DNS label"]
        );
        assert_eq!(names(&manifests), ["Namespace /shop", "Service shop/web"]);
        let unreadable = ["a.yaml", "b.yaml"].map(|path| File { path, text: None });
        assert_eq!(manifests.read(&unreadable), []);
        assert_eq!(names(&manifests), ["Namespace /shop", "Service shop/web"]);
        assert_eq!(read(&mut manifests, &[]), [""; 0]);
        assert_eq!(names(&manifests), [""; 0]);
    }

    #[test]
    fn of_two_objects_with_one_key_the_first_counts() {
        let mut manifests = Manifests::default();
        let other = TWO.replace("10.0.0.1", "10.0.0.2");
        let mistakes = read(&mut manifests, &[("b.yaml", &other), ("a.yaml", TWO)]);
        assert_eq!(mistakes[1], "b.yaml:5: Service shop/web stands in a.yaml:5 already");
        let text = format!("{:?}", manifests.events());
        assert!(text.contains("10.0.0.1") && !text.contains("10.0.0.2"));
        let twice = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}}]}"#;
        let mistakes = read(&mut manifests, &[("a.json", twice)]);
        assert_eq!(mistakes, ["a.json:1: Service default/db stands in a.json:1 already"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}", yaml in "[a-z:{}\\[\\] \n*&|>'\"#-]{0,80}") {
            let mut manifests = Manifests::default();
            let files = [File { path: "a", text: Some(&text) }, File { path: "b", text: Some(&yaml) }];
            manifests.read(&files);
        }
    }
}
