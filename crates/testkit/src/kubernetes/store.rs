//! The objects of a fake cluster and the history of their changes. Pure: no socket, no clock.

use super::resource::{RESOURCES, Resource};
use super::selector::Selector;
use crate::scenario::Mistake;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Changes that are remembered; who watches from before them gets 410.
const HISTORY_MAX: usize = 100_000;

/// The version of a cluster to which nothing has happened yet.
const FIRST_VERSION: u64 = 1000;

/// Namespace (empty for what has none) and name.
type Key = (String, String);

/// Objects and history.
#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<&'static str, BTreeMap<Key, Value>>,
    history: Vec<Change>,
    version: u64,
    /// Changes up to and with this version are forgotten.
    forgotten: u64,
}

/// A change: what the object was and became.
#[derive(Debug)]
struct Change {
    version: u64,
    kind: &'static str,
    before: Option<Value>,
    after: Option<Value>,
}

/// A page of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) version: u64,
    /// What to ask with for the next page.
    pub(super) continues: Option<String>,
    pub(super) remaining: usize,
}

/// The version or token is older than the history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Store {
    pub(super) fn new() -> Self {
        // A version of several digits, so that nobody takes versions for counts from one.
        let version = FIRST_VERSION;
        Self { objects: BTreeMap::new(), history: Vec::new(), version, forgotten: version }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Creates the objects of these YAML documents or replaces them.
    pub(super) fn apply(&mut self, manifests: &str) -> Result<(), Mistake> {
        for object in read_manifests(manifests)? {
            let (resource, key) = identify(&object)?;
            let of_kind = self.objects.entry(resource.kind).or_default();
            self.version += 1;
            let after = stored(object, resource, &key, self.version);
            let before = of_kind.insert(key, after.clone());
            self.remember(resource.kind, before, Some(after));
        }
        Ok(())
    }

    /// Deletes the objects that these YAML documents name.
    pub(super) fn delete(&mut self, manifests: &str) -> Result<(), Mistake> {
        for object in read_manifests(manifests)? {
            let (resource, key) = identify(&object)?;
            let of_kind = self.objects.entry(resource.kind).or_default();
            let Some(mut before) = of_kind.remove(&key) else {
                let (kind, name) = (resource.kind, key.1);
                return Err(Mistake::new(format!("there is no {kind} `{name}` to delete")));
            };
            self.version += 1;
            // The last state of an object that is deleted carries the version of the deletion.
            before["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.remember(resource.kind, Some(before), None);
        }
        Ok(())
    }

    fn remember(&mut self, kind: &'static str, before: Option<Value>, after: Option<Value>) {
        self.history.push(Change { version: self.version, kind, before, after });
        if self.history.len() > HISTORY_MAX {
            self.forgotten = self.history.remove(0).version;
        }
    }

    /// Forgets the history, as compaction does.
    pub(super) fn forget(&mut self) {
        self.version += 1;
        self.forgotten = self.version;
        self.history.clear();
    }

    /// Counts versions from half of the first one on, as if all changes had come long before.
    pub(super) fn go_back(&mut self) {
        self.version = FIRST_VERSION / 2;
        self.forgotten = self.version;
        self.history.clear();
    }

    /// A page of at most `limit` objects, the first or the one that `continues`.
    pub(super) fn list(
        &self,
        resource: &Resource,
        selector: &Selector,
        limit: usize,
        continues: Option<&str>,
    ) -> Result<Page, Gone> {
        let (version, after) = match continues {
            None => (self.version, None),
            Some(token) => {
                let mut parts = token.splitn(3, '/');
                let version = parts.next().and_then(|version| version.parse().ok()).ok_or(Gone)?;
                let namespace = parts.next().ok_or(Gone)?.to_owned();
                (version, Some((namespace, parts.next().ok_or(Gone)?.to_owned())))
            }
        };
        if version < self.forgotten {
            return Err(Gone);
        }
        let of_kind = self.objects.get(resource.kind);
        // Later pages show the objects of now. A watch from the list's version repeats what has
        // changed meanwhile, so that a client ends up with the same.
        let mut selected = of_kind.into_iter().flatten().filter(|(key, object)| {
            after.as_ref().is_none_or(|after| *key > after) && selector.selects(object)
        });
        let page: Vec<_> = selected.by_ref().take(limit).collect();
        let remaining = selected.count();
        let last = page.last().filter(|_| remaining > 0);
        let continues = last.map(|((namespace, name), _)| format!("{version}/{namespace}/{name}"));
        let items = page.into_iter().map(|(_, object)| object.clone()).collect();
        Ok(Page { items, version, continues, remaining })
    }

    /// The events of changes after `version`, as a client with this selector sees them.
    pub(super) fn events_after(
        &self,
        version: u64,
        resource: &Resource,
        selector: &Selector,
    ) -> Result<Vec<Value>, Gone> {
        if version < self.forgotten {
            return Err(Gone);
        }
        let first = self.history.partition_point(|change| change.version <= version);
        let of_kind = self.history[first..].iter().filter(|change| change.kind == resource.kind);
        Ok(of_kind.filter_map(|change| change.event(resource, selector)).collect())
    }
}

impl Change {
    /// An object that comes into the selection is added, one that leaves it is deleted.
    fn event(&self, resource: &Resource, selector: &Selector) -> Option<Value> {
        let seen = |state: &Option<Value>| state.as_ref().is_some_and(|it| selector.selects(it));
        let (event, object) = match (seen(&self.before), seen(&self.after)) {
            (false, true) => ("ADDED", &self.after),
            (true, true) => ("MODIFIED", &self.after),
            (true, false) if self.after.is_some() => ("DELETED", &self.after),
            (true, false) => ("DELETED", &self.before),
            (false, false) => return None,
        };
        Some(event_of(event, resource, object.as_ref()?))
    }
}

/// An event whose object says of what kind it is; items of a list do not.
pub(super) fn event_of(event: &str, resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    object["kind"] = json!(resource.kind);
    object["apiVersion"] = json!(resource.api_version);
    json!({"type": event, "object": object})
}

/// The documents of a YAML text; documents of kind List give their items.
fn read_manifests(text: &str) -> Result<Vec<Value>, Mistake> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Mistake::new(format!("the manifest is no YAML: {error}")))?;
    let mut objects = Vec::new();
    for document in documents {
        match document {
            Value::Null => {}
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                match list.remove("items") {
                    Some(Value::Array(items)) => objects.extend(items),
                    _ => return Err(Mistake::new("a List has `items`")),
                }
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

fn identify(object: &Value) -> Result<(&'static Resource, Key), Mistake> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let resource = Resource::of_kind(kind).ok_or_else(|| {
        let known: Vec<&str> = RESOURCES.iter().map(|resource| resource.kind).collect();
        Mistake::new(format!("`kind: {kind}` is none of {}", known.join(", ")))
    })?;
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(Mistake::new(format!("a {kind} has no `metadata.name`")));
    }
    let namespace = match resource.namespaced {
        true => metadata["namespace"].as_str().unwrap_or("default"),
        false => "",
    };
    Ok((resource, (namespace.to_owned(), name.to_owned())))
}

