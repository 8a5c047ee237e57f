//! The name servers and the search list of a `resolv.conf`.

use crate::target::parse_address;
use std::net::SocketAddr;
use wire::NameBuf;

/// The port that the format implies.
const PORT: u16 = 53;
/// The most servers that are taken. The C library takes three, CoreDNS all.
const SERVERS_MAX: usize = 64;
/// The most domains that are searched: each costs a question behind a question. Kubernetes writes
/// three before those of the node.
const SEARCH_MAX: usize = 12;
/// The most lines of which it is told that they were ignored.
const IGNORED_MAX: usize = 16;

/// What concerns us of a text in the format of resolv.conf(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The servers in their order: up to 64, without duplicates and IPv6 zone ids.
    pub nameservers: Vec<SocketAddr>,
    /// The domains that names are looked for in, in their order: those of the last line `search` or
    /// `domain`, without what is no name; up to 12, of which `domain` has one.
    pub search: Vec<NameBuf>,
    /// `nameserver` lines without an address: up to 16.
    pub ignored: Vec<Ignored>,
}

/// A `nameserver` line that names no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands where an address was expected.
    pub text: String,
}

impl ResolvConf {
    /// Reads the lines `nameserver`, `search` and `domain` of `text` and passes over all others.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_ascii_whitespace();
            let domains = match words.next() {
                Some("nameserver") => {
                    read.nameserver(index + 1, words.next().unwrap_or_default());
                    continue;
                }
                Some("search") => SEARCH_MAX,
                Some("domain") => 1,
                _ => continue,
            };
            read.search = words.take(domains).filter_map(|word| word.parse().ok()).collect();
        }
        read
    }

    fn nameserver(&mut self, line: usize, text: &str) {
        let Some(address) = parse_address(text) else {
            if self.ignored.len() < IGNORED_MAX {
                self.ignored.push(Ignored { line, text: text.to_owned() });
            }
            return;
        };
        let server = SocketAddr::new(address, PORT);
        if self.nameservers.len() < SERVERS_MAX && !self.nameservers.contains(&server) {
            self.nameservers.push(server);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nameserver_lines_count_and_nothing_else() {
        let read = ResolvConf::read(
            "# nameserver 9.9.9.9\n; nameserver 9.9.9.9\nsearch a.b\nnameserver 10.0.0.1\n\
             \tnameserver fe80::1%eth0 # two\nnameserver ns.example\nnameserver\n\
             nameserver 10.0.0.1\noptions ndots:5\r\nnameserver\t::1\r\n",
        );
        let servers: Vec<_> = read.nameservers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1]:53", "[::1]:53"]);
        let ignored: Vec<_> = read.ignored.iter().map(|each| (each.line, &*each.text)).collect();
        assert_eq!(ignored, [(6, "ns.example"), (7, "")]);
    }

    #[test]
    fn the_last_search_list_counts() {
        let search = |text: &str| {
            let names = ResolvConf::read(text).search;
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(search("search a.b C.d. x..y .\nnameserver ::1"), "a.b. C.d. .");
        assert_eq!(search("search a.b\ndomain c d"), "c.");
        assert_eq!(search("domain c\nsearch a b"), "a. b.");
        assert_eq!(search("# search a"), "");
        assert_eq!(
            ResolvConf::read(&format!("search {}", "a ".repeat(99))).search.len(),
            SEARCH_MAX
        );
    }

    #[test]
    fn servers_are_bounded() {
        let text: String = (0..100).map(|last| format!("nameserver 10.0.0.{last}\n")).collect();
        assert_eq!(ResolvConf::read(&text).nameservers.len(), SERVERS_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(nameserver[ \t]?)?.{0,30}\n?.{0,30}") {
            let _ = ResolvConf::read(&text);
        }
    }
}
