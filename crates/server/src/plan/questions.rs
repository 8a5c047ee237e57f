//! What is asked: questions that somebody named, and those that configurations are about.

use super::query_log::Logged;
use super::rehearsal::Rehearsal;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use wire::{Name, NameBuf, RecordType};

/// The most clients that are counted for one question.
const CLIENTS_MAX: usize = 256;
/// A label that nobody gives to anything.
const NOBODY: &[u8] = b"no-such-name";
/// The types that are asked for where nobody says which.
const TYPES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// Questions in the order in which they came, each once; no more than a limit.
pub(crate) struct Questions {
    list: Vec<Asked>,
    known: HashMap<(Arc<[u8]>, RecordType), usize>,
    limit: usize,
    /// How many there was no room for.
    left_out: u64,
}

/// A question, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// In wire form and lower case.
    owner: Arc<[u8]>,
    pub(crate) rtype: RecordType,
    pub(crate) askers: Askers,
}

/// Who asked a question, as far as a log tells.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Askers {
    /// How often it was asked.
    pub(crate) count: u64,
    /// How often by whom: those who came first, if they are too many.
    clients: Vec<(IpAddr, u64)>,
}

impl Asked {
    pub(crate) fn name(&self) -> Name<'_> {
        // It was made out of a name.
        Name::from_octets(&self.owner).unwrap_or(Name::ROOT)
    }
}

impl Askers {
    fn note(&mut self, client: IpAddr) {
        self.count += 1;
        match self.clients.iter().position(|(known, _)| *known == client) {
            Some(place) => self.clients[place].1 += 1,
            None if self.clients.len() < CLIENTS_MAX => self.clients.push((client, 1)),
            None => {}
        }
    }

    /// The clients, the most eager first.
    pub(crate) fn clients(&self) -> Vec<IpAddr> {
        let mut clients = self.clients.clone();
        clients.sort_by_key(|&(client, count)| (std::cmp::Reverse(count), client));
        clients.into_iter().map(|(client, _)| client).collect()
    }
}

