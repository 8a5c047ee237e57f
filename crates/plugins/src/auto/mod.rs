//! `auto`: every zone file of a directory.
//!
//! A scan finds files and their zones ([`scan`]); the zones then follow their files as those of `file`
//! do ([`crate::authority`]).

mod config;
mod scan;

use crate::authority::Authority;
use crate::directive::{Built, Directive};
use crate::env::{Env, Tasks};
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
        if !path.is_dir() {
            env.warn("auto", format!("Directory does not exist: {}", path.display()));
        }
        let followed = !config.reload.is_zero();
        let key = format!("{path:?} {} {} {followed}", config.pattern, config.template);
        let new = || Served { folder, authority: ArcSwap::default(), tasks: Tasks::default() };
        let served = env.keep(key, new);
        served.scan();
        if followed {
            let (watched, every) = (served.clone(), config.reload);
            env.on_start(move |runtime| watched.watch(runtime, every));
        }
        Ok(Some(Box::new(Self { zones: Zones::new(&config.zones), served })))
    }
}

impl Plugin for Auto {
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
    fn scan(&self) {
        if let Some(authority) = self.folder.scan(&self.authority.load()) {
            self.authority.store(Arc::new(authority));
        }
    }

    fn watch(self: &Arc<Self>, runtime: &Handle, every: Duration) {
        let served = Arc::downgrade(self);
        self.tasks.restart(runtime, async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(served) = served.upgrade() else { return };
                // Large zones must not hold up the questions that wait.
                let _ = tokio::task::spawn_blocking(move || served.scan()).await;
            }
        });
    }
}
