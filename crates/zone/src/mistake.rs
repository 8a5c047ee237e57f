//! What is wrong with a zone, where, and what to write instead.

use std::fmt;
use std::sync::Arc;
use wire::{BadData, BadName, Class, EntryFault, Place, RecordType};

/// The most mistakes that are kept. Errors end the reading there.
pub(crate) const MISTAKES_MAX: usize = 100;

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The file, as whoever loaded it calls it.
    pub file: Arc<str>,
    /// Where in the file; line 0 for what does not come from lines.
    pub place: Place,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
///
/// An error is what no zone can be made of. A warning is what CoreDNS loads too: it has a defined
/// meaning, told by [`Fault::hint`], so that a file that was served yesterday is served today.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Quotes or parentheses that do not pair up.
    Entry(EntryFault),
    /// A name that is none.
    Name(BadName),
    /// A name in quotes.
    QuotedName,
    /// A blank at the beginning of the line, but no record before whose owner could be meant.
    NoOwner,
    /// A directive that does not exist.
    Directive(String),
    /// A directive without what it needs.
    Argument {
        /// The directive.
        directive: &'static str,
        /// What it needs.
        expected: &'static str,
    },
    /// A word that is no TTL, class or type.
    Word(String),
    /// A TTL that is none, or more than 2³¹-1 seconds (RFC 2181 §8).
    Ttl(String),
    /// A record without a type.
    NoType,
    /// Data that are not of the type's form.
    Data {
        /// The type.
        rtype: RecordType,
        /// What is wrong with them.
        bad: BadData,
    },
    /// A type that no zone can hold: it stands in questions and messages alone.
    NotForZones(RecordType),
    /// NSEC3 or NSEC3PARAM: denials by hash are not served, as in CoreDNS.
    Nsec3(RecordType),
    /// A record without a TTL, and neither `$TTL` nor an earlier TTL nor the SOA record to take one
    /// from.
    NoTtl,
    /// A file that could not be included.
    Include {
        /// The file as written.
        path: String,
        /// Why.
        why: String,
    },
    /// Files included more than 7 deep, or more than 1,000 in all.
    Includes,
    /// A `$GENERATE` that cannot be carried out.
    Generate(GenerateFault),
    /// No SOA record.
    NoSoa,
    /// More than 4 GiB of names and data, or more than 65,535 records of one name and type.
    TooLarge,

    /// Warning: the first record without a TTL, where the SOA record's minimum is taken.
    TtlFromSoa(u32),
    /// Warning: a second, different SOA record.
    SecondSoa,
    /// Warning: an SOA record of another name than the zone's.
    SoaElsewhere(String),
    /// Warning: a record of a name outside of the zone.
    Outside(String),
    /// Warning: a record of another class than IN.
    OtherClass(Class),
    /// Warning: records beside a CNAME record.
    BesideCname(RecordType),
    /// Warning: a CNAME record at a delegation.
    CnameAtCut,
    /// Warning: a second CNAME or DNAME record of the same name.
    SecondAlias(RecordType),
    /// Warning: a DNAME record that leads to its own name.
    DnameToItself,
    /// Warning: records of one name and type with different TTLs.
    Ttls {
        /// The type.
        rtype: RecordType,
        /// The TTL that is used: the smallest.
        used: u32,
    },
}

/// Why a `$GENERATE` cannot be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GenerateFault {
    /// The range is not of the form `START-STOP` or `START-STOP/STEP`.
    Range,
    /// More than 65,536 records of one directive, or more than 1,048,576 in all.
    TooMany,
    /// A modifier is not of the form `${OFFSET,WIDTH,BASE}`.
    Modifier,
    /// Number and offset make less than 0 or more than 2³¹-1.
    Number,
}

