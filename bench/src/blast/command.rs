//! `bench blast`: the load generator by itself.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fs, io};

use super::{Load, Pace, Transport};
use crate::arguments::Arguments;
use crate::meter::Processes;
use crate::queries::{Queries, QueryOptions};

/// What `bench blast` can be told.
pub(crate) const USAGE: &str = "\
bench blast --server ADDRESS:PORT --queries FILE [OPTION...]

Asks a server on a loopback address and checks every answer.

  --server ADDRESS:PORT   the server
  --queries FILE          lines of `NAME [TYPE]`, asked at random
  --once                  ask each query once, in order, then stop; --seconds limits it
  --seconds S             measure for this long (5)
  --warm-up S             ask for this long before, uncounted (1)
  --tcp                   over TCP instead of UDP
  --connections N         sockets, or TCP connections (8)
  --outstanding N         keep this many queries on their way, over all connections (128)
  --rate N                ask N queries a second instead, however the server does
  --batch N               at most this many queries in one system call (32)
  --timeout MS            a query without an answer for this long is lost (1000)
  --edns SIZE             the UDP size told with each query; 0 for none (1232)
  --rd                    set the flag RD
  --seed N                of the random order (1)
  --pid PID               report the CPU time of this process and all that it started; repeatable
  --json                  print the result as JSON";

struct Options {
    server: Option<SocketAddr>,
    queries: Option<String>,
    load: Load,
    outstanding: usize,
    query: QueryOptions,
    pids: Vec<u32>,
    json: bool,
}

/// Runs the command and gives what it prints.
pub(crate) fn run(arguments: Arguments) -> Result<String, String> {
    let options = Options::read(arguments)?;
    let (Some(server), Some(path)) = (options.server, &options.queries) else {
        return Err(USAGE.to_owned());
    };
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let queries =
        Queries::read(&text, options.query).map_err(|error| format!("{path}: {error}"))?;
    let processes = match options.pids[..] {
        [] => Processes::default(),
        ref pids => Processes::with_descendants(pids),
    };
    let load = Load { server, processes, ..options.load };
    let report = super::run(&load, &queries).map_err(|error: io::Error| error.to_string())?;
    Ok(if options.json { report.json().to_string() } else { report.to_string() })
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(word) = arguments.next() {
            options.read_option(&word, &mut arguments)?;
        }
        if let Pace::Outstanding(_) = options.load.pace {
            options.load.pace = Pace::Outstanding(options.outstanding);
        }
        Ok(options)
    }

    fn read_option(&mut self, word: &str, arguments: &mut Arguments) -> Result<(), String> {
        let load = &mut self.load;
        match word {
            "--server" => self.server = Some(arguments.value(word)?),
            "--queries" => self.queries = Some(arguments.value(word)?),
            "--once" => load.once = true,
            "--seconds" => load.measured = seconds(arguments, word)?,
            "--warm-up" => load.warm_up = seconds(arguments, word)?,
            "--tcp" => load.transport = Transport::Tcp,
            "--connections" => load.connections = arguments.value_within(word, (1, 4096))?,
            "--outstanding" => self.outstanding = arguments.value_within(word, (1, 1_000_000))?,
            "--rate" => load.pace = Pace::PerSecond(arguments.value_within(word, (1.0, 1e7))?),
            "--batch" => load.batch = arguments.value_within(word, (1, 1024))?,
            "--timeout" => load.timeout = Duration::from_millis(arguments.value(word)?),
            "--edns" => {
                let size = arguments.value(word)?;
                self.query.edns_size = (size > 0).then_some(size);
            }
            "--rd" => self.query.recursion_desired = true,
            "--seed" => load.seed = arguments.value(word)?,
            "--pid" => self.pids.push(arguments.value(word)?),
            "--json" => self.json = true,
            _ => return Err(format!("`{word}` is no option of `bench blast`\n\n{USAGE}")),
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        let query = QueryOptions { edns_size: Some(1232), recursion_desired: false };
        Self {
            server: None,
            queries: None,
            load: Load::default(),
            outstanding: 128,
            query,
            pids: Vec::new(),
            json: false,
        }
    }
}

fn seconds(arguments: &mut Arguments, option: &str) -> Result<Duration, String> {
    arguments.value_within(option, (0.0, 86_400.0)).map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;

    use super::*;

    fn blast(text: &str) -> Result<String, String> {
        run(Arguments::new(text.split_ascii_whitespace().map(str::to_owned)))
    }

    /// A file of queries that is deleted in the end.
    struct QueriesFile(std::path::PathBuf);

    impl QueriesFile {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bench-{name}-{}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for QueriesFile {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn echo() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || crate::echo::serve(&socket, 32));
        address
    }

    #[test]
    fn an_echo_answers_every_query() {
        let names = (0..100).map(|i| format!("host-{i:02}.example.org A\n")).collect::<String>();
        let (file, server) = (QueriesFile::new("closed", &names), echo());
        let path = file.0.display();
        let pid = std::process::id();
        let text = blast(&format!(
            "--server {server} --queries {path} --seconds 0.2 --warm-up 0.05 --timeout 5000 --pid {pid} --json"
        ));
        let report: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert!(report["answers"].as_u64().unwrap() > 100, "{report}");
        assert_eq!(report["kinds"]["empty"], report["answers"], "{report}");
        for none in ["lost", "bad", "unexpected", "cut", "reconnects"] {
            assert_eq!(report[none], 0, "{none}: {report}");
        }
        assert!(report["latency_us"]["p50"].as_f64().unwrap() > 0.0);
        assert!(report["server_us_per_answer"].as_f64().unwrap() > 0.0);
        assert_eq!(report["mean_octets"], 12.0 + 21.0 + 4.0 + 11.0);

        let text = blast(&format!("--server {server} --queries {path} --once --timeout 5000"));
        assert!(text.unwrap().contains("100 sent, 0 lost"));
    }

    #[test]
    fn an_open_loop_keeps_its_rate() {
        let (file, server) = (QueriesFile::new("open", "www.example.org\n"), echo());
        let path = file.0.display();
        let text = blast(&format!(
            "--server {server} --queries {path} --rate 2000 --seconds 0.5 --warm-up 0 --timeout 5000 --json"
        ));
        let report: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert_eq!(report["sent"], 1001, "the first is due at once: {report}");
        assert_eq!(report["lost"], 0, "{report}");
    }

    #[test]
    fn silence_is_counted_as_lost() {
        let (file, silent) =
            (QueriesFile::new("lost", "a\nb\nc\n"), UdpSocket::bind("127.0.0.1:0"));
        let (path, server) = (file.0.display(), silent.as_ref().unwrap().local_addr().unwrap());
        let text = blast(&format!("--server {server} --queries {path} --once --timeout 20"));
        assert!(text.as_ref().unwrap().contains("3 sent, 3 lost"), "{text:?}");
    }

    #[test]
    fn mistakes_are_explained() {
        assert_eq!(blast("").unwrap_err(), USAGE);
        assert!(blast("--sever 127.0.0.1:53").unwrap_err().starts_with("`--sever` is no option"));
        let file = QueriesFile::new("mistake", "www.example.org\n");
        let path = file.0.display();
        let error = blast(&format!("--server 192.0.2.1:53 --queries {path}")).unwrap_err();
        assert_eq!(error, "192.0.2.1 is no loopback address: only those may be loaded");
    }
}
