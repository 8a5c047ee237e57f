//! `rutter explain NAME`: why does this name get this answer.
//!
//! **What this is.** The configuration, built in this process but without a socket to serve
//! (`mod.rs`); the names that a pod asks for (`search`), one question walked (`walked`), all of them
//! (`account`), and how that is shown (`text`).
//!
//! **What this is not.** It asks no running server: what one has in its cache is not known here.

mod account;
mod search;
mod text;
pub(crate) mod walked;

use crate::commands::serve::new_engine;
use crate::commands::{complain, print, read, stderr_has_colors};
use crate::settings::source::Source;
use account::{Account, Place, Sought};
use chain::{Client, Clock, Transport};
use plugins::assemble::{Assembly, Server};
use plugins::env::Parts;
use plugins::lines::Lines;
use plugins::search_path::Pods;
use search::Search;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use wire::{NameBuf, RecordType};

/// Say why a name gets the answer that it gets: every question that a pod sends for it, and for each
/// the server block, what each plugin decides and on which line of the Corefile it stands.
///
/// The configuration is built here as a start would build it, and asked without a socket. Other servers
/// are really asked, unless `--offline`. The cache of a running server is not known here.
///
/// Exit code 0: there is an answer. 1: there is none. 2: the command line is wrong.
#[derive(clap::Parser)]
struct Options {
    /// The name. One with a dot at its end is asked for as it stands.
    name: String,
    /// The type; without one A and AAAA.
    #[arg(value_name = "TYPE")]
    rtype: Option<String>,
    /// Who asks: a pod, whose search list is used, or an address.
    #[arg(long, value_name = "NAMESPACE/POD|IP")]
    from: Option<String>,
    /// The namespace of the pod that asks, if its name does not matter.
    #[arg(long)]
    namespace: Option<String>,
    /// The Corefile; `-` is standard input.
    #[arg(long, default_value = "Corefile", value_name = "FILE")]
    conf: String,
    /// The port of keys that name none.
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53,
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The listener that is asked, as metrics name it (`dns://:53`); without it the first.
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
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
    /// Ask no other servers: stop where one has to be asked.
    #[arg(long)]
    offline: bool,
    /// How many seconds to wait for what is known of the cluster.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds)]
    wait: Duration,
    /// How it is shown.
    #[arg(short = 'o', long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

/// `5s`, or `5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds = number.parse::<u16>().map_err(|_| "write a number of seconds, such as `5s`")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Explains a name.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("explain", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let wanted = match Wanted::of(&options) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            complain(&format!("rutter explain: {wrong}\n"));
            return ExitCode::from(2);
        }
    };
    match explain(&options, wanted) {
        Ok(Some(account)) => {
            print(&shown(&account, options.output));
            if account.answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok(None) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("rutter explain: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn shown(account: &Account, output: Output) -> String {
    match output {
        Output::Text => text::text(account),
        // Its fields are strings and numbers, which are always JSON.
        Output::Json => serde_json::to_string_pretty(account).unwrap_or_default() + "\n",
    }
}

/// What the options ask for, before the configuration is known.
struct Wanted {
    name: NameBuf,
    types: Vec<RecordType>,
    address: Option<IpAddr>,
    namespace: Option<NameBuf>,
    pod: Option<String>,
    of_node: Option<Vec<NameBuf>>,
}

impl Wanted {
    fn of(options: &Options) -> Result<Self, String> {
        let name = parse_name(&options.name)?;
        let types = match &options.rtype {
            None => vec![RecordType::A, RecordType::AAAA],
            Some(text) => {
                let known = text.to_ascii_uppercase().parse();
                vec![known.map_err(|_| format!("`{text}` is no type: write `A` or `MX`"))?]
            }
        };
        let (mut address, mut pod) = (None, None);
        let mut namespace = options.namespace.clone();
        match options.from.as_deref().map(|from| (from, from.split_once('/'))) {
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
        let of_node = options.search.iter().filter(|domain| *domain != ".");
        let of_node = of_node.map(|domain| parse_name(domain)).collect::<Result<_, _>>()?;
        let of_node = (!options.search.is_empty()).then_some(of_node);
        Ok(Self { name, types, address, namespace, pod, of_node })
    }
}

fn parse_name(text: &str) -> Result<NameBuf, String> {
    text.parse().map_err(|wrong| format!("`{text}` is no name: {wrong}"))
}

/// Builds the configuration and asks it; none if it is wrong, which has been told.
fn explain(options: &Options, wanted: Wanted) -> io::Result<Option<Account>> {
    let source = match &*options.conf {
        "-" => Source::stdin()?,
        file => Source::file(file),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut engine = new_engine(Lines::new(), Arc::default(), runtime.handle(), options.port);
    engine.process.serves = false;
    let unreadable = |error| io::Error::other(format!("cannot read {}: {error}", source.name()));
    let built = engine.build(&source).map_err(unreadable)?;
    let Some(Assembly { servers, mut parts }) = built.assembly else {
        complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
        return Ok(None);
    };
    let server = chosen(&servers, options.listener.as_deref())?;
    let account = runtime.block_on(async {
        parts.start(runtime.handle()).map_err(io::Error::other)?;
        let late = !is_ready_in_time(&mut parts, options.wait).await;
        let clock = &*engine.process.clock;
        let configured = Configured { server, parts: &parts, clock };
        let account = account(options, wanted, &configured).await?;
        Ok::<_, io::Error>((account, late))
    });
    runtime.shutdown_background();
    let (mut account, late) = account?;
    if late {
        let wait = options.wait.as_secs();
        account.remarks.push(format!(
            "not all of the cluster or of the servers' names was known after {wait} s"
        ));
    }
    Ok(Some(account))
}

/// The listener that is asked.
fn chosen<'a>(servers: &'a [Server], name: Option<&str>) -> io::Result<&'a Server> {
    let found = match name {
        None => servers.first(),
        Some(name) => servers.iter().find(|server| &**server.router.name() == name),
    };
    found.ok_or_else(|| {
        let names: Vec<_> = servers.iter().map(|server| server.router.name().to_string()).collect();
        io::Error::other(match names.as_slice() {
            [] => "the configuration listens nowhere".to_owned(),
            names => format!("there is no such listener: there is {}", names.join(", ")),
        })
    })
}

/// Waits for what a start waits for.
async fn is_ready_in_time(parts: &mut Parts, patience: Duration) -> bool {
    let ready = async {
        for task in parts.take_before_serving() {
            task.await;
        }
    };
    tokio::time::timeout(patience, ready).await.is_ok()
}

/// A configuration that runs, and the listener that is asked.
struct Configured<'a> {
    server: &'a Server,
    parts: &'a Parts,
    clock: &'a dyn Clock,
}

/// Asks as the client would, and says who that is.
async fn account(
    options: &Options,
    wanted: Wanted,
    configured: &Configured<'_>,
) -> io::Result<Account> {
    let Configured { server, parts, clock } = *configured;
    let pods = pods(parts);
    let known =
        wanted.pod.as_deref().zip(wanted.namespace.as_ref()).and_then(|(pod, namespace)| {
            let namespace = namespace.to_string();
            pods.as_ref()?.address_of(namespace.trim_end_matches('.'), pod)
        });
    let address = known.or(wanted.address).unwrap_or(Ipv4Addr::LOCALHOST.into());
    let search = search(options, &wanted, pods.as_deref())?;
    let sought =
        Sought { text: options.name.clone(), name: wanted.name, types: wanted.types, search };
    let client = Client {
        peer: SocketAddr::new(address, 0),
        local: server.address,
        transport: Transport::Udp,
    };
    let place = Place {
        router: &server.router,
        blocks: &parts.blocks,
        clock,
        client,
        offline: options.offline,
    };
    let mut account = Account::of(&sought, &place).await;
    account.client = match &options.from {
        Some(from) if from.contains('/') => format!("{address}, pod {from}"),
        _ => address.to_string(),
    };
    if wanted.pod.is_some() && known.is_none() {
        let remark = "the address of the pod is not known: only `pods verified` watches pods";
        account.remarks.push(remark.to_owned());
    }
    Ok(account)
}

/// Who knows the pods of the cluster, if the configuration has one.
fn pods(parts: &Parts) -> Option<Arc<dyn Pods>> {
    let mut wholes = parts.blocks.iter().filter_map(|block| block.whole.get());
    wholes.find_map(|whole| Some(whole.capabilities.of::<dyn Pods>().next()?.1.clone()))
}

/// How the client looks for names; none if it asks for the name as it stands.
fn search(
    options: &Options,
    wanted: &Wanted,
    pods: Option<&dyn Pods>,
) -> io::Result<Option<Search>> {
    let mut search = if let Some(file) = &options.resolv_conf {
        let text = std::fs::read(file)
            .map_err(|error| io::Error::other(format!("cannot read {file}: {error}")))?;
        Search::read(&String::from_utf8_lossy(&text))
    } else if let Some(namespace) = &wanted.namespace {
        let of_node = wanted.of_node.clone().unwrap_or_else(of_this_machine);
        Search::of_pod(namespace.as_name(), &domain(pods), of_node)
    } else {
        return Ok(None);
    };
    search.ndots = options.ndots.unwrap_or(search.ndots);
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
