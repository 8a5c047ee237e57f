//! What people wrote in 2018, and what it is today.

use super::{DirectiveRule, Head, LineRule, Release, Renewed, Today};

const V1_1: Option<Release> = Some(Release::new(1, 1, 0));
const V1_2: Option<Release> = Some(Release::new(1, 2, 0));
const V1_5: Option<Release> = Some(Release::new(1, 5, 0));
const V1_7: Option<Release> = Some(Release::new(1, 7, 0));
const V1_8: Option<Release> = Some(Release::new(1, 8, 0));
const V1_12_4: Option<Release> = Some(Release::new(1, 12, 4));

/// Old directives.
pub(super) const DIRECTIVES: &[DirectiveRule] = &[
    DirectiveRule { name: "proxy", since: V1_5, fate: "was removed in CoreDNS 1.5", today: proxy },
    DirectiveRule { name: "startup", since: V1_1, fate: "was removed in CoreDNS 1.1", today: on },
    DirectiveRule { name: "shutdown", since: V1_1, fate: "was removed in CoreDNS 1.1", today: on },
    DirectiveRule {
        name: "errors",
        since: Some(Release::OLD),
        fate: "writes to the standard output and takes no file",
        today: errors,
    },
    DirectiveRule {
        name: "log",
        since: Some(Release::OLD),
        fate: "writes to the standard output; a file would be taken for a zone",
        today: log,
    },
    DirectiveRule {
        name: "federation",
        since: V1_7,
        fate: "was removed in CoreDNS 1.7",
        today: |_| {
            Renewed::Lost(
                "clusters are not federated this way any more; `rewrite` the names, or `forward` \
                 them to a server of the other cluster",
            )
        },
    },
    DirectiveRule {
        name: "reverse",
        since: V1_2,
        fate: "was removed in CoreDNS 1.2",
        today: |_| {
            Renewed::Lost(
                "make the names with two `template` directives, one for A and one for PTR",
            )
        },
    },
];

/// Old lines in the blocks of directives.
pub(super) const LINES: &[LineRule] = &[
    LineRule {
        directives: &["kubernetes"],
        name: "upstream",
        since: V1_7,
        fate: "was removed in CoreDNS 1.7",
        today: upstream,
    },
    LineRule {
        directives: &["kubernetes"],
        name: "resyncperiod",
        since: V1_7,
        fate: "was removed in CoreDNS 1.7",
        today: |_, _| Today::Gone("changes are watched, and nothing has to be read again"),
    },
    LineRule {
        directives: &["kubernetes"],
        name: "cidrs",
        since: Some(Release::OLD),
        fate: "became part of the zones",
        today: cidrs,
    },
    LineRule {
        directives: &["kubernetes"],
        name: "federation",
        since: Some(Release::OLD),
        fate: "was removed from CoreDNS",
        today: |_, _| Today::Lost("clusters are not federated this way any more"),
    },
    LineRule {
        directives: &["kubernetes"],
        name: "endpoint",
        since: None,
        fate: "takes one URL",
        today: endpoint,
    },
    LineRule {
        directives: &["kubernetes", "file", "auto", "secondary"],
        name: "transfer",
        since: V1_8,
        fate: "became a directive of its own in CoreDNS 1.8",
        today: transfer,
    },
    LineRule {
        directives: &["file", "auto"],
        name: "no_reload",
        since: V1_5,
        fate: "was removed from CoreDNS",
        today: |_, _| lines(&[&["reload", "0"]]),
    },
    LineRule {
        directives: &["auto"],
        name: "directory",
        since: V1_5,
        fate: "takes no interval",
        today: directory,
    },
    LineRule {
        directives: &[
            "file",
            "auto",
            "secondary",
            "etcd",
            "route53",
            "clouddns",
            "azure",
            "template",
        ],
        name: "upstream",
        since: None,
        fate: "has no effect in today's CoreDNS",
        today: upstream,
    },
    LineRule {
        directives: &["etcd"],
        name: "stubzones",
        since: None,
        fate: "has no effect in today's CoreDNS",
        today: |_, _| Today::Gone("`forward` each stub zone to its servers"),
    },
    LineRule {
        directives: &["etcd"],
        name: "debug",
        since: None,
        fate: "has no effect in today's CoreDNS",
        today: |_, _| Today::Gone("the log says what it has to say"),
    },
    LineRule {
        directives: &["header"],
        name: "set",
        since: V1_12_4,
        fate: "needs `query` or `response` in front since CoreDNS 1.12",
        today: response,
    },
    LineRule {
        directives: &["header"],
        name: "clear",
        since: V1_12_4,
        fate: "needs `query` or `response` in front since CoreDNS 1.12",
        today: response,
    },
    LineRule {
        directives: &["proxy"],
        name: "policy",
        since: V1_5,
        fate: "has other names in `forward`",
        today: policy,
    },
    LineRule {
        directives: &["proxy"],
        name: "fail_timeout",
        since: V1_5,
        fate: "is not known to `forward`",
        today: |_, _| Today::Gone("an upstream is asked again as soon as a check finds it well"),
    },
    LineRule {
        directives: &["proxy"],
        name: "max_fails",
        since: V1_5,
        fate: "counts something else in `forward`",
        today: max_fails,
    },
    LineRule {
        directives: &["proxy"],
        name: "spray",
        since: V1_5,
        fate: "is not known to `forward`",
        today: |_, _| Today::Gone("if no upstream is well, then one is asked all the same"),
    },
    LineRule {
        directives: &["proxy"],
        name: "health_check",
        since: V1_5,
        fate: "asks over DNS in `forward`, and not over HTTP",
        today: health_check,
    },
    LineRule {
        directives: &["proxy"],
        name: "protocol",
        since: V1_5,
        fate: "is not known to `forward`",
        today: protocol,
    },
];

