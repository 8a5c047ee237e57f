//! The directive `forward`.

use corefile::kind::{Kind, Wrong};
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind, shown,
};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Bound;
use std::time::Duration;
use upstream::{BadTarget, HealthCheck, Host, Policy, Settings, Target, TransportRule};
use wire::{NameBuf, Rcode};

/// The most `TO` of a line, as in CoreDNS; a file or a name counts as one.
const TO_MAX: usize = 15;

/// What one `forward` line says.
#[derive(Debug)]
pub(crate) struct Config {
    /// The line, without its block.
    pub(crate) at: Span,
    pub(crate) from: NameBuf,
    pub(crate) to: Vec<To>,
    pub(crate) except: Vec<String>,
    pub(crate) next: Next,
    /// Whom to ask for the addresses of names; none for those of `/etc/resolv.conf`.
    pub(crate) resolvers: Vec<SocketAddr>,
    pub(crate) settings: Settings,
}

/// A `TO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A server.
    Server(SocketAddr),
    /// A file in the format of `resolv.conf`.
    File(String),
    /// A word that is a file if there is one of this name, else the name of servers.
    FileOrName(String, Box<Host>),
}

/// Which answers are not good enough if another line takes the question too.
#[derive(Debug, Default)]
pub(crate) struct Next {
    pub(crate) rcodes: Vec<Rcode>,
    /// NOERROR without an answer.
    pub(crate) no_data: bool,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "forward",
        usage: "forward FROM TO...",
        default: "",
        doc: "Asks other servers for names in FROM: addresses, names, or those of a `resolv.conf`.",
        repeats: Repeats::Adds,
        read: read_line,
    },
    properties: &[
        Property {
            name: "except",
            usage: "except ZONES...",
            default: "",
            doc: "Does not take names in ZONES, which must be below FROM.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.except.extend(args.some_zones()?);
                Ok(())
            },
        },
        Property {
            name: "force_tcp",
            usage: "force_tcp",
            default: "",
            doc: "Asks over TCP, however the client asked.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.settings.transport = TransportRule::ForceTcp;
                Ok(())
            },
        },
        Property {
            name: "prefer_udp",
            usage: "prefer_udp",
            default: "",
            doc: "Asks over UDP, however the client asked, and over TCP if the answer is truncated. \
                  `force_tcp` wins.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                if config.settings.transport != TransportRule::ForceTcp {
                    config.settings.transport = TransportRule::PreferUdp;
                }
                Ok(())
            },
        },
        Property {
            name: "policy",
            usage: "policy random|round_robin|sequential",
            default: "random",
            doc: "Which server is asked first.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.policy = args.one(kind::keyword(&[
                    ("random", Policy::Random),
                    ("round_robin", Policy::RoundRobin),
                    ("sequential", Policy::Sequential),
                ]))?;
                Ok(())
            },
        },
        Property {
            name: "read_timeout",
            usage: "read_timeout DURATION",
            default: "2s",
            doc: "How long one attempt waits for its answer.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let more_than_none = (Bound::Excluded(Duration::ZERO), Bound::Unbounded);
                config.settings.read_timeout = args.one(kind::duration(more_than_none))?;
                Ok(())
            },
        },
        Property {
            name: "max_connect_attempts",
            usage: "max_connect_attempts COUNT",
            default: "twice the number of servers",
            doc: "How many attempts of a question may fail; 0 for as many as 5 s allow.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.max_connect_attempts = Some(args.one(kind::integer(..))?);
                Ok(())
            },
        },
        Property {
            name: "max_fails",
            usage: "max_fails COUNT",
            default: "2",
            doc: "A server is left alone after more failed probes than these; 0 never leaves one \
                  alone, and probes none.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.max_fails = args.one(kind::integer(..))?;
                Ok(())
            },
        },
        Property {
            name: "health_check",
            usage: "health_check DURATION [no_rec] [domain NAME]",
            default: "500ms domain .",
            doc: "How a server that failed is probed: with a pause of DURATION, without RD \
                  (`no_rec`), for the NS records of NAME.",
            repeats: Repeats::LastWins,
            read: read_health_check,
        },
        Property {
            name: "failfast_all_unhealthy_upstreams",
            usage: "failfast_all_unhealthy_upstreams",
            default: "",
            doc: "Asks none when all servers fail their probes, and answers SERVFAIL.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.settings.failfast_all_unhealthy_upstreams = true;
                Ok(())
            },
        },
        Property {
            name: "failover",
            usage: "failover RCODES...",
            default: "",
            doc: "With one of these response codes, asks the next server.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.settings.failover.extend(args.some(Failover)?);
                Ok(())
            },
        },
        Property {
            name: "next",
            usage: "next RCODES...",
            default: "",
            doc: "With one of these response codes, lets the next `forward` line that takes the \
                  name answer.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.next.rcodes.extend(args.some(kind::parsed::<Rcode>(AN_RCODE))?);
                Ok(())
            },
        },
        Property {
            name: "next_on_nodata",
            usage: "next_on_nodata",
            default: "",
            doc: "The same for NOERROR without an answer.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.next.no_data = true;
                Ok(())
            },
        },
        Property {
            name: "max_concurrent",
            usage: "max_concurrent COUNT",
            default: "0",
            doc: "Refuses more questions at once than COUNT; 0 for no limit.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let limit: u32 = args.one(kind::integer(..))?;
                config.settings.max_concurrent = NonZeroUsize::new(limit as usize);
                Ok(())
            },
        },
        Property {
            name: "expire",
            usage: "expire DURATION",
            default: "10s",
            doc: "Closes connections that were idle for DURATION.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.expire = args.one(kind::duration(Duration::ZERO..))?;
                Ok(())
            },
        },
        Property {
            name: "max_age",
            usage: "max_age DURATION",
            default: "0s",
            doc: "Asks nothing over connections that are older than DURATION; 0s for no limit.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let age = args.one(kind::duration(Duration::ZERO..))?;
                config.settings.max_age = Some(age).filter(|age| !age.is_zero());
                Ok(())
            },
        },
        Property {
            name: "max_idle_conns",
            usage: "max_idle_conns COUNT",
            default: "0",
            doc: "Keeps no more than COUNT idle connections for each server and transport; 0 for \
                  no limit.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.max_idle_conns = NonZeroU32::new(args.one(kind::integer(..))?);
                Ok(())
            },
        },
        Property {
            name: "source_address",
            usage: "source_address ADDRESS",
            default: "",
            doc: "Asks from this address of the machine.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.settings.source_address = Some(args.one(kind::address())?);
                Ok(())
            },
        },
        Property {
            name: "resolver",
            usage: "resolver ADDRESSES...",
            default: "the name servers of `/etc/resolv.conf`",
            doc: "Whom to ask for the addresses of servers that are given by name.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.resolvers.extend(args.some(kind::socket_address(53))?);
                Ok(())
            },
        },
        Property {
            name: "tls",
            usage: "tls [CERT KEY] [CA]",
            default: "",
            doc: "Not supported yet.",
            repeats: Repeats::LastWins,
            read: not_yet,
        },
        Property {
            name: "tls_servername",
            usage: "tls_servername NAME",
            default: "",
            doc: "Not supported yet.",
            repeats: Repeats::LastWins,
            read: not_yet,
        },
        Property {
            name: "doh_method",
            usage: "doh_method GET|POST",
            default: "",
            doc: "Not supported yet.",
            repeats: Repeats::LastWins,
            read: not_yet,
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads all `forward` lines of a server block, in the order of the file.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Vec<Self>>, Mistakes> {
        let new = || Self {
            at: block.at(),
            from: NameBuf::root(),
            to: Vec::new(),
            except: Vec::new(),
            next: Next::default(),
            resolvers: Vec::new(),
            settings: Settings::default(),
        };
        let (configs, mut mistakes) = SYNTAX.read_each(block, new);
        for config in &configs {
            config.check_ages(&mut mistakes);
            config.check_source_address(&mut mistakes);
        }
        mistakes.accept(configs)
    }

    fn check_ages(&self, mistakes: &mut Mistakes) {
        let Settings { max_age, expire, .. } = self.settings;
        if let Some(max_age) = max_age.filter(|max_age| *max_age < expire) {
            let [max_age, expire] = [max_age, expire].map(kind::shown_duration);
            let message = format!("`max_age` ({max_age}) is less than `expire` ({expire})");
            let mistake = Mistake::error(Code::Conflict, self.at, message);
            mistakes.push(mistake.help(format!("write `expire {max_age}` beside it, or less")));
        }
    }

    /// CoreDNS loads such a line, and every question to that server fails.
    fn check_source_address(&self, mistakes: &mut Mistakes) {
        let Some(source) = self.settings.source_address else { return };
        for to in &self.to {
            if let To::Server(server) = to
                && server.is_ipv4() != source.is_ipv4()
            {
                let message = format!("{} cannot be asked from {source}", server.ip());
                let mistake = Mistake::warning(Code::Conflict, self.at, message);
                mistakes.push(mistake.help("`source_address` and servers must be of one family"));
            }
        }
    }
}

