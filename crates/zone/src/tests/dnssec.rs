//! Signatures and proofs, for clients that want them.

use super::{check, zone};
use crate::Zone;

/// A zone with NSEC records for all names, and signatures that are only marks.
fn signed() -> Zone {
    let rrsig = |owner: &str, covered: &str| {
        format!("{owner} RRSIG {covered} 13 2 300 20300101000000 20200101000000 1 q.test. AA==\n")
    };
    let mut text = "$TTL 300
@ SOA ns hostmaster 1 2 3 4 5
@ NS ns
@ NSEC alias NS SOA RRSIG NSEC
alias CNAME w2.w
alias NSEC ns CNAME RRSIG NSEC
ns A 192.0.2.1
ns NSEC secure A RRSIG NSEC
secure NS ns
secure DS 1 13 2 AA
secure NSEC unsafe NS DS RRSIG NSEC
unsafe NS ns.unsafe
unsafe NSEC *.w NS RRSIG NSEC
ns.unsafe A 192.0.2.2
*.w A 192.0.2.9
*.w NSEC a.z A RRSIG NSEC
a.z TXT x
a.z NSEC @ TXT RRSIG NSEC
"
    .to_owned();
    for (owner, types) in [
        ("@", "SOA NS NSEC"),
        ("*.w", "A NSEC"),
        ("alias", "CNAME NSEC"),
        ("ns", "A NSEC"),
        ("secure", "DS NSEC"),
        ("unsafe", "NSEC"),
        ("a.z", "TXT NSEC"),
    ] {
        types.split(' ').for_each(|covered| text.push_str(&rrsig(owner, covered)));
    }
    zone(&text)
}

/// Checks an answer in which signatures are shortened to `SIG` and the type.
#[track_caller]
fn check_signed(question: &str, expected: &str) {
    let expected: Vec<String> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once(" SIG ") {
            Some((owner, covered)) => format!(
                "{owner} 300 RRSIG {covered} 13 2 300 20300101000000 20200101000000 1 q.test. AA=="
            ),
            None => line.to_owned(),
        })
        .collect();
    check(&signed(), &format!("{question} do"), &expected.join("\n"));
}

const START: &str = "auth q.test. 300 SOA ns.q.test. hostmaster.q.test. 1 2 3 4 5
    auth q.test. SIG SOA";
const SERVERS: &str = "auth q.test. 300 NS ns.q.test.
    auth q.test. SIG NS";
const APEX: &str = "auth q.test. 300 NSEC alias.q.test. NS SOA RRSIG NSEC
    auth q.test. SIG NSEC";
const WILD: &str = "auth *.w.q.test. 300 NSEC a.z.q.test. A RRSIG NSEC
    auth *.w.q.test. SIG NSEC";

#[test]
fn nothing_of_it_without_the_bit() {
    check(
        &signed(),
        "ns.q.test A",
        "Answer\nns.q.test. 300 A 192.0.2.1\nauth q.test. 300 NS ns.q.test.",
    );
    let start = START.lines().next().unwrap();
    check(&signed(), "x.q.test A", &format!("NoSuchName NXDOMAIN\n{start}"));
}

#[test]
fn records_are_followed_by_their_signatures() {
    check_signed(
        "ns.q.test A",
        &format!("Answer\nns.q.test. 300 A 192.0.2.1\nns.q.test. SIG A\n{SERVERS}"),
    );
    check_signed(
        "q.test NS",
        "Answer
        q.test. 300 NS ns.q.test.
        q.test. SIG NS
        add ns.q.test. 300 A 192.0.2.1
        add ns.q.test. SIG A",
    );
    check_signed(
        "ns.q.test RRSIG",
        &format!("Answer\nns.q.test. SIG A\nns.q.test. SIG NSEC\n{SERVERS}"),
    );
    check_signed(
        "ns.q.test NSEC",
        &format!(
            "Answer\nns.q.test. 300 NSEC secure.q.test. A RRSIG NSEC\nns.q.test. SIG NSEC\n{SERVERS}"
        ),
    );
}

#[test]
fn denials_are_proven() {
    check_signed(
        "ns.q.test TXT",
        &format!(
            "NoData\n{START}\nauth ns.q.test. 300 NSEC secure.q.test. A RRSIG NSEC\nauth ns.q.test. SIG NSEC"
        ),
    );
    // No such name, and no wildcard: two records, or one that tells both.
    check_signed("x.q.test A", &format!("NoSuchName NXDOMAIN\n{START}\n{WILD}\n{APEX}"));
    check_signed("!.q.test A", &format!("NoSuchName NXDOMAIN\n{START}\n{APEX}"));
    // An empty non-terminal.
    check_signed("z.q.test A", &format!("Empty\n{START}\n{WILD}"));
}

#[test]
fn wildcards_are_proven() {
    check_signed(
        "x.w.q.test A",
        &format!(
            "Answer by *.w.q.test.\nx.w.q.test. 300 A 192.0.2.9\nx.w.q.test. SIG A\n{SERVERS}\n{WILD}"
        ),
    );
    check_signed("x.w.q.test TXT", &format!("NoData by *.w.q.test.\n{START}\n{WILD}"));
    check_signed(
        "alias.q.test A",
        &format!(
            "Answer by *.w.q.test.
            alias.q.test. 300 CNAME w2.w.q.test.\nalias.q.test. SIG CNAME
            w2.w.q.test. 300 A 192.0.2.9\nw2.w.q.test. SIG A\n{SERVERS}\n{WILD}"
        ),
    );
}

#[test]
fn delegations_are_secure_or_proven_not_to_be() {
    check_signed(
        "x.secure.q.test A",
        "Referral
        auth secure.q.test. 300 NS ns.q.test.
        auth secure.q.test. 300 DS 1 13 2 AA
        auth secure.q.test. SIG DS
        add ns.q.test. 300 A 192.0.2.1
        add ns.q.test. SIG A",
    );
    // RFC 4035 §3.1.4; CoreDNS leaves the proof out.
    check_signed(
        "x.unsafe.q.test A",
        "Referral
        auth unsafe.q.test. 300 NS ns.unsafe.q.test.
        auth unsafe.q.test. 300 NSEC *.w.q.test. NS RRSIG NSEC
        auth unsafe.q.test. SIG NSEC
        add ns.unsafe.q.test. 300 A 192.0.2.2",
    );
    check_signed(
        "unsafe.q.test DS",
        &format!(
            "NoData\n{START}
            auth unsafe.q.test. 300 NSEC *.w.q.test. NS RRSIG NSEC\nauth unsafe.q.test. SIG NSEC"
        ),
    );
}
