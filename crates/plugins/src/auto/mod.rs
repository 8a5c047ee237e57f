//! `auto`: every zone file of a directory.
//!
//! A scan finds files and their zones ([`scan`]); the zones then follow their files as those of `file`
//! do ([`crate::authority`]).

mod config;
mod scan;

use crate::authority::Authority;
use crate::directive::{Built, Directive};
use crate::env::{Env, Tasks};
use crate::files::Files;
use crate::handover::{Announcer, Offer, Transfer};
use crate::metrics::labels;
use crate::zones::Zones;
use arc_swap::ArcSwap;
use chain::{Exchange, Failure, Plugin, Step};
use config::Config;
use corefile::{Accepted, Block, Code, Mistake, Mistakes};
use scan::Folder;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use wire::{Name, RecordType};

/// The directive and the plugin.
pub(crate) struct Auto {
    /// Only names in these are answered.
    zones: Zones,
    served: Arc<Served>,
}

impl Directive for Auto {
    const NAME: &'static str = "auto";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let path = env.path(config.directory.as_deref().unwrap_or_default());
        let cut_scans = env.process.metrics.counter(
            "rutter_auto_cut_scans_total",
            "Scans that did not look at every file: there are too many, or they lie too deep.",
            &labels(&[("directory", &path.display().to_string())]),
        );
        let folder = Folder::new(path.clone(), &config.pattern, &config.template, cut_scans);
        let folder = folder.map_err(|wrong| {
            Mistakes::from(Mistake::error(Code::BadValue, config.pattern_at, wrong))
        })?;
        let files = env.files();
        if !files.has_directory(&path) {
            env.warn("auto", format!("Directory does not exist: {}", path.display()));
        }
        let followed = !config.reload.is_zero() && files.can_change();
        let (origin, pattern, template) = (files.origin(), &config.pattern, &config.template);
        let key = format!("{origin} {path:?} {pattern} {template} {followed}");
        let new = || Served { folder, authority: ArcSwap::default(), tasks: Tasks::default() };
        let served = env.keep(key, new);
        let to = Announcer::new(env);
        served.scan(&to, &files);
        let (started, every) = (served.clone(), config.reload);
        env.on_start(move |runtime| {
            started.authority.load().iter().for_each(|zone| zone.announce(&to));
            if followed {
                started.watch(runtime, every, (to, files));
            }
        });
        let plugin = Arc::new(Self { zones: Zones::new(&config.zones), served });
        env.offer::<dyn Transfer>("auto", plugin.clone());
        Ok(Some(Box::new(plugin)))
    }
}

impl Transfer for Auto {
    fn transfer(&self, apex: Name<'_>) -> Offer {
        if !self.zones.cover(apex) {
            return Offer::NoZone;
        }
        self.served.authority.load().transfer(apex)
    }
}

impl Plugin for Auto {
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        self.served.authority.load().names(show);
    }

    fn query(&self, x: &mut Exchange) -> Step {
        if !self.zones.cover(x.question.name()) {
            return Step::Next;
        }
        self.served.authority.load().answer(x, None)
    }

    /// CoreDNS refuses a name inside of ZONES that no zone is loaded for, if nobody else is there.
    fn if_last(&self, x: &Exchange) -> Option<Failure> {
        self.zones.cover(x.question.name()).then_some(Failure::NoBlock)
    }
}

/// The zones of a directory.
struct Served {
    folder: Folder,
    authority: ArcSwap<Authority>,
    tasks: Tasks,
}

impl Served {
    /// Looks at the files, and announces what is new.
    fn scan(&self, to: &Announcer, files: &Files) {
        let before = self.authority.load();
        let Some(authority) = self.folder.scan(&before, to, files) else { return };
        let authority = Arc::new(authority);
        self.authority.store(authority.clone());
        for zone in authority.iter().filter(|zone| before.at(zone.origin()).is_none()) {
            zone.announce(to);
        }
    }

    fn watch(
        self: &Arc<Self>,
        runtime: &Handle,
        every: Duration,
        (to, files): (Announcer, Arc<Files>),
    ) {
        let served = Arc::downgrade(self);
        self.tasks.restart(runtime, async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(served) = served.upgrade() else { return };
                let (to, files) = (to.clone(), files.clone());
                // Large zones must not hold up the questions that wait.
                let _ = tokio::task::spawn_blocking(move || served.scan(&to, &files)).await;
            }
        });
    }
}
