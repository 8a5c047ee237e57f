//! What an operator wants to know of a name, and the configuration that it is asked of.

use super::account::{Account, Place, Sought};
use super::search::Search;
use super::{Output, shown};
use chain::{Client, Clock, Router, Transport};
use plugins::env::BuiltBlock;
use plugins::search_path::Pods;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use wire::{NameBuf, RecordType};

/// Who asks for what.
#[derive(clap::Args, Default, Debug)]
pub(crate) struct Inquiry {
    /// The name. One with a dot at its end is asked for as it stands.
    pub(crate) name: String,
    /// The type; without one A and AAAA.
    #[arg(value_name = "TYPE")]
    pub(crate) rtype: Option<String>,
    /// Who asks: a pod, whose search list is used, or an address.
    #[arg(long, value_name = "NAMESPACE/POD|IP")]
    pub(crate) from: Option<String>,
    /// The namespace of the pod that asks, if its name does not matter.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// The listener that is asked, as metrics name it (`dns://:53`); without it the first.
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// Ask no other servers: stop where one has to be asked.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// How the client searches, where that is not what pods of the cluster do.
#[derive(clap::Args, Default)]
pub(crate) struct Habits {
    /// How many dots a name needs to be asked for as it stands first: `ndots` of the pod.
    #[arg(long, value_name = "COUNT")]
    ndots: Option<usize>,
    /// What a pod searches behind the domains of the cluster, `.` for nothing; without it what
    /// /etc/resolv.conf of this machine says.
    #[arg(long, value_name = "DOMAINS", value_delimiter = ',')]
    search: Vec<String>,
    /// Search as this file says, in the format of resolv.conf, and not as pods do.
    #[arg(long, value_name = "FILE")]
    resolv_conf: Option<String>,
}

impl Inquiry {
    /// The path and the parameters with which a running server is asked.
    pub(crate) fn target(&self, json: bool) -> String {
        let format = if json { "json" } else { "text" };
        let mut target = format!("/v1/explain?format={format}&offline={}", self.offline);
        let parameters = [
            ("name", Some(&self.name)),
            ("type", self.rtype.as_ref()),
            ("from", self.from.as_ref()),
            ("namespace", self.namespace.as_ref()),
            ("listener", self.listener.as_ref()),
        ];
        for (name, value) in parameters {
            let Some(value) = value else { continue };
            let _ = write!(target, "&{name}="); // writing into a string cannot fail
            for octet in value.bytes() {
                let _ = match octet {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        write!(target, "{}", octet as char)
                    }
                    _ => write!(target, "%{octet:02X}"),
                };
            }
        }
        target
    }
}

/// What the options ask for, before the configuration is known.
pub(crate) struct Wanted {
    name: NameBuf,
    types: Vec<RecordType>,
    address: Option<IpAddr>,
    namespace: Option<NameBuf>,
    pod: Option<String>,
    of_node: Option<Vec<NameBuf>>,
}

impl Wanted {
    /// What is wrong is told as a sentence that names what to write.
    pub(crate) fn of(inquiry: &Inquiry, habits: &Habits) -> Result<Self, String> {
        let name = parse_name(&inquiry.name)?;
        let types = match &inquiry.rtype {
            None => vec![RecordType::A, RecordType::AAAA],
            Some(text) => {
                let known = text.to_ascii_uppercase().parse();
                vec![known.map_err(|_| format!("`{text}` is no type: write `A` or `MX`"))?]
            }
        };
        let (mut address, mut pod) = (None, None);
        let mut namespace = inquiry.namespace.clone();
        match inquiry.from.as_deref().map(|from| (from, from.split_once('/'))) {
            None => {}
            Some((_, Some((given, name)))) => {
                namespace = Some(given.to_owned());
                pod = Some(name.to_owned());
            }
            Some((from, None)) => {
                let wrong =
                    || format!("`{from}` is no client: write `NAMESPACE/POD` or an address");
                address = Some(from.parse().map_err(|_| wrong())?);
            }
        }
        let namespace = namespace.as_deref().map(parse_name).transpose()?;
        let of_node = habits.search.iter().filter(|domain| *domain != ".");
        let of_node = of_node.map(|domain| parse_name(domain)).collect::<Result<_, _>>()?;
        let of_node = (!habits.search.is_empty()).then_some(of_node);
        Ok(Self { name, types, address, namespace, pod, of_node })
    }
}

fn parse_name(text: &str) -> Result<NameBuf, String> {
    text.parse().map_err(|wrong| format!("`{text}` is no name: {wrong}"))
}

