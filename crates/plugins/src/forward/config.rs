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
                config.settings.max_connect_attempts = Some(args.one(kind::integer(0..))?);
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
                config.settings.max_fails = args.one(kind::integer(0..))?;
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
                let limit: u32 = args.one(kind::integer(0..))?;
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
                config.settings.max_idle_conns = NonZeroU32::new(args.one(kind::integer(0..))?);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<Config>, Vec<String>), Vec<String>> {
        let parsed = corefile::parse("Corefile", text.as_bytes(), &());
        let messages =
            |mistakes: &Mistakes| mistakes.iter().map(|mistake| mistake.message.clone()).collect();
        match Config::read(&parsed.blocks[0].block("forward").unwrap()) {
            Ok(Accepted { config, warnings }) => Ok((config, messages(&warnings))),
            Err(mistakes) => Err(messages(&mistakes)),
        }
    }

    /// The line `forward . 192.0.2.1` with this property.
    fn with(property: &str) -> Result<Config, String> {
        let text = format!("example.org {{\n forward . 192.0.2.1 {{\n {property}\n }}\n}}");
        read(&text).map(|(mut lines, _)| lines.remove(0)).map_err(|mut wrong| wrong.remove(0))
    }

    fn settings(property: &str) -> Settings {
        with(property).unwrap().settings
    }

    #[test]
    fn the_table_has_no_faults() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn nothing_but_from_and_to_means_the_defaults() {
        let config = with("").unwrap();
        assert_eq!(config.settings, Settings::default());
        assert_eq!(config.to, [To::Server("192.0.2.1:53".parse().unwrap())]);
        assert!(config.from.as_name().is_root() && config.except.is_empty());
        assert!(config.next.rcodes.is_empty() && !config.next.no_data);
    }

    #[test]
    fn every_property() {
        let seconds = Duration::from_secs;
        assert_eq!(settings("policy round_robin").policy, Policy::RoundRobin);
        assert_eq!(settings("expire 0").expire, Duration::ZERO);
        assert_eq!(settings("max_age 1m").max_age, Some(seconds(60)));
        assert_eq!(settings("max_age 0s").max_age, None);
        assert_eq!(settings("max_idle_conns 0").max_idle_conns, None);
        assert_eq!(settings("max_idle_conns 3").max_idle_conns, NonZeroU32::new(3));
        assert_eq!(settings("read_timeout 1.5s").read_timeout, Duration::from_millis(1500));
        assert_eq!(settings("max_fails 0").max_fails, 0);
        assert_eq!(settings("max_connect_attempts 0").max_connect_attempts, Some(0));
        assert_eq!(settings("max_concurrent 0").max_concurrent, None);
        assert_eq!(settings("max_concurrent 1000").max_concurrent, NonZeroUsize::new(1000));
        let both = "force_tcp\n prefer_udp";
        assert_eq!(settings(both).transport, TransportRule::ForceTcp);
        assert_eq!(settings("prefer_udp\n force_tcp").transport, TransportRule::ForceTcp);
        assert_eq!(settings("prefer_udp").transport, TransportRule::PreferUdp);
        let all_down = "failfast_all_unhealthy_upstreams";
        assert!(settings(all_down).failfast_all_unhealthy_upstreams);
        let failover = settings("failover SERVFAIL refused\n failover NXDOMAIN").failover;
        assert_eq!(failover, [Rcode::SERVFAIL, Rcode::REFUSED, Rcode::NXDOMAIN]);
        assert_eq!(settings("source_address 10.0.0.1").source_address, "10.0.0.1".parse().ok());
        let config = with("except b.test 10.0.0.0/8\n except c.test").unwrap();
        assert_eq!(config.except, ["b.test.", "10.in-addr.arpa.", "c.test."]);
        let config = with("next nxdomain\n next SERVFAIL\n next_on_nodata").unwrap();
        assert_eq!(config.next.rcodes, [Rcode::NXDOMAIN, Rcode::SERVFAIL]);
        assert!(config.next.no_data);
        let resolvers = with("resolver 10.0.0.1 ::1\n resolver [::1]:54").unwrap().resolvers;
        assert_eq!(resolvers.len(), 3);
        assert_eq!(resolvers[2].to_string(), "[::1]:54");
        let check = |property| settings(property).health_check;
        let probes = HealthCheck { interval: seconds(1), ..HealthCheck::default() };
        assert_eq!(check("health_check 1s"), probes);
        let domain = "a.test".parse().unwrap();
        let probes = HealthCheck { domain, recursion_desired: false, ..probes };
        assert_eq!(check("health_check 1s no_rec domain a.test"), probes);
        assert_eq!(check("health_check 1s domain a.test. no_rec"), probes);
    }

    #[test]
    fn what_a_property_must_be_is_said() {
        for (property, message) in [
            ("except", "`except` lacks ZONES"),
            ("next", "`next` lacks RCODES"),
            ("next 3", "`next` must be a response code such as `NXDOMAIN`"),
            ("failover NOERROR", "`failover` must be a code other than NOERROR"),
            ("failover FOO", "`failover` must be a response code such as `NXDOMAIN`"),
            ("force_tcp yes", "`force_tcp` takes no arguments"),
            ("next_on_nodata x", "`next_on_nodata` takes no arguments"),
            ("policy first", "`policy` must be `random`, `round_robin` or `sequential`"),
            ("read_timeout 0s", "`read_timeout` must be more than 0s"),
            ("expire 5", "`expire` must be a duration with a unit, at least 0s"),
            ("expire -1s", "`expire` must be at least 0s"),
            ("max_age 5s", "`max_age` (5s) is less than `expire` (10s)"),
            ("max_concurrent -1", "`max_concurrent` must be at least 0"),
            ("max_fails", "`max_fails` lacks COUNT"),
            ("health_check", "`health_check` lacks DURATION"),
            ("health_check 1s domain a..b", "NAME of `health_check` must be a domain name"),
            ("health_check 1s foo", "`health_check` has too many arguments"),
            ("resolver", "`resolver` lacks ADDRESSES"),
            ("resolver foo", "`resolver` must be an IP address, perhaps with a port"),
            ("source_address foo", "`source_address` must be an IP address"),
            ("tls", "`tls` is not supported yet"),
            ("tls_servername dns.test", "`tls_servername` is not supported yet"),
            ("doh_method PUT", "`doh_method` is not supported yet"),
            ("spray", "`spray` is not a property of `forward`"),
        ] {
            assert_eq!(with(property).unwrap_err(), message, "{property}");
        }
    }

    fn to(words: &str) -> Result<Vec<To>, String> {
        let read = read(&format!(". {{\n forward . {words}\n}}"));
        read.map(|(mut lines, _)| lines.remove(0).to).map_err(|mut wrong| wrong.remove(0))
    }

    #[test]
    fn servers_files_and_names() {
        let server = |text: &str| To::Server(text.parse().unwrap());
        let servers = to("10.0.0.1 dns://10.0.0.1:54 [::1]:55 fe80::1%eth0 10.0.0.1:53").unwrap();
        let expected = ["10.0.0.1:53", "10.0.0.1:54", "[::1]:55", "[fe80::1]:53"].map(server);
        assert_eq!(servers, expected, "each once");
        assert_eq!(to("/etc/resolv.conf").unwrap(), [To::File("/etc/resolv.conf".to_owned())]);
        let host = |text: &str, port| Box::new(Host { name: text.parse().unwrap(), port });
        let names = to("ns.test dns://ns.test:54").unwrap();
        let first = To::FileOrName("ns.test".to_owned(), host("ns.test", 53));
        assert_eq!(names, [first, To::FileOrName("ns.test:54".to_owned(), host("ns.test", 54))]);
    }

    #[test]
    fn what_is_no_server() {
        for (words, message) in [
            ("", "`forward` lacks TO"),
            ("tls://9.9.9.9", "a server for plain DNS: `tls://` is not supported yet"),
            ("https://9.9.9.9", "a server for plain DNS: `https://` is not supported yet"),
            ("grpc://9.9.9.9", "a server for plain DNS: `grpc://` is not supported"),
            ("10.0.0.1:99999", "a server whose port is between 1 and 65535"),
            ("10.0.0.256", "an address, a name or a file"),
            ("a..b", "an address, a name or a file (a label is empty)"),
        ] {
            let message = match words {
                "" => message.to_owned(),
                _ => format!("TO of `forward` must be {message}"),
            };
            assert_eq!(to(words).unwrap_err(), message, "{words}");
        }
        let many: String = (1..=16).map(|last| format!(" 10.0.0.{last}")).collect();
        assert_eq!(to(&many).unwrap_err(), "16 servers are more than 15");
        assert_eq!(to(&many[..many.len() - 10]).unwrap().len(), 15);
    }

    #[test]
    fn lines_stay_apart_and_in_their_order() {
        let text =
            "example.org {\n forward a.test 10.0.0.1 {\n max_fails 1\n }\n forward . 10.0.0.2\n}";
        let (lines, warnings) = read(text).unwrap();
        assert_eq!((lines.len(), warnings.len()), (2, 0));
        assert_eq!(lines[0].from.to_string(), "a.test.");
        assert_eq!([lines[0].settings.max_fails, lines[1].settings.max_fails], [1, 2]);
        assert_ne!(lines[0].at, lines[1].at);
    }

    #[test]
    fn of_a_network_the_first_zone_is_taken_with_a_warning() {
        let (lines, warnings) = read(". {\n forward 10.0.0.0/22 10.0.0.1\n}").unwrap();
        assert_eq!(lines[0].from.to_string(), "0.0.10.in-addr.arpa.");
        assert_eq!(warnings, ["`10.0.0.0/22` is 4 zones"]);
        let (lines, warnings) = read(". {\n forward dns://B.Test:53 10.0.0.1\n}").unwrap();
        assert_eq!((lines[0].from.to_string(), warnings.len()), ("b.test.".to_owned(), 0));
        assert_eq!(read(". {\n forward a..b 10.0.0.1\n}").unwrap_err().len(), 1);
    }

    #[test]
    fn a_source_address_of_the_wrong_family_is_noticed() {
        let text = ". {\n forward . 10.0.0.1 ::1 {\n source_address ::2\n }\n}";
        assert_eq!(read(text).unwrap().1, ["10.0.0.1 cannot be asked from ::2"]);
    }
}
