//! Datagrams in batches: many received, or sent, with one system call.
//!
//! **What this is.** A safe face over `recvmmsg` and `sendmmsg`, and over the control messages that
//! say which address a datagram was sent to, so that the answer can leave from there. All memory is
//! made once; receiving, answering in place and sending allocate nothing.
//!
//! **What this is not.** It knows nothing of DNS, makes no socket, and decides nothing about what
//! to answer.
//!
//! **Where to start reading.** [`Batch`] is a server's side: receive, write an answer to each, send.
//! It is made of [`Incoming`] and [`Outgoing`], which a client with connected sockets uses alone.
//! The unsafe code is in `calls`.

mod calls;
mod envelope;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use calls::{Headers, MESSAGES_MAX, Message};
use envelope::{Address, Control, Envelope};

/// A batch of datagrams and the room for an answer to each: the server's side.
///
/// ```no_run
/// # use std::os::fd::AsFd;
/// use listen::mmsg::{Batch, Wait};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:5300")?;
/// let mut batch = Batch::new(32, 1232, 1232);
/// loop {
///     for i in 0..batch.receive(socket.as_fd(), Wait::ForOne)? {
///         let (query, answer) = batch.received_and_answer(i);
///         let length = query.len();
///         answer[..length].copy_from_slice(query);
///         batch.set_answer(i, length);
///     }
///     batch.send(socket.as_fd());
/// }
/// # #[expect(unreachable_code)] Ok::<(), std::io::Error>(())
/// ```
pub struct Batch {
    incoming: Incoming,
    outgoing: Outgoing,
}

impl Batch {
    /// Makes room for `count` datagrams of up to `receive_size` octets, and as many answers of up
    /// to `send_size` octets.
    ///
    /// Longer datagrams arrive cut, see [`Batch::truncated`]. A batch holds 1 to 1,024 of them, the
    /// most that the kernel takes in one call; sizes are at least 1.
    pub fn new(count: usize, receive_size: usize, send_size: usize) -> Self {
        Self {
            incoming: Incoming::new(count, receive_size),
            outgoing: Outgoing::new(count, send_size),
        }
    }

    /// Receives up to a batch, drops answers that were not sent, and says how many came.
    ///
    /// Zero means that nothing came: nothing was there ([`Wait::Never`]), the socket's own time
    /// limit passed, or a signal arrived. An error is the socket's, and often only passes on the
    /// fate of an earlier datagram (ICMP): a server notes it and receives again.
    #[inline]
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.outgoing.clear();
        self.incoming.receive(socket, wait)
    }

    /// The octets of datagram `i`, which must be below what [`Batch::receive`] returned; so in all
    /// methods that take an `i`, which panic otherwise.
    #[inline]
    pub fn received(&self, i: usize) -> &[u8] {
        self.incoming.received(i)
    }

    /// Who sent datagram `i`, as [`Incoming::peer`].
    #[inline]
    pub fn peer(&self, i: usize) -> SocketAddr {
        self.incoming.peer(i)
    }

    /// The address that datagram `i` was sent to, as [`Incoming::local`].
    #[inline]
    pub fn local(&self, i: usize) -> Option<IpAddr> {
        self.incoming.local(i)
    }

    /// Whether datagram `i` was longer than the batch's `receive_size`, and so lost its end.
    #[inline]
    pub fn truncated(&self, i: usize) -> bool {
        self.incoming.truncated(i)
    }

    /// [`Batch::received`], and where its answer is written: `send_size` octets, with what they held
    /// before.
    #[inline]
    pub fn received_and_answer(&mut self, i: usize) -> (&[u8], &mut [u8]) {
        (self.incoming.received(i), self.outgoing.buffer(i))
    }

    /// Says that the first `length` octets of `i`'s buffer are its answer; 0 means no answer.
    ///
    /// Panics if `length` is beyond the batch's `send_size`.
    #[inline]
    pub fn set_answer(&mut self, i: usize, length: usize) {
        self.outgoing.set_length(i, length);
    }

    /// Sends each answer to where its query came from, from the address that was asked.
    ///
    /// The address is known if [`enable_packet_info`] was called on the socket.
    #[inline]
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let incoming = &self.incoming;
        self.outgoing.send_to(socket, |i| incoming.envelope(i))
    }
}

