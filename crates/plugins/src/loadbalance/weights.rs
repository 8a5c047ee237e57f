//! The file of weights: names, and behind each of them its addresses with their weights.

use super::arrange::address;
use crate::files::Files;
use arc_swap::{ArcSwap, Guard};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use wire::{BadName, Name, NameBuf};

/// The weights of addresses, by owner.
#[derive(Default)]
pub(super) struct Weights {
    by_owner: HashMap<Box<[u8]>, Vec<(IpAddr, u8)>>,
    /// The file that they were read from.
    text: Vec<u8>,
}

/// A file of weights, and what it said last.
pub(super) struct Source {
    path: PathBuf,
    weights: ArcSwap<Weights>,
    files: Arc<Files>,
}

impl Weights {
    /// Reads a file: a line with a name, then lines with an address and a weight from 1 to 255;
    /// empty lines and such that begin with `#` say nothing.
    pub(super) fn read(text: Vec<u8>) -> Result<Self, BadLine> {
        let mut by_owner = HashMap::new();
        let mut current: Option<&mut Vec<(IpAddr, u8)>> = None;
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let bad = |why| BadLine { line: index + 1, why };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                [name] => {
                    let owner = owner(name).map_err(bad)?;
                    current = Some(by_owner.entry(owner.octets().into()).or_default());
                }
                [address, weight] => {
                    let weighted = weighted(address, weight).map_err(bad)?;
                    current.as_mut().ok_or(bad(Why::NoName))?.push(weighted);
                }
                _ => return Err(bad(Why::Words)),
            }
        }
        Ok(Self { by_owner, text })
    }

    /// The weight of an address; 1 if the file says nothing of it.
    pub(super) fn of(&self, owner: Name<'_>, rdata: &[u8]) -> u8 {
        let weights = self.by_owner.get(owner.to_lower().octets());
        let (Some(weights), Some(wanted)) = (weights, address(rdata)) else { return 1 };
        weights.iter().find(|(address, _)| *address == wanted).map_or(1, |(_, weight)| *weight)
    }
}

fn owner(name: &str) -> Result<NameBuf, Why> {
    if name.parse::<IpAddr>().is_ok() {
        return Err(Why::NoWeight);
    }
    let mut owner: NameBuf = name.parse().map_err(Why::Name)?;
    owner.make_lower();
    Ok(owner)
}

fn weighted(address: &str, weight: &str) -> Result<(IpAddr, u8), Why> {
    let address = address.parse().map_err(|_| Why::Address)?;
    let weight = weight.parse().ok().filter(|weight| *weight > 0).ok_or(Why::Weight)?;
    Ok((address, weight))
}

impl Source {
    /// The file at `path`, which has said `weights`.
    pub(super) fn new(path: PathBuf, weights: Weights, files: Arc<Files>) -> Self {
        Self { path, weights: ArcSwap::from_pointee(weights), files }
    }

    /// Whether it may say something else later.
    pub(super) fn can_change(&self) -> bool {
        self.files.can_change()
    }

    /// What it says.
    pub(super) fn weights(&self) -> Guard<Arc<Weights>> {
        self.weights.load()
    }

    /// Reads the file again; a bad one changes nothing.
    async fn reload(&self) {
        let shown = self.path.display();
        let text = match tokio::fs::read(&self.path).await {
            Ok(text) if text == self.weights.load().text => return,
            Ok(text) => text,
            Err(error) => {
                tracing::error!(target: "plugin/loadbalance", "weight file {shown}: {error}");
                return;
            }
        };
        match Weights::read(text) {
            Ok(weights) => {
                self.files.note(&self.path, &weights.text);
                self.weights.store(Arc::new(weights));
                tracing::info!(
                    target: "plugin/loadbalance",
                    "Successfully reloaded weight file {shown}"
                );
            }
            Err(why) => tracing::error!(target: "plugin/loadbalance", "weight file {shown}: {why}"),
        }
    }
}

/// Reads the file again from time to time.
pub(super) async fn watch(source: Arc<Source>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        source.reload().await;
    }
}

/// A line of the file that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    line: usize,
    why: Why,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    Name(BadName),
    NoWeight,
    Address,
    Weight,
    NoName,
    Words,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.why {
            Why::Name(bad) => write!(f, "{bad}"),
            Why::NoWeight => f.write_str("an address needs a weight behind it"),
            Why::Address => f.write_str("the first of two words must be an address"),
            Why::Weight => f.write_str("the weight must be a number from 1 to 255"),
            Why::NoName => f.write_str("an address needs a line with a name in front of it"),
            Why::Words => f.write_str("a line is a name, or an address and a weight"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Weights, String> {
        Weights::read(text.into()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn weights_by_owner_and_address() {
        let weights =
            read("# all\r\n\nWWW.test\n 192.0.2.1 3 \n2001:db8::1 255\nx.test.\n192.0.2.1 7\n");
        let weights = weights.unwrap();
        let of = |owner: &str, ip: IpAddr| {
            let owner: NameBuf = owner.parse().unwrap();
            match ip {
                IpAddr::V4(ip) => weights.of(owner.as_name(), &ip.octets()),
                IpAddr::V6(ip) => weights.of(owner.as_name(), &ip.octets()),
            }
        };
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert_eq!((of("www.TEST", v4), of("www.test", v6), of("x.test", v4)), (3, 255, 7));
        assert_eq!((of("x.test", v6), of("y.test", v4)), (1, 1));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, bad) in [
            ("192.0.2.1 1", "line 1: an address needs a line with a name in front of it"),
            ("a\n\n192.0.2.1", "line 3: an address needs a weight behind it"),
            ("a\nb 1", "line 2: the first of two words must be an address"),
            ("a\n::1 256", "line 2: the weight must be a number from 1 to 255"),
            ("a b c", "line 1: a line is a name, or an address and a weight"),
            ("a..b", "line 1: a label is empty"),
        ] {
            assert_eq!(read(text).err().as_deref(), Some(bad));
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Weights::read(text);
        }

        #[test]
        fn lines_are_read_without_a_panic(text in "([a.]{0,9}|[0-9.:]{3,9}|[ \n#]){0,40}") {
            let _ = read(&text);
        }
    }
}
