//! `rutter demo`: a small company on loopback, and the questions that its machines and pods ask.

mod client;
mod story;

use crate::commands::serve::new_engine;
use crate::commands::{complain, read, stderr_has_colors};
use crate::engine::Engine;
use crate::settings::source::Source;
use plugins::lines::Lines;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use story::Story;
use tokio::signal::unix::{SignalKind, signal};

/// Serve examples/company on loopback, without a cluster, and ask it questions over UDP and TCP. Then
/// stay up to be asked by you.
#[derive(clap::Parser)]
struct Options {
    /// End once the questions are answered.
    #[arg(long)]
    once: bool,
}

/// The port that is tried first.
const PORT: u16 = 1053;
/// The ports of the Corefile for health and metrics.
const HEALTH: u16 = 18080;
const METRICS: u16 = 19153;

/// The files of `examples/company`.
const FILES: &[(&str, &str)] = &[
    ("Corefile", include_str!("../../../../../examples/company/Corefile")),
    ("company.db", include_str!("../../../../../examples/company/company.db")),
    (
        "manifests/my-nginx.yaml",
        include_str!("../../../../../examples/company/manifests/my-nginx.yaml"),
    ),
    (
        "manifests/billing.yaml",
        include_str!("../../../../../examples/company/manifests/billing.yaml"),
    ),
];

/// Serves the demo.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("demo", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    match demo(options.once) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("rutter demo: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn demo(once: bool) -> io::Result<ExitCode> {
    let port = free_port()?;
    let folder = Folder::new(port)?;
    std::env::set_current_dir(&folder.0)?; // file names in the Corefile are relative
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut engine = new_engine(Lines::new(), Arc::default(), runtime.handle(), port);
    let code = runtime.block_on(async {
        let Some(warnings) = start(&mut engine).await? else { return Ok(ExitCode::FAILURE) };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let story = Story { address, engine: &engine, folder: &folder.0 };
        story.introduce(&warnings);
        let told = tokio::task::block_in_place(|| story.tell());
        if let Err(error) = told {
            complain(&format!("rutter demo: {error}\n"));
            return Ok(ExitCode::FAILURE);
        }
        if !once {
            story.invite(beside(port, METRICS));
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                pressed = tokio::signal::ctrl_c() => pressed?,
                _ = terminate.recv() => {}
            }
        }
        engine.close().await;
        Ok::<_, io::Error>(ExitCode::SUCCESS)
    });
    drop(engine);
    runtime.shutdown_background();
    code
}

/// Serves the folder; what the Corefile's author should know, or none if it cannot be served.
async fn start(engine: &mut Engine) -> io::Result<Option<String>> {
    let built = engine.build(&Source::file("Corefile"))?;
    let text = built.mistakes.render(&built.sources, stderr_has_colors());
    let Some(assembly) = built.assembly else {
        complain(&text);
        return Ok(None);
    };
    if let Err(error) = engine.serve(assembly).await {
        complain(&format!("rutter demo: {error}\n"));
        return Ok(None);
    }
    Ok(Some(text))
}

/// The first port from 1053 on that is free for UDP and TCP.
fn free_port() -> io::Result<u16> {
    let free = |port: &u16| {
        let address = (Ipv4Addr::LOCALHOST, *port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    (PORT..PORT + 100).find(free).ok_or_else(|| io::Error::other("no port is free from 1053 on"))
}

/// A folder of its own with the example's files, for as long as this lives.
struct Folder(PathBuf);

impl Folder {
    fn new(port: u16) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("rutter-demo-{}", std::process::id()));
        std::fs::create_dir_all(path.join("manifests"))?;
        for (name, text) in FILES {
            let mut text = (*text).to_owned();
            for usual in [HEALTH, METRICS] {
                text = text.replace(&format!(":{usual}"), &format!(":{}", beside(port, usual)));
            }
            std::fs::write(path.join(name), text)?;
        }
        Ok(Self(path))
    }
}

/// The port that a demo on `port` has in place of `usual`: two of them do not share theirs.
fn beside(port: u16, usual: u16) -> u16 {
    usual + (port - PORT)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