/// Whether to wait for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait until there is one, then take what is there as well. A socket that is set to
    /// non-blocking does not wait, and one with a receive time limit waits no longer than that.
    ForOne,
    /// Take what is there.
    Never,
}

/// What became of the answers.
#[derive(Debug, Default)]
#[must_use]
pub struct Sent {
    /// How many the kernel took.
    pub sent: usize,
    /// How many it refused; they are lost, as datagrams may be.
    pub dropped: usize,
    /// Why it refused the last of those.
    pub error: Option<io::Error>,
}

/// Datagrams that came in.
pub struct Incoming {
    octets: Vec<u8>,
    size: usize,
    /// How many the last call brought.
    count: usize,
    /// Empty on connected sockets, where nobody needs them.
    envelopes: Vec<Envelope>,
    headers: Headers,
}

impl Incoming {
    /// Makes room for `count` datagrams of up to `size` octets, limited as [`Batch::new`] says.
    pub fn new(count: usize, size: usize) -> Self {
        let count = count.clamp(1, MESSAGES_MAX);
        Self { envelopes: vec![Envelope::EMPTY; count], ..Self::connected(count, size) }
    }

    /// The same for connected sockets: neither [`Incoming::peer`] nor [`Incoming::local`] is known.
    pub fn connected(count: usize, size: usize) -> Self {
        let (count, size) = (count.clamp(1, MESSAGES_MAX), size.max(1));
        let octets = vec![0; count * size];
        Self { octets, size, count: 0, envelopes: Vec::new(), headers: Headers::new(count) }
    }

    /// Receives what is there, see [`Batch::receive`].
    #[inline]
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.count = 0;
        let buffers = self.octets.chunks_exact_mut(self.size);
        self.count = self.headers.receive(socket, wait, buffers, &mut self.envelopes)?;
        Ok(self.count)
    }

    /// The octets of datagram `i`, which must be below what [`Incoming::receive`] returned.
    #[inline]
    pub fn received(&self, i: usize) -> &[u8] {
        self.check(i);
        let (length, _) = self.headers.received(i);
        &self.octets[i * self.size..][..length]
    }

    /// Who sent datagram `i`. IPv4 peers of a dual-stack socket are given as IPv4 addresses.
    ///
    /// On a connected socket it is `0.0.0.0:0`.
    #[inline]
    pub fn peer(&self, i: usize) -> SocketAddr {
        let read = self.envelope(i).and_then(|envelope| envelope.peer.read());
        read.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }

    /// The address that datagram `i` was sent to, if [`enable_packet_info`] was called on the
    /// socket before it came.
    ///
    /// IPv4 addresses of a dual-stack socket are given as IPv4 addresses. For an IPv4 broadcast it
    /// is the address of the interface that it came in by.
    #[inline]
    pub fn local(&self, i: usize) -> Option<IpAddr> {
        self.envelope(i)?.control.destination()
    }

    /// Whether datagram `i` was longer than there was room, and so lost its end.
    #[inline]
    pub fn truncated(&self, i: usize) -> bool {
        self.check(i);
        let (_, truncated) = self.headers.received(i);
        truncated
    }

    #[inline]
    fn envelope(&self, i: usize) -> Option<&Envelope> {
        self.check(i);
        self.envelopes.get(i)
    }

    #[inline]
    fn check(&self, i: usize) {
        assert!(i < self.count, "datagram {i} of {}", self.count);
    }
}

/// Datagrams to go out.
pub struct Outgoing {
    octets: Vec<u8>,
    size: usize,
    /// The length of each datagram; 0 for none.
    lengths: Vec<usize>,
    /// No datagram from here on.
    end: usize,
    controls: Vec<Control>,
    headers: Headers,
}

