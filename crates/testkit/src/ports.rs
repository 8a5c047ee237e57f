//! Ports that nobody else uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// The first port handed out: above what services like to sit on.
const FIRST: u16 = 10_240;
/// The port behind the last: below those that the kernel hands out by itself.
const END: u16 = 32_768;
/// Ports of a block.
const BLOCK: u16 = 16;
const BLOCKS: u32 = ((END - FIRST) / BLOCK) as u32;

/// Fifteen neighbouring ports for one scenario.
///
/// A server under test sets SO_REUSEPORT, so two of them could share a port without either being
/// told. So a block belongs to whoever holds its sixteenth port, which is bound without that
/// option: this works between processes too.
#[derive(Debug)]
pub struct PortBlock {
    first: u16,
    _guard: TcpListener,
}

impl PortBlock {
    /// A block whose ports are all free.
    pub fn take() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Processes begin at different places, so that they seldom try the same block.
        let begin = std::process::id().wrapping_mul(97);
        for _ in 0..BLOCKS {
            let block = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
            if let Some(block) = Self::try_take(FIRST + block as u16 * BLOCK) {
                return Ok(block);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no 16 neighbouring ports are free"))
    }

    fn try_take(first: u16) -> Option<Self> {
        let guard = TcpListener::bind((Ipv4Addr::UNSPECIFIED, first + BLOCK - 1)).ok()?;
        let free = |port: u16| {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
                && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        };
        (first..first + BLOCK - 1).all(free).then_some(Self { first, _guard: guard })
    }

    /// The port at `index`, which must be below 15.
    pub fn port(&self, index: u16) -> u16 {
        assert!(index < BLOCK - 1, "a block has 15 ports");
        self.first + index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn blocks_do_not_overlap_and_can_be_taken_again() {
        let blocks: Vec<PortBlock> = (0..20).map(|_| PortBlock::take().unwrap()).collect();
        let ports: HashSet<u16> = blocks.iter().map(|block| block.port(0)).collect();
        assert_eq!(ports.len(), 20);
        let first = blocks[0].port(0);
        assert!(PortBlock::try_take(first).is_none());
        drop(blocks);
        assert!(PortBlock::try_take(first).is_some());
    }
}
