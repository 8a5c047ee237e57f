//! Names of directives: which ones there are, and what to say about the others.

use crate::suggest::closest;
use crate::{Code, Directive, Mistake, Mistakes, ServerBlock, shown};

/// Unknown lines in a row that are taken for one mistake: a brace that is missing above them.
const RUN: usize = 3;

/// The plugins of CoreDNS 1.14.7, and what to do without those that only make sense there.
const CORE_DNS: &[(&str, &str)] = &[
    ("acl", ""),
    ("any", ""),
    ("auto", ""),
    ("autopath", ""),
    ("azure", CLOUD),
    ("bind", ""),
    ("bufsize", ""),
    ("cache", ""),
    ("cancel", "remove it: every query has a deadline here"),
    ("chaos", ""),
    ("clouddns", CLOUD),
    ("debug", ""),
    ("dns64", ""),
    ("dnssec", "sign the zone where it is written, and serve the signed file with `file`"),
    ("dnstap", ""),
    ("erratic", "remove it: it makes wrong answers for tests"),
    ("errors", ""),
    (
        "etcd",
        "serve the names with `hosts` or `file`, or `forward` them to a server that reads etcd",
    ),
    ("file", ""),
    ("forward", ""),
    ("geoip", ""),
    ("grpc", "use `forward` with `tls://` or `https://` upstreams"),
    ("grpc_server", "remove it: there is no gRPC listener"),
    ("header", ""),
    ("health", ""),
    ("hosts", ""),
    ("https", ""),
    ("https3", ""),
    ("k8s_external", ""),
    ("kubernetes", ""),
    ("loadbalance", ""),
    ("local", ""),
    ("log", ""),
    ("loop", ""),
    ("metadata", ""),
    ("minimal", ""),
    ("multisocket", "remove it: each core has a socket of its own"),
    ("nomad", "`forward` the zone to a server that knows it"),
    ("nsid", ""),
    ("on", "run the command from the unit or the pod that starts the server"),
    ("pprof", "remove it: it looks into a Go process"),
    ("prometheus", ""),
    ("proxyproto", ""),
    ("quic", ""),
    ("ready", ""),
    ("reload", ""),
    ("rewrite", ""),
    ("root", ""),
    ("route53", CLOUD),
    ("secondary", ""),
    ("shed", "remove it: a server under too much load sheds queries by itself"),
    ("sign", "sign the zone where it is written, and serve the signed file with `file`"),
    ("template", ""),
    ("timeouts", ""),
    ("tls", ""),
    ("trace", ""),
    ("transfer", ""),
    ("tsig", ""),
    ("view", ""),
    ("whoami", ""),
];

/// Directives of an older CoreDNS, and plugins that it is built with by others.
const OTHERS: &[&str] = &["federation", "k8s_gateway", "proxy", "reverse", "shutdown", "startup"];

const CLOUD: &str = "`forward` the zone to the provider's name servers";

/// Finds the directives whose names are not among `known`.
pub fn check_directives(blocks: &[ServerBlock], known: &[&str]) -> Mistakes {
    let mut mistakes = Mistakes::new();
    for block in blocks {
        let mut rest = block.directives.as_slice();
        let mut before = None;
        while let [directive, tail @ ..] = rest {
            if rest.len() >= RUN && rest[..RUN].iter().all(|line| is_no_directive(line, known)) {
                let run = rest.iter().take_while(|line| is_unknown(line, known)).count();
                mistakes.push(lines_without_block(directive, &rest[1..run], before));
                rest = &rest[run..];
                continue;
            }
            if !known.contains(&directive.name.text.as_str()) {
                // Suggestions that nobody will see are not looked for.
                let near = if mistakes.errors() < Mistakes::MAX { known } else { &[] };
                mistakes.push(unknown(directive, near));
            }
            before = Some(directive);
            rest = tail;
        }
    }
    mistakes
}

/// Whether this is not even nearly a directive.
fn is_no_directive(directive: &Directive, known: &[&str]) -> bool {
    is_unknown(directive, known) && closest(&directive.name.text, known.iter().copied()).is_none()
}

