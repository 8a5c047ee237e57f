//! Whole zones out of zone files, and what secondaries are told.

use super::*;
use crate::testing::{Rig, logged};
use chain::Piece;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use wire::{Body, Encoder, Flags, MESSAGE_MAX, Message, NameBuf};

/// A configuration that hands over `zone`, which has no SOA record yet.
fn rig(origin: &str, zone: &str, to: &str) -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("db");
    std::fs::write(&file, text(1, zone)).unwrap();
    let corefile = format!(
        ". {{\n transfer {origin} {{\n to {to}\n }}\n file {} {origin} {{\n reload 1s\n }}\n prometheus\n}}",
        file.display()
    );
    (Rig::new(&corefile), folder)
}

fn text(serial: u32, zone: &str) -> String {
    format!("@ 300 SOA ns root {serial} 7200 1800 86400 30\n@ 300 NS ns\n{zone}")
}

fn ask(rig: &Rig, question: &str) -> Exchange {
    rig.ask_as(question, |asker| asker.client.transport = Transport::Tcp)
}

/// All messages of a transfer as they leave.
fn messages(x: &mut Exchange) -> Vec<Message> {
    let mut stream = x.take_stream().expect("a transfer");
    let (mut encoder, mut out) = (Encoder::new(), vec![0; MESSAGE_MAX]);
    let mut messages = Vec::new();
    loop {
        let mut body = Body::new();
        let piece = stream.next(&mut body);
        assert!(piece != Piece::Broken);
        x.reply.body = body;
        let length = encoder.reply(&x.request, &x.reply, MESSAGE_MAX, &mut out);
        messages.push(Message::read(&out[..length]).unwrap());
        if piece == Piece::Last {
            return messages;
        }
    }
}

/// The records of all messages in their order.
fn records(messages: &[Message]) -> Vec<String> {
    let all = messages.iter().flat_map(|message| {
        assert!(!message.flags.has(Flags::TC) && message.body.authority.is_empty());
        let body = &message.body;
        body.answer.iter().map(|record| body.text(record).to_string())
    });
    all.collect()
}

#[test]
fn a_large_zone_leaves_whole_in_full_messages() {
    let mut zone = String::new();
    for number in 0..100_000 {
        let [a, b, c] = [number >> 16, number >> 8 & 255, number & 255];
        let _ = writeln!(zone, "host-{number} 60 A 10.{a}.{b}.{c}");
    }
    let (rig, _folder) = rig("example.org", &zone, "*");
    let mut x = ask(&rig, "Example.org AXFR");
    assert_eq!(x.reply.body.answer.len(), 1, "plugins above see the SOA record");
    let messages = messages(&mut x);
    let records = records(&messages);
    assert_eq!(records.len(), 100_000 + 3);
    assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), 100_000 + 2);
    assert!(records[0].contains(" SOA ") && records[0] == records[100_002]);
    // Some 26 octets each: a message of 64 KiB has room for more than two thousand.
    assert!(messages.len() < 50, "{}", messages.len());
}

#[test]
fn odd_records_leave_as_well() {
    let mut zone = String::new();
    // Records that fill a message alone, a set that fills several, and names as long as they get.
    for letter in ["a", "b"] {
        let _ =
            writeln!(zone, "large 60 TXT {}", format!("\"{}\" ", letter.repeat(255)).repeat(250));
    }
    for number in 0..9_000 {
        let _ = writeln!(zone, "many 60 AAAA 2001:db8::{number:x}");
    }
    for number in 0..9_000 {
        let _ = writeln!(zone, "{number} 60 TYPE65280 \\# 0");
    }
    let origin = format!("{0}.{0}.{0}.test", "x".repeat(60));
    let (rig, _folder) = rig(&origin, &zone, "*");
    let messages = messages(&mut ask(&rig, &format!("{origin} AXFR")));
    let records = records(&messages);
    assert_eq!(records.len(), 3 + 2 + 9_000 + 9_000);
    assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), records.len() - 1);
    assert!(messages.iter().all(|message| message.body.memory() < 1 << 20));
}

#[test]
fn transfers_are_bounded_and_give_their_places_back() {
    let (rig, _folder) = rig("example.org", "", "*");
    let metric = |name: &str| {
        let shown = rig.metrics();
        shown.iter().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned))
    };
    let mut running: Vec<_> = (0..32).map(|_| ask(&rig, "example.org AXFR")).collect();
    assert!(running.iter().all(|x| x.failure().is_none()));
    assert_eq!(ask(&rig, "example.org AXFR").failure(), Some(&Failure::Overloaded));
    assert_eq!(metric("rutter_transfer_running").as_deref(), Some("32"));
    assert_eq!(metric("rutter_transfer_refused_total").as_deref(), Some("1"));
    running.pop();
    assert_eq!(ask(&rig, "example.org AXFR").failure(), None);
    drop(running);
    assert_eq!(metric("rutter_transfer_running").as_deref(), Some("0"));
}