impl Outgoing {
    /// Makes room for `count` datagrams of up to `size` octets, limited as [`Batch::new`] says.
    pub fn new(count: usize, size: usize) -> Self {
        let (count, size) = (count.clamp(1, MESSAGES_MAX), size.max(1));
        Self {
            octets: vec![0; count * size],
            size,
            lengths: vec![0; count],
            end: 0,
            controls: vec![Control::EMPTY; count],
            headers: Headers::new(count),
        }
    }

    /// The room for datagram `i`, with what it held before; panics beyond the batch.
    #[inline]
    pub fn buffer(&mut self, i: usize) -> &mut [u8] {
        &mut self.octets[i * self.size..][..self.size]
    }

    /// Says that the first `length` octets of buffer `i` are to be sent; 0 means none.
    ///
    /// Panics if the buffer is shorter than `length`.
    #[inline]
    pub fn set_length(&mut self, i: usize, length: usize) {
        assert!(length <= self.size, "a datagram of {length} octets in a buffer of {}", self.size);
        self.lengths[i] = length;
        self.end = self.end.max(i + 1);
    }

    /// Sends all datagrams on a connected socket, then forgets them.
    #[inline]
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        self.send_to(socket, |_| None)
    }

    /// Sends all datagrams, each to the peer of its query, then forgets them.
    #[inline]
    fn send_to<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        query: impl Fn(usize) -> Option<&'a Envelope>,
    ) -> Sent {
        let buffers = self.octets.chunks_exact(self.size).zip(&self.lengths);
        let datagrams = buffers.zip(&mut self.controls).take(self.end).enumerate();
        let messages = datagrams.filter(|(_, ((_, length), _))| **length > 0);
        let messages = messages.map(|(i, ((buffer, length), control))| {
            let query = query(i);
            let source = query.and_then(|query| query.control.destination()).map(|local| {
                control.set_source(local);
                &*control
            });
            Message { octets: &buffer[..*length], peer: query.map(|query| &query.peer), source }
        });
        let sent = self.headers.send(socket, messages);
        self.clear();
        sent
    }

    #[inline]
    fn clear(&mut self) {
        self.lengths[..self.end].fill(0);
        self.end = 0;
    }
}

/// Sends one datagram to `peer` on an unconnected socket, from the address `local` if it is given:
/// an answer that had to wait. Both are as [`Batch::peer`] and [`Batch::local`] gave them.
pub fn send_one(
    socket: BorrowedFd<'_>,
    octets: &[u8],
    peer: SocketAddr,
    local: Option<IpAddr>,
) -> io::Result<()> {
    let peer = Address::of(peer);
    let mut control = Control::EMPTY;
    let source = local.map(|local| {
        control.set_source(local);
        &control
    });
    let sent = calls::send_one(socket, Message { octets, peer: Some(&peer), source });
    sent.error.map_or(Ok(()), Err)
}

