//! Rules that change the OPT record that upstream servers see (field `edns0`).

use super::text::Text;
use super::words::{Words, wrong};
use chain::{Exchange, Transport};
use corefile::Mistake;
use std::net::IpAddr;
use wire::{OPT_NSID, Options, Question};

/// Option code of the client subnet (RFC 7871).
const OPT_CLIENT_SUBNET: u16 = 8;
/// The UDP payload that an OPT record of our own promises to upstream servers.
const UDP_SIZE: u16 = 1232;

const USAGE: &str = "edns0 local|nsid|subnet set|append|replace|unset ...";
const LOCAL_USAGE: &str = "edns0 local set|append|replace CODE DATA [revert]";
const SUBNET_USAGE: &str = "edns0 subnet set|append|replace V4LEN V6LEN [revert]";

/// A rule of the field `edns0`.
#[derive(Debug)]
pub(super) struct EdnsRule {
    action: Action,
    code: u16,
    data: Data,
}

/// What is done with the option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    /// Put in, in the place of another.
    Set,
    /// Put in.
    Append,
    /// Changed, if it is there.
    Replace,
    /// Taken out.
    Unset,
}

/// What the option says.
#[derive(Debug)]
enum Data {
    Octets(Box<[u8]>),
    Variable(Variable),
    /// The client's network: so many bits of an IPv4 and of an IPv6 address.
    Subnet(u8, u8),
}

#[derive(Debug, PartialEq, Eq)]
enum Variable {
    Name,
    Type,
    ClientAddress,
    ClientPort,
    Protocol,
    ServerAddress,
    ServerPort,
    /// What a plugin says about the question (`metadata`).
    Label(Box<str>),
}

impl EdnsRule {
    /// Reads the words behind `edns0`.
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, Mistake> {
        let kind = words.next(USAGE)?;
        let word = words.next(USAGE)?;
        let action = match word.text.to_ascii_lowercase().as_str() {
            "set" => Action::Set,
            "append" => Action::Append,
            "replace" => Action::Replace,
            "unset" => Action::Unset,
            _ => return Err(wrong(word, "must be `set`, `append`, `replace` or `unset`")),
        };
        if action != Action::Unset {
            // Nothing of what goes upstream comes back to the client here, so that nothing of it has
            // to be taken out again.
            words.take_last("revert");
        }
        let nothing = || Data::Octets([].into());
        Ok(match kind.text.to_ascii_lowercase().as_str() {
            "local" => {
                let code = read_code(words)?;
                let data = if action == Action::Unset { nothing() } else { read_data(words)? };
                Self { action, code, data }
            }
            "nsid" => Self { action, code: OPT_NSID, data: nothing() },
            "subnet" if action == Action::Unset => {
                Self { action, code: OPT_CLIENT_SUBNET, data: nothing() }
            }
            "subnet" => {
                let data = Data::Subnet(read_bits(words, 32)?, read_bits(words, 128)?);
                Self { action, code: OPT_CLIENT_SUBNET, data }
            }
            _ => return Err(wrong(kind, "must be `local`, `nsid` or `subnet`")),
        })
    }

    /// Whether it works on every question, so that a rule that says `stop` is the last.
    pub(super) fn always_acts(&self) -> bool {
        matches!(self.action, Action::Set | Action::Unset)
            && !matches!(self.data, Data::Variable(Variable::Label(_)))
    }

    /// Changes what upstream servers see; says whether the rule was about this question at all.
    pub(super) fn apply(&self, x: &mut Exchange, question: &Question) -> bool {
        let is_there = x.outgoing_edns().is_some_and(|edns| edns.options.find(self.code).is_some());
        match self.action {
            Action::Unset if !is_there => return true,
            Action::Unset => {
                x.change_outgoing().options.retain(|code| code != self.code);
                return true;
            }
            Action::Replace if !is_there => return false,
            // A second option is put in only for data that are the same for everybody.
            Action::Append if is_there && !matches!(self.data, Data::Octets(_)) => return false,
            _ => {}
        }
        let Some(data) = self.data.of(x, question) else { return false };
        let edns = x.change_outgoing();
        if edns.udp_size == 0 {
            edns.udp_size = UDP_SIZE;
        }
        if self.action != Action::Append && is_there {
            replace(&mut edns.options, self.code, &data);
        } else {
            edns.options.push(self.code, &data);
        }
        true
    }
}

/// Puts `data` into the first option with this code.
fn replace(options: &mut Options, code: u16, data: &[u8]) {
    let old = std::mem::take(options);
    let mut first = true;
    for (each, before) in old.iter() {
        let is_it = each == code && std::mem::take(&mut first);
        options.push(each, if is_it { data } else { before });
    }
}

impl Data {
    /// The octets; none if nobody knows them.
    fn of(&self, x: &Exchange, question: &Question) -> Option<Box<[u8]>> {
        match self {
            Self::Octets(octets) => Some(octets.clone()),
            Self::Variable(variable) => variable.of(x, question),
            Self::Subnet(v4, v6) => Some(subnet(x.client.peer.ip().to_canonical(), *v4, *v6)),
        }
    }
}

