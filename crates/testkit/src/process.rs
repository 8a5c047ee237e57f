//! A server process and what it writes.

use crate::scenario::pattern;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines that are kept of what a server writes; later ones are read and dropped.
const LINES_MAX: usize = 20_000;
/// How often it is looked whether a process has ended: nothing else tells.
const PAUSE: Duration = Duration::from_millis(5);
/// How long after its first answer a server may take until it listens for signals. CoreDNS begins
/// to beside everything else that it does at its start, and nothing tells that it has.
const SETTLED: Duration = Duration::from_millis(400);
/// How long what an ended process has written may take to arrive.
const DRAIN: Duration = Duration::from_secs(1);

/// A running server; it is killed when this is dropped.
pub struct Process {
    child: Child,
    /// When it was seen to answer, or was started.
    since: Instant,
    output: Arc<Output>,
}

/// What a server has written so far.
#[derive(Default)]
struct Output {
    written: Mutex<Written>,
    grown: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<Line>,
    /// Streams that have ended.
    ended: usize,
}

#[derive(Clone)]
struct Line {
    text: String,
    is_error: bool,
}

impl Process {
    /// Starts a command and collects what it writes.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Arc::new(Output::default());
        if let Some(stream) = child.stdout.take() {
            collect(stream, false, &output);
        }
        if let Some(stream) = child.stderr.take() {
            collect(stream, true, &output);
        }
        Ok(Self { child, since: Instant::now(), output })
    }

    /// Notes that it answers from now on.
    pub fn has_answered(&mut self) {
        self.since = Instant::now();
    }

    /// Sends a signal, but not to a process that has answered for less than `SETTLED`.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        std::thread::sleep(SETTLED.saturating_sub(self.since.elapsed()));
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the process ends before the deadline; then all it wrote has been read.
    pub fn wait(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.output.drain(deadline.max(Instant::now() + DRAIN));
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Where the first line from `from` on is that fits, waiting for it until the deadline.
    pub fn find_line(&self, from: usize, wanted: &str, deadline: Instant) -> Option<usize> {
        let mut written = self.output.lock();
        loop {
            let mut lines = written.lines.iter().skip(from);
            let found = lines.position(|line| pattern::fits(wanted, &line.text));
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() {
                return found.map(|at| from + at);
            }
            let waited = self.output.grown.wait_timeout(written, left);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What it wrote to stderr.
    pub fn errors(&self) -> Vec<String> {
        let written = self.output.lock();
        written.lines.iter().filter(|line| line.is_error).map(|line| line.text.clone()).collect()
    }

    /// Everything that it wrote.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().lines.iter().map(|line| line.text.clone()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until both streams have ended. A process that was started by the server may hold them
    /// open longer than the server lives, so there is a deadline.
    fn drain(&self, deadline: Instant) {
        let mut written = self.lock();
        while written.ended < 2 && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited = self.grown.wait_timeout(written, left);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn collect(stream: impl Read + Send + 'static, is_error: bool, output: &Arc<Output>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut written = output.lock();
            if written.lines.len() < LINES_MAX {
                written.lines.push(Line { text, is_error });
            }
            drop(written);
            output.grown.notify_all();
        }
        output.lock().ended += 1;
        output.grown.notify_all();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("PORT", "1");
        Process::start(command).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn output_and_exit() {
        let mut process = shell("echo one; echo two $PORT; echo bad >&2; exit 3");
        assert_eq!(process.wait(soon()).unwrap().unwrap().code(), Some(3));
        assert_eq!(process.errors(), ["bad"]);
        assert_eq!(process.lines().len(), 3);
        let at = process.find_line(0, "two …", soon()).unwrap();
        assert_eq!(process.find_line(at + 1, "two …", Instant::now()), None);
        assert!(process.has_ended());
    }

    #[test]
    fn signals_reach_it_and_lines_are_awaited() {
        let mut process =
            shell("trap 'echo got it; exit 0' USR1; echo up; while :; do sleep 0.01; done");
        assert!(process.find_line(0, "up", soon()).is_some());
        assert!(!process.has_ended());
        process.signal(Signal::USR1).unwrap();
        assert!(process.find_line(0, "got it", soon()).is_some());
        assert!(process.wait(soon()).unwrap().unwrap().success());
    }
}
