//! What the API server says, in either of its two forms.
//!
//! **What this is.** The only place that knows of both: pages of lists, the frames of watches,
//! refusals, and single objects within these.
//!
//! **What this is not.** What follows from any of it: that is decided in `resource`.

use super::failure::{ErrorKind, Failure};
use super::settings::Transfer;
use crate::objects::protobuf::{self, Fields, Malformed};
use crate::objects::{Document, Kind, Odd};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How a response is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Json,
    Protobuf,
}

impl Encoding {
    /// The one that a response names. An API server answers in JSON where it has nothing better.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match named.is_some_and(|name| name.starts_with("application/vnd.kubernetes.protobuf")) {
            true => Self::Protobuf,
            false => Self::Json,
        }
    }
}

/// `Accept`: which forms we understand, the better first.
pub(super) fn accepted(transfer: Transfer, kind: Kind, is_watch: bool) -> &'static str {
    if !transfer.protobuf || protobuf::of_kind(kind).is_none() {
        return "application/json";
    }
    match is_watch {
        true => "application/vnd.kubernetes.protobuf;stream=watch,application/json",
        false => "application/vnd.kubernetes.protobuf,application/json",
    }
}

/// An object that has not been read yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoded<'a> {
    Json(&'a RawValue),
    /// Without an envelope.
    Protobuf(&'a [u8]),
}

impl<'a> Encoded<'a> {
    pub(super) fn document(self, kind: Kind) -> Result<Document, Odd> {
        match self {
            Self::Json(json) => Document::from_json(kind, json.get()),
            Self::Protobuf(message) => Document::from_protobuf(kind, message),
        }
    }

    /// As much as a bookmark has of an object.
    pub(super) fn bookmark(self) -> Bookmark {
        match self {
            Self::Json(json) => serde_json::from_str(json.get()).unwrap_or_default(),
            Self::Protobuf(message) => {
                protobuf::read(protobuf::BOOKMARK, message).unwrap_or_default()
            }
        }
    }

    /// `metadata.labels`; none if the object cannot be read.
    pub(super) fn labels(self) -> BTreeMap<String, String> {
        let labelled: Option<Labelled> = match self {
            Self::Json(json) => serde_json::from_str(json.get()).ok(),
            Self::Protobuf(message) => protobuf::read(protobuf::BOOKMARK, message).ok(),
        };
        labelled.and_then(|labelled| labelled.metadata.labels).unwrap_or_default()
    }

    /// What tells the object from every other one that there ever was.
    pub(super) fn uid(self) -> Option<String> {
        let identified: Identified = match self {
            Self::Json(json) => serde_json::from_str(json.get()).ok()?,
            Self::Protobuf(message) => protobuf::read(protobuf::BOOKMARK, message).ok()?,
        };
        Some(identified.metadata.uid)
    }

    /// What the object, a `Status`, refuses.
    pub(super) fn refusal(self) -> Failure {
        let refusal: Refusal = match self {
            Self::Json(json) => serde_json::from_str(json.get()).unwrap_or_default(),
            Self::Protobuf(message) => {
                protobuf::read(protobuf::STATUS, message).unwrap_or_default()
            }
        };
        refusal.failure(None)
    }

    /// Opens the envelope that an object has in an event.
    fn enveloped(envelope: &'a [u8]) -> Result<Self, Malformed> {
        protobuf::open(envelope).map(Self::Protobuf)
    }
}

#[derive(Deserialize)]
struct Labelled {
    metadata: LabelledMetadata,
}

#[derive(Deserialize)]
struct LabelledMetadata {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Identified {
    metadata: Identity,
}

#[derive(Deserialize)]
struct Identity {
    uid: String,
}

/// An object of which nothing but the version is of interest.
#[derive(Deserialize, Default, Debug)]
pub(super) struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Deserialize, Default, Debug)]
#[serde(rename_all = "camelCase", default)]
struct BookmarkMetadata {
    resource_version: String,
    annotations: Option<BookmarkAnnotations>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    ends_list: Option<String>,
}

impl Bookmark {
    /// The version to resume at; empty if it has none.
    pub(super) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Whether the list is complete that a watch began with.
    pub(super) fn ends_list(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.is_some_and(|it| it.ends_list.as_deref() == Some("true"))
    }
}

/// An event of a watch.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    pub(super) what: What,
    pub(super) object: Encoded<'a>,
}