/// RFC 7871 §6: family, source prefix length, scope 0, and as many octets as the length needs, with
/// zeros behind it.
fn subnet(client: IpAddr, v4: u8, v6: u8) -> Box<[u8]> {
    let (family, bits) = if client.is_ipv4() { (1, v4) } else { (2, v6) };
    let mut data = vec![0, family, bits, 0];
    let octets = address(client);
    for (index, octet) in octets.iter().enumerate().take(usize::from(bits).div_ceil(8)) {
        let left = usize::from(bits) - index * 8;
        let mask = if left >= 8 { 0xff } else { 0xff00_u16 >> left };
        data.push(octet & mask as u8);
    }
    data.into()
}

fn address(ip: IpAddr) -> Box<[u8]> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

impl Variable {
    /// The variable with a name in braces.
    fn called(word: &str) -> Option<Self> {
        let name = word.strip_prefix('{')?.strip_suffix('}')?;
        Some(match name {
            "qname" => Self::Name,
            "qtype" => Self::Type,
            "client_ip" => Self::ClientAddress,
            "client_port" => Self::ClientPort,
            "protocol" => Self::Protocol,
            "server_ip" => Self::ServerAddress,
            "server_port" => Self::ServerPort,
            label => {
                let (plugin, rest) = label.split_once('/')?;
                if plugin.is_empty() || rest.is_empty() {
                    return None;
                }
                Self::Label(label.into())
            }
        })
    }

    fn of(&self, x: &Exchange, question: &Question) -> Option<Box<[u8]>> {
        let client = &x.client;
        Some(match self {
            Self::Name => Text::of(question.name()).as_bytes().into(),
            Self::Type => question.rtype.0.to_be_bytes().into(),
            Self::ClientAddress => address(client.peer.ip().to_canonical()),
            Self::ServerAddress => address(client.local.ip().to_canonical()),
            Self::ClientPort => client.peer.port().to_be_bytes().into(),
            Self::ServerPort => client.local.port().to_be_bytes().into(),
            Self::Protocol => match client.transport {
                Transport::Udp => (*b"udp").into(),
                Transport::Tcp => (*b"tcp").into(),
            },
            Self::Label(wanted) => {
                let mut labels = x.labels.iter().flatten();
                let (_, value) = labels.find(|(label, _)| *label == **wanted)?;
                if value.is_empty() {
                    return None;
                }
                value.as_bytes().into()
            }
        })
    }
}

/// Reads a number as Go does: decimal, or with `0x`, `0o`, `0` or `0b` in front.
fn number(text: &str) -> Option<u16> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    let is_number = digits.bytes().all(|octet| octet.is_ascii_alphanumeric());
    u16::from_str_radix(digits, radix).ok().filter(|_| is_number)
}

fn read_code(words: &mut Words<'_>) -> Result<u16, Mistake> {
    let word = words.next(LOCAL_USAGE)?;
    let code = number(&word.text);
    code.ok_or_else(|| wrong(word, "must be the code of an option, such as `65001` or `0xfde9`"))
}

fn read_bits(words: &mut Words<'_>, most: u8) -> Result<u8, Mistake> {
    let word = words.next(SUBNET_USAGE)?;
    let bits = number(&word.text).filter(|bits| *bits <= most.into());
    let bits =
        bits.ok_or_else(|| wrong(word, &format!("must be a number of bits up to {most}")))?;
    Ok(bits as u8) // at most 128
}

fn read_data(words: &mut Words<'_>) -> Result<Data, Mistake> {
    let word = words.next(LOCAL_USAGE)?;
    let text = word.text.as_str();
    if text.starts_with('{') && text.ends_with('}') {
        let variable = Variable::called(text);
        return variable.map(Data::Variable).ok_or_else(|| {
            wrong(word, "is no variable").help(
                "variables are {qname}, {qtype}, {client_ip}, {client_port}, {protocol}, {server_ip}, \
                 {server_port} and labels of `metadata` such as {kubernetes/namespace}",
            )
        });
    }
    let Some(digits) = text.strip_prefix("0x") else {
        return Ok(Data::Octets(text.as_bytes().into()));
    };
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let octets: Option<Box<[u8]>> = digits.as_bytes().chunks(2).map(pair).collect();
    octets
        .map(Data::Octets)
        .ok_or_else(|| wrong(word, "must be an even number of digits behind `0x`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_more_octets_than_bits() {
        let v4 = "10.1.255.129".parse().unwrap();
        assert_eq!(*subnet(v4, 24, 56), [0, 1, 24, 0, 10, 1, 255]);
        assert_eq!(*subnet(v4, 25, 56), [0, 1, 25, 0, 10, 1, 255, 128]);
        assert_eq!(*subnet(v4, 0, 56), [0, 1, 0, 0]);
        assert_eq!(
            *subnet("2001:db8:ffff::1".parse().unwrap(), 24, 36),
            [0, 2, 36, 0, 0x20, 1, 0x0d, 0xb8, 0xf0]
        );
    }

    #[test]
    fn numbers_are_those_of_go() {
        for (text, expected) in [
            ("65001", Some(65001)),
            ("0xfde9", Some(65001)),
            ("0XFDE9", Some(65001)),
            ("010", Some(8)),
            ("0o10", Some(8)),
            ("0b11", Some(3)),
            ("0", Some(0)),
            ("65536", None),
            ("+1", None),
            ("0x+1", None),
            ("09", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(Variable::called("{qname}"), Some(Variable::Name));
        let label = Variable::Label("a/b".into());
        assert_eq!(Variable::called("{a/b}"), Some(label));
        assert!(Variable::called("{a/}").is_none() && Variable::called("{x}").is_none());
    }
}
