//! `rutter compare --with ADDRESS NEW`: whether a running server and a Corefile answer alike.

use crate::commands::plan::{Common, Stop, source, with_runtime};
use crate::commands::read;
use crate::plan::outcome::End;
use crate::plan::questions::Questions;
use crate::plan::rehearsal::Rehearsal;
use crate::plan::remote::Remote;
use crate::plan::trial::{Side, Trial};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use wire::{Name, RecordType};

/// How long the running server may take for one try.
const TRY: Duration = Duration::from_secs(3);
/// How often a question is sent to it in all.
const TRIES: u32 = 3;

/// Ask a running server, of any make, and a Corefile that is built here the same questions, and tell
/// which answers differ: the proof before one takes the place of the other.
///
/// Neither the order of records nor their TTLs count. What the Corefile hands on to other servers is
/// really asked, unless --offline is given.
///
/// Exit code 0: done. 1: answers differ and --expect-none is given, or the Corefile cannot serve;
/// every mistake is shown. 2: the command line is wrong. 3: the server, or the API server, could not
/// be reached.
#[derive(clap::Parser)]
struct Options {
    /// The running server: an address, perhaps with a port.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address)]
    with: SocketAddr,
    /// Send nothing to the servers that the Corefile forwards to; such names are not compared.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    common: Common,
    /// The Corefile; `-` is standard input.
    new: String,
    /// Questions to ask too: names, each perhaps with a type behind it.
    #[arg(value_name = "QUESTIONS")]
    words: Vec<String>,
}

/// Tells which answers differ.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("compare", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    with_runtime("compare", async |runtime| compare(&options, runtime).await)
}

async fn compare(options: &Options, runtime: Handle) -> Result<ExitCode, Stop> {
    let common = &options.common;
    common.share_stdin(&[&options.new])?;
    let stage = common.stage(runtime, !options.offline)?;
    let questions = common.named(&options.words)?;
    let new = Rehearsal::new(&source(&options.new)?, &stage).await;
    let new = new.map_err(|refusal| Stop::Refused(vec![refusal]))?;
    let listener = counterpart(&new, options.with)?;
    let old = Remote { address: options.with, timeout: TRY, tries: TRIES };
    is_there(&old).await?;
    let questions = common.generated(questions, &[&new]);
    let trial = Trial {
        old: Side::There(Arc::new(old)),
        new: Side::Here(Arc::new(new)),
        questions,
        client: common.client(),
        heed: common.heed(),
        follows: common.follows(),
        listener: Some(listener),
        rate: common.rate,
    };
    Ok(common.tell(&trial.run().await))
}

/// The listener that stands for the running server: that with its address, or with its port, or
/// the only one.
fn counterpart(new: &Rehearsal, with: SocketAddr) -> Result<SocketAddr, Stop> {
    let addresses: Vec<_> = new.addresses().collect();
    let same = addresses.iter().find(|address| **address == with);
    let same = same.or_else(|| addresses.iter().find(|address| address.port() == with.port()));
    match (same, addresses.as_slice()) {
        (Some(address), _) | (None, [address]) => Ok(*address),
        (None, listeners) => {
            let ports: Vec<_> =
                listeners.iter().map(|address| address.port().to_string()).collect();
            Err(Stop::Usage(format!(
                "{} listens on the ports {}, none of which is that of {with}: \
                 say with `-p` what port keys without one have",
                new.name(),
                ports.join(", ")
            )))
        }
    }
}

/// Whether the server answers at all, whatever it says.
async fn is_there(old: &Remote) -> Result<(), Stop> {
    let mut probe = Questions::new(1);
    probe.add(Name::ROOT, RecordType::NS);
    let Some(asked) = probe.get(0) else { return Ok(()) };
    match old.ask(asked, Default::default()).await.end {
        End::Silent(why) => {
            Err(Stop::Unreachable(format!("{} does not answer: {why}", old.address)))
        }
        _ => Ok(()),
    }
}

/// An address, with the port of DNS if it has none.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match (text.parse(), bare.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(address),
        (_, Ok(ip)) => Ok(SocketAddr::from((ip, 53))),
        _ => Err("expected an address such as `10.96.0.10` or `[fd00::10]:5353`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, expected) in [
            ("10.96.0.10", "10.96.0.10:53"),
            ("10.96.0.10:5353", "10.96.0.10:5353"),
            ("fd00::10", "[fd00::10]:53"),
            ("[fd00::10]", "[fd00::10]:53"),
            ("[fd00::10]:5353", "[fd00::10]:5353"),
        ] {
            assert_eq!(address(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
        assert!(address("coredns").is_err() && address("10.0.0.1:x").is_err());
    }
}
