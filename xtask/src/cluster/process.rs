//! A process that outlives the command that started it, known by a file with its id.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process of a folder. It may run or not.
pub(super) struct Process<'a> {
    pub(super) directory: &'a Path,
    /// Of its program, and of its files here.
    pub(super) name: &'a str,
}

/// How long a process may take to end after SIGTERM. An API server with watchers connected takes
/// ten seconds to see them off.
const GRACE: Timespec = Timespec { tv_sec: 15, tv_nsec: 0 };

/// How long after SIGKILL.
const KILLED_GRACE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

impl Process<'_> {
    /// Its output, of all times that it ran.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.name))
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join(format!("{}.pid", self.name))
    }

    /// Its id, if it runs. An id that belongs to another program by now does not count.
    pub(super) fn running(&self) -> Option<Pid> {
        let pid = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        // There is no such link for a process that has ended, whether or not it was waited for.
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let program = program.file_name()?.to_str()?.trim_end_matches(" (deleted)");
        if program == self.name { Pid::from_raw(pid) } else { None }
    }

    /// Starts it in a process group of its own, so that Ctrl-C ends only what it was meant for.
    pub(super) fn start(&self, mut command: Command) -> io::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn()?;
        fs::write(self.pid_file(), child.id().to_string())
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.running().ok_or(io::ErrorKind::NotFound)?;
        Ok(pidfd_send_signal(pidfd_open(pid, PidfdFlags::empty())?, signal)?)
    }

    /// Ends it: with SIGTERM and, after its grace, with SIGKILL.
    pub(super) fn stop(&self) -> io::Result<()> {
        self.end(&[(Signal::TERM, GRACE), (Signal::KILL, KILLED_GRACE)])
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.end(&[(Signal::KILL, KILLED_GRACE)])
    }

    /// Sends one signal after the other until it has ended, each with the time that it is given.
    fn end(&self, signals: &[(Signal, Timespec)]) -> io::Result<()> {
        if let Some(pid) = self.running() {
            // Refers to the process itself, not to an id that another process could get meanwhile.
            let process = pidfd_open(pid, PidfdFlags::empty())?;
            for (signal, grace) in signals {
                if self.running() != Some(pid) {
                    break;
                }
                pidfd_send_signal(&process, *signal)?;
                poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(grace))?;
            }
        }
        match fs::remove_file(self.pid_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("process-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_process_is_found_again_and_ends() {
        let directory = folder("sleep");
        let process = Process { directory: &directory, name: "sleep" };
        assert_eq!(process.running(), None);
        process.stop().unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000");
        process.start(command).unwrap();
        let again = Process { directory: &directory, name: "sleep" };
        let pid = again.running();
        assert!(pid.is_some());
        again.stop().unwrap();
        assert_eq!(process.running(), None);
        let mut command = Command::new("sleep");
        command.arg("1000");
        process.start(command).unwrap();
        process.kill().unwrap();
        assert_eq!(process.running(), None);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_id_of_another_program_is_left_alone() {
        let directory = folder("other");
        fs::write(directory.join("etcd.pid"), std::process::id().to_string()).unwrap();
        let process = Process { directory: &directory, name: "etcd" };
        assert_eq!(process.running(), None);
        process.stop().unwrap();
        assert!(!directory.join("etcd.pid").exists());
        fs::remove_dir_all(directory).unwrap();
    }
}