impl Fault {
    /// Whether the zone can be served all the same.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::TtlFromSoa(_)
                | Self::SecondSoa
                | Self::SoaElsewhere(_)
                | Self::Outside(_)
                | Self::OtherClass(_)
                | Self::BesideCname(_)
                | Self::CnameAtCut
                | Self::SecondAlias(_)
                | Self::DnameToItself
                | Self::Ttls { .. }
        )
    }

    /// What to write, or what a warning's record means.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Entry(EntryFault::OpenQuote) => {
                "put a quote at the end of the text; a quote within it is written \\\""
            }
            Self::Entry(EntryFault::OpenParenthesis) => "put a closing parenthesis behind the data",
            Self::Entry(EntryFault::StrayParenthesis) => {
                "leave it out, or write \\) if it belongs to a name or a text"
            }
            Self::Entry(EntryFault::TooManyWords) => "close the parentheses earlier",
            Self::QuotedName => "leave the quotes out",
            Self::Name(_) => "write labels of 1 to 63 octets with dots between",
            Self::NoOwner => "write the name at the beginning of the line, or @ for the origin",
            Self::Directive(_) => {
                "write $ORIGIN, $TTL, $INCLUDE or $GENERATE; an owner is written \\$"
            }
            Self::Argument { .. } => "write the directive and its arguments on one line",
            Self::Word(_) => {
                "write NAME [TTL] [CLASS] TYPE DATA; types are such as A, CNAME or TYPE65280"
            }
            Self::Ttl(_) => "write seconds up to 2147483647, or units as in 1h30m",
            Self::NoType => "write NAME [TTL] [CLASS] TYPE DATA",
            Self::Data { .. } => "write the data on one line or in parentheses",
            Self::NotForZones(_) => "leave the record out",
            Self::Nsec3(_) => "sign the zone with NSEC, or leave the records of DNSSEC out",
            Self::NoTtl => "write $TTL 3600 at the top of the file",
            Self::Include { .. } => "relative paths begin at the including file's folder",
            Self::Includes => "look for a file that includes itself",
            Self::Generate(GenerateFault::Range) => {
                "write START-STOP or START-STOP/STEP, as in 1-254"
            }
            Self::Generate(GenerateFault::TooMany) => "use a wildcard, or split the directive",
            Self::Generate(GenerateFault::Modifier) => {
                "write ${OFFSET}, ${OFFSET,WIDTH} or ${OFFSET,WIDTH,BASE} with base d, o, x or X"
            }
            Self::Generate(GenerateFault::Number) => {
                "keep number and offset between 0 and 2147483647"
            }
            Self::NoSoa => "write @ SOA PRIMARY MAILBOX SERIAL REFRESH RETRY EXPIRE MINIMUM",
            Self::TooLarge => "split the zone",
            Self::TtlFromSoa(_) => "write $TTL at the top of the file",
            Self::SecondSoa => "the last one counts, as in CoreDNS",
            Self::SoaElsewhere(_) => "it is taken for the zone's own unless the zone has one",
            Self::Outside(_) => "it is left out; is the final dot of a name missing, or too many?",
            Self::OtherClass(_) => "it is left out; write IN or nothing",
            Self::BesideCname(_) => "it is left out: the name is an alias (RFC 1034 §3.6.2)",
            Self::CnameAtCut => "it is left out: the name is delegated",
            Self::SecondAlias(_) => "it is left out: a name has one alias (RFC 2181 §10.1)",
            Self::DnameToItself => "it is left out: names below would lead to themselves",
            Self::Ttls { .. } => "the smallest is used for all (RFC 2181 §5.2)",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(fault) => fault.fmt(f),
            Self::Name(bad) => bad.fmt(f),
            Self::QuotedName => f.write_str("a name in quotes"),
            Self::NoOwner => f.write_str("the line begins with a blank, but no name came before"),
            Self::Directive(word) => write!(f, "unknown directive {word}"),
            Self::Argument { directive, expected } => write!(f, "{directive} needs {expected}"),
            Self::Word(word) => write!(f, "expected a TTL, class or type, found {word}"),
            Self::Ttl(word) => write!(f, "{word} is no TTL"),
            Self::NoType => f.write_str("the record has no type"),
            Self::Data { rtype, bad } => write!(f, "{rtype}: {bad}"),
            Self::NotForZones(rtype) => write!(f, "no zone holds records of type {rtype}"),
            Self::Nsec3(rtype) => write!(f, "{rtype}: denials by hash are not served"),
            Self::NoTtl => f.write_str("the record has no TTL, and nothing to take one from"),
            Self::Include { path, why } => write!(f, "{path} cannot be included: {why}"),
            Self::Includes => f.write_str("more than 7 files deep, or more than 1000 included"),
            Self::Generate(fault) => fault.fmt(f),
            Self::NoSoa => f.write_str("the zone has no SOA record"),
            Self::TooLarge => f.write_str("the zone is too large"),
            Self::TtlFromSoa(ttl) => write!(f, "no TTL: {ttl}, the minimum of the SOA, is used"),
            Self::SecondSoa => f.write_str("a second, different SOA record"),
            Self::SoaElsewhere(owner) => write!(f, "the SOA record belongs to {owner}"),
            Self::Outside(owner) => write!(f, "{owner} is outside of the zone"),
            Self::OtherClass(class) => write!(f, "a record of class {class} in a zone of class IN"),
            Self::BesideCname(rtype) => write!(f, "a {rtype} record beside a CNAME record"),
            Self::CnameAtCut => f.write_str("a CNAME record beside NS records"),
            Self::SecondAlias(rtype) => write!(f, "a second {rtype} record of the same name"),
            Self::DnameToItself => f.write_str("the DNAME record leads to its own name"),
            Self::Ttls { rtype, used } => {
                write!(f, "the {rtype} records of a name have different TTLs, {used} is used")
            }
        }
    }
}

