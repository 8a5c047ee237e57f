//! `hosts`: answers from `/etc/hosts` and from lines of the Corefile.
//!
//! Names that are listed are answered for every type, so that no other source can contradict: a
//! type that is not there is NODATA. Start with [`Hosts::query`]; the data are in [`table`].

mod config;
mod table;

use crate::directive::{Built, Directive};
use crate::env::{Env, Tasks};
use crate::files::{Content, Files};
use crate::metrics::{Gauge, labels};
use crate::stamp::Stamp;
use crate::zones::Zones;
use arc_swap::ArcSwap;
use chain::{Exchange, Failure, Plugin, Step};
use config::Config;
use corefile::{Accepted, Block, Mistakes};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use table::{Builder, Table};
use tokio::runtime::Handle;
use wire::{Name, NameBuf, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct Hosts {
    zones: Zones,
    source: Arc<Source>,
    ttl: u32,
    fallthrough: Option<Zones>,
    fallthrough_unsupported: bool,
}

impl Directive for Hosts {
    const NAME: &'static str = "hosts";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let path = env.path(&config.file);
        let Config { zones, inline, reverse, .. } = &config;
        let files = env.files();
        let followed = !config.reload.is_zero() && files.can_change();
        let origin = files.origin();
        let key = format!("{origin} {path:?} {zones:?} {inline:?} {reverse} {followed}");
        let metrics = Metrics::new(env, &path.display().to_string());
        let source = env.keep(key, || Source::new(path.clone(), &config, metrics));
        if let Err(error) = source.load(&files) {
            let path = path.display();
            let warning = match error.kind() {
                io::ErrorKind::NotFound => format!("File does not exist: {path}"),
                _ => format!("File cannot be read: {path}: {error}"),
            };
            env.warn("hosts", warning);
        }
        if followed {
            let (watched, every) = (source.clone(), config.reload);
            env.on_start(move |runtime| watched.watch(runtime, every, files));
        }
        Ok(Some(Box::new(Self {
            zones: Zones::new(&config.zones),
            source,
            ttl: config.ttl,
            fallthrough: config.fallthrough.as_deref().map(Zones::new),
            fallthrough_unsupported: config.fallthrough_unsupported,
        })))
    }
}

impl Plugin for Hosts {
    fn query(&self, x: &mut Exchange) -> Step {
        let name = x.question.name();
        let table = self.source.table.load();
        if x.question.rtype == RecordType::PTR
            && let Some(address) = wire::reverse::address(name)
        {
            return self.answer_reverse(x, &table, address);
        }
        if !self.zones.cover(name) {
            x.note(|| "is about other zones".to_owned());
            return Step::Next;
        }
        let Some(addresses) = table.addresses(name) else {
            return self.unknown(x);
        };
        match x.question.rtype {
            RecordType::A => {
                for ip in addresses.v4 {
                    x.reply.body.push(Section::Answer, name, self.ttl, RecordType::A, ip);
                }
            }
            RecordType::AAAA => {
                for ip in addresses.v6 {
                    x.reply.body.push(Section::Answer, name, self.ttl, RecordType::AAAA, ip);
                }
            }
            // The name is ours, and so is every type of it (NODATA; there is no zone and no SOA).
            _ if self.fallthrough_unsupported => return Step::Next,
            _ => {}
        }
        x.note(|| match x.reply.body.answer.len() {
            0 => format!("has the name, but no {} for it", x.question.rtype),
            _ => "has the name".to_owned(),
        });
        x.authoritative();
        Step::Done
    }

    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        for name in self.source.table.load().all_names() {
            show(name, RecordType::A);
        }
    }
}

impl Hosts {
    /// Names of an address are asked for under names that need not be in the zones; what is not
    /// here is somebody else's.
    fn answer_reverse(&self, x: &mut Exchange, table: &Table, address: IpAddr) -> Step {
        let owner = x.question.name();
        for name in table.names(address) {
            x.reply.body.push_name(Section::Answer, owner, self.ttl, RecordType::PTR, name);
        }
        if x.reply.body.answer.is_empty() {
            x.note(|| format!("has no name for the address {address}"));
            return Step::Next;
        }
        x.authoritative();
        Step::Done
    }

