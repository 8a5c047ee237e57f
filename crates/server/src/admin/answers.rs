//! What is answered at which path. Nothing here changes anything.

use crate::admin::inspected::{Caches, Clusters, Upstreams};
use crate::admin::parameters::Parameters;
use crate::admin::situation::Situation;
use crate::commands::explain::Output;
use crate::commands::explain::inquiry::{Configured, Habits, Inquiry, Wanted};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode, Uri};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wire::{NameBuf, RecordType};

/// The description of all paths, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// How many names are explained at once; who asks for more is told to come again.
const EXPLAINED_MAX: usize = 4;
/// How long whoever asks waits for an explanation.
const PATIENCE: Duration = Duration::from_secs(30);

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The paths, with the parameters that they take.
const PATHS: &[(&str, Path, &[&str])] = &[
    ("/v1/cache", Path::Cache, &["name", "type"]),
    ("/v1/clusters", Path::Clusters, &[]),
    ("/v1/config", Path::Config, &[]),
    (
        "/v1/explain",
        Path::Explain,
        &["name", "type", "from", "namespace", "listener", "offline", "format"],
    ),
    ("/v1/openapi.json", Path::OpenApi, &[]),
    ("/v1/status", Path::Status, &[]),
    ("/v1/upstreams", Path::Upstreams, &[]),
];

#[derive(Clone, Copy)]
enum Path {
    Cache,
    Clusters,
    Config,
    Explain,
    OpenApi,
    Status,
    Upstreams,
}

/// Answers whoever may connect.
pub(super) struct Answers {
    situation: Arc<Situation>,
    explained: Arc<Semaphore>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    /// Of an explained name: whether it has an answer.
    answered: Option<bool>,
}

impl Answers {
    pub(super) fn new(situation: Arc<Situation>) -> Self {
        Self { situation, explained: Arc::new(Semaphore::new(EXPLAINED_MAX)) }
    }

    /// Answers a request. Must be awaited on the runtime of the slow lane.
    pub(super) async fn answer(&self, method: &Method, uri: &Uri) -> Answer {
        let Some((_, path, known)) = PATHS.iter().find(|(path, ..)| *path == uri.path()) else {
            let paths: Vec<_> = PATHS.iter().map(|(path, ..)| *path).collect();
            let error = format!("there is no such path: there is {}", paths.join(", "));
            return Answer::wrong(StatusCode::NOT_FOUND, &error);
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            let error = "nothing can be changed here: write GET";
            return Answer::wrong(StatusCode::METHOD_NOT_ALLOWED, error);
        }
        let parameters = match Parameters::read(uri.query().unwrap_or_default(), known) {
            Ok(parameters) => parameters,
            Err(error) => return Answer::wrong(StatusCode::BAD_REQUEST, &error),
        };
        let answer = match path {
            Path::OpenApi => Some(Answer::good(JSON, OPENAPI.to_owned())),
            Path::Status => self.status(),
            Path::Config => self.config(),
            Path::Clusters => self.situation.serving().map(|it| Answer::json(&Clusters::of(&it))),
            Path::Upstreams => self.situation.serving().map(|it| Answer::json(&Upstreams::of(&it))),
            Path::Cache => match about(&parameters) {
                Ok(about) => {
                    let serving = self.situation.serving();
                    serving.map(|it| Answer::json(&Caches::of(&it, about.as_ref())))
                }
                Err(error) => return Answer::wrong(StatusCode::BAD_REQUEST, &error),
            },
            Path::Explain => return self.explain(&parameters).await,
        };
        answer.unwrap_or_else(Answer::ending)
    }

    fn status(&self) -> Option<Answer> {
        Some(Answer::json(&self.situation.status()?))
    }

    fn config(&self) -> Option<Answer> {
        Some(Answer::good(TEXT, self.situation.serving()?.told.effective.clone()))
    }

