//! The names that a `kubernetes` directive answers for, for who wants to know what it is about.

use cluster::{Cluster, View};
use std::sync::Arc;
use wire::{Body, Name, NameBuf, RecordType};

/// Names that every zone of a cluster has, whatever the services are: the name of an address is
/// there or not as `pods` says.
const IN_EVERY_ZONE: [(&[u8], RecordType); 3] = [
    (b"\x0bdns-version", RecordType::TXT),
    (b"\x0a10-0-0-255\x07default\x03pod", RecordType::A),
    (b"\x07default\x03svc", RecordType::A),
];

/// Shows all services and the endpoints that have names, and some names that need no service.
pub(super) fn show(
    cluster: &Arc<Cluster>,
    view: &Arc<View>,
    show: &mut dyn FnMut(Name<'_>, RecordType),
) {
    for zone in view.zones().filter(|zone| zone.labels().last() != Some(b"arpa")) {
        for (prefix, rtype) in IN_EVERY_ZONE {
            if let Ok(name) = NameBuf::join(prefix, zone) {
                show(name.as_name(), rtype);
            }
        }
        let Some(mut copy) = cluster.copy_zone(view, zone) else { continue };
        let mut body = Body::new();
        loop {
            body.clear();
            let goes_on = copy.push_some(&mut body);
            // Its own name servers are a matter of where the server runs, and nobody asks for them.
            for record in body.answer.iter().filter(|record| record.rtype != RecordType::NS) {
                show(body.owner(record), record.rtype);
            }
            if !goes_on {
                break;
            }
        }
    }
}
