//! The directive `kubernetes`.

use crate::clusters::common::{self, Common, HasCommon};
use cluster::watch::TlsFiles;
use cluster::{Pods, Selector};
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind,
};
use std::ops::Bound;
use std::time::Duration;

/// What `kubernetes` says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) zones: Vec<String>,
    pub(crate) at: Option<Span>,
    pub(crate) endpoint: Option<String>,
    pub(crate) tls: Option<[String; 3]>,
    pub(crate) common: Common,
    pub(crate) namespaces: Option<Vec<String>>,
    pub(crate) namespace_labels: Option<Selector>,
    pub(crate) labels: Selector,
    pub(crate) pods: Pods,
    pub(crate) endpoint_pod_names: bool,
    pub(crate) endpoints: bool,
    pub(crate) ignore_empty_services: bool,
    pub(crate) multicluster: Vec<String>,
    pub(crate) zonal: bool,
    pub(crate) startup_timeout: Duration,
    pub(crate) search_shortcut: bool,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "kubernetes",
        usage: "kubernetes [ZONES...]",
        default: "the zones of the server block",
        doc: "Answers for the services and pods of a Kubernetes cluster, as its DNS specification \
              says.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.at = Some(args.at());
            config.zones = args.zones();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "endpoint",
            usage: "endpoint URL",
            default: "the API server of the cluster that this runs in",
            doc: "Watches the API server at URL.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.endpoint = Some(args.one(kind::text())?);
                args.ignore_rest();
                Ok(())
            },
        },
        Property {
            name: "tls",
            usage: "tls CERT KEY CACERT",
            default: "",
            doc: "With `endpoint`: the certificate to show, its key, and the authority to trust.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let mut file = || args.one(kind::path());
                config.tls = Some([file()?, file()?, file()?]);
                Ok(())
            },
        },
        common::kubeconfig(""),
        common::manifests(),
        Property {
            name: "namespaces",
            usage: "namespaces NAMESPACE...",
            default: "all",
            doc: "Answers for these namespaces only.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.namespaces.get_or_insert_default().extend(args.some(kind::text())?);
                Ok(())
            },
        },
        Property {
            name: "namespace_labels",
            usage: "namespace_labels SELECTOR",
            default: "",
            doc: "Answers only for namespaces whose labels the selector matches.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.namespace_labels = Some(selector(args)?);
                Ok(())
            },
        },
        Property {
            name: "labels",
            usage: "labels SELECTOR",
            default: "",
            doc: "Answers only for objects whose labels the selector matches.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.labels = selector(args)?;
                Ok(())
            },
        },
        Property {
            name: "pods",
            usage: "pods disabled|insecure|verified",
            default: "disabled",
            doc: "Whether names such as `10-0-0-1.default.pod` have addresses: never, always, or if \
                  such a pod exists. `verified` watches all pods, which takes memory.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.pods = args.one(kind::keyword(&[
                    ("disabled", Pods::Disabled),
                    ("insecure", Pods::Insecure),
                    ("verified", Pods::Verified),
                ]))?;
                Ok(())
            },
        },
        Property {
            name: "endpoint_pod_names",
            usage: "endpoint_pod_names",
            default: "",
            doc: "Names endpoints without a hostname after their pods instead of their addresses.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.endpoint_pod_names = true;
                Ok(())
            },
        },
        common::ttl("5", "The TTL of every answer."),
        Property {
            name: "noendpoints",
            usage: "noendpoints",
            default: "",
            doc: "Does not watch endpoints: headless services have no names then.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.endpoints = false;
                Ok(())
            },
        },
        common::fallthrough(
            "Asks the next plugin for names in ZONES that do not exist; without ZONES, for all.",
        ),
        Property {
            name: "ignore",
            usage: "ignore empty_service",
            default: "",
            doc: "Treats a service with a cluster address but without a ready endpoint as absent.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                args.one(kind::keyword(&[("empty_service", ())]))?;
                config.ignore_empty_services = true;
                Ok(())
            },
        },
        Property {
            name: "startup_timeout",
            usage: "startup_timeout DURATION",
            default: "5s",
            doc: "How long a start waits for the cluster before it serves without it.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let positive = (Bound::Excluded(Duration::ZERO), Bound::Unbounded);
                config.startup_timeout = args.one(kind::duration(positive))?;
                Ok(())
            },
        },
        Property {
            name: "search_shortcut",
            usage: "search_shortcut",
            default: "",
            doc: "Answers the first question of a pod's search list for a name outside of the cluster \
                  at once, with a CNAME to that name.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.search_shortcut = true;
                Ok(())
            },
        },
        without_effect("apiserver_qps", "apiserver_qps QPS"),
        without_effect("apiserver_burst", "apiserver_burst REQUESTS"),
        without_effect("apiserver_max_inflight", "apiserver_max_inflight REQUESTS"),
        Property {
            name: "multicluster",
            usage: "multicluster [ZONES...]",
            default: "",
            doc: "In these of the zones, answers for the services that a set of clusters shares.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                // CoreDNS takes it without a zone, where it does nothing.
                config.multicluster = match args.peek() {
                    Some(_) => args.zones(),
                    None => Vec::new(),
                };
                Ok(())
            },
        },
        Property {
            name: "zonal",
            usage: "zonal",
            default: "",
            doc: "Answers `TOPOZONE.pin._zone.SERVICE` and `TOPOZONE.prefer._zone.SERVICE` with the \
                  endpoints of a headless service in one zone of the topology.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.zonal = true;
                Ok(())
            },
        },
    ],
    otherwise: None,
};

