//! A server under test: started on its own core, awaited, measured, stopped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::meter::Processes;

/// A running server. It is stopped when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Refers to the process itself, not to a number that another process could get.
    pidfd: OwnedFd,
    address: SocketAddr,
    log: PathBuf,
}

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);

/// How long it may take to end after SIGTERM.
const STOP_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// How long to wait before asking again a server that does not answer yet: the error of the time to
/// the first answer.
const ASK_EVERY: Duration = Duration::from_millis(1);

impl Server {
    /// Starts `command` on `cores.server` with its output in `log`.
    pub(crate) fn start(
        mut command: Command,
        address: SocketAddr,
        cores: &Cores,
        log: &Path,
    ) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = output.map_err(|error| format!("{}: {error}", log.display()))?;
        // A child has the affinity of the thread that starts it.
        let child = thread::scope(|scope| {
            let start = || {
                cores.move_to(cores.server)?;
                command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn()
            };
            let started = scope.spawn(start).join();
            started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let child = child.map_err(|error| format!("{program}: {error}"))?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| error.to_string())?;
        Ok(Self { child, pidfd, address, log: log.to_owned() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's processes, now.
    pub(crate) fn processes(&self) -> Processes {
        Processes::with_descendants(&[self.child.id()])
    }

    /// Asks `query` until `is_good` finds the answer good.
    pub(crate) fn wait_for_answer(
        &mut self,
        query: &[u8],
        is_good: impl Fn(&[u8]) -> bool,
    ) -> Result<(), String> {
        let socket = self.client().map_err(|error| error.to_string())?;
        let deadline = Instant::now() + START_MAX;
        let mut answer = [0; 4096];
        while Instant::now() < deadline {
            self.check_running()?;
            // Sending and receiving both fail as long as nobody listens.
            let received = socket.send(query).and_then(|_| socket.recv(&mut answer));
            match received {
                Ok(length) if is_good(&answer[..length]) => return Ok(()),
                _ => thread::sleep(ASK_EVERY),
            }
        }
        Err(format!("no good answer after {START_MAX:?}; {}", self.see_log()))
    }

    fn client(&self) -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(socket)
    }

    /// The server must not have ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the server ended, {status}; {}", self.see_log())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn see_log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last = text.lines().last().unwrap_or("");
        format!("see {}: {last}", self.log.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then the signal finds nobody and the poll returns at once.
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&STOP_MAX));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The two cores of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    server: usize,
    generator: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(crate) fn choose() -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| error.to_string())?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => {
                Err("a comparison needs two cores: one for the server, one for the load".to_owned())
            }
        }
    }

    /// Moves this thread, and those that it will start, to the generator's core.
    pub(crate) fn take_generator_core(&self) -> Result<(), String> {
        self.move_to(self.generator).map_err(|error| error.to_string())
    }

    fn move_to(&self, core: usize) -> std::io::Result<()> {
        let mut set = CpuSet::new();
        set.set(core);
        Ok(sched_setaffinity(None, &set)?)
    }
}

/// Finds ports that are free for UDP and TCP.
///
/// They are below those that the kernel gives to outgoing connections, so that none of the load's own
/// sockets takes one before its server does.
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;

    /// Processes begin at different ports.
    pub(crate) fn new() -> Self {
        let offset = std::process::id().wrapping_mul(97) % u32::from(Self::COUNT);
        Self { next: Self::FIRST + offset as u16 }
    }

    pub(crate) fn free(&mut self) -> Result<u16, String> {
        for _ in 0..Self::COUNT {
            let port = self.next;
            self.next = Self::FIRST + (port + 1 - Self::FIRST) % Self::COUNT;
            let address = (Ipv4Addr::LOCALHOST, port);
            if UdpSocket::bind(address).is_ok() && std::net::TcpListener::bind(address).is_ok() {
                return Ok(port);
            }
        }
        Err("no port between 20000 and 31999 is free".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(command: &str) -> Server {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        let core = (0..CpuSet::MAX_CPU).find(|core| sched_getaffinity(None).unwrap().is_set(*core));
        let cores = Cores { server: core.unwrap(), generator: core.unwrap() };
        let log =
            std::env::temp_dir().join(format!("bench-{}-{}", command.len(), std::process::id()));
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Server::start(shell, nobody, &cores, &log).unwrap()
    }

    #[test]
    fn a_server_that_ends_is_noticed_with_its_last_words() {
        let mut server = start("echo the port is taken >&2; exit 3");
        let error = server.wait_for_answer(&[0; 12], |_| true).unwrap_err();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.ends_with("the port is taken"), "{error}");
        fs::remove_file(&server.log).unwrap();
    }

    #[test]
    fn a_server_ends_with_its_handle() {
        let mut server = start("exec sleep 1000");
        server.check_running().unwrap();
        let pid = server.child.id();
        assert!(server.processes().pss_kib() > 0);
        fs::remove_file(&server.log).unwrap();
        drop(server);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn ports_are_free_and_differ() {
        let mut ports = Ports::new();
        let (first, second) = (ports.free().unwrap(), ports.free().unwrap());
        assert_ne!(first, second);
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let mut again = Ports { next: first };
        assert_ne!(again.free().unwrap(), first);
        drop(taken);
    }
}
