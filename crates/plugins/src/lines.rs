//! Lines on their way to standard output.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most octets that wait to be written. Whoever reads the log slower than it grows loses
/// lines, and never holds up an answer.
const WAITING_MAX: usize = 1 << 20;

/// Room for the line that says how many were lost.
const NOTICE: usize = 128;

/// A bounded buffer of lines, and the thread that writes them.
///
/// Writing a line is copying it under a lock that nobody holds while waiting for the reader. The
/// memory is asked for once; what is never filled is never touched.
pub struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    octets: Vec<u8>,
    /// Lines that were lost since the last one that was written.
    lost: u64,
    /// Whether the writer has taken lines that are not written yet.
    writing: bool,
    closed: bool,
}

impl Lines {
    /// A buffer without a writer, for tests and for commands that print themselves.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Waiting { octets: room(), ..Waiting::default() }),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        })
    }

    /// A buffer that a thread of its own writes to `out`.
    pub fn written_to(
        out: impl Write + Send + 'static,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let lines = Self::new();
        let writer = lines.clone();
        let thread = std::thread::Builder::new().name("log".into());
        let thread = thread.spawn(move || writer.write_all_to(out))?;
        Ok((lines, thread))
    }

    /// Queues a line (with its newline), or counts it as lost if a mebibyte waits already.
    pub fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.octets.len() + line.len() > WAITING_MAX {
            waiting.lost += 1;
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let was_empty = waiting.octets.is_empty();
        if waiting.lost > 0 {
            let lost = std::mem::take(&mut waiting.lost);
            let _ = writeln!(
                waiting.octets,
                "[WARNING] {lost} log lines were lost: the log is read too slowly, or cannot be written"
            );
        }
        waiting.octets.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.changed.notify_all();
        }
    }

    /// How many lines were lost.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until every line so far is written.
    #[cfg(test)]
    fn flush(&self) {
        let mut waiting = self.lock();
        while !waiting.closed && (waiting.writing || !waiting.octets.is_empty()) {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the writer end once everything is written, and waits for that, but no longer than
    /// `patience`: perhaps nobody will ever read the log.
    pub fn close(&self, patience: Duration) {
        let mut waiting = self.lock();
        waiting.closed = true;
        self.changed.notify_all();
        let is_writing = |waiting: &mut Waiting| waiting.writing || !waiting.octets.is_empty();
        let written = self.changed.wait_timeout_while(waiting, patience, is_writing);
        drop(written.unwrap_or_else(PoisonError::into_inner));
    }

    /// What waits, for tests.
    pub fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.lock().octets)).into_owned()
    }

    fn write_all_to(&self, mut out: impl Write) {
        let mut taken = room();
        let mut waiting = self.lock();
        loop {
            if waiting.octets.is_empty() {
                waiting.writing = false;
                self.changed.notify_all();
                if waiting.closed {
                    return;
                }
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.writing = true;
            std::mem::swap(&mut waiting.octets, &mut taken);
            drop(waiting);
            let written = out.write_all(&taken).and_then(|()| out.flush());
            let lines = taken.iter().filter(|octet| **octet == b'\n').count() as u64;
            taken.clear();
            waiting = self.lock();
            // A full disk, or a reader that is gone. How much was written before is not known.
            if written.is_err() {
                waiting.lost += lines;
                self.dropped.fetch_add(lines, Relaxed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room() -> Vec<u8> {
    Vec::with_capacity(WAITING_MAX + NOTICE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A reader that takes nothing until told.
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.send(octets.to_vec()).map_err(std::io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A disk that is full at first.
    struct Full(mpsc::Sender<Vec<u8>>, bool);

    impl Write for Full {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            if std::mem::take(&mut self.1) {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.send(octets.to_vec()).map_err(std::io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_as_lost() {
        let (sender, written) = mpsc::channel();
        let (lines, thread) = Lines::written_to(Full(sender, true)).unwrap();
        lines.push(b"first\n");
        lines.flush();
        assert_eq!(lines.dropped(), 1);
        lines.push(b"last\n");
        lines.close(Duration::from_secs(5));
        thread.join().unwrap();
        let text: Vec<u8> = written.iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("[WARNING] 1 log lines were lost") && text.ends_with("last\n"));
    }

    #[test]
    fn closing_does_not_wait_for_a_reader_that_never_reads() {
        let (_never, wait) = mpsc::channel();
        let (sender, _) = mpsc::channel();
        let (lines, _) = Lines::written_to(Slow(wait, sender)).unwrap();
        lines.push(b"unread\n");
        lines.close(Duration::from_millis(20));
    }

    #[test]
    fn a_slow_reader_loses_lines_and_is_told() {
        let (go, wait) = mpsc::channel();
        let (sender, written) = mpsc::channel();
        let (lines, thread) = Lines::written_to(Slow(wait, sender)).unwrap();
        lines.push(b"first\n");
        let line = [b'x'; 1024];
        for _ in 0..3 * 1024 {
            lines.push(&line); // more than fits; must not block
        }
        assert!(lines.dropped() >= 1024);
        drop(go); // the reader wakes up
        lines.flush();
        lines.push(b"last\n");
        lines.flush(); // not only when it is closed
        lines.close(Duration::from_secs(5));
        thread.join().unwrap();
        let text: Vec<u8> = written.iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("first\n"));
        assert!(text.contains("log lines were lost"));
        assert!(text.ends_with("last\n"));
    }
}