    async fn explain(&self, parameters: &Parameters) -> Answer {
        let read = inquiry(parameters).and_then(|(inquiry, output)| {
            let wanted = Wanted::of(&inquiry, &Habits::default())?;
            Ok((inquiry, output, wanted))
        });
        let (inquiry, output, wanted) = match read {
            Ok(read) => read,
            Err(error) => return Answer::wrong(StatusCode::BAD_REQUEST, &error),
        };
        let Ok(place) = self.explained.clone().try_acquire_owned() else {
            let error = format!("{EXPLAINED_MAX} names are being explained: ask again");
            return Answer::wrong(StatusCode::TOO_MANY_REQUESTS, &error);
        };
        let Some(serving) = self.situation.serving() else { return Answer::ending() };
        let clock = self.situation.clock.clone();
        // A question that waits is not left in the middle, even if whoever asks goes away: each ends by
        // itself in ten seconds, and there are two for each domain of the search list.
        let told = Handle::current().spawn(async move {
            let _place = place;
            let listeners = serving.listeners.iter().map(|(at, router)| (*at, &**router)).collect();
            let configured = Configured { listeners, blocks: &serving.blocks, clock: &*clock };
            configured.told(&inquiry, wanted, output).await
        });
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Ok((body, answered)))) => {
                let content_type = if output == Output::Json { JSON } else { TEXT };
                Answer { answered: Some(answered), ..Answer::good(content_type, body) }
            }
            Ok(Ok(Err(error))) => Answer::wrong(StatusCode::BAD_REQUEST, &error.to_string()),
            Ok(Err(_)) => Answer::wrong(StatusCode::INTERNAL_SERVER_ERROR, "it ended by a panic"),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                let error = format!(
                    "it takes longer than {seconds} s: ask for one type, and for the name with the \
                     dot at its end"
                );
                Answer::wrong(StatusCode::GATEWAY_TIMEOUT, &error)
            }
        }
    }
}

/// What `/v1/cache` is asked about.
fn about(parameters: &Parameters) -> Result<Option<(NameBuf, RecordType)>, String> {
    let rtype = parameters.text("type");
    let Some(name) = parameters.text("name") else {
        return match rtype {
            None => Ok(None),
            Some(_) => Err("`type` is of use with `name` alone".to_owned()),
        };
    };
    let name = name.parse().map_err(|wrong| format!("`{name}` is no name: {wrong}"))?;
    let rtype = rtype.unwrap_or_else(|| "A".to_owned());
    let known = rtype.to_ascii_uppercase().parse();
    let rtype = known.map_err(|_| format!("`{rtype}` is no type: write `A` or `MX`"))?;
    Ok(Some((name, rtype)))
}

/// What `/v1/explain` is asked.
fn inquiry(parameters: &Parameters) -> Result<(Inquiry, Output), String> {
    let Some(name) = parameters.text("name") else {
        return Err("`name` is missing: write `name=www.example.org`".to_owned());
    };
    let output = parameters.word("format", &[("json", Output::Json), ("text", Output::Text)])?;
    let offline = parameters.word("offline", &[("false", false), ("true", true)])?;
    let inquiry = Inquiry {
        name,
        rtype: parameters.text("type"),
        from: parameters.text("from"),
        namespace: parameters.text("namespace"),
        listener: parameters.text("listener"),
        offline,
    };
    Ok((inquiry, output))
}

impl Answer {
    fn good(content_type: &'static str, body: String) -> Self {
        Self { status: StatusCode::OK, content_type, body, answered: None }
    }

    /// Of strings and numbers, which are always JSON.
    fn json(told: &impl Serialize) -> Self {
        Self::good(JSON, serde_json::to_string_pretty(told).unwrap_or_default() + "\n")
    }

    fn wrong(status: StatusCode, error: &str) -> Self {
        let body = serde_json::json!({ "error": error }).to_string() + "\n";
        Self { status, ..Self::good(JSON, body) }
    }

    /// To a request that was meant for somebody else.
    pub(super) fn of_another() -> Self {
        let error = "the request is for another host: write `localhost` or a loopback address";
        Self::wrong(StatusCode::MISDIRECTED_REQUEST, error)
    }

    fn ending() -> Self {
        Self::wrong(StatusCode::SERVICE_UNAVAILABLE, "the server ends")
    }

    /// As it is sent.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        // What is told is true now.
        headers.insert("cache-control", HeaderValue::from_static("no-store"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert("allow", HeaderValue::from_static("GET, HEAD"));
        }
        if let Some(answered) = self.answered {
            let answered = if answered { "true" } else { "false" };
            headers.insert("rutter-answered", HeaderValue::from_static(answered));
        }
        response
    }
}
