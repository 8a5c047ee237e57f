//! Zones out of records from elsewhere: in any order, and never trusted.

use super::{name, zone};
use crate::{Builder, Loaded, Position, Record, Zone};
use proptest::prelude::*;
use wire::{Class, NameBuf, Question, RecordText, RecordType, Reply};

const TEXT: &str = "$TTL 300
@ SOA a b 7 2 3 4 5
@ NS a
a A 192.0.2.1
*.w TXT x
x.y.z AAAA 2001:db8::1
sub NS ns.sub
ns.sub A 192.0.2.2
w.A TXT y
";

fn record<'a>(owner: &'a NameBuf, rtype: RecordType, data: &'a [u8]) -> Record<'a> {
    let position = Position { file: "transfer", ..Position::default() };
    Record { owner: owner.as_name(), ttl: 300, class: Class::IN, rtype, data, position }
}

/// All records of a zone, as a transfer brings them: the SOA record first and last.
fn transferred(zone: &Zone) -> Vec<(NameBuf, RecordType, Vec<u8>)> {
    let records = zone.rrsets().flat_map(|set| {
        let records = set.records();
        records.map(move |data| (set.owner().to_buf(), set.rtype(), data.to_vec()))
    });
    let mut records: Vec<_> = records.collect();
    records.push(records[0].clone());
    records
}

fn built(records: &[(NameBuf, RecordType, Vec<u8>)]) -> Zone {
    let mut builder = Builder::new(name("q.test").as_name());
    for (owner, rtype, data) in records {
        builder.push(&record(owner, *rtype, data));
    }
    let Loaded { zone, warnings } = builder.finish().unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    zone
}

fn lines(zone: &Zone) -> Vec<String> {
    let line = |(owner, rtype, data): &(NameBuf, RecordType, Vec<u8>)| {
        let (owner, rtype) = (owner.as_name(), *rtype);
        RecordText { owner, ttl: 300, class: Class::IN, rtype, data }.to_string()
    };
    transferred(zone).iter().map(line).collect()
}

#[test]
fn what_is_wrong_is_told_without_a_place() {
    let mut builder = Builder::new(name("q.test").as_name());
    builder.push(&record(&name("other.test"), RecordType::A, &[192, 0, 2, 1]));
    assert_eq!(
        builder.finish().unwrap_err().to_string(),
        "transfer: warning: other.test. is outside of the zone (it is left out; is the final dot of \
         a name missing, or too many?)\n\
         error: the zone has no SOA record (write @ SOA PRIMARY MAILBOX SERIAL REFRESH RETRY EXPIRE \
         MINIMUM)"
    );
}

proptest! {
    #[test]
    fn the_order_does_not_matter(
        records in Just(transferred(&zone(TEXT))).prop_shuffle(),
    ) {
        let zone = zone(TEXT);
        let built = built(&records);
        prop_assert_eq!(lines(&built), lines(&zone));
        prop_assert_eq!((built.serial(), built.memory()), (7, zone.memory()));
    }

    /// Nobody should push data that are not of their type's form, but nothing breaks if one does.
    #[test]
    fn any_data_are_taken_without_a_panic(
        records in prop::collection::vec(
            (
                prop::sample::select(vec!["q.test", "a.q.test", "*.q.test", "b.a.q.test"]),
                prop_oneof![
                    prop::sample::select(vec![2u16, 5, 6, 12, 15, 33, 39, 43, 46, 47, 64]),
                    any::<u16>(),
                ],
                prop::collection::vec(prop_oneof![any::<u8>(), 0..3u8], 0..30),
            ),
            0..20,
        ),
    ) {
        let mut builder = Builder::new(name("q.test").as_name());
        builder.push(&record(&name("q.test"), RecordType::SOA, &[0; 22]));
        for (owner, rtype, data) in &records {
            builder.push(&record(&name(owner), RecordType(*rtype), data));
        }
        let Ok(Loaded { zone, .. }) = builder.finish() else { return Ok(()) };
        for (owner, rtype, _) in &records {
            for owner in [name(owner), NameBuf::child(b"x", name(owner).as_name()).unwrap()] {
                let question = Question::new(owner.as_name(), RecordType(*rtype));
                zone.answer(&question, true, &mut Reply::default());
            }
        }
        prop_assert!(zone.rrsets().flat_map(|set| set.records()).count() == zone.record_count());
    }
}