    fn unknown(&self, x: &mut Exchange) -> Step {
        let name = x.question.name();
        if x.question.rtype == RecordType::PTR {
            // Such a name stands for no address, or for part of one (RFC 6763 §11): the table says
            // nothing about it. CoreDNS asks the next plugin too, with `fallthrough` or without.
            return Step::Next;
        }
        match &self.fallthrough {
            Some(zones) if zones.cover(name) => {
                x.note(|| "does not have the name, and falls through".to_owned());
                Step::Next
            }
            // A denial needs the SOA of a zone, and a hosts file is none: CoreDNS fails as well.
            _ => {
                x.note(|| "does not have the name, and has no `fallthrough` for it".to_owned());
                x.fail(Failure::NotFound)
            }
        }
    }
}

/// The file with the lines of the block, and the table that they make.
struct Source {
    path: PathBuf,
    zones: Zones,
    inline: Vec<(IpAddr, NameBuf)>,
    reverse: bool,
    table: ArcSwap<Table>,
    metrics: Metrics,
    /// The file as it was when it was read last; none if it never could be.
    read: Mutex<Option<Read>>,
    tasks: Tasks,
}

/// A file when it was read last.
struct Read {
    stamp: Option<Stamp>,
    noted: Option<Content>,
}

impl Source {
    /// Nothing is read yet.
    fn new(path: PathBuf, config: &Config, metrics: Metrics) -> Self {
        Self {
            path,
            zones: Zones::new(&config.zones),
            inline: config.inline.clone(),
            reverse: config.reverse,
            table: ArcSwap::default(),
            metrics,
            read: Mutex::new(None),
            tasks: Tasks::default(),
        }
    }

    /// Reads the file if it is not as it was. One that cannot be read leaves what was read last; if
    /// that is nothing, the lines of the block are all.
    fn load(&self, files: &Files) -> io::Result<()> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = files.stamp(&self.path);
        if let Some(before) = read.as_ref().filter(|read| stamp.is_some() && read.stamp == stamp) {
            if let Some(content) = &before.noted {
                files.note_again(&self.path, content);
            }
            return Ok(());
        }
        let octets = files.read(&self.path);
        if octets.is_ok() || read.is_none() {
            self.publish(octets.as_deref().unwrap_or_default());
        }
        let noted = files.note(&self.path, &octets?);
        if let Some(stamp) = &stamp {
            self.metrics.timestamp.set(stamp.modified_seconds());
        }
        *read = Some(Read { stamp, noted });
        Ok(())
    }

    /// Makes the table of the file's octets and the lines of the block.
    fn publish(&self, octets: &[u8]) {
        let mut builder = Builder::default();
        let mut add = |address, name: NameBuf| {
            if self.zones.cover(name.as_name()) {
                builder.add(address, &name, self.reverse);
            }
        };
        zone::hosts::read(octets, &mut add);
        for (address, name) in &self.inline {
            add(*address, *name);
        }
        let table = builder.build();
        self.metrics.entries.set(table.entries() as i64);
        self.table.store(Arc::new(table));
    }

    /// Looks for changes from time to time. A file that has gone keeps its last content.
    fn watch(self: &Arc<Self>, runtime: &Handle, every: Duration, files: Arc<Files>) {
        let source = Arc::downgrade(self);
        self.tasks.restart(runtime, async move {
            let mut told = None;
            loop {
                tokio::time::sleep(every).await;
                let Some(source) = source.upgrade() else { return };
                if Stamp::of(&source.path).is_none() {
                    continue;
                }
                // A large file must not hold up the questions that wait.
                let files = files.clone();
                let loaded = tokio::task::spawn_blocking(move || source.load(&files)).await;
                let failure = loaded.ok().and_then(Result::err).map(|error| error.to_string());
                if let Some(failure) = failure.as_ref().filter(|_| failure != told) {
                    tracing::warn!(target: "plugin/hosts", "File cannot be read: {failure}");
                }
                told = failure;
            }
        });
    }
}

struct Metrics {
    entries: Arc<Gauge>,
    timestamp: Arc<Gauge>,
}

impl Metrics {
    fn new(env: &Env<'_>, file: &str) -> Self {
        let registry = &env.process.metrics;
        Self {
            entries: registry.gauge(
                "coredns_hosts_entries",
                "Pairs of name and address, and of address and name.",
                &labels(&[("hostsfile", file)]),
            ),
            timestamp: registry.gauge(
                "coredns_hosts_reload_timestamp_seconds",
                "When the hosts file was changed that was read last.",
                "",
            ),
        }
    }
}
