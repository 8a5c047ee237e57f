//! A folder with a configuration of several files, a directory for state, and a server on them.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::{PortBlock, Process, http, until};

/// How long anything may take until it is so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the server can do with the directory for state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Writable,
    Full,
    ReadOnly,
}

pub(crate) struct World {
    folder: TempDir,
    ports: PortBlock,
    client: Client,
    /// Whether the Corefile has `reload`.
    pub(crate) reload: &'static str,
}

/// Questions whose answers each come from another kind of file.
pub(crate) const SOURCES: [&str; 6] = ["corefile", "import", "hosts", "zone", "auto", "variable"];

impl World {
    /// Every file says version 1.
    pub(crate) fn new() -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
        let client = Client::new(ports.port(0));
        let world = Self { folder, ports, client, reload: "" };
        for directory in ["zones", "parts"] {
            fs::create_dir(world.path(directory)).unwrap();
        }
        world.write(1);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the configuration is kept.
    pub(crate) fn kept(&self) -> PathBuf {
        self.path("state/configuration/last-good")
    }

    /// The Corefile of a version. The zone file must be there.
    pub(crate) fn corefile(&self, version: u8) -> String {
        format!(
            ". {{\n    ready 127.0.0.1:{}\n    prometheus 127.0.0.1:{}\n    {}\n    \
             hosts hosts.txt {{\n        192.0.2.{version} corefile.test\n        \
             {{$VARIABLE}} variable.test\n        fallthrough\n        reload 20ms\n    }}\n    \
             auto {{\n        directory zones\n        reload 50ms\n    }}\n    \
             file db.zone zone.test {{\n        reload 0\n    }}\n}}\nimport parts/*.part\n",
            self.ports.port(1),
            self.ports.port(2),
            self.reload,
        )
    }

    /// Writes every file so that it says this version.
    pub(crate) fn write(&self, version: u8) {
        let soa = format!("@ 300 IN SOA ns a {version} 2 3 4 5\n@ 300 IN NS ns\n");
        let zone = format!("{soa}@ 300 IN A 192.0.2.{version}\n");
        let part = format!(
            "import.test {{\n    hosts {{\n        192.0.2.{version} import.test\n    }}\n}}\n"
        );
        for (name, text) in [
            ("hosts.txt", format!("192.0.2.{version} hosts.test\n")),
            ("db.zone", zone.clone()),
            ("zones/db.auto.test", zone),
            ("parts/one.part", part),
            ("Corefile", self.corefile(version)),
        ] {
            self.replace(name, &text);
        }
    }

    /// Mounts the Corefile of a version as the kubelet does: a new folder, and `..data` leads to it.
    pub(crate) fn mount(&self, version: u8) {
        self.replace("parts/one.part", "");
        let generation = format!("..{version}");
        fs::create_dir(self.path(&generation)).unwrap();
        let corefile = self.path(&generation).join("Corefile");
        fs::write(corefile, self.corefile(version)).unwrap();
        symlink(generation, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
        if version == 1 {
            fs::remove_file(self.path("Corefile")).unwrap();
            symlink("..data/Corefile", self.path("Corefile")).unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.ports.port(0)
    }

    /// Puts a file into the place of another.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    pub(crate) fn command(&self, version: u8, disk: Disk) -> Command {
        let mut command = Command::new("/bin/sh");
        command.current_dir(self.folder.path());
        // A file that may not grow is an error, and not the end of the process. Root may write
        // where nobody may, unless it gives that up.
        let full = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let read_only = "PATH=$PATH:/usr/bin:/bin
            [ `id -u` = 0 ] && exec setpriv --bounding-set=-dac_override \"$@\"; exec \"$@\"";
        let script = match disk {
            Disk::Writable => "exec \"$@\"",
            Disk::Full => full,
            Disk::ReadOnly => read_only,
        };
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_rutter")]);
        command.args(["-conf", "Corefile", "-dns.port", &self.ports.port(0).to_string()]);
        command.args(["-state-dir", "state", "-state-interval", "20ms"]);
        command.env("VARIABLE", format!("192.0.2.{version}"));
        command
    }

    /// Starts a server whose variable says this version.
    pub(crate) fn start(&self, version: u8) -> Process {
        Process::start(self.command(version, Disk::Writable)).unwrap()
    }

    /// Lets the directory be what `disk` says, as far as that is not for the process.
    pub(crate) fn prepare(&self, disk: Disk) {
        let is_read_only = disk == Disk::ReadOnly;
        let (directory, file) = if is_read_only { (0o500, 0o400) } else { (0o700, 0o600) };
        let state = self.path("state/configuration");
        fs::create_dir_all(&state).unwrap();
        for entry in fs::read_dir(&state).unwrap() {
            fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(file)).unwrap();
        }
        fs::set_permissions(&state, Permissions::from_mode(directory)).unwrap();
    }

    /// Leaves a kept configuration of this version, and nothing that runs.
    pub(crate) fn leave(&mut self, version: u8) {
        self.write(version);
        let process = self.start(version);
        self.soon(&process, "it serves", |world| world.serves(version));
        let kept = process.find_line(0, "…Kept the configuration…", Instant::now() + PATIENCE);
        assert!(kept.is_some() || self.kept().exists(), "{:#?}", process.lines());
    }

    /// Whether every kind of file says this version.
    pub(crate) fn serves(&mut self, version: u8) -> bool {
        SOURCES.iter().all(|source| self.says(source, version))
    }

    /// Whether one kind of file says this version.
    pub(crate) fn says(&mut self, source: &str, version: u8) -> bool {
        let reply = format!(";; NOERROR aa rd\n{source}.test. * IN A 192.0.2.{version}");
        let of_zone = format!("{reply}\n;; AUTHORITY\n…");
        let question = format!("{source}.test A");
        [reply, of_zone].iter().any(|reply| self.client.expect(&question, reply).is_ok())
    }

    /// Whether it is the server of nobody's Corefile, which tells clients who they are.
    pub(crate) fn is_whoami(&mut self) -> bool {
        self.client.expect("a.test A", ";; NOERROR aa rd\n;; ADDITIONAL\n…").is_ok()
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.page(1, "/ready").is_some_and(|text| text == "OK")
    }

    /// The value of a metric without labels, or with these.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let page = self.page(2, "/metrics")?;
        let mut samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        samples.find(|(name, _)| *name == series).and_then(|(_, value)| value.parse().ok())
    }

    /// `degraded`, whether the hashes are the same, and whether there is an age.
    pub(crate) fn status(&self) -> Option<(f64, bool, bool)> {
        let hash = |which| self.metric(&format!("rutter_config_{which}_hash"));
        let same = hash("active")? == hash("desired")?;
        let age = self.metric("rutter_config_kept_age_seconds").is_some();
        Some((self.metric("rutter_config_degraded")?, same, age))
    }

    fn page(&self, port: u16, path: &str) -> Option<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.port(port)));
        http::get(address, path).ok().map(|response| response.body)
    }

    /// Waits until something is so.
    pub(crate) fn soon(
        &mut self,
        process: &Process,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) {
        assert!(until(PATIENCE, || is_so(self)), "not so: {what}: {:#?}", process.lines());
    }
}
