//! DNS messages as octets: what came in, what goes out.
//!
//! **What this is.** Names, types, questions, records, EDNS and name compression (RFC 1035, 2181,
//! 3597, 6891), by hand, because every query pays for it: a question is read in place and a reply
//! is written once into the caller's buffer, with no allocation on either way.
//!
//! **What this is not.** It opens no socket, reads no clock and decides nothing: which records
//! belong in an answer is the business of the plugins.
//!
//! **Where to start reading.** [`Request::read`] for the way in, [`Body`] for the records between,
//! [`Encoder`] for the way out; [`RecordType::read_data`] and [`RecordText`] for records as text.
#![forbid(unsafe_code)]

mod body;
mod edns;
mod encode;
mod forms;
mod header;
mod message;
mod name;
mod question;
mod rcode;
mod rdata;
mod reply;
mod request;
pub mod reverse;
mod rtype;
mod text;

pub use body::{Body, Record, Section};
pub use edns::{Edns, ExtendedError, OPT_EXTENDED_ERROR, OPT_NSID, Options};
pub use encode::{Encoder, MESSAGE_MAX};
pub use header::{Flags, HEADER_LEN, Opcode};
pub use message::{Malformed, Message};
pub use name::{BadName, LABEL_MAX, Labels, NAME_MAX, Name, NameBuf};
pub use question::Question;
pub use rcode::Rcode;
pub use reply::Reply;
pub use request::{Reject, Request};
pub use rtype::{Class, RecordType, UnknownMnemonic};
pub use text::{
    BadData, BadEntry, DataFault, DataText, Entries, Entry, EntryFault, Place, RecordText, Word,
    seconds,
};
