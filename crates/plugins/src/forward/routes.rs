//! Which line takes a question.

use crate::zones::Zones;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use wire::{Name, NameBuf};

/// Finds the first line of the file whose FROM a name is in, and which does not except it.
///
/// By name and not line by line: there are configurations with thousands of lines.
#[derive(Default)]
pub(crate) struct Routes {
    /// For each FROM, in lower case, its lines in the order of the file.
    by_from: HashMap<Box<[u8]>, Vec<Route>, RandomState>,
    count: usize,
}

struct Route {
    line: usize,
    except: Zones,
}

impl Routes {
    /// Adds the next line.
    pub(crate) fn add(&mut self, from: &NameBuf, except: Zones) {
        let from = from.as_name().to_lower();
        let route = Route { line: self.count, except };
        self.by_from.entry(from.octets().into()).or_default().push(route);
        self.count += 1;
    }

    /// The zones that lines are about, and those that they except.
    pub(crate) fn zones(&self) -> Vec<Name<'_>> {
        let froms = self.by_from.keys().filter_map(|from| Name::from_octets(from).ok());
        let excepted = self.by_from.values().flatten().flat_map(|route| route.except.names());
        let mut zones: Vec<_> = froms.chain(excepted.map(NameBuf::as_name)).collect();
        zones.sort_unstable();
        zones
    }

    /// The first line, of `least` and those behind it, that takes `name`, which is in lower case.
    pub(crate) fn find(&self, name: Name<'_>, least: usize) -> Option<usize> {
        let mut first: Option<usize> = None;
        let mut zone = Some(name);
        while let Some(from) = zone {
            let routes = self.by_from.get(from.octets()).map_or(&[][..], Vec::as_slice);
            // A name equal to FROM is never excepted, as in CoreDNS.
            let takes = |route: &&Route| from.len() == name.len() || !route.except.cover(name);
            let found = routes.iter().filter(|route| route.line >= least).find(takes);
            first = first.into_iter().chain(found.map(|route| route.line)).min();
            zone = from.parent();
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn routes(lines: &[(&str, &[&str])]) -> Routes {
        let mut routes = Routes::default();
        for (from, except) in lines {
            let except: Vec<_> = except.iter().map(|zone| (*zone).to_owned()).collect();
            routes.add(&name(from), Zones::new(&except));
        }
        routes
    }

    #[test]
    fn the_first_line_in_the_file_and_not_the_longest_zone() {
        let routes = routes(&[
            ("A.test", &["x.a.test.", "a.test."]),
            (".", &["org."]),
            ("b.a.test", &[]),
            ("x.a.test", &[]),
            ("a.test", &[]),
        ]);
        let find = |text: &str, least| routes.find(name(text).as_name(), least);
        assert_eq!(find("b.a.test", 0), Some(1), "its except covers all but its own name");
        assert_eq!(find("a.test", 0), Some(0));
        assert_eq!(find("b.a.test", 2), Some(2));
        assert_eq!(find("x.a.test", 2), Some(3));
        assert_eq!(find("y.x.a.test", 4), Some(4));
        assert_eq!(find("y.x.a.test", 5), None);
        assert_eq!((find("org", 0), find("x.org", 0)), (None, None));
        assert_eq!(find(".", 0), Some(1));
    }

    fn any_zone() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]", 0..4).prop_map(|labels| labels.join(".") + ".")
    }

    proptest! {
        #[test]
        fn the_same_line_as_looking_at_one_after_the_other(
            lines in prop::collection::vec((any_zone(), prop::collection::vec(any_zone(), 0..2)), 0..6),
            asked in any_zone(),
            least in 0..4usize,
        ) {
            let mut routes = Routes::default();
            for (from, except) in &lines {
                routes.add(&name(from), Zones::new(except));
            }
            let asked = name(&asked);
            let asked = asked.as_name();
            let takes = |(from, except): &(String, Vec<String>)| {
                let from = name(from);
                let from = from.as_name();
                asked.is_at_or_below(from) && (asked == from || !Zones::new(except).cover(asked))
            };
            let expected = (least..lines.len()).find(|&line| takes(&lines[line]));
            prop_assert_eq!(routes.find(asked, least), expected);
        }
    }
}