#[test]
fn how_a_transfer_ended_is_told() {
    let (rig, _folder) = rig("example.org", "a 60 A 10.0.0.1", "*");
    let lines = logged(|| {
        messages(&mut ask(&rig, "example.org AXFR"));
        let _ = ask(&rig, "example.org AXFR"); // the client has gone
    });
    assert_eq!(
        lines,
        [
            "INFO plugin/transfer Outgoing transfer of 4 records of zone \"example.org.\" to 10.0.0.7 for 1 SOA serial",
            "WARNING plugin/transfer Outgoing transfer of zone \"example.org.\" to 10.0.0.7 for 1 SOA serial was cut after 0 records",
        ]
    );
}

#[test]
fn a_transfer_keeps_the_zone_that_it_began_with() {
    let (mut rig, folder) = rig("example.org", "a 60 A 10.0.0.1", "*");
    let mut x = ask(&rig, "example.org AXFR");
    std::fs::write(folder.path().join("db"), text(2, "b 60 A 10.0.0.2")).unwrap();
    let file = folder.path().join("db");
    rig.reload(&format!(
        ". {{\n transfer example.org {{\n to *\n }}\n file {} example.org {{\n reload 1s\n }}\n}}",
        file.display()
    ));
    let old = records(&messages(&mut x));
    let new = records(&messages(&mut ask(&rig, "example.org AXFR")));
    assert!(old.iter().any(|line| line.starts_with("a.")) && old[0].contains(" 1 7200"), "{old:?}");
    assert!(new.iter().any(|line| line.starts_with("b.")) && new[0].contains(" 2 7200"), "{new:?}");
}

/// Reads a message to a secondary; the answer to it.
async fn told(secondary: &UdpSocket) -> (SocketAddr, Message) {
    let mut octets = [0; 512];
    let (length, from) = secondary.recv_from(&mut octets).await.unwrap();
    (from, Message::read(&octets[..length]).unwrap())
}

async fn acknowledge(secondary: &UdpSocket, to: SocketAddr, message: &Message) {
    let mut octets = [0; 512];
    let zone = message.question.as_ref().unwrap().0;
    let length = Encoder::new().notify(message.id, zone.as_name(), &mut octets);
    octets[2] |= 0x80;
    secondary.send_to(&octets[..length], to).await.unwrap();
}

#[tokio::test]
async fn secondaries_are_told_until_they_answer_and_of_new_serials_alone() {
    let secondary = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("{} {} *", silent.local_addr().unwrap(), secondary.local_addr().unwrap());
    let (mut rig, folder) = rig("example.org", "", &to);
    tokio::time::pause();
    rig.start();
    let (_, first) = told(&secondary).await;
    let (name, rtype, _) = first.question.unwrap();
    let zone: NameBuf = "example.org".parse().unwrap();
    assert_eq!((name, rtype, first.opcode), (zone, RecordType::SOA, Opcode::NOTIFY));
    assert!(first.flags.has(Flags::AA) && !first.flags.has(Flags::RD));
    let (from, again) = told(&secondary).await;
    acknowledge(&secondary, from, &again).await;
    // Another text with the same serial is no news.
    let file = folder.path().join("db");
    std::fs::write(&file, text(1, "a 60 A 10.0.0.1")).unwrap();
    until("the changed zone", || rig_records(&rig) == 4).await;
    std::fs::write(&file, text(2, "")).unwrap();
    let (from, next) = told(&secondary).await;
    assert_eq!(rig_records(&rig), 3, "told of the zone before");
    acknowledge(&secondary, from, &next).await;
    let unanswered = || {
        let shown = rig.metrics();
        shown.iter().any(|line| line == "rutter_transfer_unanswered_notifies_total 2")
    };
    until("a notify that nobody has answered", unanswered).await;
    let mut octets = [0; 512];
    assert!(secondary.try_recv(&mut octets).is_err(), "told once too often");
}

/// Looks again and again, in time that passes only while everybody waits; not for ever.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{what} did not come within ten minutes");
}

fn rig_records(rig: &Rig) -> usize {
    records(&messages(&mut ask(rig, "example.org AXFR"))).len()
}
