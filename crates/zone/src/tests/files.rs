//! Zone files: what is read, and what is said about what is not.

use super::{check, files, name, try_load, zone};
use crate::{Include, Included, Loaded, Mistakes, Record, Source, load, read};
use proptest::prelude::*;
use wire::{Name, RecordText};

const HEAD: &str = "$TTL 300\n@ SOA a b 1 2 3 4 5\n";

/// All records of a text as lines.
fn records(text: &str) -> Vec<String> {
    let (records, mistakes) = read_all(text.as_bytes(), &[]);
    assert!(mistakes.is_empty(), "{mistakes}");
    records
}

fn read_all(text: &[u8], included: &[(&str, &str)]) -> (Vec<String>, Mistakes) {
    let origin = name("q.test");
    let source = Source { file: "db", text, origin: origin.as_name(), ttl: Some(7) };
    let mut records = Vec::new();
    let mistakes = read(source, &mut files(included), &mut |record| records.push(line(&record)));
    (records, mistakes)
}

fn line(record: &Record<'_>) -> String {
    let Record { owner, ttl, class, rtype, data, .. } = *record;
    RecordText { owner, ttl, class, rtype, data }.to_string()
}

#[test]
fn what_a_record_may_leave_out() {
    assert_eq!(
        records(
            "a A 192.0.2.1
a 60 A 192.0.2.2
 A 192.0.2.3
\tIN 1m A 192.0.2.4
b 2M in a 192.0.2.5
b A 192.0.2.6
$TTL 1h30m
b A 192.0.2.7
 5 A 192.0.2.8
 A 192.0.2.9
$ORIGIN sub
@ A 192.0.2.10
www.example. CLASS1 TYPE1 \\# 4 C000020B
$ORIGIN .
c A 192.0.2.12"
        ),
        [
            "a.q.test. 7 IN A 192.0.2.1",
            "a.q.test. 60 IN A 192.0.2.2",
            "a.q.test. 60 IN A 192.0.2.3",
            "a.q.test. 60 IN A 192.0.2.4",
            "b.q.test. 120 IN A 192.0.2.5",
            "b.q.test. 120 IN A 192.0.2.6",
            "b.q.test. 5400 IN A 192.0.2.7",
            "b.q.test. 5 IN A 192.0.2.8",
            "b.q.test. 5400 IN A 192.0.2.9",
            "sub.q.test. 5400 IN A 192.0.2.10",
            "www.example. 5400 IN A 192.0.2.11",
            "c. 5400 IN A 192.0.2.12",
        ]
    );
}

#[test]
fn layout_is_free() {
    let text = "\u{feff}; a zone\r\n@\t5 SOA a b ( 1 ; serial\r\n 2 3\r\n 4 5 ) ; end\r\n\r\n\
                x TXT \"a;b (c\" d\\;e \"f\ng\" ; comment\r\n\
                \\$y TXT ( x\n)\n$z A 192.0.2.1\n  \n\t; indented comment\nend A 192.0.2.2";
    assert_eq!(
        records(text),
        [
            "q.test. 5 IN SOA a.q.test. b.q.test. 1 2 3 4 5".to_owned(),
            "x.q.test. 5 IN TXT \"a;b (c\" \"d;e\" \"f\\010g\"".to_owned(),
            "\\$y.q.test. 5 IN TXT \"x\"".to_owned(),
            "\\$z.q.test. 5 IN A 192.0.2.1".to_owned(),
            "end.q.test. 5 IN A 192.0.2.2".to_owned(),
        ]
    );
}

#[test]
fn lines_that_are_generated() {
    assert_eq!(
        records(
            "$TTL 300\n$GENERATE 1-3/2 host${0,2} 60 A 10.0.0.$\n$GENERATE 9-10 $ IN PTR h$.x.\nz A 192.0.2.1"
        ),
        [
            "host01.q.test. 60 IN A 10.0.0.1",
            "host03.q.test. 60 IN A 10.0.0.3",
            "9.q.test. 300 IN PTR h9.x.",
            "10.q.test. 300 IN PTR h10.x.",
            "z.q.test. 300 IN A 192.0.2.1",
        ]
    );
    let count = records("$GENERATE 0-65535 h$ A 10.0.0.1").len();
    assert_eq!(count, 65_536);
}

