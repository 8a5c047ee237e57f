//! Requests to the API server, and what its refusals mean.

use super::connect::chain;
use super::encoding::{Encoding, accepted, refused};
use super::failure::{ErrorKind, Failure};
use super::history::Landmark;
use super::restore::Contact;
use super::settings::Settings;
use super::shared::Shared;
use crate::objects::Kind;
use http::header::{ACCEPT, RETRY_AFTER, USER_AGENT};
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use std::time::Duration;
use tokio::time::timeout;

/// What we call ourselves.
pub(super) const AGENT: &str = concat!("rutter/", env!("CARGO_PKG_VERSION"));

/// Objects asked for at once: what `kubectl` asks for.
pub(super) const PAGE_LEN: usize = 500;
/// The most octets of an error's body.
const ERROR_MAX: usize = 64 << 10;

/// What is asked for, without how: all objects, or only one of them.
fn path(settings: &Settings, kind: Kind, only: Option<&Landmark>) -> String {
    let selector = settings.selector(kind);
    let version = kind.api_version();
    // The group without a name is older than groups.
    let root = if version.contains('/') { "apis" } else { "api" };
    // By namespace and name the server finds it without looking at all the others.
    let namespace = only.map(|only| only.namespace.as_str()).filter(|it| !it.is_empty());
    let within = namespace.map(|it| format!("namespaces/{it}/")).unwrap_or_default();
    let mut path = format!("/{root}/{version}/{within}{}?", kind.resource());
    if !selector.is_empty() {
        push_parameter(&mut path, "labelSelector", &selector);
    }
    let live = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown";
    let live = (kind == Kind::Pod).then(|| live.to_owned());
    let named = only.map(|only| format!("metadata.name={}", only.name));
    let fields: Vec<_> = live.into_iter().chain(named).collect();
    if !fields.is_empty() {
        push_parameter(&mut path, "fieldSelector", &fields.join(","));
    }
    path
}

/// The path of a page; of the first if `token` is empty.
pub(super) fn list_path(settings: &Settings, kind: Kind, token: &str) -> String {
    let mut path = path(settings, kind, None);
    push_parameter(&mut path, "limit", &PAGE_LEN.to_string());
    if !token.is_empty() {
        push_parameter(&mut path, "continue", token);
    }
    path
}

/// The path of a list of one object that is selected as all are; of any if none is known.
pub(super) fn check_path(settings: &Settings, kind: Kind, only: Option<&Landmark>) -> String {
    let mut path = path(settings, kind, only);
    push_parameter(&mut path, "limit", "1");
    path
}

/// The path of a watch of what has changed since `version`, which the server shall end in time;
/// without a version, of what there is and then of what changes.
pub(super) fn watch_path(
    settings: &Settings,
    kind: Kind,
    version: Option<&str>,
    lasts: Duration,
) -> String {
    let mut path = path(settings, kind, None);
    push_parameter(&mut path, "watch", "true");
    push_parameter(&mut path, "allowWatchBookmarks", "true");
    push_parameter(&mut path, "timeoutSeconds", &lasts.as_secs().max(1).to_string());
    match version {
        Some(version) => push_parameter(&mut path, "resourceVersion", version),
        None => {
            push_parameter(&mut path, "sendInitialEvents", "true");
            push_parameter(&mut path, "resourceVersionMatch", "NotOlderThan");
        }
    }
    path
}

impl Shared {
    /// Asks the API server for objects of a kind; anything but a success is a failure.
    pub(super) async fn get(
        &self,
        kind: Kind,
        path: &str,
        is_watch: bool,
    ) -> Result<Response<Body>, Failure> {
        let accepted = accepted(self.settings.transfer, kind, is_watch);
        let request = Request::get(path)
            .header(ACCEPT, accepted)
            .header(USER_AGENT, AGENT)
            .body(Body::empty())
            .map_err(|error| Failure::new(ErrorKind::Malformed, error.to_string()))?;
        let patience = self.settings.timing.silence_max;
        let sent = timeout(patience, self.client().send(request)).await;
        let response =
            sent.map_err(|_| Failure::silence(patience))?.map_err(|error| broken(&error))?;
        let code = response.status();
        self.status.count_request(code.as_u16());
        if code.is_success() {
            self.origin.note(Contact::Answers);
            return Ok(response);
        }
        let (retry_after, encoding) = (retry_after(&response), Encoding::of(response.headers()));
        let body = read_body(response, ERROR_MAX, patience).await.ok().flatten();
        let mut failure = refused(encoding, &body.unwrap_or_default(), code);
        failure.retry_after = retry_after;
        Err(failure)
    }
}

/// The seconds of `Retry-After`; API servers write no dates there.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(ErrorKind::Connection, chain(error))
}

/// The whole body; none if it has more than `max` octets. Each piece may take `patience`.
pub(super) async fn read_body(
    response: Response<Body>,
    max: usize,
    patience: Duration,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut body = response.into_body();
    let mut whole = Vec::new();
    loop {
        let frame = match timeout(patience, body.frame()).await {
            Err(_) => return Err(Failure::silence(patience)),
            Ok(None) => return Ok(Some(whole)),
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > max {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
}

/// Appends a parameter of a query, escaped (RFC 3986 §2.1).
fn push_parameter(path: &mut String, name: &str, value: &str) {
    if !path.ends_with('?') {
        path.push('&');
    }
    path.push_str(name);
    path.push('=');
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            path.push(octet as char);
        } else {
            path.push_str(&format!("%{octet:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let mut path = "/api/v1/services?".to_owned();
        push_parameter(&mut path, "labelSelector", "a in (b,c)");
        push_parameter(&mut path, "limit", "500");
        assert_eq!(path, "/api/v1/services?labelSelector=a%20in%20%28b%2Cc%29&limit=500");
    }
}
