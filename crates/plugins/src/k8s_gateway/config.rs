//! The directive `k8s_gateway`.

use cluster::{Kind, Selector};
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind};

/// What `k8s_gateway` says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) zones: Vec<String>,
    pub(crate) at: Option<Span>,
    /// In the order in which they are asked.
    pub(crate) resources: Vec<Kind>,
    pub(crate) ingress_classes: Option<Vec<String>>,
    pub(crate) gateway_classes: Option<Vec<String>>,
    pub(crate) service_labels: Option<Selector>,
    pub(crate) ttl: u32,
    pub(crate) apex: String,
    pub(crate) secondary: Option<String>,
    pub(crate) kubeconfig: Option<(String, Option<String>)>,
    pub(crate) manifests: Option<String>,
    pub(crate) fallthrough: Option<Vec<String>>,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "k8s_gateway",
        usage: "k8s_gateway [ZONES...]",
        default: "the zones of the server block",
        doc: "Answers for the names that ingresses, services and routes ask for, with the addresses \
              where they are reached from outside of the cluster.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.at = Some(args.at());
            config.zones = args.zones();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "resources",
            usage: "resources RESOURCE...",
            default: "Ingress Service",
            doc: "Which objects are asked: Ingress, Service, HTTPRoute, TLSRoute, GRPCRoute. The first \
                  of them that has an answer gives it.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.resources = args.some(kind::keyword(&[
                    ("Ingress", Kind::Ingress),
                    ("Service", Kind::Service),
                    ("HTTPRoute", Kind::HttpRoute),
                    ("TLSRoute", Kind::TlsRoute),
                    ("GRPCRoute", Kind::GrpcRoute),
                ]))?;
                Ok(())
            },
        },
        Property {
            name: "ingressClasses",
            usage: "ingressClasses CLASS...",
            default: "all",
            doc: "Asks only ingresses of these classes.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.ingress_classes = Some(args.some(kind::text())?);
                Ok(())
            },
        },
        Property {
            name: "gatewayClasses",
            usage: "gatewayClasses CLASS...",
            default: "all",
            doc: "Asks only routes of gateways of these classes.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.gateway_classes = Some(args.some(kind::text())?);
                Ok(())
            },
        },
        Property {
            name: "serviceLabelSelectors",
            usage: "serviceLabelSelectors SELECTOR",
            default: "all",
            doc: "Asks only services whose labels the selector matches.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let text = args.one(kind::text())?;
                let selector = text.parse().map_err(|wrong: cluster::BadSelector| {
                    let message = format!("this is no label selector: {wrong}");
                    Mistake::error(Code::BadValue, args.at(), message).help(
                        "write requirements separated by commas, such as `app=web,tier=front`",
                    )
                })?;
                config.service_labels = Some(selector);
                if args.word().is_none() {
                    return Ok(());
                }
                while args.word().is_some() {}
                let message = "only one selector is supported";
                Err(Mistake::error(Code::BadValue, args.at(), message).help(
                    "write one that selects all, such as `\"app in (web, shop)\"`, or a directive for \
                     each",
                ))
            },
        },
        Property {
            name: "ttl",
            usage: "ttl SECONDS",
            default: "60",
            doc: "The TTL of addresses and aliases.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.ttl = args.one(kind::seconds(0..=3600))?;
                Ok(())
            },
        },
        Property {
            name: "apex",
            usage: "apex NAME",
            default: "dns1.kube-system",
            doc: "The name of the name server, relative to the zone: that of the service that this \
                  server is reached by.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.apex = args.one(kind::text())?;
                Ok(())
            },
        },
        Property {
            name: "secondary",
            usage: "secondary NAME",
            default: "",
            doc: "The name of a second name server.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.secondary = Some(args.one(kind::text())?);
                Ok(())
            },
        },
        Property {
            name: "kubeconfig",
            usage: "kubeconfig FILE [CONTEXT]",
            default: "the API server of the cluster that this runs in",
            doc: "Takes API server and credentials from a kubeconfig file.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.kubeconfig = Some((args.one(kind::path())?, args.optional(kind::text())?));
                Ok(())
            },
        },
        Property {
            name: "manifests",
            usage: "manifests DIR",
            default: "",
            doc: "Takes the objects from the YAML and JSON files of a directory, without any API \
                  server. Changes of the files are picked up.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.manifests = Some(args.one(kind::path())?);
                Ok(())
            },
        },
        Property {
            name: "fallthrough",
            usage: "fallthrough [ZONES...]",
            default: "",
            doc: "Asks the next plugin for names in ZONES that no object asks for; without ZONES, \
                  for all.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.fallthrough = Some(args.fallthrough());
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self {
            zones: Vec::new(),
            at: None,
            resources: vec![Kind::Ingress, Kind::Service],
            ingress_classes: None,
            gateway_classes: None,
            service_labels: None,
            ttl: 60,
            apex: "dns1.kube-system".to_owned(),
            secondary: None,
            kubeconfig: None,
            manifests: None,
            fallthrough: None,
        };
        let mistakes = SYNTAX.read(block, &mut config);
        mistakes.accept(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mistakes;

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused() {
        for (line, mistake) in [
            ("resources", "`resources` lacks RESOURCE"),
            ("resources Ingress DNSEndpoint", "must be `Ingress`, `Service`"),
            ("ingressClasses", "`ingressClasses` lacks CLASS"),
            ("gatewayClasses", "`gatewayClasses` lacks CLASS"),
            ("serviceLabelSelectors ==", "this is no label selector"),
            ("serviceLabelSelectors a=b c=d", "only one selector"),
            ("ttl 3601", "between 0 and 3600"),
            ("apex a..b", "cannot be the name of a name server"),
            ("secondary a..b", "cannot be the name of a name server"),
            ("kubeconfig", "`kubeconfig` lacks FILE"),
            ("nodeAddressType InternalIP", "`nodeAddressType` is not a property of `k8s_gateway`"),
        ] {
            let found = mistakes(&format!("example.com {{\n k8s_gateway {{\n {line}\n }}\n}}"));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
        let all = "resources Service Ingress TLSRoute\n serviceLabelSelectors \"a in (b, c)\"\n manifests /nosuch";
        assert_eq!(mistakes(&format!("example.com {{\n k8s_gateway {{\n {all}\n }}\n}}")), [""; 0]);
    }
}
