//! From settings to a client of `kube`, which appears in no signature that others see.

use super::settings::{Server, TlsFiles};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{BoxError, ServiceBuilder};

/// Settings that make no connection, whether the API server is there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// There is no service account to use.
    InCluster {
        /// What is missing.
        reason: String,
    },
    /// The kubeconfig cannot be used.
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint's URL cannot be used.
    Endpoint {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificates, keys or credentials cannot be used.
    Credentials {
        /// What is wrong with them.
        reason: String,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InCluster { reason } => write!(
                f,
                "expected to run in a pod with a service account ({reason}); \
                 elsewhere give `kubeconfig FILE` or `endpoint URL`"
            ),
            Self::Kubeconfig { file, reason } => {
                write!(f, "kubeconfig {}: {reason}", file.display())
            }
            Self::Endpoint { url, reason } => {
                write!(f, "expected a URL such as `https://10.0.0.1:6443`, not {url:?}: {reason}")
            }
            Self::Credentials { reason } => write!(f, "cannot use the credentials: {reason}"),
        }
    }
}

impl Error for ConnectError {}

/// A client with its credentials read anew. Must be called in a runtime, as `kube` starts tasks.
pub(super) fn client(server: &Server) -> Result<Client, ConnectError> {
    let mut config = config(server)?;
    // Waits and retries are decided in one place, and that is not there.
    config.default_retry = false;
    let client = match config.proxy_url {
        Some(_) => Client::try_from(config),
        None => direct(config),
    };
    client.map_err(|error| ConnectError::Credentials { reason: chain(&error) })
}

/// The URL of the API server, as the settings have it now.
pub(super) fn url(server: &Server) -> Result<String, ConnectError> {
    Ok(config(server)?.cluster_url.to_string())
}

fn config(server: &Server) -> Result<Config, ConnectError> {
    match server {
        Server::InCluster => {
            Config::incluster().map_err(|error| ConnectError::InCluster { reason: chain(&error) })
        }
        Server::Kubeconfig { file, context } => from_kubeconfig(file, context.as_deref()),
        Server::Endpoint { url, tls } => from_endpoint(url, tls.as_ref()),
    }
}

/// How long a connection is quiet before the kernel asks whether the other end is still there.
const QUIET: Duration = Duration::from_secs(30);
/// How long the kernel waits for an answer before it asks again.
const ANSWER: Duration = Duration::from_secs(15);
/// How often it asks.
const QUESTIONS: u32 = 4;

/// A client that finds out when the other end is gone. `kube` leaves that to its users, and a
/// watch has nothing to say itself: it would wait until it should have ended.
fn direct(config: Config) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false); // TLS is put around it
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_keepalive(Some(QUIET));
    connector.set_keepalive_interval(Some(ANSWER));
    connector.set_keepalive_retries(Some(QUESTIONS));
    connector.set_tcp_user_timeout(Some(QUIET + ANSWER * QUESTIONS));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

fn from_kubeconfig(file: &Path, context: Option<&str>) -> Result<Config, ConnectError> {
    let bad = |error: &dyn Error| ConnectError::Kubeconfig {
        file: file.to_owned(),
        reason: chain(error),
    };
    let read = Kubeconfig::read_from(file).map_err(|error| bad(&error))?;
    let options =
        KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    // Asynchronous in form only: there is nothing in it to wait for.
    let config = pin!(Config::from_custom_kubeconfig(read, &options));
    match config.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(config) => config.map_err(|error| bad(&error)),
        Poll::Pending => Err(bad(&std::io::Error::from(std::io::ErrorKind::WouldBlock))),
    }
}

fn from_endpoint(url: &str, tls: Option<&TlsFiles>) -> Result<Config, ConnectError> {
    let bad = |reason: String| ConnectError::Endpoint { url: url.to_owned(), reason };
    let uri: http::Uri =
        url.parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad("it begins with neither `http://` nor `https://`".to_owned()));
    }
    let is_plain = uri.scheme_str() == Some("http");
    let mut config = Config::new(uri);
    if is_plain || tls.is_some() {
        // Without any `kube` would look for those of the system, which an image need not have.
        config.root_cert = Some(Vec::new());
    }
    if let Some(TlsFiles { certificate, key, ca }) = tls {
        config.auth_info.client_certificate = Some(certificate.to_string_lossy().into_owned());
        config.auth_info.client_key = Some(key.to_string_lossy().into_owned());
        config.root_cert_file = Some(ca.clone());
    }
    Ok(config)
}

/// An error and what caused it, outermost first.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_is_said() {
        let endpoint = |url: &str| client(&Server::Endpoint { url: url.into(), tls: None });
        assert!(endpoint("http://127.0.0.1:1").is_ok());
        for url in ["127.0.0.1:6443", "ftp://a", "", "http://a b"] {
            let Err(ConnectError::Endpoint { url: known, .. }) = endpoint(url) else {
                panic!("{url} was taken");
            };
            assert_eq!(known, url);
        }
        let file = PathBuf::from("/nowhere/kubeconfig");
        let missing = client(&Server::Kubeconfig { file: file.clone(), context: None });
        assert!(
            matches!(missing, Err(ConnectError::Kubeconfig { file: known, .. }) if known == file)
        );
        let tls = TlsFiles { certificate: file.clone(), key: file.clone(), ca: file };
        let url = "https://127.0.0.1:1".to_owned();
        let missing = client(&Server::Endpoint { url, tls: Some(tls) });
        assert!(matches!(missing, Err(ConnectError::Credentials { .. })));
        assert!(matches!(client(&Server::InCluster), Err(ConnectError::InCluster { .. })));
    }
}
