//! The keys of a server block: what it answers for, and on which port.

use crate::suggest::closest;
use crate::zone::{self, BadZone};
use crate::{Code, Mistake, Mistakes, Span, Word, shown};
use std::collections::HashMap;

/// How a key wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain DNS over UDP and TCP.
    Dns,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over QUIC (RFC 9250).
    Quic,
    /// DNS over gRPC.
    Grpc,
    /// DNS over HTTPS (RFC 8484).
    Https,
    /// DNS over HTTP/3.
    Https3,
    /// A `unix://` key. CoreDNS reads it and opens no listener for it.
    Unix,
}

impl Scheme {
    const ALL: [Self; 7] =
        [Self::Dns, Self::Tls, Self::Quic, Self::Grpc, Self::Https, Self::Https3, Self::Unix];

    /// As it stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Quic => "quic",
            Self::Grpc => "grpc",
            Self::Https => "https",
            Self::Https3 => "https3",
            Self::Unix => "unix",
        }
    }
}

/// A key: `[scheme://]zone[:port]`, where a network may stand for its reverse zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// How it wants to be asked.
    pub scheme: Scheme,
    /// Its zones in lower case with a final dot; several for a network that is not cut between two
    /// labels, never none.
    pub zones: Vec<String>,
    /// The port, if it names one; 0 lets the system choose. `-dns.port` does not override it.
    pub port: Option<u16>,
    /// The word itself.
    pub word: Word,
}

impl Key {
    /// Reads a key. Without one there is an error among `mistakes`; a key that is served, but
    /// hardly as it was meant, has a warning.
    pub fn read(word: &Word, mistakes: &mut Mistakes) -> Option<Self> {
        match split(&word.text) {
            Ok((scheme, zones, port)) => {
                mistakes.append(warnings(word, scheme, &zones));
                Some(Self { scheme, zones, port, word: word.clone() })
            }
            Err(why) => {
                mistakes.push(bad(word, why));
                None
            }
        }
    }

    /// Where it is written.
    pub fn at(&self) -> Span {
        self.word.at
    }
}

/// Why a word is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadKey {
    /// Nothing behind the last colon, or nothing at all.
    NoPort,
    /// A port outside of 0 to 65535.
    Port,
    /// A bad zone.
    Zone(BadZone),
}

/// Splits scheme, zone and port as CoreDNS does: an unknown scheme and a port that is no number are
/// part of the name.
fn split(text: &str) -> Result<(Scheme, Vec<String>, Option<u16>), BadKey> {
    let schemed = Scheme::ALL
        .iter()
        .find_map(|&scheme| Some((scheme, text.strip_prefix(scheme.name())?.strip_prefix("://")?)));
    let (scheme, rest) = schemed.unwrap_or((Scheme::Dns, text));
    if rest.is_empty() || rest.ends_with(':') {
        return Err(BadKey::NoPort);
    }
    let numbered = rest.rsplit_once(':').and_then(|(zone, port)| Some((zone, integer(port)?)));
    let (zone, port) = match numbered {
        Some((zone, port)) => (zone, Some(u16::try_from(port).map_err(|_| BadKey::Port)?)),
        None => (rest, None),
    };
    Ok((scheme, zone::zones(zone).map_err(BadKey::Zone)?, port))
}

/// The zones of a word that names zones to a plugin: scheme and port are read and forgotten, as
/// CoreDNS does.
pub(crate) fn zones_of_argument(text: &str) -> Result<Vec<String>, String> {
    match split(text) {
        Ok((_, zones, _)) => Ok(zones),
        Err(BadKey::NoPort) if text.is_empty() => Err("an empty word is no zone".to_owned()),
        Err(why) => Err(message(&Word::new(text, Span::new(0, 0, 0)), why)),
    }
}

/// A number with or without sign, as Go reads one.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn message(word: &Word, why: BadKey) -> String {
    let key = shown(&word.text);
    match why {
        BadKey::NoPort if word.text.is_empty() => "a key is missing before this comma".to_owned(),
        BadKey::NoPort => format!("{key} ends where a zone or a port should follow"),
        BadKey::Port => format!("the port of {key} must be between 0 and 65535"),
        BadKey::Zone(why) => format!("{key} is not a zone: {why}"),
    }
}

fn bad(word: &Word, why: BadKey) -> Mistake {
    let text = &word.text;
    if let Some(name) = text.strip_suffix('{') {
        let message = format!("there is no blank before the brace of {}", shown(text));
        return Mistake::error(Code::GluedBrace, word.at, message)
            .help(format!("write `{name} {{`"));
    }
    let mistake = Mistake::error(Code::BadKey, word.at, message(word, why)).about(word);
    match why {
        BadKey::NoPort if text.is_empty() => mistake.help("write the comma directly behind a key"),
        BadKey::NoPort => {
            mistake.help("write a zone, perhaps with scheme and port: `tls://example.org:853`")
        }
        BadKey::Zone(BadZone::Empty) => {
            mistake.help(format!("write `.{text}` for the root on this port"))
        }
        _ => mistake,
    }
}

