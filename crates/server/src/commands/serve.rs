//! `rutter [flags]`: serve, as CoreDNS does.

use crate::clock::SystemClock;
use crate::commands::{complain, print};
use crate::engine::Engine;
use crate::log::Log;
use crate::reload::{Outcome, Reloader, Trigger};
use crate::settings::flags::{Flags, STATE_INTERVAL, USAGE};
use crate::settings::source::Source;
use plugins::env::{Fatal, Process};
use plugins::lines::Lines;
use plugins::metrics::Registry;
use plugins::{COREDNS_VERSION, VERSION};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until told to stop.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let flags = match Flags::read(words.iter().cloned()) {
        Ok(flags) => flags,
        Err(bad) => {
            complain(&format!("{bad}\n{USAGE}"));
            return ExitCode::from(bad.exit_code());
        }
    };
    if flags.help {
        complain(USAGE);
    } else if flags.version {
        print(&version_lines());
    } else if flags.plugins {
        print(&plugin_lines());
    } else {
        return serve(&flags);
    }
    ExitCode::SUCCESS
}

/// How long the log's reader may take for the last lines.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

fn serve(flags: &Flags) -> ExitCode {
    let source = match Source::from_flag(flags.conf.as_deref()) {
        Ok(source) => source,
        Err(error) => return fail(&format!("loading Corefile via flag: {error}")),
    };
    let made = Lines::written_to(std::io::stdout()).and_then(|(lines, _writer)| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores())
            .thread_name("slow-lane")
            .enable_all()
            .build()?;
        Ok((lines, runtime))
    });
    let (lines, runtime) = match made {
        Ok(made) => made,
        Err(error) => return fail(&error.to_string()),
    };
    let debug = Arc::new(AtomicBool::new(false));
    // Nobody has set another one before.
    let _ = tracing::subscriber::set_global_default(Log::new(lines.clone(), debug.clone()));
    report_panics(lines.clone(), debug.clone());
    let mut engine = new_engine(lines.clone(), debug, runtime.handle(), flags.port);
    engine.process.state_dir.clone_from(&flags.state_dir);
    engine.process.state_interval = flags.state_interval;
    let code = runtime.block_on(serve_until_stopped(&mut engine, source, flags));
    drop(engine);
    // What is still waiting somewhere is not worth waiting for.
    runtime.shutdown_background();
    lines.close(LOG_PATIENCE);
    code
}

/// An engine that serves nothing yet.
pub(crate) fn new_engine(
    lines: Arc<Lines>,
    debug: Arc<AtomicBool>,
    runtime: &tokio::runtime::Handle,
    port: u16,
) -> Engine {
    let process = Process {
        clock: Arc::new(SystemClock::new()),
        metrics: Arc::new(Registry::new(2 * cores())),
        lines,
        version: VERSION,
        panics: Arc::default(),
        fatal: Arc::default(),
        serves: true,
        state_dir: None,
        state_interval: STATE_INTERVAL,
        rehearsal: None,
    };
    Engine::new(process, debug, runtime.clone(), cores(), port)
}

/// How many workers answer: the processors that this process may use, its cgroup's quota respected.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn serve_until_stopped(engine: &mut Engine, source: Source, flags: &Flags) -> ExitCode {
    let mut signals = match Signals::new(engine.process.fatal.clone()) {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("signals: {error}")),
    };
    let history = engine.situation.history.clone();
    let mut reloader = Reloader::new(source, &engine.process, history);
    let began = tokio::select! {
        began = reloader.begin(engine) => began,
        stop = signals.stop() => return stopped_early(stop),
    };
    let Ok(banner) = began else { return ExitCode::FAILURE };
    if engine.addresses().is_empty() {
        print(&version_lines());
        return ExitCode::SUCCESS;
    }
    reloader.announce(engine);
    if !flags.quiet {
        engine.process.lines.push(banner.as_bytes());
    }
    let pidfile = flags.pidfile.as_deref().and_then(Pidfile::write);
    let stop = run_until_signal(engine, &mut reloader, &mut signals).await;
    drop(pidfile);
    stop_serving(engine, stop, &mut signals).await
}

/// Reloads when told, or when the Corefile has changed, until a signal ends it.
async fn run_until_signal(
    engine: &mut Engine,
    reloader: &mut Reloader,
    signals: &mut Signals,
) -> Stop {
    loop {
        let trigger = tokio::select! {
            told = signals.next() => match told {
                Told::Stop(stop) => return stop,
                Told::Reload(name) => Trigger::Signal(name),
            },
            () = reloader.due(engine) => Trigger::Poll,
        };
        let outcome = tokio::select! {
            outcome = reloader.reload(engine, trigger) => outcome,
            stop = signals.stop() => return stop,
        };
        if let Outcome::Reloaded = outcome {
            reloader.announce(engine);
        }
    }
}

