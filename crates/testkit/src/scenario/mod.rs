//! Scenarios: Markdown that says what a server shall do, and the runner that sees whether it does.
//!
//! A file is read as sections with fences (`markdown`), each section becomes a scenario of steps
//! (`step`), and `play` does them against a server process (`process`). Start with [`run`].

mod coordinate;
mod markdown;
mod mistake;
pub(crate) mod pattern;
mod play;
mod report;
mod sample;
mod server;
mod stage;
mod step;
mod variables;

pub use coordinate::{files, run, test};
pub use mistake::Mistake;
pub(crate) use mistake::duration;
pub use report::{Difference, Failure, FileReport, Report};
pub use server::{Kind, Server};
