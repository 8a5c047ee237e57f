//! The directive `k8s_gateway`.

use crate::clusters::common::{self, Common, HasCommon};
use cluster::gateway::NodeAddresses;
use cluster::{Kind, Selector};
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind,
};

/// What `k8s_gateway` says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) zones: Vec<String>,
    pub(crate) at: Option<Span>,
    /// In the order in which they are asked.
    pub(crate) resources: Vec<Kind>,
    pub(crate) ingress_classes: Option<Vec<String>>,
    pub(crate) gateway_classes: Option<Vec<String>>,
    /// Services that any of these selects; all if there is none.
    pub(crate) service_labels: Vec<Selector>,
    pub(crate) node_addresses: NodeAddresses,
    pub(crate) apex: String,
    pub(crate) secondary: Option<String>,
    pub(crate) common: Common,
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
            doc: "Which objects are asked: Ingress, Service, HTTPRoute, TLSRoute, GRPCRoute, \
                  DNSEndpoint, Node. The first of them that has an answer gives it.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.resources = args.some(kind::keyword(&[
                    ("Ingress", Kind::Ingress),
                    ("Service", Kind::Service),
                    ("HTTPRoute", Kind::HttpRoute),
                    ("TLSRoute", Kind::TlsRoute),
                    ("GRPCRoute", Kind::GrpcRoute),
                    ("DNSEndpoint", Kind::DnsEndpoint),
                    ("Node", Kind::Node),
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
            usage: "serviceLabelSelectors SELECTOR...",
            default: "all",
            doc: "Asks only services whose labels one of the selectors matches.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.service_labels.push(selector(args)?);
                while args.peek().is_some() {
                    config.service_labels.push(selector(args)?);
                }
                Ok(())
            },
        },
        Property {
            name: "nodeAddressType",
            usage: "nodeAddressType InternalIP|ExternalIP",
            default: "InternalIP",
            doc: "Which addresses of nodes are shown.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.node_addresses = args.one(kind::keyword(&[
                    ("InternalIP", NodeAddresses::Internal),
                    ("ExternalIP", NodeAddresses::External),
                ]))?;
                Ok(())
            },
        },
        common::ttl("60", "The TTL of addresses, texts and aliases."),
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
        common::kubeconfig("the API server of the cluster that this runs in"),
        common::manifests(),
        common::fallthrough(
            "Asks the next plugin for names in ZONES that no object asks for; without ZONES, for all.",
        ),
    ],
    otherwise: None,
};

/// One word, as a label selector.
fn selector(args: &mut Args<'_>) -> Result<Selector, Mistake> {
    let text = args.one(kind::text())?;
    let wrong = match text.parse::<Selector>() {
        Ok(selector) if !selector.is_empty() => return Ok(selector),
        Ok(_) => "it is empty".to_owned(),
        Err(wrong) => wrong.to_string(),
    };
    let message = format!("this is no label selector: {wrong}");
    Err(Mistake::error(Code::BadValue, args.at(), message)
        .help("write requirements separated by commas, such as `app=web,tier=front`"))
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
            resources: vec![Kind::Ingress, Kind::Service],
            ingress_classes: None,
            gateway_classes: None,
            service_labels: Vec::new(),
            node_addresses: NodeAddresses::Internal,
            apex: "dns1.kube-system".to_owned(),
            secondary: None,
            common: Common::new(60),
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
            ("resources Ingress Pod", "must be `Ingress`, `Service`"),
            ("ingressClasses", "`ingressClasses` lacks CLASS"),
            ("gatewayClasses", "`gatewayClasses` lacks CLASS"),
            ("serviceLabelSelectors ==", "this is no label selector"),
            ("serviceLabelSelectors", "`serviceLabelSelectors` lacks SELECTOR"),
            ("serviceLabelSelectors a=b \"\"", "this is no label selector: it is empty"),
            ("serviceLabelSelectors a=b c=d ==", "this is no label selector"),
            ("ttl 3601", "between 0 and 3600"),
            ("apex a..b", "cannot be the name of a name server"),
            ("secondary a..b", "cannot be the name of a name server"),
            ("kubeconfig", "`kubeconfig` lacks FILE"),
            ("nodeAddressType Hostname", "must be `InternalIP` or `ExternalIP`"),
        ] {
            let found = mistakes(&format!("example.com {{\n k8s_gateway {{\n {line}\n }}\n}}"));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
        let all = "resources Service Ingress TLSRoute DNSEndpoint Node\n nodeAddressType ExternalIP\n serviceLabelSelectors \"a in (b, c)\" d=e\n serviceLabelSelectors f\n manifests /nosuch";
        assert_eq!(mistakes(&format!("example.com {{\n k8s_gateway {{\n {all}\n }}\n}}")), [""; 0]);
    }
}
