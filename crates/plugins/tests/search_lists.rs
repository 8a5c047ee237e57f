//! What a search list costs a client, as the C libraries walk through it.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod bench;

use bench::Bench;
use wire::{Rcode, RecordType};

/// The search list of a pod in the namespace `default`, and the name as it stands.
const SEARCHED: [&str; 4] =
    [".default.svc.cluster.local", ".svc.cluster.local", ".cluster.local", ""];

/// How a C library takes the replies for A and AAAA to one name. The names here have no IPv6
/// addresses, so that only the first can hold any.
#[derive(Clone, Copy, Debug)]
enum Library {
    /// Goes on as long as there is no address.
    Glibc,
    /// A denial of either type denies the name; a name without addresses ends the search.
    Musl,
}

impl Library {
    /// How the search ends with these replies; none: it goes on.
    fn end(self, a: (Rcode, usize), aaaa: (Rcode, usize)) -> Option<bool> {
        for (rcode, _) in [a, aaaa] {
            match rcode {
                Rcode::NOERROR => {}
                Rcode::NXDOMAIN if matches!(self, Self::Musl) => return None,
                Rcode::NXDOMAIN => {}
                _ => return Some(false),
            }
        }
        let found = a.0 == Rcode::NOERROR && a.1 > 0;
        (found || matches!(self, Self::Musl)).then_some(found)
    }
}

/// Whether the name is found, and how many questions that takes.
fn look_up(bench: &mut Bench, library: Library, name: &str) -> (bool, usize) {
    let mut asked = 0;
    for domain in SEARCHED {
        let replies = [RecordType::A, RecordType::AAAA].map(|rtype| {
            bench.prepare(&format!("{name}{domain}"), rtype);
            let waited_for = bench.outcome();
            bench.ask();
            assert_eq!(bench.outcome(), waited_for, "{name}{domain} {rtype} from memory");
            asked += 1;
            waited_for
        });
        if let Some(found) = library.end(replies[0], replies[1]) {
            return (found, asked);
        }
    }
    (false, asked)
}

#[test]
fn what_a_search_list_costs() {
    // With nothing, with the short-cut, with autopath.
    let costs = [
        ("web.hosts.test", [(true, 8), (true, 2), (true, 2)]),
        ("ns.example.org", [(true, 8), (true, 2), (true, 2)]),
        ("my-nginx", [(true, 2); 3]),
        // The namespace is in the cluster: for what may be a service there is no short-cut.
        ("my-nginx.default", [(true, 4), (true, 4), (true, 2)]),
        ("my-nginx.default.svc", [(true, 6), (true, 6), (true, 2)]),
        ("my-nginx.default.svc.cluster.local", [(true, 8), (true, 8), (true, 2)]),
        ("gone.example.org", [(false, 8); 3]),
        ("nobody.upstream.test", [(false, 8); 3]),
    ];
    let lines = ["", "kubernetes:\nsearch_shortcut", "autopath BENCH/pod.conf"];
    for (index, lines) in lines.into_iter().enumerate() {
        let mut bench = Bench::new(lines);
        for (name, costs) in costs {
            for library in [Library::Glibc, Library::Musl] {
                let cost = look_up(&mut bench, library, name);
                assert_eq!(cost, costs[index], "{name} with {library:?} and {lines:?}");
            }
        }
    }
}