/// Whether this could be a line of a block.
fn is_unknown(directive: &Directive, known: &[&str]) -> bool {
    let name = directive.name.text.as_str();
    directive.body.is_none() && !known.contains(&name) && advice(name).is_none()
}

fn lines_without_block(
    first: &Directive,
    others: &[Directive],
    before: Option<&Directive>,
) -> Mistake {
    let names: Vec<_> = others.iter().take(RUN).map(|line| shown(&line.name.text)).collect();
    let more = if others.len() > RUN { ", …" } else { "" };
    let mistake = unknown(first, &[])
        .note(format!("neither are those of the lines below: {}{more}", names.join(", ")));
    match before.filter(|before| before.body.is_none()) {
        Some(before) => mistake.related(before.at(), "is a `{` missing behind this?"),
        None => mistake,
    }
}

fn unknown(directive: &Directive, known: &[&str]) -> Mistake {
    let word = &directive.name;
    let name = shown(&word.text);
    if word.text.is_empty() {
        let mistake =
            Mistake::error(Code::UnknownDirective, word.at, "the name of a directive is empty");
        return mistake.about(word);
    }
    if let Some(advice) = advice(&word.text) {
        let message = format!("{name} is a plugin of CoreDNS that this server does not have");
        return Mistake::error(Code::UnsupportedDirective, word.at, message)
            .help(advice)
            .about(word);
    }
    let mistake =
        Mistake::error(Code::UnknownDirective, word.at, format!("{name} is not a directive"))
            .about(word);
    if word.text == "import" {
        return mistake
            .help("write `import` itself: it is not looked for in the value of a variable");
    }
    match closest(&word.text, known.iter().copied()) {
        Some(near) => mistake.label(format!("did you mean `{near}`?")),
        None => mistake,
    }
}

/// Whether this is the name of a directive, of CoreDNS as it is or was, or of this server.
pub(crate) fn is_directive(name: &str) -> bool {
    CORE_DNS.iter().any(|(plugin, _)| *plugin == name) || OTHERS.contains(&name)
}

/// What to do without a plugin of CoreDNS; `None` for any other name.
fn advice(name: &str) -> Option<&'static str> {
    let (_, advice) = CORE_DNS.iter().find(|(plugin, _)| *plugin == name)?;
    Some(if advice.is_empty() { "remove it, or keep this server block on CoreDNS" } else { advice })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const KNOWN: &[&str] = &["cache", "errors", "forward", "hosts", "log"];

    fn check(text: &str) -> Vec<Mistake> {
        let parsed = parse("Corefile", text.as_bytes(), &());
        assert!(parsed.mistakes.is_empty(), "{:?}", parsed.mistakes);
        check_directives(&parsed.blocks, KNOWN).iter().cloned().collect()
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let mistakes = check(". {\n log\n foward . 10.0.0.1 {\n max_fails 1\n }\n}\n");
        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].code, Code::UnknownDirective);
        assert_eq!(mistakes[0].label, "did you mean `forward`?");
    }

    #[test]
    fn a_plugin_of_core_dns_is_named_as_such() {
        let mistakes = check(". {\n route53 x:y\n whoami\n frobnicate\n}\n");
        let codes: Vec<_> = mistakes.iter().map(|mistake| mistake.code.slug()).collect();
        assert_eq!(codes, ["unsupported-directive", "unsupported-directive", "unknown-directive"]);
        assert!(mistakes.iter().take(2).all(|mistake| !mistake.help.is_empty()));
    }

    #[test]
    fn the_lines_of_a_block_without_its_brace_are_one_mistake() {
        let mistakes = check(". {\n log\n hosts\n 10.0.0.1 a\n 10.0.0.2 b\n fallthrough\n}\n");
        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].notes[1].text, "is a `{` missing behind this?");
        assert_eq!(check(". {\n x1\n y2\n log\n z3\n}\n").len(), 3);
    }
}