#[test]
fn files_within_files() {
    let inner = "www A 192.0.2.1\n$ORIGIN deep\n$TTL 9\nx 5 A 192.0.2.2\n$INCLUDE inmost\n";
    let included = [("inner", inner), ("inmost", "y A 192.0.2.3\n")];
    let text = b"$TTL 60\nfirst A 192.0.2.9\n$INCLUDE inner sub\n A 192.0.2.10\nlast A 192.0.2.11\n$INCLUDE \"inmost\"";
    let (records, mistakes) = read_all(text, &included);
    assert!(mistakes.is_empty(), "{mistakes}");
    assert_eq!(
        records,
        [
            "first.q.test. 60 IN A 192.0.2.9",
            "www.sub.q.test. 60 IN A 192.0.2.1",
            "x.deep.sub.q.test. 5 IN A 192.0.2.2",
            "y.deep.sub.q.test. 9 IN A 192.0.2.3",
            "first.q.test. 60 IN A 192.0.2.10",
            "last.q.test. 60 IN A 192.0.2.11",
            "y.q.test. 60 IN A 192.0.2.3",
        ]
    );
}

#[test]
fn mistakes_in_included_files_are_found_there() {
    let included = [("inner", " A 192.0.2.1\n\nx A 192.0.2.300\n"), ("loop", "$INCLUDE loop\n")];
    let (_, mistakes) = read_all(b"a A 192.0.2.1\n$INCLUDE inner\n$INCLUDE gone", &included);
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "inner:1:2: error: the line begins with a blank, but no name came before (write the name at the beginning of the line, or @ for the origin)",
            "inner:3:5: error: A: address: expected an IPv4 address such as 192.0.2.1 (write the data on one line or in parentheses)",
            "db:3:10: error: gone cannot be included: not beside db (relative paths begin at the including file's folder)",
        ]
    );
    let (_, mistakes) = read_all(b"$INCLUDE loop", &included);
    assert_eq!(mistakes.iter().count(), 1);
    assert!(mistakes.to_string().contains("more than 7 files deep"), "{mistakes}");
}

#[test]
fn a_tree_of_includes_is_bounded() {
    let mut count = 0;
    let mut finder = |include: Include<'_>| {
        count += 1;
        Ok(Included { file: include.path.to_owned(), text: b"$INCLUDE x\n".repeat(20) })
    };
    let source = Source { file: "db", text: b"$INCLUDE x\n", origin: Name::ROOT, ttl: None };
    let mistakes = read(source, &mut finder, &mut |_| {});
    assert!(mistakes.has_errors() && count <= 1_000, "{count}");
}

/// Line and column of every mistake, and what it says.
#[test]
fn every_mistake_has_its_place() {
    let text = "$TTL 1y
@ 60 SOA a b 1 2 3 4 5
a..b A 192.0.2.1
\"x\" A 192.0.2.1
x 3600 IN 60 A 192.0.2.1
x CNAM y
x 300
x A
x MX 10
x A 192.0.2.1 192.0.2.2
x 4294967296 A 192.0.2.1
x 2147483648 A 192.0.2.1
x TYPE0x1 \\# 0
$ORIGN sub
$ORIGIN
$ORIGIN a b
$TTL
$INCLUDE
$GENERATE 1-x a A 192.0.2.1
$GENERATE 1-2
$GENERATE 0-65536 a$ A 192.0.2.1
$GENERATE 1-2 a${x} A 192.0.2.1
$GENERATE 255-256 a$ A 192.0.2.$
x ANY \\# 0
x NSEC3PARAM 1 0 0 -
x TXT \"open
x TXT ) a
x MX ( 10
y A 192.0.2.1
";
    let mistakes = try_load(text).unwrap_err();
    let mistakes: Vec<String> =
        mistakes.iter().map(|mistake| format!("{} {}", mistake.place, mistake.fault)).collect();
    assert_eq!(
        mistakes,
        [
            "1:6 1y is no TTL",
            "3:1 a label is empty",
            "4:1 a name in quotes",
            "5:11 expected a TTL, class or type, found 60",
            "6:3 expected a TTL, class or type, found CNAM",
            "7:6 the record has no type",
            "8:4 A: address: missing, expected an IPv4 address such as 192.0.2.1",
            "9:8 MX: exchange: missing, expected a name such as www.example.org.",
            "10:15 A: more words than the type has fields",
            "11:3 4294967296 is no TTL",
            "12:3 2147483648 is no TTL",
            "13:3 expected a TTL, class or type, found TYPE0x1",
            "14:1 unknown directive $ORIGN",
            "15:8 $ORIGIN needs one name",
            "16:11 $ORIGIN needs one name",
            "17:5 $TTL needs one TTL such as 3600 or 1h",
            "18:9 $INCLUDE needs a file",
            "19:11 the range of $GENERATE is not of the form START-STOP/STEP",
            "20:14 $GENERATE needs a record behind the range",
            "21:11 $GENERATE makes more than 65536 records, or more than 1048576 in all",
            "22:11 a modifier of $GENERATE is not of the form ${OFFSET,WIDTH,BASE}",
            "23:1 A: address: expected an IPv4 address such as 192.0.2.1",
            "26:7 this quote is never closed",
            "27:7 this parenthesis was never opened",
            "28:6 this parenthesis is never closed",
            "24:1 no zone holds records of type ANY",
            "25:1 NSEC3PARAM: denials by hash are not served",
        ]
    );
}

