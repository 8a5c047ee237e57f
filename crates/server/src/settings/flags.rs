//! The command line, in the syntax of Go's `flag` package: `-x v`, `-x=v`, `--x v`, `--x=v`.
//!
//! CoreDNS is started with it in every manifest, so it stays: same names, same exit codes.

use corefile::kind::{Kind, duration};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How often state is written where nothing else is said.
pub(crate) const STATE_INTERVAL: Duration = Duration::from_secs(30);

/// What the process is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Where the Corefile is (`-conf`); `stdin` reads standard input.
    pub conf: Option<String>,
    /// The port of `dns://` keys without one (`-dns.port`, `-p`).
    pub port: u16,
    /// Where to write the process id (`-pidfile`).
    pub pidfile: Option<PathBuf>,
    /// Where what is known of clusters, and the configuration that serves, is kept for the next start
    /// (`-state-dir`).
    pub state_dir: Option<PathBuf>,
    /// How often, at most, it is written (`-state-interval`).
    pub state_interval: Duration,
    /// Print the directives and end.
    pub plugins: bool,
    /// Print the version and end.
    pub version: bool,
    /// No banner.
    pub quiet: bool,
    /// Print the usage and end.
    pub help: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            conf: None,
            port: 53,
            pidfile: None,
            state_dir: None,
            state_interval: STATE_INTERVAL,
            plugins: false,
            version: false,
            quiet: false,
            help: false,
        }
    }
}

/// Why a command line is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFlags {
    /// A flag that does not exist; exit code 2.
    Unknown(String),
    /// A flag without its value; exit code 2.
    NoValue(String),
    /// A value that cannot be used; exit code 2.
    BadValue {
        /// The flag.
        flag: String,
        /// The value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Words that are no flags; exit code 1.
    Extra(Vec<String>),
}

impl BadFlags {
    /// The code that the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        if matches!(self, Self::Extra(_)) { 1 } else { 2 }
    }
}

impl fmt::Display for BadFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(flag) => write!(f, "flag provided but not defined: -{flag}"),
            Self::NoValue(flag) => write!(f, "flag needs an argument: -{flag}"),
            Self::BadValue { flag, value, expected } => {
                write!(f, "invalid value \"{value}\" for flag -{flag}: expected {expected}")
            }
            Self::Extra(words) => {
                write!(f, "extra command line arguments: [{}]", words.join(" "))
            }
        }
    }
}

/// What each flag is for, as the usage shows it.
pub(crate) const USAGE: &str = "\
Usage: rutter [flags]            serve, as CoreDNS does
       rutter check [FILE]       find every mistake of a Corefile, without serving
       rutter explain NAME       say why a name gets the answer that it gets
       rutter plan OLD NEW       tell which answers change from one Corefile to another
       rutter compare --with ADDRESS NEW
                                 tell whether a running server and a Corefile answer alike
       rutter fmt [FILES]        lay out Corefiles
       rutter migrate [FILE]     put the Corefile of an older CoreDNS into today's words
       rutter status             say how the server that runs here is
       rutter demo [--once]      serve a small company on loopback and ask it questions

  -conf FILE       Corefile to load; `stdin` reads standard input (default ./Corefile if it exists)
  -dns.port PORT   default port (default 53)
  -p PORT          the same
  -pidfile FILE    write the process id here
  -state-dir DIR   keep what is known of Kubernetes and the configuration that serves here, to answer
                   after a restart without the API, or on a Corefile that is broken
  -state-interval DURATION
                   write there this often, at most (default 30s)
  -plugins         list the directives and exit
  -quiet           no banner
  -version         show the version and exit
";

impl Flags {
    /// Reads the words behind the program's name.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, BadFlags> {
        let mut flags = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                break; // no flag stands behind it
            }
            let Some((name, value)) = split(&word) else {
                return Err(BadFlags::Extra(std::iter::once(word).chain(words).collect()));
            };
            flags.set(name, value, &mut words)?;
        }
        let extra: Vec<_> = words.collect();
        if extra.is_empty() { Ok(flags) } else { Err(BadFlags::Extra(extra)) }
    }

    fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), BadFlags> {
        let mut text = || {
            value.map(str::to_owned).or_else(|| words.next()).ok_or(BadFlags::NoValue(name.into()))
        };
        match name {
            "conf" => self.conf = Some(text()?),
            "pidfile" => self.pidfile = Some(text()?.into()),
            "state-dir" => self.state_dir = Some(text()?.into()),
            "state-interval" => self.state_interval = interval(name, text()?)?,
            "dns.port" | "p" => self.port = port(name, text()?)?,
            "plugins" => self.plugins = switch(name, value)?,
            "version" => self.version = switch(name, value)?,
            "quiet" => self.quiet = switch(name, value)?,
            "h" | "help" => self.help = true,
            _ => return Err(BadFlags::Unknown(name.into())),
        }
        Ok(())
    }
}

/// The name and, behind `=`, the value of a flag; none for a word that is no flag.
fn split(word: &str) -> Option<(&str, Option<&str>)> {
    let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    (!name.is_empty()).then_some((name, value))
}

fn port(flag: &str, value: String) -> Result<u16, BadFlags> {
    let expected = "a port between 1 and 65535";
    match value.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(BadFlags::BadValue { flag: flag.into(), value, expected }),
    }
}

fn interval(flag: &str, value: String) -> Result<Duration, BadFlags> {
    let expected = "a duration between 10ms and 1h, such as 30s";
    let range = Duration::from_millis(10)..=Duration::from_secs(3600);
    let read = duration(range).read(&value);
    read.map_err(|_| BadFlags::BadValue { flag: flag.into(), value, expected })
}

fn switch(flag: &str, value: Option<&str>) -> Result<bool, BadFlags> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(value) => Err(BadFlags::BadValue {
            flag: flag.into(),
            value: value.into(),
            expected: "true or false",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Flags, BadFlags> {
        Flags::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_form_of_a_flag() {
        for line in ["-conf F -dns.port 1053", "--conf=F -p=1053", "-p 1053 --conf F"] {
            let flags = read(line).unwrap();
            assert_eq!((flags.conf.as_deref(), flags.port), (Some("F"), 1053), "{line}");
        }
        let flags = read("-quiet=false -plugins -version=true").unwrap();
        assert!(!flags.quiet && flags.plugins && flags.version);
        let flags = read("-state-dir /var/lib/rutter --state-interval=1m30s").unwrap();
        assert_eq!(flags.state_dir, Some("/var/lib/rutter".into()));
        assert_eq!(flags.state_interval, Duration::from_secs(90));
    }

    #[test]
    fn what_is_refused_and_how_the_process_ends() {
        for (line, code) in [
            ("-x", 2),
            ("-conf", 2),
            ("-state-dir", 2),
            ("-state-interval 30", 2),
            ("-state-interval 0s", 2),
            ("-p 0", 2),
            ("-quiet=x", 2),
            ("a", 1),
            ("-quiet a b", 1),
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), code, "{line}");
        }
        assert_eq!(read("-- -quiet"), Err(BadFlags::Extra(vec!["-quiet".into()])));
        assert_eq!(read("--"), Ok(Flags::default()));
    }
}
