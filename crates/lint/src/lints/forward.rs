//! Queries that come back: `forward` to this server itself, or to the Service that leads to it.

use super::Lint;
use crate::whole::{Site, Whole, is_within, narrower, upstream};
use corefile::{Code, Directive, Mistakes, Word, shown};
use std::net::{IpAddr, SocketAddr};

pub(super) const TO_SELF: Lint = Lint::error(Code::ForwardToSelf).by(find);
pub(super) const TO_CLUSTER: Lint = Lint::error(Code::ForwardToClusterDns);

/// Blocks that a query is followed through.
const DEPTH_MAX: usize = 8;

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    // A cache on each node forwards to that Service, and has no `kubernetes`.
    let is_cluster_dns = whole.sites.iter().any(|site| site.has("kubernetes"));
    for (index, site) in whole.sites.iter().enumerate() {
        for forward in site.all("forward") {
            for word in forward.args.iter().skip(1) {
                look_at(whole, index, forward, word, mistakes);
                if is_cluster_dns {
                    to_cluster(whole, word, mistakes);
                }
            }
        }
    }
}

/// Looks where `word` leads the queries of a `forward`.
fn look_at(
    whole: &Whole<'_>,
    index: usize,
    forward: &Directive,
    word: &Word,
    mistakes: &mut Mistakes,
) {
    let servers = servers(whole, word);
    if servers.is_empty() {
        return;
    }
    for name in whole.sites[index].asked(forward) {
        let back = servers.iter().find(|server| comes_back(whole, index, **server, &name));
        let Some(server) = back else { continue };
        let message = format!("queries for {} come back to this server", shown(&name));
        let label = if word.text.starts_with('/') {
            format!("{} is this server", server.ip())
        } else {
            "this server itself".to_owned()
        };
        let block = &whole.sites[index].block;
        mistakes.push(
            TO_SELF
                .at(word.at, message)
                .label(label)
                .related(block.at, "answered by this block again")
                .note("`serve` starts with it, and every such query goes round until it times out")
                .help("write the address of another server, such as that of the cloud or company"),
        );
        return;
    }
}

fn to_cluster(whole: &Whole<'_>, word: &Word, mistakes: &mut Mistakes) {
    let servers = servers(whole, word);
    let is_ours = |server: &&SocketAddr| whole.scene.cluster_ips.contains(&server.ip());
    let Some(server) = servers.iter().find(is_ours) else { return };
    let message = format!("{} is the Service of this server", server.ip());
    mistakes.push(
        TO_CLUSTER
            .at(word.at, message)
            .label("queries come back, to this replica or another one")
            .note("`serve` starts with it, and every such query goes round until it times out")
            .help(if word.text.starts_with('/') {
                "set `dnsPolicy: Default` in the pod, or write the addresses of other servers"
            } else {
                "write the address of a server outside of the cluster"
            }),
    );
}

/// The servers that a word of `forward` leads to, as far as they are known.
fn servers(whole: &Whole<'_>, word: &Word) -> Vec<SocketAddr> {
    if word.text == "/etc/resolv.conf" {
        let nameservers: &[IpAddr] = &whole.scene.nameservers;
        return nameservers.iter().map(|address| SocketAddr::new(*address, 53)).collect();
    }
    upstream(&word.text).into_iter().collect()
}

/// Whether the block with number `start` is asked again for `name` when it is forwarded to `server`.
fn comes_back(whole: &Whole<'_>, start: usize, server: SocketAddr, name: &str) -> bool {
    let mut server = server;
    for _ in 0..DEPTH_MAX {
        let Some(next) = whole.route(server, name) else { return false };
        if next == start {
            return true;
        }
        let Some(onwards) = forwarded(&whole.sites[next], name) else { return false };
        server = onwards;
    }
    false
}

/// Where a block forwards a name, if it is to one address.
fn forwarded(site: &Site<'_>, name: &str) -> Option<SocketAddr> {
    let forward = site.all("forward").find(|forward| covers(forward, name))?;
    forward.args.iter().skip(1).find_map(|word| upstream(&word.text))
}

/// Whether a `forward` takes all of a zone.
fn covers(forward: &Directive, name: &str) -> bool {
    let from = forward.args.first().and_then(|word| corefile::zones(&word.text).ok());
    let Some(from) = from.and_then(|zones| zones.into_iter().next()) else { return false };
    let lines = forward.body.iter().flatten();
    let mut excepted = lines.filter(|line| line.words[0].text == "except");
    let is_excepted = excepted.any(|line| {
        let zones = line.words[1..].iter().flat_map(|word| corefile::zones(&word.text)).flatten();
        zones.into_iter().any(|zone| is_within(name, &zone) && narrower(name, &zone).is_some())
    });
    is_within(name, &from) && (!is_excepted || name == from)
}

#[cfg(test)]
mod tests {
    use crate::lints::{found, found_at};

    #[test]
    fn to_itself() {
        assert_eq!(found(".:53 {\n forward . 127.0.0.1\n}"), ["forward-to-self 2"]);
        assert_eq!(found(". {\n forward . [::1]:53\n}"), ["forward-to-self 2"]);
        assert_eq!(found(".:53 {\n forward . 127.0.0.1:1053\n}"), [""; 0]);
        let bound = ".:53 {\n bind 169.254.20.10\n forward . 169.254.20.10\n}";
        assert_eq!(found(bound), ["forward-to-self 3"]);
        assert_eq!(found(".:53 {\n bind 169.254.20.10\n forward . 127.0.0.1\n}"), [""; 0]);
    }

    #[test]
    fn to_another_block_is_fine_unless_that_sends_it_back() {
        let there = ".:53 {\n forward . 127.0.0.1:1053\n}\n";
        assert_eq!(found(&format!("{there}.:1053 {{\n forward . 192.0.2.1\n}}")), [""; 0]);
        let back = found(&format!("{there}.:1053 {{\n forward . 127.0.0.1:53\n}}"));
        assert_eq!(back, ["forward-to-self 2", "forward-to-self 5"]);
        let zone = "a.test {\n forward a.test 127.0.0.1\n}\nb.a.test {\n whoami\n}";
        assert_eq!(found(zone), ["forward-to-self 2"]);
        assert_eq!(
            found("a.test {\n whoami\n}\n. {\n forward a.test 127.0.0.1\n}"),
            ["never-asked 5"]
        );
    }

    #[test]
    fn to_the_service() {
        let text =
            "cluster.local {\n kubernetes cluster.local\n}\na.test {\n forward . 10.96.0.10\n}";
        let at =
            |text| found_at(text, |scene| scene.cluster_ips = vec!["10.96.0.10".parse().unwrap()]);
        assert_eq!(at(text), ["forward-to-cluster-dns 5"]);
        assert_eq!(at(". {\n forward . 10.96.0.10\n}"), [""; 0]);
        assert_eq!(found(text), [""; 0]);
        let resolv = found_at(". {\n forward . /etc/resolv.conf\n}", |scene| {
            scene.nameservers = vec!["127.0.0.53".parse().unwrap()];
        });
        assert_eq!(resolv, ["forward-to-self 2"]);
    }
}