#[test]
fn a_zone_needs_a_start_and_ttls() {
    let errors = |text: &str| try_load(text).unwrap_err().to_string();
    assert_eq!(
        errors("$TTL 5\nx A 192.0.2.1"),
        "db:1:1: error: the zone has no SOA record (write @ SOA PRIMARY MAILBOX SERIAL REFRESH RETRY EXPIRE MINIMUM)"
    );
    assert!(errors("").contains("no SOA record"));
    let late = errors("x A 192.0.2.1\n@ SOA a b 1 2 3 4 5");
    assert!(late.starts_with("db:1:1: error: the record has no TTL"), "{late}");
    // The minimum of the SOA record is the TTL of what has none; CoreDNS refuses such files.
    let loaded =
        try_load("@ SOA a b 1 2 3 4 5m\nx A 192.0.2.1\ny 6 A 192.0.2.2\nz A 192.0.2.3").unwrap();
    assert_eq!(loaded.warnings.iter().count(), 1);
    check(&loaded.zone, "x.q.test A", "Answer\nx.q.test. 300 A 192.0.2.1");
    check(&loaded.zone, "z.q.test A", "Answer\nz.q.test. 6 A 192.0.2.3");
    // An SOA record of another name is taken if there is no better one, as CoreDNS does.
    let loaded = try_load("$TTL 5\nsub SOA a b 9 2 3 4 5\nx A 192.0.2.1").unwrap();
    check(&loaded.zone, "q.test SOA", "Answer\nq.test. 5 SOA a.q.test. b.q.test. 9 2 3 4 5");
}

#[test]
fn mistakes_are_bounded() {
    let text = format!("{HEAD}{}", "x A bad\n".repeat(1_000));
    let mistakes = try_load(&text).unwrap_err();
    assert_eq!((mistakes.iter().count(), mistakes.left_out()), (100, 0));
    let text = format!("{HEAD}{}x A bad\n", "out. A 192.0.2.1\n".repeat(1_000));
    let mistakes = try_load(&text).unwrap_err();
    assert_eq!((mistakes.iter().count(), mistakes.left_out()), (100, 901));
    assert!(mistakes.has_errors() && mistakes.to_string().ends_with("\nand 901 more"));
}

#[test]
fn one_zone_of_many_in_a_file() {
    let text = format!("{HEAD}www A 192.0.2.1\n");
    for apex in ["q.test", "other.test"] {
        let apex = name(apex);
        let source =
            Source { file: "db", text: text.as_bytes(), origin: apex.as_name(), ttl: None };
        let Loaded { zone, .. } = load(apex.as_name(), source, &mut |_| unreachable!()).unwrap();
        let www = wire::NameBuf::child(b"www", apex.as_name()).unwrap();
        assert!(zone.find(www.as_name(), wire::RecordType::A).is_some());
    }
}

/// What `domain` reads from a text that both understand.
fn read_by_domain(text: &str) -> Result<Vec<String>, String> {
    use domain::base::iana::Class;
    use domain::zonefile::inplace::{Entry, Zonefile};
    let mut file = Zonefile::from(text.as_bytes());
    file.set_origin("q.test.".parse().unwrap());
    file.set_default_class(Class::IN);
    let mut records = Vec::new();
    while let Some(entry) = file.next_entry().map_err(|error| error.to_string())? {
        let Entry::Record(record) = entry else { continue };
        let mut data = Vec::new();
        domain::base::rdata::ComposeRecordData::compose_rdata(record.data(), &mut data).unwrap();
        let mut owner = Vec::new();
        domain::base::ToName::compose(record.owner(), &mut owner).unwrap();
        let text = RecordText {
            owner: Name::from_octets(&owner).unwrap(),
            ttl: record.ttl().as_secs(),
            class: wire::Class(record.class().to_int()),
            rtype: wire::RecordType(record.rtype().to_int()),
            data: &data,
        };
        records.push(text.to_string());
    }
    Ok(records)
}

