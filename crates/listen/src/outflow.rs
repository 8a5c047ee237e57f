//! A reply of several messages on its way out.

use chain::{Exchange, Piece, Stream};
use wire::{Encoder, Flags, MESSAGE_MAX, Reply, Request};

/// A reply of several messages, of which one at a time is in memory: the next is made when the
/// client has taken the one before.
pub(crate) struct Outflow {
    request: Request,
    reply: Reply,
    stream: Box<dyn Stream>,
    piece: Piece,
}

impl Outflow {
    /// The reply to this exchange, if it is of several messages.
    pub(crate) fn of(x: &mut Exchange) -> Option<Box<Self>> {
        let stream = x.take_stream()?;
        let mut reply = Reply { flags: x.reply.flags, rcode: x.reply.rcode, ..Reply::default() };
        reply.options.copy_from(&x.reply.options);
        Some(Box::new(Self { request: x.request.clone(), reply, stream, piece: Piece::More }))
    }

    /// How far it has come.
    pub(crate) fn piece(&self) -> Piece {
        self.piece
    }

    /// Writes the next message into `out`; its octets, and none if there is none.
    pub(crate) fn next(&mut self, encoder: &mut Encoder, out: &mut [u8]) -> Option<usize> {
        self.reply.body.clear();
        self.piece = self.stream.next(&mut self.reply.body);
        if self.piece == Piece::Broken {
            return None;
        }
        let length = encoder.reply(&self.request, &self.reply, MESSAGE_MAX, out);
        let is_cut = Flags::from_word(u16::from_be_bytes([out[2], out[3]])).has(Flags::TC);
        if is_cut {
            // The client would take what it has for everything.
            self.piece = Piece::Broken;
            return None;
        }
        Some(length)
    }
}
