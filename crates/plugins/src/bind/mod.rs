//! `bind`: on which addresses a block listens. It answers nothing.

use crate::directive::{Built, Directive};
use crate::env::Env;
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, Word, shown};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The directive.
pub(crate) struct Bind;

/// Addresses and interfaces, a list for each line.
#[derive(Default)]
pub(crate) struct Config {
    lines: Vec<Line>,
}

#[derive(Default)]
struct Line {
    wanted: Vec<Word>,
    except: Vec<Word>,
}

const SYNTAX: Syntax<Line> = Syntax {
    directive: Property {
        name: "bind",
        usage: "bind ADDRESS|INTERFACE...",
        default: "all addresses",
        doc: "Listens on these addresses, and on those that these interfaces have at the start.",
        repeats: Repeats::Adds,
        read: |line, args| {
            while let Some(word) = args.word() {
                line.wanted.push(word.clone());
            }
            Ok(())
        },
    },
    properties: &[Property {
        name: "except",
        usage: "except ADDRESS|INTERFACE...",
        default: "",
        doc: "Leaves these out of what the line names.",
        repeats: Repeats::Adds,
        read: |line, args| {
            while let Some(word) = args.word() {
                line.except.push(word.clone());
            }
            Ok(())
        },
    }],
    otherwise: None,
};

impl Directive for Bind {
    const NAME: &'static str = "bind";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let (lines, mut mistakes) = SYNTAX.read_each(block, Line::default);
        for (line, directive) in lines.iter().zip(&block.directives) {
            if line.wanted.is_empty() {
                let message = "`bind` names no address and no interface";
                let mistake = Mistake::error(Code::ArgumentCount, directive.at(), message);
                mistakes.push(mistake.help("usage: `bind ADDRESS|INTERFACE...`"));
            }
        }
        mistakes.accept(Config { lines })
    }

    fn build(_: Config, _: &mut Env<'_>) -> Built {
        Ok(None)
    }
}

impl Config {
    /// The addresses as they are now, each once, with port 0.
    pub(crate) fn addresses(&self, mistakes: &mut Mistakes) -> Vec<SocketAddr> {
        let interfaces = Interfaces::now();
        let mut addresses = Vec::new();
        for line in &self.lines {
            let except = interfaces.all_of(&line.except, mistakes);
            let wanted = interfaces.all_of(&line.wanted, mistakes);
            addresses.extend(wanted.into_iter().filter(|address| !except.contains(address)));
        }
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        addresses
    }
}

/// The interfaces of this machine.
struct Interfaces(Vec<if_addrs::Interface>);

impl Interfaces {
    fn now() -> Self {
        // Without a list there are no interfaces to name; addresses can be bound all the same.
        Self(if_addrs::get_if_addrs().unwrap_or_default())
    }

    fn all_of(&self, words: &[Word], mistakes: &mut Mistakes) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for word in words {
            let found = self.addresses(&word.text);
            if found.is_empty() {
                let message = format!("{} is no address and no interface", shown(&word.text));
                let mut mistake = Mistake::error(Code::BadValue, word.at, message);
                let mut names: Vec<_> = self.0.iter().map(|each| each.name.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                if !names.is_empty() {
                    mistake = mistake.help(format!("this machine has {}", names.join(", ")));
                }
                mistakes.push(mistake.about(word));
            }
            addresses.extend(found);
        }
        addresses
    }

    fn addresses(&self, word: &str) -> Vec<SocketAddr> {
        if let Ok(ip) = word.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, 0)];
        }
        if let Ok(address) = format!("[{word}]:0").parse::<SocketAddrV6>() {
            return vec![address.into()]; // with a numeric zone id
        }
        if let Some((ip, zone)) = word.split_once('%')
            && let Ok(IpAddr::V6(ip)) = ip.parse()
        {
            let named = self.0.iter().find(|interface| interface.name == zone);
            let scope = named.and_then(|interface| interface.index);
            return scope
                .map(|scope| SocketAddrV6::new(ip, 0, 0, scope).into())
                .into_iter()
                .collect();
        }
        let named = self.0.iter().filter(|interface| interface.name == word);
        named
            .map(|interface| match interface.ip() {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                    SocketAddrV6::new(ip, 0, 0, interface.index.unwrap_or(0)).into()
                }
                ip => SocketAddr::new(ip, 0),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(corefile: &str) -> Result<Vec<String>, usize> {
        let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
        let block = parsed.blocks[0].block("bind").unwrap();
        let config = Bind::read(&block).map_err(|mistakes| mistakes.errors())?.config;
        let mut mistakes = Mistakes::new();
        let addresses = config.addresses(&mut mistakes);
        if mistakes.has_errors() {
            return Err(mistakes.errors());
        }
        Ok(addresses.iter().map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn addresses_and_interfaces() {
        let found = addresses(". {\n bind 127.0.0.1 ::1\n bind 127.0.0.2 127.0.0.1\n}");
        assert_eq!(found.unwrap(), ["127.0.0.1", "::1", "127.0.0.2"]);
        assert!(addresses(". {\n bind lo\n}").unwrap().contains(&"127.0.0.1".to_owned()));
        let without = addresses(". {\n bind lo {\n except 127.0.0.1\n }\n}").unwrap();
        assert!(!without.contains(&"127.0.0.1".to_owned()));
    }

    #[test]
    fn what_is_neither() {
        assert_eq!(addresses(". {\n bind nosuch0 127.0.0.300\n}"), Err(2));
        assert_eq!(addresses(". {\n bind\n}"), Err(1));
    }
}
