//! The system calls: all unsafe code of the project.
//!
//! Each function here takes ordinary references, makes the kernel's structures out of them, and
//! calls the kernel before it returns; so every pointer that the kernel follows comes from a borrow
//! that is still held. Callers can do no harm.
#![expect(
    unsafe_code,
    reason = "recvmmsg, sendmmsg and packet info have no safe wrapper: this is it"
)]

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::AddressFamily;

use super::envelope::{Address, Control, Envelope};
use super::{Sent, Wait};

/// The most messages that the kernel takes in one call (UIO_MAXIOV).
pub(super) const MESSAGES_MAX: usize = 1024;

/// Memory for the headers of a batch, which the kernel reads, and writes lengths and flags into.
pub(super) struct Headers {
    messages: Vec<libc::mmsghdr>,
    iovecs: Vec<libc::iovec>,
}

// SAFETY: the pointers in the headers are followed by the kernel alone, and only in calls before
// which all of them were made anew. What they held on another thread does not matter.
unsafe impl Send for Headers {}

/// A datagram to send.
pub(super) struct Message<'a> {
    pub(super) octets: &'a [u8],
    /// Where to; `None` on a connected socket.
    pub(super) peer: Option<&'a Address>,
    /// From which address; `None` leaves it to the kernel.
    pub(super) source: Option<&'a Control>,
}

impl Headers {
    /// Room for `count` headers.
    pub(super) fn new(count: usize) -> Self {
        Self { messages: vec![EMPTY_MESSAGE; count], iovecs: vec![EMPTY_IOVEC; count] }
    }

    /// What the last call to [`Headers::receive`] told of message `i`: its length, and whether it
    /// was longer than its buffer.
    #[inline]
    pub(super) fn received(&self, i: usize) -> (usize, bool) {
        let message = &self.messages[i];
        (message.msg_len as usize, message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0)
    }

    /// Receives into `buffers`, as many as there are headers at most, and says how many came.
    /// `envelopes` are as many as the buffers, or none on connected sockets.
    pub(super) fn receive<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        wait: Wait,
        buffers: impl Iterator<Item = &'a mut [u8]>,
        envelopes: &mut [Envelope],
    ) -> io::Result<usize> {
        let headers = self.messages.iter_mut().zip(&mut self.iovecs);
        let mut envelopes_left = envelopes.iter_mut();
        let mut count = 0;
        for ((message, iovec), buffer) in headers.zip(buffers) {
            let header = point_at(message, iovec, buffer.as_mut_ptr(), buffer.len());
            if let Some(envelope) = envelopes_left.next() {
                let (peer, control) = (envelope.peer.0.all(), envelope.control.0.all());
                header.msg_name = peer.as_mut_ptr().cast();
                header.msg_namelen = peer.len() as libc::socklen_t;
                header.msg_control = control.as_mut_ptr().cast();
                header.msg_controllen = control.len() as _;
            }
            count += 1;
        }
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::Never => libc::MSG_DONTWAIT,
        };
        // SAFETY: the first `count` headers were made above. Each points at its own iovec, the
        // iovec at its own buffer, and the header at its own envelope or at none, with their true
        // sizes. All of these are borrowed exclusively until this function returns (the buffers for
        // 'a, which is longer), and nothing here touches them between the loop and the call. A null
        // timeout is allowed.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.messages.as_mut_ptr(),
                count as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(result) else { return nothing_or_error() };
        for (message, envelope) in self.messages[..count].iter().zip(envelopes) {
            envelope.peer.0.set_length(message.msg_hdr.msg_namelen as usize);
            envelope.control.0.set_length(message.msg_hdr.msg_controllen as _);
        }
        Ok(count)
    }

    /// Sends `messages`, as many as there are headers at most; one that fails is passed over and
    /// counted. See [`ROOM_WAITS_MAX`] for how long that can take.
    pub(super) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        messages: impl Iterator<Item = Message<'a>>,
    ) -> Sent {
        send(socket, &mut self.messages, &mut self.iovecs, messages)
    }
}

/// Sends one datagram, without memory made before.
pub(super) fn send_one(socket: BorrowedFd<'_>, message: Message<'_>) -> Sent {
    send(socket, &mut [EMPTY_MESSAGE], &mut [EMPTY_IOVEC], std::iter::once(message))
}

