//! What came of the last attempt to take a configuration, for who asks later.

use crate::settings::fragments::SetAside;
use chain::Clock;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most mistakes that are remembered of an attempt.
const MISTAKES_MAX: usize = 100;

/// What reloads tell, and what is told of them.
pub(crate) struct History {
    clock: Arc<dyn Clock>,
    past: Mutex<Past>,
}

/// What came of configurations until now.
#[derive(Clone, Default)]
pub(crate) struct Past {
    /// Since when the configuration serves that serves now, in seconds since 1970.
    pub(crate) serves_since: Option<u64>,
    /// The last reload for which there was a reason.
    pub(crate) last: Option<Attempt>,
    /// The fragments that are not in force.
    pub(crate) set_aside: Vec<SetAside>,
}

/// A reload.
#[derive(Clone)]
pub(crate) struct Attempt {
    /// When it ended, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) outcome: Became,
    /// Why it was refused, or what it was warned of, a line each.
    pub(crate) mistakes: Vec<String>,
}

/// What became of a reload.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Became {
    /// The new configuration serves.
    Reloaded,
    /// The one before serves on.
    Refused,
}

impl History {
    /// Of a process that serves nothing yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, past: Mutex::default() }
    }

    /// Another configuration serves now.
    pub(crate) fn serves(&self) {
        self.lock().serves_since = Some(self.clock.unix_seconds());
    }

    /// A reload has come to this.
    pub(crate) fn attempted(&self, outcome: Became, mistakes: &[String]) {
        let mistakes = mistakes.iter().take(MISTAKES_MAX).cloned().collect();
        let at = self.clock.unix_seconds();
        self.lock().last = Some(Attempt { at, outcome, mistakes });
    }

    /// These fragments are not in force, and no others.
    pub(crate) fn set_aside(&self, fragments: &[SetAside]) {
        self.lock().set_aside = fragments.to_vec();
    }

    /// What it was told until now.
    pub(crate) fn past(&self) -> Past {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