async fn stop_serving(engine: &mut Engine, stop: Stop, signals: &mut Signals) -> ExitCode {
    match stop {
        Stop::Fatal => return ExitCode::FAILURE,
        Stop::Quit => return quit(),
        Stop::Terminate => {
            tracing::info!(target: "rutter", "SIGTERM: Shutting down servers then terminating");
        }
        Stop::Interrupt => tracing::info!(target: "rutter", "SIGINT: Shutting down"),
    }
    engine.stop_being_ready();
    let lameduck = engine.parts().map_or(Duration::ZERO, |parts| parts.lameduck);
    let going = async {
        if !lameduck.is_zero() {
            tracing::info!(
                target: "plugin/health",
                "Going into lameduck mode for {}",
                plugins::go_duration(lameduck)
            );
            tokio::time::sleep(lameduck).await;
        }
        engine.close().await;
    };
    let hurried = async {
        loop {
            match signals.stop().await {
                Stop::Interrupt => {
                    tracing::info!(target: "rutter", "SIGINT: Force quit");
                    return ExitCode::from(2);
                }
                Stop::Quit => return quit(),
                Stop::Terminate | Stop::Fatal => {} // it is going
            }
        }
    };
    tokio::select! {
        () = going => ExitCode::SUCCESS,
        code = hurried => code,
    }
}

fn quit() -> ExitCode {
    tracing::info!(target: "rutter", "SIGQUIT: Quitting process immediately");
    ExitCode::SUCCESS
}

fn stopped_early(stop: Stop) -> ExitCode {
    if stop == Stop::Fatal { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// How the process is told to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Terminate,
    Interrupt,
    Quit,
    /// By a plugin, which has logged why.
    Fatal,
}

/// What a signal says, or a plugin.
enum Told {
    Stop(Stop),
    Reload(&'static str),
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    user1: tokio::signal::unix::Signal,
    user2: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    fatal: Arc<Fatal>,
    /// The signal that asked for a reload while only a stop was waited for.
    missed: Option<&'static str>,
}

impl Signals {
    fn new(fatal: Arc<Fatal>) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hangup: signal(SignalKind::hangup())?,
            fatal,
            missed: None,
        })
    }

    /// Waits for whatever comes next, or has come meanwhile.
    async fn next(&mut self) -> Told {
        match self.missed.take() {
            Some(name) => Told::Reload(name),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Told {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Told::Stop(Stop::Terminate),
                _ = self.interrupt.recv() => return Told::Stop(Stop::Interrupt),
                _ = self.quit.recv() => return Told::Stop(Stop::Quit),
                () = self.fatal.raised() => return Told::Stop(Stop::Fatal),
                _ = self.user1.recv() => return Told::Reload("SIGUSR1"),
                _ = self.hangup.recv() => return Told::Reload("SIGHUP"),
                _ = self.user2.recv() => tracing::warn!(
                    target: "rutter",
                    "SIGUSR2: this server does not replace its own binary; \
                     start the new one beside it, both can listen at once, then stop this one"
                ),
            }
        }
    }

    /// Waits for a signal to stop. A reload that is asked for meanwhile is told by the next
    /// [`Signals::next`]: the one that is under way may have read the Corefile before it changed.
    async fn stop(&mut self) -> Stop {
        loop {
            match self.receive().await {
                Told::Stop(stop) => return stop,
                Told::Reload(name) => self.missed = Some(name),
            }
        }
    }
}

/// The process id in a file, for as long as this lives.
struct Pidfile(PathBuf);

impl Pidfile {
    /// None if it cannot be written, which is logged and keeps nobody from serving.
    fn write(path: &Path) -> Option<Self> {
        match std::fs::write(path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                let path = path.display();
                tracing::error!(target: "rutter", "Could not write pidfile {path}: {error}");
                None
            }
        }
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A panic of a plugin costs one answer; with `debug` it ends the process, so that it is noticed.
fn report_panics(lines: Arc<Lines>, debug: Arc<AtomicBool>) {
    std::panic::set_hook(Box::new(move |info| {
        let text = info.to_string().replace('\n', " ");
        lines.push(format!("[ERROR] Recovered from panic in server: {text}\n").as_bytes());
        if debug.load(Ordering::Relaxed) {
            lines.close(LOG_PATIENCE);
            std::process::exit(2);
        }
    }));
}

/// A line for each zone and address, then what this is.
pub(crate) fn banner(servers: &[plugins::assemble::Server]) -> String {
    let mut text = String::new();
    for server in servers {
        let port = server.address.port();
        let on = match server.address.ip() {
            ip if ip.is_unspecified() => String::new(),
            ip => format!(" on {ip}"),
        };
        for zone in &server.zones {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{zone}:{port}{on}");
        }
    }
    text + &version_lines()
}

fn version_lines() -> String {
    let (os, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("Rutter-{VERSION}\n{os}/{machine}, in place of CoreDNS-{COREDNS_VERSION}\n")
}

fn plugin_lines() -> String {
    let mut names: Vec<_> = plugins::order::ORDER.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.join("\n") + "\n\n"
}

fn fail(text: &str) -> ExitCode {
    complain(&format!("{text}\n"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};
    use std::time::Duration;

    #[tokio::test]
    async fn a_reload_that_is_asked_for_during_another_is_not_forgotten() {
        let mut signals = Signals::new(Arc::default()).unwrap();
        for _ in 0..2 {
            kill_process(getpid(), Signal::HUP).unwrap();
            let reloading = tokio::time::timeout(Duration::from_millis(200), signals.stop());
            assert!(reloading.await.is_err(), "nobody wants it to stop");
        }
        let soon = Duration::from_millis(200);
        let told = tokio::time::timeout(soon, signals.next()).await;
        assert!(matches!(told, Ok(Told::Reload("SIGHUP"))));
        assert!(tokio::time::timeout(soon, signals.next()).await.is_err(), "once is enough");
    }
}
