//! Requests, and what they get: a list, a watch or a refusal.

use super::resource::Resource;
use super::selector::Selector;
use super::store::Gone;
use super::watch::Watch;
use super::{Condition, REQUESTS_MAX, Request, Shared, State, Streaming, Verb, lock};
use crate::http;
use serde_json::{Value, json};
use std::io::{self, BufReader};
use std::net::TcpStream;
use std::sync::PoisonError;

/// Answers the requests of a connection until one of both ends it.
pub(super) fn connection(shared: &Shared, stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::Request::read(&mut reader) {
        if answer(shared, stream, &request).is_err() || !request.keep_alive {
            return;
        }
    }
}

/// Why a request gets no list and no watch.
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }

    pub(super) fn gone() -> Self {
        Self::new(410, "Expired", "The resourceVersion or continue token is too old")
    }

    /// What a server says whose etcd is too old for streaming lists.
    pub(super) fn no_progress() -> Self {
        Self::new(500, "InternalError", "RequestWatchProgress is disabled")
    }

    pub(super) fn status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        })
    }
}

fn answer(shared: &Shared, mut stream: &TcpStream, request: &http::Request) -> io::Result<()> {
    let mut state = lock(&shared.state);
    let verb = verb_of(request);
    let resource = Resource::of_path(&request.path);
    let number = state.requests.len();
    if number < REQUESTS_MAX {
        let resource = resource.map_or(&request.path[..], |(resource, _)| resource.plural);
        let resource = resource.to_owned();
        state.requests.push(Request { verb, resource, status: 0 });
    }
    while state.condition == Condition::Hanging {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let allowed = state.check(verb, request);
    let refused = match allowed {
        Ok((resource, selector)) if verb == Verb::List => {
            match state.list(request, resource, &selector) {
                Ok(list) => {
                    state.note(number, 200);
                    drop(state);
                    return http::respond(&mut stream, 200, &list.to_string());
                }
                Err(refusal) => refusal,
            }
        }
        Ok((resource, selector)) => {
            state.note(number, 200);
            let watch = Watch::begin(shared, &state, (resource, selector), request);
            drop(state);
            return watch.run(stream);
        }
        Err(refusal) => refusal,
    };
    state.note(number, refused.code);
    drop(state);
    http::respond(&mut stream, refused.code, &refused.status().to_string())
}

fn verb_of(request: &http::Request) -> Verb {
    match (request.says("watch"), request.says("sendInitialEvents")) {
        (false, _) => Verb::List,
        (true, false) => Verb::Watch,
        (true, true) => Verb::StreamingList,
    }
}

impl State {
    fn note(&mut self, number: usize, status: u16) {
        if let Some(request) = self.requests.get_mut(number) {
            request.status = status;
        }
    }

    /// What is asked for, if it may be asked.
    fn check(
        &self,
        verb: Verb,
        request: &http::Request,
    ) -> Result<(&'static Resource, Selector), Refusal> {
        match self.condition {
            Condition::Failing(code) => {
                return Err(Refusal::new(code, "InternalError", "told to fail"));
            }
            Condition::Down => return Err(Refusal::new(503, "ServiceUnavailable", "going down")),
            Condition::Up | Condition::Hanging => {}
        }
        let found = Resource::of_path(&request.path);
        let served = found.filter(|(resource, _)| !self.absent.contains(resource.plural));
        let Some((resource, namespace)) = served else {
            let message = "the server could not find the requested resource";
            return Err(Refusal::new(404, "NotFound", message));
        };
        if self.denied.contains(resource.plural) {
            let plural = resource.plural;
            let message = format!("{plural} is forbidden: User \"testkit\" cannot list {plural}");
            return Err(Refusal::new(403, "Forbidden", message));
        }
        if verb == Verb::StreamingList && self.streaming == Streaming::Refused {
            let message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch";
            return Err(Refusal::new(422, "Invalid", message));
        }
        let text = |key| request.parameter(key).unwrap_or_default();
        let mut fields = text("fieldSelector").to_owned();
        if let Some(namespace) = namespace {
            fields.push_str(&format!(",metadata.namespace={namespace}"));
        }
        let selector = Selector::read(text("labelSelector"), &fields)
            .ok_or_else(|| Refusal::new(400, "BadRequest", "unable to parse the selectors"))?;
        Ok((resource, selector))
    }

    fn list(
        &self,
        request: &http::Request,
        resource: &Resource,
        selector: &Selector,
    ) -> Result<Value, Refusal> {
        let limit = request.parameter("limit").and_then(|limit| limit.parse().ok());
        let limit = limit.filter(|&limit| limit > 0).unwrap_or(usize::MAX).min(self.page_max);
        let continues = request.parameter("continue").filter(|token| !token.is_empty());
        let page = self
            .store
            .list(resource, selector, limit, continues)
            .map_err(|Gone| Refusal::gone())?;
        let mut metadata = json!({"resourceVersion": page.version.to_string()});
        if let Some(token) = page.continues {
            metadata["continue"] = json!(token);
            metadata["remainingItemCount"] = json!(page.remaining);
        }
        Ok(json!({
            "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version,
            "metadata": metadata, "items": page.items,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::FakeApi;
    use super::*;
    use std::io::{BufRead, Write};
    use std::time::Duration;

    const WEB: &str = "kind: Service\nmetadata: {name: web, labels: {app: web}}\n";
    const DB: &str = "kind: Service\nmetadata: {name: db}\n";

    fn get(api: &FakeApi, path: &str) -> (u16, Value) {
        let response = http::get(api.address, path).unwrap();
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    /// The lines of a watch, each told as `TYPE name`.
    fn watch(api: &FakeApi, query: &str) -> impl Iterator<Item = String> + use<> {
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let path = format!("GET /api/v1/services?watch=true&{query} HTTP/1.1\r\n\r\n");
        stream.write_all(path.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let events = lines.filter(|line| line.starts_with('{'));
        events.map(|line| {
            let event: Value = serde_json::from_str(&line).unwrap();
            let name = &event["object"]["metadata"]["name"];
            let event = event["type"].as_str().unwrap();
            name.as_str().map_or(event.to_owned(), |name| format!("{event} {name}"))
        })
    }

    #[test]
    fn lists_pages_and_selectors() {
        let api = FakeApi::start(0).unwrap();
        api.apply(&format!("{WEB}---\n{DB}")).unwrap();
        let (status, list) = get(&api, "/api/v1/services?labelSelector=app%3Dweb");
        assert_eq!((status, &list["kind"]), (200, &json!("ServiceList")));
        assert_eq!(list["items"][0]["metadata"]["name"], "web");
        let one = "/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Ddb";
        let (_, list) = get(&api, one);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
        let (_, list) = get(&api, &one.replace("default", "shop"));
        assert_eq!(list["items"].as_array().map(Vec::len), Some(0));
        let (_, list) = get(&api, "/api/v1/services?limit=1");
        assert_eq!(list["metadata"]["remainingItemCount"], 1);
        let token = list["metadata"]["continue"].as_str().unwrap();
        let next = format!("/api/v1/services?limit=1&continue={token}");
        assert_eq!(get(&api, &next).1["items"][0]["metadata"]["name"], "web");
        api.expire();
        assert_eq!(get(&api, &next).0, 410);
        assert_eq!(get(&api, "/api/v1/secrets").0, 404);
        assert_eq!(get(&api, "/api/v1/services?labelSelector=%28").0, 400);
        let requests = api.requests();
        assert_eq!((requests.len(), requests[0].verb, requests[5].status), (8, Verb::List, 410));
    }

    #[test]
    fn a_watch_sees_changes_until_it_is_cut() {
        let api = FakeApi::start(0).unwrap();
        api.apply(WEB).unwrap();
        let mut events = watch(&api, "resourceVersion=1001&allowWatchBookmarks=true");
        api.apply(DB).unwrap();
        assert_eq!(events.next().unwrap(), "ADDED db");
        api.delete(DB).unwrap();
        assert_eq!(events.next().unwrap(), "DELETED db");
        assert_eq!(events.next().unwrap(), "BOOKMARK");
        api.send_garbage();
        assert_eq!(events.find(|event| event != "BOOKMARK").unwrap(), "ADDED");
        let mut old = watch(&api, "resourceVersion=1001");
        assert_eq!(old.next().unwrap(), "ADDED db");
        api.expire();
        assert!(events.all(|event| event == "BOOKMARK"));
        let mut expired = watch(&api, "resourceVersion=1001");
        assert_eq!(expired.next().unwrap(), "ERROR");
    }

    #[test]
    fn streaming_lists() {
        let api = FakeApi::start(0).unwrap();
        api.apply(WEB).unwrap();
        let mut events = watch(&api, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
        assert_eq!(events.next().unwrap(), "ADDED web");
        assert_eq!(events.next().unwrap(), "BOOKMARK");
        api.apply(DB).unwrap();
        assert_eq!(events.next().unwrap(), "ADDED db");
        api.set_streaming(Streaming::Broken);
        let broken: Vec<_> = watch(&api, "sendInitialEvents=true").take(3).collect();
        assert_eq!(broken, ["ADDED db", "ADDED web", "ERROR"]);
        api.set_streaming(Streaming::Refused);
        assert_eq!(get(&api, "/api/v1/services?watch=true&sendInitialEvents=true").0, 422);
    }

    #[test]
    fn resources_may_be_absent() {
        let api = FakeApi::start(0).unwrap();
        api.apply(WEB).unwrap();
        api.remove("services").unwrap();
        assert_eq!(get(&api, "/api/v1/services").0, 404);
        assert_eq!(get(&api, "/api/v1/pods").0, 200);
        api.bring("services").unwrap();
        assert_eq!(get(&api, "/api/v1/services").1["items"][0]["metadata"]["name"], "web");
        assert!(api.remove("secrets").is_err());
    }

    #[test]
    fn a_version_of_the_future_is_told_nothing() {
        let api = FakeApi::start(0).unwrap();
        api.apply(WEB).unwrap();
        api.restore_backup();
        api.apply(DB).unwrap();
        let query = "resourceVersion=1001&allowWatchBookmarks=true&timeoutSeconds=2";
        assert_eq!(watch(&api, query).next(), None);
        let (_, list) = get(&api, "/api/v1/services");
        assert_eq!(list["metadata"]["resourceVersion"], "501");
        assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn failures() {
        let mut api = FakeApi::start(0).unwrap();
        let services = "/api/v1/services";
        api.set(Condition::Failing(500)).unwrap();
        assert_eq!(get(&api, services).0, 500);
        api.set(Condition::Up).unwrap();
        api.deny("services").unwrap();
        assert_eq!(get(&api, services).0, 403);
        assert_eq!(get(&api, "/api/v1/pods").0, 200);
        api.allow("services").unwrap();
        assert!(api.deny("secrets").is_err());
        let mut events = watch(&api, "resourceVersion=1000&allowWatchBookmarks=true");
        assert_eq!(events.next().unwrap(), "BOOKMARK");
        api.set(Condition::Down).unwrap();
        assert!(http::get(api.address, services).is_err());
        assert_eq!(events.next(), None);
        api.set(Condition::Hanging).unwrap();
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| get(&api, services).0);
            while api.requests().last().unwrap().status != 0 {
                std::thread::yield_now();
            }
            assert!(!hanging.is_finished());
            api.change(|state| state.condition = Condition::Up);
            assert_eq!(hanging.join().unwrap(), 200);
        });
    }
}
