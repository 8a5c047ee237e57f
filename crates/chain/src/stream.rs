//! Replies that take several messages.

use wire::Body;

/// The records of a reply that takes several messages: a zone transfer (RFC 5936 §2.2).
///
/// Whoever sends the reply asks for one message after the other, when the client has taken those
/// before. So a stream waits for its client, and must hold little: it may be dropped at any time,
/// and then the client has gone.
pub trait Stream: Send + Sync {
    /// Appends the records of the next message to the answer section of `body`, which is empty.
    /// They must fit into one message. Not called again after [`Piece::Last`] or [`Piece::Broken`].
    fn next(&mut self, body: &mut Body) -> Piece;
}

/// What [`Stream::next`] has made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A message, and there are more.
    More,
    /// The last message.
    Last,
    /// Nothing: the rest cannot be sent, and the client must not take what it has for all.
    Broken,
}