/// `proxy` is `forward`, except where `protocol` has made it something else.
fn proxy(head: &mut Head<'_>) -> Renewed {
    if head.name.text == "proxy" {
        head.name.text = "forward".to_owned();
    }
    Renewed::Changed
}

/// `startup CMD` is `on startup CMD`.
fn on(head: &mut Head<'_>) -> Renewed {
    let event = std::mem::replace(&mut head.name.text, "on".to_owned());
    head.add(&event);
    head.args.rotate_right(1);
    Renewed::Changed
}

/// `errors FILE` is `errors`.
fn errors(head: &mut Head<'_>) -> Renewed {
    if head.args.len() != 1 {
        return Renewed::Same;
    }
    head.args.clear();
    Renewed::Changed
}

/// `log FILE` is `log`, and `log ZONE FILE FORMAT` is `log ZONE FORMAT`.
fn log(head: &mut Head<'_>) -> Renewed {
    let file = match head.texts().as_slice() {
        [file] if is_output(file) => 0,
        [_, file, ..] if is_output(file) => 1,
        _ => return Renewed::Same,
    };
    head.args.remove(file);
    Renewed::Changed
}

/// Whether a word was meant as a place to write to. A zone looks different.
fn is_output(word: &str) -> bool {
    matches!(word, "stdout" | "stderr") || word.starts_with('/') || word.starts_with("./")
}

/// `upstream` said who resolves names outside of the zone.
fn upstream(_: &mut Head<'_>, words: &[&str]) -> Today {
    Today::Gone(match words {
        [_] => "names outside of the zone are resolved by this server itself",
        _ => {
            "names outside of the zone are resolved by this server itself; `forward` them to those \
             servers if they must be asked"
        }
    })
}

/// `cidrs NETWORK...` are zones today.
fn cidrs(head: &mut Head<'_>, words: &[&str]) -> Today {
    for network in words.iter().skip(1) {
        head.add(network);
    }
    Today::Head
}

fn endpoint(_: &mut Head<'_>, words: &[&str]) -> Today {
    match words {
        [endpoint, url, _, ..] => lines(&[&[endpoint, url]]),
        _ => Today::Same,
    }
}

/// `transfer to ADDRESS...` in the block of a zone is `transfer ZONE { to ADDRESS... }`.
fn transfer(head: &mut Head<'_>, words: &[&str]) -> Today {
    let [_, to @ "to", addresses @ ..] = words else { return Today::Same };
    // The first argument of `file` is the file.
    let zones = head.texts().into_iter().skip(usize::from(head.name.text == "file"));
    Today::Directive {
        words: std::iter::once("transfer").chain(zones).map(str::to_owned).collect(),
        line: std::iter::once(to).chain(addresses).map(|&word| word.to_owned()).collect(),
    }
}

/// `directory DIR REGEXP TEMPLATE SECONDS` has a line of its own for the interval.
fn directory(_: &mut Head<'_>, words: &[&str]) -> Today {
    let [name, directory, pattern, template, interval] = words else { return Today::Same };
    let unit = if interval.parse::<u64>().is_ok() { "s" } else { "" };
    lines(&[&[name, directory, pattern, template], &["reload", &format!("{interval}{unit}")]])
}

/// `set ra` was about responses.
fn response(_: &mut Head<'_>, words: &[&str]) -> Today {
    Today::Lines(vec![
        std::iter::once(&"response").chain(words).map(|&word| word.to_owned()).collect(),
    ])
}

fn policy(_: &mut Head<'_>, words: &[&str]) -> Today {
    match words {
        [policy, "first"] => lines(&[&[policy, "sequential"]]),
        // Nobody counts connections any more; a random choice spreads the load as well.
        [policy, "least_conn"] => lines(&[&[policy, "random"]]),
        _ => Today::Same,
    }
}

/// `max_fails` counted failures within `fail_timeout`; today it counts failed checks. Zero, which
/// means that an upstream is never given up, means the same in both.
fn max_fails(_: &mut Head<'_>, words: &[&str]) -> Today {
    match words {
        [_, "0"] => Today::Same,
        _ => Today::Gone("the default suits most; write it again to count failed checks"),
    }
}

/// `health_check PATH:PORT INTERVAL` keeps its interval.
fn health_check(_: &mut Head<'_>, words: &[&str]) -> Today {
    match words {
        [name, _, interval] => lines(&[&[name, interval]]),
        _ => Today::Gone("upstreams are checked by themselves once one has failed"),
    }
}

fn protocol(head: &mut Head<'_>, words: &[&str]) -> Today {
    match words {
        [_, "dns"] => Today::Gone("it is the default"),
        [_, "dns", "force_tcp"] => lines(&[&["force_tcp"]]),
        [_, "https_google", ..] => {
            head.args.truncate(1);
            head.add("tls://8.8.8.8");
            head.add("tls://8.8.4.4");
            lines(&[&["tls_servername", "dns.google"]])
        }
        [_, "grpc", "insecure"] => {
            head.name.text = "grpc".to_owned();
            Today::Head
        }
        // The manual had the key before the certificate; what was read is what `tls` reads today.
        [_, "grpc", tls @ ..] => {
            head.name.text = "grpc".to_owned();
            lines(&[&[&["tls"], tls].concat()])
        }
        _ => Today::Same,
    }
}

fn lines(lines: &[&[&str]]) -> Today {
    let owned = |words: &&[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Today::Lines(lines.iter().map(owned).collect())
}
