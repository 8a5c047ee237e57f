//! What is asked.

use crate::{Class, Name, NameBuf, RecordType};
use std::fmt;

/// The question of a query, with the name in lower case.
///
/// How the client wrote the name is kept by [`crate::Request`], which echoes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    name: NameBuf,
    /// The type asked for.
    pub rtype: RecordType,
    /// The class asked for.
    pub class: Class,
}

impl Question {
    /// Asks for `rtype` at `name` in class IN; the name is put into lower case.
    pub fn new(name: Name<'_>, rtype: RecordType) -> Self {
        Self { name: name.to_lower(), rtype, class: Class::IN }
    }

    /// The name asked for, in lower case.
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }

    /// Asks for another name; it is put into lower case.
    pub fn set_name(&mut self, name: Name<'_>) {
        self.name.set_lower(name);
    }
}

/// `www.example.org. IN A`
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.class, self.rtype)
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