/// The type of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// `ADDED` and `MODIFIED`: a known object may be added, too.
    Applied,
    Deleted,
    Bookmark,
    Error,
}

impl<'a> Notice<'a> {
    /// Reads a frame; none if it is no event that we know.
    pub(super) fn read(encoding: Encoding, frame: &'a [u8]) -> Option<Self> {
        let (name, object) = match encoding {
            Encoding::Json => {
                let line: Line<'_> = serde_json::from_slice(frame).ok()?;
                (line.kind, Encoded::Json(line.object))
            }
            Encoding::Protobuf => read_event(frame).ok()?,
        };
        let what = match name {
            "ADDED" | "MODIFIED" => What::Applied,
            "DELETED" => What::Deleted,
            "BOOKMARK" => What::Bookmark,
            "ERROR" => What::Error,
            _ => return None,
        };
        Some(Self { what, object })
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// `meta/v1` `WatchEvent`: `type = 1`, and `object = 2`, a `runtime.RawExtension` with `raw = 1`.
fn read_event(frame: &[u8]) -> Result<(&str, Encoded<'_>), Malformed> {
    let (mut name, mut extension) = (&[][..], &[][..]);
    for field in Fields::of(frame) {
        match field? {
            (1, value) => name = value.octets()?,
            (2, value) => extension = value.octets()?,
            _ => {}
        }
    }
    let mut envelope = &[][..];
    for field in Fields::of(extension) {
        if let (1, value) = field? {
            envelope = value.octets()?;
        }
    }
    Ok((protobuf::text(name)?, Encoded::enveloped(envelope)?))
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// The version of the whole list.
    pub(super) version: String,
    /// What to ask with for the next page; empty if there is none.
    pub(super) next: String,
    /// Where the objects lie in the page; they are read one by one.
    pub(super) items: Vec<Encoded<'a>>,
}

impl<'a> Page<'a> {
    pub(super) fn read(encoding: Encoding, body: &'a [u8]) -> Result<Self, Failure> {
        let malformed = |reason: String| Failure::new(ErrorKind::Malformed, reason);
        match encoding {
            Encoding::Json => {
                let page: JsonPage<'_> =
                    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
                let items = page.items.unwrap_or_default();
                Ok(Self::new(page.metadata, items.into_iter().map(Encoded::Json)))
            }
            Encoding::Protobuf => read_list(body).map_err(|error| malformed(error.to_string())),
        }
    }

    fn new(metadata: ListMetadata, items: impl Iterator<Item = Encoded<'a>>) -> Self {
        let ListMetadata { resource_version, r#continue: next } = metadata;
        Self { version: resource_version, next: next.unwrap_or_default(), items: items.collect() }
    }
}

/// Every list: `metadata = 1` and `items = 2`.
fn read_list(body: &[u8]) -> Result<Page<'_>, Malformed> {
    let (mut metadata, mut items) = (&[][..], Vec::new());
    for field in Fields::of(protobuf::open(body)?) {
        match field? {
            (1, value) => metadata = value.octets()?,
            (2, value) => items.push(value.octets()?),
            _ => {}
        }
    }
    let metadata = protobuf::read(protobuf::LIST_METADATA, metadata)?;
    Ok(Page::new(metadata, items.into_iter().map(Encoded::Protobuf)))
}

#[derive(Deserialize)]
struct JsonPage<'a> {
    metadata: ListMetadata,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
    r#continue: Option<String>,
}

/// `meta/v1` `Status`: what the API server says when it refuses.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    code: Option<u16>,
    message: Option<String>,
}

impl Refusal {
    fn failure(self, code: Option<StatusCode>) -> Failure {
        let named = self.code.and_then(|code| StatusCode::from_u16(code).ok());
        let code = code.or(named).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = self.message.filter(|text| !text.is_empty());
        Failure::status(code, message.unwrap_or_else(|| format!("the API server answered {code}")))
    }
}

/// What a response refuses that is no success.
pub(super) fn refused(encoding: Encoding, body: &[u8], code: StatusCode) -> Failure {
    let refusal: Refusal = match encoding {
        Encoding::Json => serde_json::from_slice(body).unwrap_or_default(),
        Encoding::Protobuf => protobuf::open(body)
            .and_then(|message| protobuf::read(protobuf::STATUS, message))
            .unwrap_or_default(),
    };
    refusal.failure(Some(code))
}