/// Limits for requests to the API server. CoreDNS 1.14.7 reads them and never uses them; this
/// server makes one request for each resource and then only listens.
const fn without_effect(name: &'static str, usage: &'static str) -> Property<Config> {
    Property {
        name,
        usage,
        default: "",
        doc: "Read for CoreDNS's sake; without effect.",
        repeats: Repeats::LastWins,
        read: |_, args| {
            args.one(kind::parsed::<f64>("a number"))?;
            let message = format!("`{}` has no effect", args.name().text);
            args.keep(Mistake::warning(Code::Ignored, args.at(), message).help(
                "remove it: the API server is asked once for each resource, then only listened to",
            ));
            Ok(())
        },
    }
}

/// All words of the line, as a label selector.
fn selector(args: &mut Args<'_>) -> Result<Selector, Mistake> {
    let words = args.some(kind::text())?;
    words.join(" ").parse().map_err(|wrong: cluster::BadSelector| {
        let message = format!("this is no label selector: {wrong}");
        Mistake::error(Code::BadValue, args.at(), message)
            .help("write requirements separated by commas, such as `app=web, tier in (a, b)`")
    })
}

impl HasCommon for Config {
    fn common(&mut self) -> &mut Common {
        &mut self.common
    }
}

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self {
            zones: Vec::new(),
            at: None,
            endpoint: None,
            tls: None,
            common: Common::new(5),
            namespaces: None,
            namespace_labels: None,
            labels: Selector::default(),
            pods: Pods::Disabled,
            endpoint_pod_names: false,
            endpoints: true,
            ignore_empty_services: false,
            multicluster: Vec::new(),
            zonal: false,
            startup_timeout: Duration::from_secs(5),
            search_shortcut: false,
        };
        let mut mistakes = SYNTAX.read(block, &mut config);
        config.check(block, &mut mistakes);
        mistakes.accept(config)
    }

    fn check(&self, block: &Block<'_>, mistakes: &mut Mistakes) {
        let at = |name: &str| block.property(name).map_or(block.at(), |line| line.at());
        if self.namespaces.is_some() && self.namespace_labels.is_some() {
            let message = "`namespaces` and `namespace_labels` exclude each other";
            let mistake = Mistake::error(Code::Conflict, at("namespace_labels"), message);
            mistakes.push(mistake.related(at("namespaces"), "the other one").help("remove one"));
        }
        if self.zonal && !self.endpoints {
            let message = "`zonal` is about endpoints, which `noendpoints` leaves out";
            let mistake = Mistake::error(Code::Conflict, at("zonal"), message);
            mistakes.push(mistake.related(at("noendpoints"), "the other one").help("remove one"));
        }
        if self.tls.is_some() && self.endpoint.is_none() {
            let message = "`tls` is for the API server of `endpoint`, which is missing";
            let mistake = Mistake::error(Code::Missing, at("tls"), message);
            mistakes.push(mistake.help("add `endpoint URL`, or remove `tls`"));
        }
    }

    /// The files of `tls`, under the directory of `root`.
    pub(crate) fn tls_files(&self, path: impl Fn(&str) -> std::path::PathBuf) -> Option<TlsFiles> {
        let [certificate, key, ca] = self.tls.as_ref()?;
        Some(TlsFiles { certificate: path(certificate), key: path(key), ca: path(ca) })
    }
}