/// A configuration that runs.
pub(crate) struct Configured<'a> {
    /// What is answered with at each address.
    pub(crate) listeners: Vec<(SocketAddr, &'a Router)>,
    pub(crate) blocks: &'a [BuiltBlock],
    pub(crate) clock: &'a dyn Clock,
}

impl<'a> Configured<'a> {
    /// Asks as the client would, and says who that is.
    ///
    /// Must be awaited on a tokio runtime with time.
    pub(super) async fn account(
        &self,
        inquiry: &Inquiry,
        habits: &Habits,
        wanted: Wanted,
    ) -> io::Result<Account> {
        let pods = pods(self.blocks);
        let known =
            wanted.pod.as_deref().zip(wanted.namespace.as_ref()).and_then(|(pod, namespace)| {
                let namespace = namespace.to_string();
                pods.as_ref()?.address_of(namespace.trim_end_matches('.'), pod)
            });
        let address = known.or(wanted.address).unwrap_or(Ipv4Addr::LOCALHOST.into());
        let search = search(habits, &wanted, pods.as_deref())?;
        let text = inquiry.name.clone();
        let sought = Sought { text, name: wanted.name, types: wanted.types, search };
        let (local, router) = self.chosen(inquiry.listener.as_deref())?;
        let peer = SocketAddr::new(address, 0);
        let client = Client { peer, local, transport: Transport::Udp };
        let Self { blocks, clock, .. } = *self;
        let place = Place { router, blocks, clock, client, offline: inquiry.offline };
        let mut account = Account::of(&sought, &place).await;
        account.client = match &inquiry.from {
            Some(from) if from.contains('/') => format!("{address}, pod {from}"),
            _ => address.to_string(),
        };
        if wanted.pod.is_some() && known.is_none() {
            let remark = "the address of the pod is not known: only `pods verified` watches pods";
            account.remarks.push(remark.to_owned());
        }
        Ok(account)
    }

    /// The same as JSON or as text, and whether there is an answer.
    pub(crate) async fn told(
        &self,
        inquiry: &Inquiry,
        wanted: Wanted,
        output: Output,
    ) -> io::Result<(String, bool)> {
        let account = self.account(inquiry, &Habits::default(), wanted).await?;
        Ok((shown(&account, output), account.answered))
    }

    /// The listener that is asked.
    fn chosen(&self, name: Option<&str>) -> io::Result<(SocketAddr, &'a Router)> {
        let found = match name {
            None => self.listeners.first(),
            Some(name) => self.listeners.iter().find(|(_, router)| &**router.name() == name),
        };
        found.copied().ok_or_else(|| {
            let names = self.listeners.iter().map(|(_, router)| router.name().to_string());
            let names: Vec<_> = names.collect();
            io::Error::other(match names.as_slice() {
                [] => "the configuration listens nowhere".to_owned(),
                names => format!("there is no such listener: there is {}", names.join(", ")),
            })
        })
    }
}

/// Who knows the pods of the cluster, if the configuration has one.
fn pods(blocks: &[BuiltBlock]) -> Option<Arc<dyn Pods>> {
    let mut wholes = blocks.iter().filter_map(|block| block.whole.get());
    wholes.find_map(|whole| Some(whole.capabilities.of::<dyn Pods>().next()?.1.clone()))
}

/// How the client looks for names; none if it asks for the name as it stands.
fn search(habits: &Habits, wanted: &Wanted, pods: Option<&dyn Pods>) -> io::Result<Option<Search>> {
    let mut search = if let Some(file) = &habits.resolv_conf {
        let text = std::fs::read(file)
            .map_err(|error| io::Error::other(format!("cannot read {file}: {error}")))?;
        Search::read(&String::from_utf8_lossy(&text))
    } else if let Some(namespace) = &wanted.namespace {
        let of_node = wanted.of_node.clone().unwrap_or_else(of_this_machine);
        Search::of_pod(namespace.as_name(), &domain(pods), of_node)
    } else {
        return Ok(None);
    };
    search.ndots = habits.ndots.unwrap_or(search.ndots);
    Ok(Some(search))
}

/// The domain of the cluster: one that the configuration does not serve itself (a cache on each node)
/// has the usual one.
fn domain(pods: Option<&dyn Pods>) -> NameBuf {
    let usual = || "cluster.local".parse().unwrap_or(NameBuf::root());
    pods.map_or_else(usual, Pods::domain)
}

fn of_this_machine() -> Vec<NameBuf> {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    Search::read(&String::from_utf8_lossy(&text)).domains
}