#[cfg(test)]
mod tests {
    use super::super::frames::Frames;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_mean_something() {
        let failure = |json: &str, code: u16| {
            refused(Encoding::Json, json.as_bytes(), StatusCode::from_u16(code).unwrap())
        };
        let event = |json: &str| {
            let json: &RawValue = serde_json::from_str(json).unwrap();
            Encoded::Json(json).refusal()
        };
        let gone =
            event(r#"{"kind": "Status", "code": 410, "message": "too old resource version"}"#);
        assert_eq!(
            (gone.kind, gone.to_string()),
            (ErrorKind::Gone, "too old resource version".into())
        );
        let future = event(r#"{"code": 504, "message": "Timeout: Too large resource version: 9"}"#);
        assert_eq!(future.kind, ErrorKind::Gone);
        assert_eq!(event("{}").kind, ErrorKind::Server);
        assert_eq!(failure("gateway!", 502).to_string(), "the API server answered 502 Bad Gateway");
        assert_eq!(failure("", 500).kind, ErrorKind::Server);
        assert_eq!(failure("{}", 401).kind, ErrorKind::Unauthorized);
        assert_eq!(failure("404 page not found", 404).kind, ErrorKind::Absent);
    }

    /// What a kube-apiserver sent: a list in JSON, the same in Protocol Buffers, and a streaming list.
    macro_rules! recorded {
        ($kind:ident, $name:literal) => {
            (
                Kind::$kind,
                include_bytes!(concat!("../../tests/recorded/", $name, ".list.json")).as_slice(),
                include_bytes!(concat!("../../tests/recorded/", $name, ".list.protobuf"))
                    .as_slice(),
                include_bytes!(concat!("../../tests/recorded/", $name, ".watch.protobuf"))
                    .as_slice(),
            )
        };
    }

    #[test]
    fn a_real_server_says_the_same_in_both_forms() {
        for (kind, json, protobuf, stream) in [
            recorded!(Namespace, "namespaces"),
            recorded!(Service, "services"),
            recorded!(EndpointSlice, "endpointslices"),
            recorded!(Pod, "pods"),
            recorded!(Node, "nodes"),
        ] {
            let read = |encoding, body| {
                let page = Page::read(encoding, body).unwrap();
                assert!(!page.version.is_empty() && page.next.is_empty());
                let documents = page.items.iter().map(|item| item.document(kind).unwrap());
                let labels = page.items.iter().map(|item| item.labels());
                (documents.collect::<Vec<_>>(), labels.collect::<Vec<_>>())
            };
            let (documents, labels) = read(Encoding::Json, json);
            assert!(documents.iter().any(|document| document.object.is_some()));
            assert!(kind != Kind::EndpointSlice || labels.iter().all(|labels| !labels.is_empty()));
            assert_eq!((documents.clone(), labels), read(Encoding::Protobuf, protobuf));
            let (mut streamed, mut ended) = (Vec::new(), false);
            let mut frames = Frames::new(Encoding::Protobuf);
            frames.feed(stream, |frame| {
                let notice = Notice::read(Encoding::Protobuf, frame.unwrap()).unwrap();
                match notice.what {
                    What::Applied => streamed.push(notice.object.document(kind).unwrap()),
                    What::Bookmark => {
                        let bookmark = notice.object.bookmark();
                        ended |= bookmark.ends_list() && !bookmark.version().is_empty();
                    }
                    other => panic!("{other:?}"),
                }
            });
            assert!(ended && frames.is_whole());
            assert_eq!(documents, streamed);
        }
    }

    #[test]
    fn a_bookmark_has_little_in_it() {
        let line = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let bookmark = Notice::read(Encoding::Json, line).unwrap().object.bookmark();
        assert_eq!((bookmark.version(), bookmark.ends_list()), ("7", true));
        let line = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#;
        let bookmark = Notice::read(Encoding::Json, line).unwrap().object.bookmark();
        assert_eq!((bookmark.version(), bookmark.ends_list()), ("7", false));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..100)) {
            for encoding in [Encoding::Json, Encoding::Protobuf] {
                if let Some(notice) = Notice::read(encoding, &octets) {
                    notice.object.bookmark();
                    notice.object.refusal();
                    notice.object.labels();
                }
                let _ = Page::read(encoding, &octets);
                refused(encoding, &octets, StatusCode::GONE);
            }
        }
    }
}