impl fmt::Display for GenerateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "the range of $GENERATE is not of the form START-STOP/STEP",
            Self::TooMany => "$GENERATE makes more than 65536 records, or more than 1048576 in all",
            Self::Modifier => "a modifier of $GENERATE is not of the form ${OFFSET,WIDTH,BASE}",
            Self::Number => "a number of $GENERATE is below 0 or above 2147483647",
        })
    }
}

/// `db.example:3:1: warning: a second, different SOA record (the last one counts, as in CoreDNS)`
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, fault } = self;
        let severity = if fault.is_warning() { "warning" } else { "error" };
        if !file.is_empty() {
            write!(f, "{file}:")?;
        }
        if place.line > 0 {
            write!(f, "{place}:")?;
        }
        let blank = if file.is_empty() { "" } else { " " };
        write!(f, "{blank}{severity}: {fault} ({})", fault.hint())
    }
}

/// The mistakes of a zone in the order in which they were found: those of the text first.
///
/// At most 100 are kept; the others are counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mistakes {
    kept: Vec<Mistake>,
    left_out: usize,
    errors: usize,
}

impl Mistakes {
    /// The mistakes that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.kept.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many mistakes were not kept.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether one of them is more than a warning.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there are so many errors that reading on helps nobody.
    pub(crate) fn is_full(&self) -> bool {
        self.errors >= MISTAKES_MAX
    }

    /// Adds the mistakes that were found later.
    pub(crate) fn append(&mut self, later: Self) {
        self.left_out += later.left_out;
        // Errors that were not kept count all the same.
        let kept = later.kept.iter().filter(|mistake| !mistake.fault.is_warning()).count();
        self.errors += later.errors - kept;
        later.kept.into_iter().for_each(|mistake| self.push(mistake));
    }

    /// Adds a mistake. An error takes the place of a warning where there is no room.
    pub(crate) fn push(&mut self, mistake: Mistake) {
        let is_error = !mistake.fault.is_warning();
        self.errors += usize::from(is_error);
        if self.kept.len() < MISTAKES_MAX {
            return self.kept.push(mistake);
        }
        self.left_out += 1;
        let last_warning = self.kept.iter().rposition(|kept| kept.fault.is_warning());
        if let (true, Some(at)) = (is_error, last_warning) {
            self.kept.remove(at);
            self.kept.push(mistake);
        }
    }
}

/// A line a mistake.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.kept.iter().enumerate() {
            let line_end = if index > 0 { "\n" } else { "" };
            write!(f, "{line_end}{mistake}")?;
        }
        match self.left_out {
            0 => Ok(()),
            count => write!(f, "\nand {count} more"),
        }
    }
}

impl std::error::Error for Mistakes {}