fn send<'a>(
    socket: BorrowedFd<'_>,
    headers: &mut [libc::mmsghdr],
    iovecs: &mut [libc::iovec],
    messages: impl Iterator<Item = Message<'a>>,
) -> Sent {
    let mut count = 0;
    for ((header, iovec), message) in headers.iter_mut().zip(iovecs).zip(messages) {
        // The kernel only reads what these pointers point at: `cast_mut` is for C's sake.
        let octets = message.octets.as_ptr().cast_mut();
        let header = point_at(header, iovec, octets, message.octets.len());
        if let Some(peer) = message.peer {
            header.msg_name = peer.0.octets().as_ptr().cast_mut().cast();
            header.msg_namelen = peer.0.octets().len() as libc::socklen_t;
        }
        if let Some(source) = message.source {
            header.msg_control = source.0.octets().as_ptr().cast_mut().cast();
            header.msg_controllen = source.0.octets().len() as _;
        }
        count += 1;
    }
    // SAFETY: the first `count` headers were made above. Each points at its own iovec, which is
    // borrowed exclusively until this function returns, and through it or directly at slices that
    // stay borrowed for 'a, which is longer; every length is that of its slice.
    unsafe { transmit(socket, &mut headers[..count]) }
}

/// How often one call to send may wait for room in the socket's send buffer, or be interrupted.
///
/// Sending never waits in the kernel: when these are used up, what finds no room is dropped, since
/// queries are waiting to be received meanwhile.
const ROOM_WAITS_MAX: u32 = 8;

/// How long it waits for room each time.
const ROOM_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Sends all of `messages`.
///
/// # Safety
/// Every pointer in `messages` must be null or point at as much live memory as the length beside it
/// says, and must stay so until this returns.
unsafe fn transmit(socket: BorrowedFd<'_>, messages: &mut [libc::mmsghdr]) -> Sent {
    let mut sent = Sent::default();
    let mut retries = 0;
    let mut at = 0;
    // Every turn moves `at` on or uses up a retry.
    while at < messages.len() {
        let rest = &mut messages[at..];
        // SAFETY: the caller vouches for the headers, and `rest` is a live slice of this length.
        // The system call is made directly because musl's `sendmmsg` sends one message a call, to
        // clear the halves of lengths that the kernel takes to be 64 bits wide and POSIX does not;
        // those are padding here, and zero since `EMPTY_MESSAGE`.
        let result = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                rest.as_mut_ptr(),
                rest.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        if result > 0 {
            at += result as usize;
            sent.sent += result as usize;
            continue;
        }
        // The error is that of the first message of the rest: the kernel reports none behind it.
        let error = io::Error::last_os_error();
        if is_passing(&error) && retries < ROOM_WAITS_MAX {
            retries += 1;
            wait_for_room(socket);
            continue;
        }
        at += 1;
        sent.dropped += 1;
        sent.error = Some(error);
    }
    sent
}

/// Whether nothing came, or the socket has an error to tell.
#[cold]
fn nothing_or_error() -> io::Result<usize> {
    let error = io::Error::last_os_error();
    if is_passing(&error) { Ok(0) } else { Err(error) }
}

/// Whether the same call may succeed a moment later. ENOBUFS is not among them: it means that the
/// device's queue is full, and the socket does not tell when that ends.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn wait_for_room(socket: BorrowedFd<'_>) {
    // Whatever ends the wait, the next attempt to send tells what holds.
    let _ = poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::OUT)], Some(&ROOM_WAIT));
}

/// Makes the kernel tell the destination of each datagram, see [`super::enable_packet_info`].
pub(super) fn enable_packet_info(socket: BorrowedFd<'_>) -> io::Result<()> {
    let (level, option) = match rustix::net::sockopt::socket_domain(socket)? {
        AddressFamily::INET6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        _ => (libc::IPPROTO_IP, libc::IP_PKTINFO),
    };
    let on: libc::c_int = 1;
    // SAFETY: the value is a live int and its true size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes `message` one of a single buffer, without name and control messages.
#[inline]
fn point_at<'a>(
    message: &'a mut libc::mmsghdr,
    iovec: &mut libc::iovec,
    octets: *mut u8,
    length: usize,
) -> &'a mut libc::msghdr {
    iovec.iov_base = octets.cast();
    iovec.iov_len = length;
    let header = &mut message.msg_hdr;
    header.msg_iov = iovec;
    header.msg_iovlen = 1;
    header.msg_name = ptr::null_mut();
    header.msg_namelen = 0;
    header.msg_control = ptr::null_mut();
    header.msg_controllen = 0;
    header.msg_flags = 0;
    header
}

const EMPTY_IOVEC: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

// SAFETY: `mmsghdr` is a plain C structure of integers and pointers, for which zero is valid.
const EMPTY_MESSAGE: libc::mmsghdr = unsafe { mem::zeroed() };