fn read_line(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    config.at = args.at();
    // What is accepted as a zone is a name.
    config.from = args.zone()?.parse().map_err(|_| args.wrong("a zone"))?;
    let to = args.some(Server)?;
    if to.len() > TO_MAX {
        let message = format!("{} servers are more than {TO_MAX}", to.len());
        let mistake = Mistake::error(Code::ArgumentCount, config.at, message);
        return Err(mistake.help("a file in the format of `resolv.conf` counts as one"));
    }
    for server in to {
        if !config.to.contains(&server) {
            config.to.push(server);
        }
    }
    Ok(())
}

fn read_health_check(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    let interval = args.one(kind::duration(Duration::ZERO..))?;
    let mut check = HealthCheck { interval, ..HealthCheck::default() };
    loop {
        if args.take("no_rec") {
            check.recursion_desired = false;
        } else if args.take("domain") {
            check.domain = args.one(kind::parsed("a domain name"))?;
        } else {
            break;
        }
    }
    config.settings.health_check = check;
    Ok(())
}

fn not_yet(_: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    let message = format!("{} is not supported yet", shown(&args.name().text));
    Err(Mistake::error(Code::UnsupportedDirective, args.at(), message).help(PLAIN_ONLY))
}

const PLAIN_ONLY: &str = "servers are asked over UDP and TCP; keep what needs TLS on CoreDNS";
const AN_RCODE: &str = "a response code such as `NXDOMAIN`";

