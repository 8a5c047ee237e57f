//! Counters, gauges and histograms, and their text for Prometheus.
//!
//! **What this is.** Numbers that workers count without disturbing each other: every value exists
//! once for each worker, its owner alone writes it, and a scrape adds them up. [`Registry`] knows
//! them all and outlives reloads, so that a counter goes on where it was.
//!
//! **What this is not.** The `prometheus` directive, which counts queries and serves the text: that
//! is the plugin of this name.
//!
//! **Where to start reading.** [`Registry`].

mod exposition;
mod registry;
mod value;

pub use exposition::{Exposition, Kind, labels};
pub use registry::{Collect, Registry};
pub use value::{Counter, Gauge, Histogram, PerWorker, bump};
