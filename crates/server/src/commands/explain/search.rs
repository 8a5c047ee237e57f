//! The names that a resolver asks for when a program looks for one (resolv.conf(5)).

use wire::{Name, NameBuf};

/// How a client looks for names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Search {
    /// Where it looks, in this order.
    pub(crate) domains: Vec<NameBuf>,
    /// A name with so many dots is asked for as it stands first.
    pub(crate) ndots: usize,
}

/// What a resolver that is told nothing else does.
const NDOTS: usize = 1;

impl Search {
    /// Of a pod in `namespace` of the cluster `domain`, with `dnsPolicy: ClusterFirst`: the cluster's
    /// domains in front of those of its node.
    pub(crate) fn of_pod(namespace: Name<'_>, domain: &NameBuf, of_node: Vec<NameBuf>) -> Self {
        let services = NameBuf::child(b"svc", domain.as_name()).ok();
        let own = services
            .and_then(|services| NameBuf::child(namespace.first_label()?, services.as_name()).ok());
        let mut domains: Vec<_> = own.into_iter().chain(services).chain([*domain]).collect();
        // This machine may be a pod itself.
        let of_node = of_node.into_iter().filter(|it| it != domain && Some(*it) != services);
        domains.extend(of_node);
        Self { domains, ndots: 5 }
    }

    /// What `text`, in the format of resolv.conf(5), says: the last line `search` or `domain` and the
    /// last option `ndots`.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self { domains: Vec::new(), ndots: NDOTS };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("search" | "domain") => {
                    read.domains = words.filter_map(|word| word.parse().ok()).collect();
                }
                Some("options") => {
                    let mut ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    read.ndots = ndots.next_back().unwrap_or(read.ndots);
                }
                _ => {}
            }
        }
        read
    }

    /// The names that are asked for in turn until one has an answer. One that ends with a dot is
    /// asked for alone.
    pub(crate) fn names(&self, text: &str, name: &NameBuf) -> Vec<NameBuf> {
        if text.ends_with('.') {
            return vec![*name];
        }
        let whole = name.as_name();
        let labels = whole.labels_above(Name::ROOT).unwrap_or_default();
        let searched = self.domains.iter().filter(|domain| !domain.as_name().is_root());
        // What would be too long for a name is not asked for.
        let mut names: Vec<_> =
            searched.filter_map(|domain| NameBuf::join(labels, domain.as_name()).ok()).collect();
        let has_dots = whole.label_count().saturating_sub(1) >= self.ndots;
        names.insert(if has_dots { 0 } else { names.len() }, *name);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn shown(names: &[NameBuf]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pod_goes_through_its_list_unless_the_name_is_whole() {
        let node = vec![name("svc.cluster.local"), name("corp.test")];
        let pod = Search::of_pod(name("shop").as_name(), &name("cluster.local"), node);
        assert_eq!(
            shown(&pod.domains),
            ["shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "corp.test."]
        );
        let asked = |text: &str| shown(&pod.names(text, &name(text)));
        assert_eq!(asked("web")[0], "web.shop.svc.cluster.local.");
        assert_eq!(asked("web")[4], "web.");
        assert_eq!(asked("a.b.c.d.e.f")[0], "a.b.c.d.e.f.");
        assert_eq!(asked("a.b.c.d.e.f").len(), 5);
        assert_eq!(asked("web."), ["web."]);
        let long = format!("{0}.{0}.{0}.{1}", "x".repeat(63), "x".repeat(58));
        assert_eq!(asked(&long), [format!("{long}.")]);
    }

    #[test]
    fn a_file_says_where_and_from_how_many_dots_on() {
        let read = Search::read("search a.b\noptions timeout:2 ndots:3\ndomain c\n# search d");
        assert_eq!((shown(&read.domains), read.ndots), (vec!["c.".to_owned()], 3));
        assert_eq!(Search::read("nameserver ::1").ndots, 1);
    }
}