/// A `TO`.
struct Server;

impl Kind for Server {
    type Value = To;

    fn read(&self, word: &str) -> Result<To, Wrong> {
        let plain = word.strip_prefix("dns://").unwrap_or(word).to_owned();
        match word.parse() {
            Ok(Target::Address(server)) => Ok(To::Server(server)),
            Ok(Target::Host(host)) => Ok(To::FileOrName(plain, host)),
            Err(BadTarget::Path) => Ok(To::File(plain)),
            Err(bad) => Err(wrong(&bad)),
        }
    }
}

fn wrong(bad: &BadTarget) -> Wrong {
    match bad {
        BadTarget::Scheme { scheme } if scheme == "tls" || scheme == "https" => {
            Wrong::must_be(format!("a server for plain DNS: `{scheme}://` is not supported yet"))
                .hint(PLAIN_ONLY)
        }
        BadTarget::Scheme { scheme } => {
            Wrong::must_be(format!("a server for plain DNS: `{scheme}://` is not supported"))
                .hint("write `dns://` or an address alone")
        }
        BadTarget::Port { .. } => Wrong::must_be("a server whose port is between 1 and 65535"),
        BadTarget::Name(bad) => Wrong::must_be(format!("an address, a name or a file ({bad})")),
        BadTarget::Address { .. } | BadTarget::Empty | BadTarget::Path => Wrong::must_be(
            "an address, a name or a file",
        )
        .hint("an address is `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`"),
    }
}

/// A response code for which another server can be better.
struct Failover;

impl Kind for Failover {
    type Value = Rcode;

    fn read(&self, word: &str) -> Result<Rcode, Wrong> {
        match word.parse() {
            Ok(Rcode::NOERROR) => Err(Wrong::must_be("a code other than NOERROR")),
            Ok(rcode) => Ok(rcode),
            Err(_) => Err(Wrong::must_be(AN_RCODE)),
        }
    }
}
