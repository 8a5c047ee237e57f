//! `log`: a line for each question.
//!
//! The line is an interface: operators, collectors and dashboards take it apart. It is put together
//! in a buffer that each thread uses again, and handed over whole. Start with [`Log`]; how a line
//! looks is [`format`](mod@format).

mod config;
mod format;

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::lines::Lines;
use crate::reply_kind::{ReplyClass, ReplyKind};
use chain::{Clock, Exchange, Plugin};
use config::Config;
use corefile::{Accepted, Block, Mistakes};
use format::{Format, Outcome};
use std::cell::RefCell;
use std::sync::Arc;
use wire::NameBuf;

/// The directive and the plugin.
pub(crate) struct Log {
    rules: Box<[Rule]>,
    lines: Arc<Lines>,
    clock: Arc<dyn Clock>,
}

/// What to log of the names at or below one; the first rule that fits decides.
struct Rule {
    names: NameBuf,
    format: Arc<Format>,
    classes: Classes,
}

/// Some classes of replies, a bit each.
#[derive(Clone, Copy, Default)]
struct Classes(u8);

impl Directive for Log {
    const NAME: &'static str = "log";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self {
            rules: config.rules.into(),
            lines: env.process.lines.clone(),
            clock: env.process.clock.clone(),
        })))
    }
}

thread_local! {
    /// The line that a thread is writing.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Plugin for Log {
    fn response(&self, x: &mut Exchange) {
        let name = x.question.name();
        let rule = self.rules.iter().find(|rule| name.is_at_or_below(rule.names.as_name()));
        let Some(rule) = rule else { return };
        let kind = ReplyKind::of(x);
        if !rule.classes.include(kind.class()) {
            return;
        }
        // Who writes a line can as well afford to read the clock, and so has the true duration of
        // this question in place of what `Exchange::elapsed` estimates.
        let taken = self.clock.now().since(x.received);
        LINE.with_borrow_mut(|line| {
            line.clear();
            line.extend_from_slice(b"[INFO] ");
            rule.format.write(line, x, Outcome { kind, taken });
            line.push(b'\n');
            self.lines.push(line);
        });
    }
}

impl Classes {
    const ALL: Self = Self(7);

    const fn one(class: ReplyClass) -> Self {
        Self(1 << class as u8)
    }

    fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    fn include(self, class: ReplyClass) -> bool {
        self.0 & Self::one(class).0 != 0
    }
}