impl Questions {
    /// None yet, and never more than `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), known: HashMap::new(), limit, left_out: 0 }
    }

    /// Adds a question; one that is there already is not added again.
    pub(crate) fn add(&mut self, name: Name<'_>, rtype: RecordType) {
        self.place(name, rtype);
    }

    /// Adds a name with the types that clients ask for.
    pub(crate) fn add_name(&mut self, name: Name<'_>) {
        TYPES.into_iter().for_each(|rtype| self.add(name, rtype));
    }

    /// Adds a question that a client has asked.
    pub(crate) fn add_logged(&mut self, logged: &Logged) {
        if let Some(place) = self.place(logged.name.as_name(), logged.rtype) {
            self.list[place].askers.note(logged.client);
        }
    }

    /// Adds what a file says: on each line a name, perhaps with a type. Fails with the number of a
    /// line that is none of that.
    pub(crate) fn add_lines(&mut self, text: &str) -> Result<(), usize> {
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<_> = line.split_whitespace().collect();
            if !words.is_empty() {
                self.add_words(&words).ok_or(index + 1)?;
            }
        }
        Ok(())
    }

    /// Adds `NAME` or `NAME TYPE`; none if the words are something else.
    pub(crate) fn add_words(&mut self, words: &[&str]) -> Option<()> {
        let (name, rtype) = match words {
            [name] => (name, None),
            [name, rtype] => (name, Some(rtype.to_ascii_uppercase().parse().ok()?)),
            _ => return None,
        };
        let name: NameBuf = name.parse().ok()?;
        match rtype {
            Some(rtype) => self.add(name.as_name(), rtype),
            None => self.add_name(name.as_name()),
        }
        Some(())
    }

    /// Adds what configurations are about: the zones of their blocks, and every name that a plugin
    /// says something about; then the neighbours of all these.
    pub(crate) fn add_what_matters_to(&mut self, sides: &[&Rehearsal]) {
        let first = self.list.len();
        for side in sides {
            side.names(&mut |name, rtype| {
                self.add_name(name);
                self.add(name, rtype);
            });
        }
        let mut last = None;
        for place in first..self.list.len() {
            let owner = self.list[place].owner.clone();
            if last.as_ref() != Some(&owner) {
                self.add_neighbours(&owner);
                last = Some(owner);
            }
        }
    }

    /// The name below, the name above, and a sibling that does not exist: what a zone, a wildcard
    /// or a `fallthrough` makes of names that nobody has written down.
    fn add_neighbours(&mut self, owner: &[u8]) {
        let Ok(name) = Name::from_octets(owner) else { return };
        let parent = name.parent();
        if let Some(parent) = parent {
            self.add(parent, RecordType::A);
        }
        for above in [Some(name), parent].into_iter().flatten() {
            if let Ok(nobody) = NameBuf::child(NOBODY, above) {
                self.add(nobody.as_name(), RecordType::A);
            }
        }
    }

    /// The question with this number.
    pub(crate) fn get(&self, place: usize) -> Option<&Asked> {
        self.list.get(place)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// How many there was no room for.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Where a question is, now; none if there is no room for it.
    fn place(&mut self, name: Name<'_>, rtype: RecordType) -> Option<usize> {
        let lower = name.to_lower();
        let key = (Arc::<[u8]>::from(lower.octets()), rtype);
        if let Some(place) = self.known.get(&key) {
            return Some(*place);
        }
        if self.list.len() >= self.limit {
            self.left_out += 1;
            return None;
        }
        let askers = Askers::default();
        self.list.push(Asked { owner: key.0.clone(), rtype, askers });
        self.known.insert(key, self.list.len() - 1);
        Some(self.list.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(questions: &Questions) -> Vec<String> {
        questions.list.iter().map(|asked| format!("{} {}", asked.name(), asked.rtype)).collect()
    }

    #[test]
    fn a_list_has_names_types_and_comments() {
        let mut questions = Questions::new(100);
        let text = "a.test\n\n# nothing\nB.test. mx # mail\nb.test MX\n_x._tcp.c.test SRV\n";
        questions.add_lines(text).unwrap();
        let expected = ["a.test. A", "a.test. AAAA", "b.test. MX", "_x._tcp.c.test. SRV"];
        assert_eq!(shown(&questions), expected);
        for wrong in ["a.test A B", "a.test NOTYPE", "a..test"] {
            assert_eq!(questions.add_lines(&format!("\n{wrong}\n")), Err(2), "{wrong}");
        }
    }

    #[test]
    fn there_are_no_more_than_the_limit() {
        let mut questions = Questions::new(3);
        questions.add_lines("a.test\nb.test\na.test\nc.test A\n").unwrap();
        assert_eq!(shown(&questions), ["a.test. A", "a.test. AAAA", "b.test. A"]);
        assert_eq!(questions.left_out(), 2);
    }

    #[test]
    fn neighbours_are_above_beside_and_below() {
        let mut questions = Questions::new(100);
        questions.add_neighbours(b"\x01a\x01b\x04test\0");
        let expected = ["b.test. A", "no-such-name.a.b.test. A", "no-such-name.b.test. A"];
        assert_eq!(shown(&questions), expected);
        questions.add_neighbours(b"\0");
        assert_eq!(shown(&questions)[3..], ["no-such-name. A"]);
    }

    #[test]
    fn the_most_eager_client_comes_first() {
        let mut questions = Questions::new(100);
        let name: NameBuf = "a.test".parse().unwrap();
        for client in ["10.0.0.1", "10.0.0.2", "10.0.0.2"] {
            let client = client.parse().unwrap();
            questions.add_logged(&Logged { client, name, rtype: RecordType::A });
        }
        let askers = &questions.get(0).unwrap().askers;
        assert_eq!(askers.count, 3);
        assert_eq!(
            askers.clients(),
            ["10.0.0.2", "10.0.0.1"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
    }
}