fn warnings(word: &Word, scheme: Scheme, zones: &[String]) -> Mistakes {
    if scheme == Scheme::Unix {
        let message = format!("nothing listens for {}", shown(&word.text));
        let mistake = Mistake::warning(Code::Ignored, word.at, message).about(word);
        return mistake.label("CoreDNS ignores such a key, and so it is here").into();
    }
    let mut mistakes = Mistakes::new();
    for zone in zones.iter().filter(|zone| !zone::is_preferred(zone)) {
        mistakes.push(odd(word, zone));
    }
    mistakes
}

/// The warning that CoreDNS prints at its start, in its words, and what may have gone wrong.
fn odd(word: &Word, zone: &str) -> Mistake {
    let message = format!("Domain {zone:?} does not follow RFC1035 preferred syntax");
    let mistake = Mistake::warning(Code::OddKey, word.at, message).about(word);
    let text = &word.text;
    if let Some(name) = text.strip_suffix('{') {
        let label = "the brace is part of the name: nobody asks for this zone";
        return mistake.label(label).help(format!("write `{name} {{`"));
    }
    if let Some((scheme, rest)) = text.split_once("://").filter(|_| zone.contains("://")) {
        let known = Scheme::ALL.map(Scheme::name);
        let label = format!("{} is no scheme and therefore part of the name", shown(scheme));
        return mistake.label(label).help(match closest(scheme, known) {
            Some(meant) => format!("did you mean `{meant}://{rest}`?"),
            None => format!("the schemes are {}", known.join(", ")),
        });
    }
    if text.matches(':').count() > 1 {
        return mistake
            .label("an address is not a zone")
            .help("write a network, such as `2001:db8::/32`, to serve its reverse zone");
    }
    if zone.contains(':') {
        return mistake.label("what follows the colon is no port and therefore part of the name");
    }
    if text.starts_with('(') {
        return mistake.label("a snippet has one key and no comma; this is a zone");
    }
    if text.contains('/') {
        return mistake.label("this is no network and therefore a name");
    }
    mistake
}

/// What the server blocks of a configuration listen for, so that no two listen for the same.
///
/// The one who builds the servers knows the addresses (`bind`) and the default ports, and leaves
/// out the blocks that have a `view`: those may share a key.
#[derive(Debug, Default)]
pub struct Claims {
    claimed: HashMap<(Scheme, String, u16), Addresses>,
}

/// Who claimed a zone on a port.
#[derive(Debug, Default)]
struct Addresses {
    all: Option<Span>,
    some: HashMap<String, Span>,
}

/// One zone on one port of one address.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// How it is asked.
    pub scheme: Scheme,
    /// The zone, in lower case with a final dot.
    pub zone: &'a str,
    /// The port, after defaults.
    pub port: u16,
    /// The address of `bind`; `None` without `bind`, which means all addresses.
    pub address: Option<&'a str>,
    /// The key.
    pub at: Span,
}

impl Claims {
    /// Nothing is claimed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims a zone for a server block; an error if another block has it, or has it on all
    /// addresses where this one wants some, or the other way round.
    pub fn claim(&mut self, claim: Claim<'_>) -> Result<(), Mistake> {
        let key = (claim.scheme, claim.zone.to_owned(), claim.port);
        let addresses = self.claimed.entry(key).or_default();
        let before = match claim.address {
            None => addresses.all.or_else(|| addresses.some.values().min().copied()),
            Some(address) => addresses.all.or_else(|| addresses.some.get(address).copied()),
        };
        if let Some(before) = before {
            let same = addresses.all.is_some() == claim.address.is_none();
            return Err(conflict(claim, before, same));
        }
        match claim.address {
            None => addresses.all = Some(claim.at),
            Some(address) => _ = addresses.some.insert(address.to_owned(), claim.at),
        }
        Ok(())
    }
}