/// Lines that both readers understand: `domain` knows no units of time and no `$GENERATE`.
fn any_line() -> impl Strategy<Value = String> {
    let owner = prop::sample::select(vec!["a", "b.c", "@", "*", "x.example.", "", "\\065b", "A"]);
    let head = prop::sample::select(vec!["", "60 ", "IN ", "60 IN ", "IN 60 "]);
    let data = prop::sample::select(vec![
        "A 192.0.2.1",
        "AAAA 2001:db8::1",
        "CNAME a",
        "MX 10 mail",
        "MX ( 10 ; comment\n mail )",
        "TXT \"a b\" c",
        "TXT ( \"a\" ; x\n \"b;c\" )",
        "SOA ns host ( 1 2 3\n\n4 5 )",
        "NS ns.example.",
        "SRV 1 2 3 srv",
        "TYPE731 \\# 2 ab cd",
        "HTTPS 1 . alpn=h2,h3 port=8443",
        "CAA 0 issue \"ca.example\"",
        "DS 1 8 2 AABB CCDD",
    ]);
    let record =
        (owner, head, data).prop_map(|(owner, head, data)| format!("{owner} {head}{data}"));
    prop_oneof![
        8 => record,
        1 => prop::sample::select(vec!["$ORIGIN sub", "$ORIGIN example.", "$TTL 99", "", "; note", "   "])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn others_read_the_same(lines in prop::collection::vec(any_line(), 0..12)) {
        let text = format!("first 5 A 192.0.2.9\n{}\n", lines.join("\n"));
        prop_assert_eq!(read_by_domain(&text), Ok(records(&text)), "{}", text);
    }

    #[test]
    fn any_octets_are_read_without_a_panic(
        octets in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(b" \n\"();\\$@.0129aA{}-/,IN".to_vec()),
        ], 0..200),
    ) {
        let (_, mistakes) = read_all(&octets, &[]);
        prop_assert!(mistakes.iter().count() <= 100);
        let text = [HEAD.as_bytes(), &octets].concat();
        let apex = name("q.test");
        let source = Source { file: "db", text: &text, origin: apex.as_name(), ttl: None };
        let _ = load(apex.as_name(), source, &mut |_| Err(String::new()));
    }

    #[test]
    fn any_lines_are_read_without_a_panic(
        lines in prop::collection::vec(prop_oneof![
            "(a|@|\\*|b\\.a|) (5 )?(A 192\\.0\\.2\\.1|CNAME [ab]|NS [ab]|DNAME [ab]|TXT x|MX 1 a)",
            "\\$(ORIGIN [ab]{0,2}\\.?|TTL [0-9smh]{0,4}|INCLUDE x|GENERATE [0-9]-[0-9](/[0-9])? [$a{},0-9]{1,6} A 192\\.0\\.2\\.[$1])",
        ], 0..20),
    ) {
        let text = format!("{HEAD}{}", lines.join("\n"));
        let _ = try_load(&text);
    }
}

#[test]
fn a_zone_written_out_is_read_back() {
    let first = zone(
        "$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS a\n*.W TXT \"x y\"\nsub NS ns.sub\nns.sub A 192.0.2.1\n",
    );
    let text: String = first
        .rrsets()
        .flat_map(|set| set.records().map(move |data| (set, data)))
        .map(|(set, data)| {
            let (owner, ttl, rtype) = (set.owner(), set.ttl(), set.rtype());
            format!("{}\n", RecordText { owner, ttl, class: wire::Class::IN, rtype, data })
        })
        .collect();
    let second = zone(&text);
    let sets = |zone: &crate::Zone| {
        zone.rrsets().map(|set| format!("{} {}", set.owner(), set.rtype())).collect::<Vec<_>>()
    };
    assert_eq!((sets(&first), first.memory()), (sets(&second), second.memory()));
}
