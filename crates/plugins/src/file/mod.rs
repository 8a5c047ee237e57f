//! `file`: zones from zone files.
//!
//! The zones follow their files ([`crate::authority::ZoneFile`]); what is in a zone, and what the answer to
//! a question is, knows the `zone` crate.

mod config;

use crate::authority::{Authority, NoZone, Seen, ZoneFile};
use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::handover::{Announcer, Offer, Transfer};
use crate::zones::Zones;
use chain::{Exchange, Failure, Plugin, Step};
use config::{Config, Line};
use corefile::{Accepted, Block, Code, Mistake, Mistakes, shown};
use std::sync::Arc;
use wire::{Name, NameBuf, RecordType};

/// The directive and the plugin.
pub(crate) struct File {
    authority: Authority,
    fallthrough: Option<Zones>,
}

/// The most mistakes of a zone file that are shown with the Corefile's.
const SHOWN_MAX: usize = 10;

impl Directive for File {
    const NAME: &'static str = "file";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let mut authority = Authority::default();
        let mut mistakes = Mistakes::new();
        for line in &config.lines {
            for origin in Zones::new(&line.zones).names() {
                authority.insert(zone(line, *origin, env, &mut mistakes));
            }
        }
        if mistakes.has_errors() {
            return Err(mistakes);
        }
        let fallthrough = config.fallthrough.as_deref().map(Zones::new);
        let plugin = Arc::new(Self { authority, fallthrough });
        env.offer::<dyn Transfer>("file", plugin.clone());
        Ok(Some(Box::new(plugin)))
    }
}

impl Transfer for File {
    fn transfer(&self, apex: Name<'_>) -> Offer {
        self.authority.transfer(apex)
    }
}

/// The zone of a line; that of the configuration before, if it is the same.
fn zone(line: &Line, origin: NameBuf, env: &mut Env<'_>, mistakes: &mut Mistakes) -> Arc<ZoneFile> {
    let path = env.path(&line.path);
    let files = env.files();
    let followed = !line.reload.is_zero();
    let key = format!("{} {} {path:?} {followed}", files.origin(), origin.as_name());
    let zone = env.keep(key, || ZoneFile::new(origin, path));
    let loaded = zone.load(&files);
    zone.note_read(env);
    match loaded {
        Ok(Seen::Same) => {}
        Ok(Seen::Loaded(warnings)) => {
            for warning in warnings.iter() {
                env.warn("file", warning);
            }
        }
        Err(NoZone::Unreadable(error)) if followed => {
            let path = zone.path().display();
            let again = crate::go_duration(line.reload);
            let why = format!("Failed to open \"open {path}: {error}\": trying again in {again}");
            env.warn("file", why);
        }
        Err(no_zone) => mistakes.push(mistake(line, &zone, &no_zone)),
    }
    let (started, every, to) = (zone.clone(), line.reload, Announcer::new(env));
    env.on_start(move |runtime| {
        started.announce(&to);
        if followed && files.can_change() {
            started.watch(runtime, every, (to, files));
        }
    });
    zone
}

/// Why the line cannot be served, with everything that is wrong in its file.
fn mistake(line: &Line, zone: &ZoneFile, no_zone: &NoZone) -> Mistake {
    let file = shown(&line.path);
    let origin = shown(&zone.origin().to_string());
    let at = line.at;
    match no_zone {
        NoZone::Unreadable(error) => {
            let message = format!("zone file {file} cannot be read: {error}");
            Mistake::error(Code::BadValue, at, message)
                .help("with `reload` it may appear later; `reload 0s` wants it at once")
        }
        NoZone::Mistakes(wrong) => {
            let message = format!("zone file {file} is no zone {origin}");
            let mut mistake = Mistake::error(Code::BadValue, at, message);
            for each in wrong.iter().filter(|each| !each.fault.is_warning()).take(SHOWN_MAX) {
                mistake = mistake.note(each.to_string());
            }
            mistake
        }
    }
}

impl Plugin for File {
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        self.authority.names(show);
    }

    fn query(&self, x: &mut Exchange) -> Step {
        self.authority.answer(x, self.fallthrough.as_ref())
    }

    /// A name in none of its zones is refused if nobody else is there, as CoreDNS does.
    fn if_last(&self, _: &Exchange) -> Option<Failure> {
        Some(Failure::NoBlock)
    }
}