fn conflict(claim: Claim<'_>, before: Span, same: bool) -> Mistake {
    let on = claim.address.map(|address| format!(" on {address}")).unwrap_or_default();
    let what = format!("{}://{}:{}{on}", claim.scheme.name(), claim.zone, claim.port);
    let mistake = if same {
        let message = format!("{} is served twice", shown(&what));
        Mistake::error(Code::DuplicateKey, claim.at, message).help("merge the two server blocks")
    } else {
        let message = format!("{} is served on all addresses and on some", shown(&what));
        Mistake::error(Code::DuplicateKey, claim.at, message)
            .help("write `bind` into both server blocks, or into neither")
    };
    mistake.label("the second").related(before, "the first")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Key, usize), String> {
        let mut mistakes = Mistakes::new();
        let key = Key::read(&Word::new(text, Span::new(0, 0, 1)), &mut mistakes);
        let first = mistakes.iter().next().map(|mistake| mistake.message.clone());
        key.map(|key| (key, mistakes.warnings())).ok_or(first.unwrap_or_default())
    }

    fn parts(text: &str) -> (Scheme, String, Option<u16>, usize) {
        let (key, warnings) = read(text).unwrap();
        (key.scheme, key.zones.join(" "), key.port, warnings)
    }

    /// The listeners and warnings that CoreDNS 1.14.7 printed when it was started with these keys.
    #[test]
    fn keys_are_split_as_core_dns_splits_them() {
        use Scheme::*;
        let owned =
            |scheme, zones: &str, port, warnings| (scheme, zones.to_owned(), port, warnings);
        assert_eq!(parts("."), owned(Dns, ".", None, 0));
        assert_eq!(parts("A.Test.:53"), owned(Dns, "a.test.", Some(53), 0));
        assert_eq!(parts("a.test:+53"), owned(Dns, "a.test.", Some(53), 0));
        assert_eq!(parts("a.test:0"), owned(Dns, "a.test.", Some(0), 0));
        assert_eq!(parts("dns://a.test"), owned(Dns, "a.test.", None, 0));
        assert_eq!(parts("https3://a.test:8443"), owned(Https3, "a.test.", Some(8443), 0));
        assert_eq!(parts("tls://10.0.0.0/24:53"), owned(Tls, "0.0.10.in-addr.arpa.", Some(53), 0));
        assert_eq!(parts("unix:///tmp/x"), owned(Unix, "/tmp/x.", None, 1));
        assert_eq!(parts("foo://a.test"), owned(Dns, "foo://a.test.", None, 1));
        assert_eq!(parts("DNS://a.test"), owned(Dns, "dns://a.test.", None, 1));
        assert_eq!(parts("a.test:abc"), owned(Dns, "a.test:abc.", None, 1));
        assert_eq!(parts("a.test:53:54"), owned(Dns, "a.test:53.", Some(54), 1));
        assert_eq!(parts("2001:db8::1"), owned(Dns, "2001:db8:.", Some(1), 1));
        assert_eq!(parts("tls://a.test/dns-query"), owned(Tls, "a.test/dns-query.", None, 1));
        assert_eq!(parts("a.test:99999999999999999999").2, None);
        assert_eq!(parts("example.org:53{"), owned(Dns, "example.org:53{.", None, 1));
        assert_eq!(parts("}"), owned(Dns, "}.", None, 1));
    }

    /// Keys that CoreDNS 1.14.7 refused to start with.
    #[test]
    fn keys_that_core_dns_refuses_are_refused() {
        for text in [
            "",
            "a.test:",
            ":53",
            "dns://",
            "dns://:53",
            ".:99999",
            "a.test:-1",
            "a..test",
            ".a.test",
            ".:53{",
            "a\\",
            "::/0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(
            read(":53").unwrap_err(),
            "`:53` is not a zone: the name is empty; the root is written `.`"
        );
    }

    /// `cannot serve dns://.:53 - it is already defined` and `zone overlap listener capacity`.
    #[test]
    fn two_blocks_cannot_claim_the_same() {
        let claim = |scheme, zone, port, address, start| Claim {
            scheme,
            zone,
            port,
            address,
            at: Span::new(0, start, start + 1),
        };
        let mut claims = Claims::new();
        assert!(claims.claim(claim(Scheme::Dns, ".", 53, None, 1)).is_ok());
        assert!(claims.claim(claim(Scheme::Tls, ".", 53, None, 2)).is_ok());
        assert!(claims.claim(claim(Scheme::Dns, ".", 54, Some("127.0.0.1"), 3)).is_ok());
        assert!(claims.claim(claim(Scheme::Dns, ".", 54, Some("::1"), 4)).is_ok());
        let twice = claims.claim(claim(Scheme::Dns, ".", 53, None, 5)).unwrap_err();
        assert_eq!(twice.message, "`dns://.:53` is served twice");
        assert_eq!(twice.notes[0].at, Some(Span::new(0, 1, 2)));
        let bound = claims.claim(claim(Scheme::Dns, ".", 53, Some("::1"), 6)).unwrap_err();
        assert_eq!(bound.message, "`dns://.:53 on ::1` is served on all addresses and on some");
        let twice = claims.claim(claim(Scheme::Dns, ".", 54, Some("::1"), 7)).unwrap_err();
        assert_eq!(twice.message, "`dns://.:54 on ::1` is served twice");
        let all = claims.claim(claim(Scheme::Dns, ".", 54, None, 8)).unwrap_err();
        assert_eq!(all.message, "`dns://.:54` is served on all addresses and on some");
    }
}