/// Makes the kernel tell, with each datagram, the address that it was sent to.
///
/// A server on a wildcard address needs it: a client takes no answer from another address than the
/// one that it asked. An IPv6 socket tells it for IPv4 datagrams as well.
pub fn enable_packet_info(socket: BorrowedFd<'_>) -> io::Result<()> {
    calls::enable_packet_info(socket)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use socket2::{Domain, Protocol, Socket, Type};

    use super::*;

    /// Echoes what a batch holds, in capitals.
    fn answer_in_capitals(batch: &mut Batch, count: usize) {
        for i in 0..count {
            let (query, answer) = batch.received_and_answer(i);
            let length = query.len();
            answer[..length].copy_from_slice(query);
            answer[..length].make_ascii_uppercase();
            batch.set_answer(i, length);
        }
    }

    fn client(bind: &str) -> UdpSocket {
        let client = UdpSocket::bind(bind).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client
    }

    fn text_from(client: &UdpSocket) -> (String, SocketAddr) {
        let mut buffer = [0; 2048];
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        (String::from_utf8(buffer[..length].to_vec()).unwrap(), from)
    }

    /// A socket that takes IPv4 and IPv6 on all addresses.
    fn dual_stack() -> (UdpSocket, u16) {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_only_v6(false).unwrap();
        socket.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        let socket = UdpSocket::from(socket);
        let port = socket.local_addr().unwrap().port();
        (socket, port)
    }

    fn round_trips(bind: &str, count: usize) {
        let server = UdpSocket::bind(bind).unwrap();
        let mut batch = Batch::new(count, 512, 512);
        let client = client(bind);
        client.connect(server.local_addr().unwrap()).unwrap();
        for i in 0..count {
            client.send(format!("question {i}").as_bytes()).unwrap();
        }
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), count);
        for i in 0..count {
            assert_eq!(batch.received(i), format!("question {i}").as_bytes());
            assert_eq!(batch.peer(i), client.local_addr().unwrap());
            assert_eq!(batch.local(i), None, "nobody asked for packet info");
            assert!(!batch.truncated(i));
        }
        answer_in_capitals(&mut batch, count);
        let sent = batch.send(server.as_fd());
        assert_eq!((sent.sent, sent.dropped), (count, 0));
        for i in 0..count {
            assert_eq!(text_from(&client).0, format!("QUESTION {i}"));
        }
        let again = batch.send(server.as_fd());
        assert_eq!((again.sent, again.dropped), (0, 0), "each answer is sent once");
    }

    #[test]
    fn ipv4_one_and_many() {
        round_trips("127.0.0.1:0", 1);
        round_trips("127.0.0.1:0", 32);
    }

    #[test]
    fn ipv6_one_and_many() {
        round_trips("[::1]:0", 1);
        round_trips("[::1]:0", 32);
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        enable_packet_info(server.as_fd()).unwrap();
        let asked = SocketAddr::from(([127, 0, 0, 2], server.local_addr().unwrap().port()));
        let client = client("127.0.0.1:0");
        client.send_to(b"who?", asked).unwrap();
        let mut batch = Batch::new(4, 512, 512);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 1);
        assert_eq!(batch.local(0), Some(asked.ip()));
        answer_in_capitals(&mut batch, 1);
        assert_eq!(batch.send(server.as_fd()).sent, 1);
        assert_eq!(text_from(&client), ("WHO?".to_owned(), asked));
    }

    #[test]
    fn a_dual_stack_socket_answers_both_families_from_the_address_that_was_asked() {
        let (server, port) = dual_stack();
        enable_packet_info(server.as_fd()).unwrap();
        let mut batch = Batch::new(4, 512, 512);
        for (bind, asked) in [("127.0.0.1:0", "127.0.0.2"), ("[::1]:0", "::1")] {
            let asked = SocketAddr::new(asked.parse().unwrap(), port);
            let client = client(bind);
            client.send_to(b"who?", asked).unwrap();
            assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 1);
            assert_eq!(batch.peer(0), client.local_addr().unwrap());
            assert_eq!(batch.local(0), Some(asked.ip()));
            answer_in_capitals(&mut batch, 1);
            assert_eq!(batch.send(server.as_fd()).sent, 1);
            assert_eq!(text_from(&client), ("WHO?".to_owned(), asked));

            send_one(server.as_fd(), b"later", batch.peer(0), batch.local(0)).unwrap();
            assert_eq!(text_from(&client), ("later".to_owned(), asked));
        }
    }

    #[test]
    fn an_answer_that_waited_leaves_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let client = client("127.0.0.1:0");
        let local = IpAddr::from([127, 0, 0, 3]);
        send_one(server.as_fd(), b"at last", client.local_addr().unwrap(), Some(local)).unwrap();
        assert_eq!(text_from(&client), ("at last".to_owned(), SocketAddr::new(local, port)));
        send_one(server.as_fd(), b"anyhow", client.local_addr().unwrap(), None).unwrap();
        assert_eq!(text_from(&client).0, "anyhow");
    }

    #[test]
    fn long_datagrams_arrive_cut_and_marked() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = client("127.0.0.1:0");
        for length in [16, 17, 16] {
            client.send_to(&vec![b'x'; length], server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(8, 16, 16);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 3);
        assert_eq!([0, 1, 2].map(|i| batch.truncated(i)), [false, true, false]);
        assert_eq!([0, 1, 2].map(|i| batch.received(i).len()), [16, 16, 16]);
    }

    #[test]
    fn nothing_there_is_no_error() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = Batch::new(8, 512, 512);
        assert_eq!(batch.receive(server.as_fd(), Wait::Never).unwrap(), 0);
        server.set_nonblocking(true).unwrap();
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 0);
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 0);
    }

    #[test]
    fn answers_are_chosen_one_by_one() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = client("127.0.0.1:0");
        for text in ["a", "b", "c"] {
            client.send_to(text.as_bytes(), server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(8, 512, 512);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 3);
        batch.received_and_answer(2).1[0] = b'C';
        batch.set_answer(2, 1);
        batch.set_answer(0, 1);
        batch.set_answer(0, 0);
        assert_eq!(batch.send(server.as_fd()).sent, 1);
        assert_eq!(text_from(&client).0, "C");
    }

    /// A datagram beyond what UDP can carry fails in the kernel; those around it must still go.
    #[test]
    fn an_answer_that_the_kernel_refuses_costs_no_other() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = client("127.0.0.1:0");
        for text in ["a", "b", "c"] {
            client.send_to(text.as_bytes(), server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(8, 512, 70_000);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 3);
        answer_in_capitals(&mut batch, 3);
        batch.set_answer(1, 70_000);
        let sent = batch.send(server.as_fd());
        assert_eq!((sent.sent, sent.dropped), (2, 1));
        assert_eq!(sent.error.unwrap().raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!([text_from(&client).0, text_from(&client).0], ["A", "C"]);
        let too_long = send_one(server.as_fd(), &[0; 70_000], client.local_addr().unwrap(), None);
        assert_eq!(too_long.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    }

    /// When the other side does not read, a local socket has no room, as UDP on a slow device.
    #[test]
    fn sending_without_room_ends_and_counts_what_was_dropped() {
        let (socket, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let mut outgoing = Outgoing::new(1024, 1);
        for i in 0..1024 {
            outgoing.set_length(i, 1);
        }
        let sent = outgoing.send(socket.as_fd());
        assert_eq!(sent.sent + sent.dropped, 1024);
        assert!(sent.dropped > 0, "the other side's queue has an end");
        assert_eq!(sent.error.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn connected_sockets_need_no_addresses() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = client("127.0.0.1:0");
        client.connect(server.local_addr().unwrap()).unwrap();
        let mut outgoing = Outgoing::new(4, 512);
        for i in 0..4 {
            outgoing.buffer(i)[0] = b'a' + i as u8;
            outgoing.set_length(i, 1);
        }
        assert_eq!(outgoing.send(client.as_fd()).sent, 4);
        let mut batch = Batch::new(4, 512, 512);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 4);
        answer_in_capitals(&mut batch, 4);
        assert_eq!(batch.send(server.as_fd()).sent, 4);
        let mut incoming = Incoming::connected(4, 512);
        assert_eq!(incoming.receive(client.as_fd(), Wait::ForOne).unwrap(), 4);
        assert_eq!([0, 1, 2, 3].map(|i| incoming.received(i)[0]), *b"ABCD");
        assert_eq!(incoming.peer(0), "0.0.0.0:0".parse().unwrap());
        assert_eq!(incoming.local(0), None);
    }

    /// A port that nobody listens on: the ICMP error of the first datagram is told to the next call.
    #[test]
    fn a_refused_connection_ends_neither_sending_nor_receiving() {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = client("127.0.0.1:0");
        client.connect(nobody).unwrap();
        let mut outgoing = Outgoing::new(3, 512);
        (0..3).for_each(|i| outgoing.set_length(i, 1));
        let sent = outgoing.send(client.as_fd());
        assert_eq!(sent.sent + sent.dropped, 3);
        let mut incoming = Incoming::connected(4, 512);
        let told = incoming.receive(client.as_fd(), Wait::Never);
        assert_eq!(told.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(incoming.receive(client.as_fd(), Wait::Never).unwrap(), 0);
    }

    #[test]
    #[should_panic(expected = "a datagram of 17 octets in a buffer of 16")]
    fn an_answer_cannot_be_longer_than_its_buffer() {
        Batch::new(1, 16, 16).set_answer(0, 17);
    }
}