/// The object as the API keeps it: with version, namespace and uid, without kind.
fn stored(mut object: Value, resource: &Resource, key: &Key, version: u64) -> Value {
    let metadata = &mut object["metadata"];
    if resource.namespaced {
        metadata["namespace"] = json!(key.0);
    }
    metadata["resourceVersion"] = json!(version.to_string());
    metadata["uid"] = json!(format!("{}-{}-{}", resource.plural, key.0, key.1));
    metadata["creationTimestamp"] = json!("2018-06-01T00:00:00Z");
    if let Value::Object(fields) = &mut object {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &Resource = &RESOURCES[0];

    fn service(name: &str, app: &str) -> String {
        format!("{{kind: Service, metadata: {{name: {name}, labels: {{app: {app}}}}}}}\n---\n")
    }

    fn types(events: &[Value]) -> Vec<String> {
        let text = |event: &Value| {
            let name = event["object"]["metadata"]["name"].as_str().unwrap();
            format!("{} {name}", event["type"].as_str().unwrap())
        };
        events.iter().map(text).collect()
    }

    #[test]
    fn pages() {
        let mut store = Store::new();
        store.apply(&["a", "b", "c"].map(|name| service(name, "x")).concat()).unwrap();
        let all = Selector::default();
        let first = store.list(SERVICE, &all, 2, None).unwrap();
        assert_eq!((first.items.len(), first.remaining, first.version), (2, 1, 1003));
        assert_eq!(first.items[0]["metadata"]["namespace"], "default");
        assert!(first.items[0].get("kind").is_none());
        store.apply(&service("d", "x")).unwrap();
        let token = first.continues.unwrap();
        let second = store.list(SERVICE, &all, 2, Some(&token)).unwrap();
        assert_eq!((second.items.len(), second.continues, second.version), (2, None, 1003));
        store.forget();
        assert_eq!(store.list(SERVICE, &all, 2, Some(&token)), Err(Gone));
        assert_eq!(store.list(SERVICE, &all, 9, None).unwrap().items.len(), 4);
    }

    #[test]
    fn a_selection_sees_objects_come_and_go() {
        let mut store = Store::new();
        let selector = Selector::read("app=x", "").unwrap();
        store.apply(&service("a", "y")).unwrap();
        store.apply(&service("a", "x")).unwrap();
        store.apply(&service("a", "x")).unwrap();
        store.apply(&service("a", "y")).unwrap();
        store.apply(&service("b", "x")).unwrap();
        store.delete(&service("b", "")).unwrap();
        let events = store.events_after(1000, SERVICE, &selector).unwrap();
        let seen = ["ADDED a", "MODIFIED a", "DELETED a", "ADDED b", "DELETED b"];
        assert_eq!(types(&events), seen);
        assert_eq!(events[4]["object"]["metadata"]["resourceVersion"], "1006");
        assert_eq!(events[0]["object"]["apiVersion"], "v1");
        let later = store.events_after(1004, SERVICE, &selector).unwrap();
        assert_eq!(types(&later), ["ADDED b", "DELETED b"]);
        store.forget();
        assert_eq!(store.events_after(1004, SERVICE, &selector), Err(Gone));
    }

    #[test]
    fn manifests() {
        let mut store = Store::new();
        store
            .apply(
                "kind: List\nitems:\n- kind: Namespace\n  metadata: {name: shop}\n---\n---\n\
                 kind: Service\nmetadata: {name: a, namespace: shop}\nspec: {ports: null}\n",
            )
            .unwrap();
        assert_eq!(store.version(), 1002);
        for (manifest, part) in [
            ("kind: Secret\nmetadata: {name: a}", "none of Service, Namespace"),
            ("kind: Service", "no `metadata.name`"),
            ("kind: [", "no YAML"),
            ("kind: List", "has `items`"),
        ] {
            let mistake = store.apply(manifest).unwrap_err();
            assert!(mistake.message.contains(part), "{manifest}: {}", mistake.message);
        }
        assert!(store.delete(&service("b", "")).unwrap_err().message.contains("to delete"));
    }
}
