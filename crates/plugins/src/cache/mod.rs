//! `cache`: says again what an upstream server has said, for as long as that holds.
//!
//! **What this is.** A table of replies (`store`) that had to be waited for; what a reply is and how
//! long it holds (`nature`); how entries are served when their time is nearly over, or over
//! (prefetch, serve_stale).
//!
//! **What this is not.** It keeps no data that are in memory anyhow: what `hosts` or the cluster
//! says is as quick without it, and newer. It does not join questions that are asked at the same time:
//! who asks upstream servers does. It validates no signature.
//!
//! **Where to start reading.** [`Cache`] as a plugin: `query` is a hit or a miss, `response` sees the
//! outcome of a miss.

mod budget;
mod config;
mod entry;
mod metrics;
mod nature;
mod note;
mod order;
mod store;
mod told;

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::inspect::InspectCache;
use crate::metrics::Counter;
use crate::zones::Zones;
use budget::Budget;
use chain::{Clock, Exchange, Failure, Moment, Plugin, Resolving, Rest, Step, UpstreamFailure};
use config::{Config, Settings};
use corefile::{Accepted, Block, Mistakes};
use entry::{Age, Entry, Key, Kind, Making};
use metrics::Counters;
use nature::{Nature, answers, has_expired_signature};
use note::Kept;
use std::sync::Arc;
use std::time::Duration;
use store::{Looked, Store};
use told::Told;
use wire::{ExtendedError, Flags, OPT_EXTENDED_ERROR, Opcode, Rcode};

/// Somebody asks for an entry again: nobody else does for this long, or until it is known what came of
/// it. It is the longest that a question waits.
const REFRESH_MAX: Duration = Duration::from_secs(10);
/// The longest that upstream servers have to verify a stale entry: less than a question may wait, so
/// that there is time to serve what is stale.
const VERIFY_MAX: Duration = Duration::from_secs(8);

/// The directive and the plugin.
pub(crate) struct Cache {
    config: Config,
    zones: Zones,
    without_success: Zones,
    without_denial: Zones,
    store: Arc<Store>,
    counters: Box<[Option<Counters>]>,
    clock: Arc<dyn Clock>,
}

impl Directive for Cache {
    const NAME: &'static str = "cache";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let budget = env.keep("cache: memory".to_owned(), Budget::of_process);
        env.process.metrics.collect(&budget);
        let Settings { success, denial, .. } = &config.settings;
        let capacities = (success.capacity, denial.capacity);
        let store =
            env.keep(key_of_store(&config, env), || Store::new(capacities.0, capacities.1, budget));
        let cache = Self {
            zones: Zones::new(&config.zones),
            without_success: Zones::new(&config.disabled.success),
            without_denial: Zones::new(&config.disabled.denial),
            counters: Counters::of_servers(env, &config.zones.join(",")),
            clock: env.process.clock.clone(),
            config,
            store,
        };
        cache.count_entries();
        let told = Told {
            zones: cache.config.zones.clone(),
            store: cache.store.clone(),
            counters: Counters::of_servers(env, &cache.config.zones.join(",")),
            clock: cache.clock.clone(),
        };
        env.offer::<dyn InspectCache>(Self::NAME, Arc::new(told));
        Ok(Some(Box::new(cache)))
    }
}

/// Everything that decides what a cache may hold: its settings, and what the directives say that it
/// asks. A change of any of them must not be hidden by what was true before.
fn key_of_store(config: &Config, env: &Env<'_>) -> String {
    let asked = env.site.directives.iter().skip_while(|name| **name != Cache::NAME).skip(1);
    let asked: Vec<_> = asked.collect();
    let is_asked = |(name, _): &&(String, String)| asked.iter().any(|asked| *asked == name);
    let below: Vec<_> = config.others.iter().filter(is_asked).collect();
    format!("cache: {:?} {:?} {below:?}", env.site.zones, config.settings)
}

impl Plugin for Cache {
    fn query(&self, x: &mut Exchange) -> Step {
        if !self.covers(x) {
            return Step::Next;
        }
        self.count(x, |counters| &counters.requests);
        let looked = self.store.look(&key(x));
        let Some((entry, age)) = self.pick(&looked, x.now) else {
            self.count(x, |counters| &counters.misses);
            x.note(|| "has nothing about it".to_owned());
            remember(x);
            return Step::Next;
        };
        self.count(x, |counters| &counters.hits[entry.kind as usize]);
        x.note(|| note::hit(entry, age));
        if age == Age::Stale && self.must_verify(entry, x.now) {
            x.note(|| "asks before it serves what is stale".to_owned());
            return Step::Wait;
        }
        self.reply(x, entry, age);
        if self.is_due(entry, age, x.now) && entry.claim(x.now, REFRESH_MAX) {
            self.count(x, |counters| &counters.prefetches);
            x.note(|| "has it asked for again in the background".to_owned());
            refresh_later(x);
        }
        Step::Done
    }

    /// Sees what came of a miss, or of a refresh.
    fn response(&self, x: &mut Exchange) {
        if x.is_dropped() || !self.covers(x) {
            return;
        }
        let waited = recall_waited(x);
        self.settle(x, waited);
    }

    /// Asks about an entry whose time is over before it is served.
    fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let (question, flags, before) = (x.question, x.request.flags, x.now);
            let timeout = self.config.settings.stale.and_then(|stale| stale.verify).flatten();
            if timeout.is_some() {
                // If it takes too long it goes on in the background. That is asked for now, because
                // who drops what runs below does not get this plugin's place back.
                x.refresh_later();
            }
            x.request.flags.set(Flags::AD, true);
            let limit = timeout.unwrap_or(VERIFY_MAX).min(VERIFY_MAX);
            let answered = tokio::time::timeout(limit, rest.run(x)).await.is_ok();
            x.request.flags = flags;
            if answered {
                x.take_refresh();
                let waited = x.now != before;
                return self.verified(x, waited);
            }
            x.question = question;
            x.clear_reply();
            x.resumed(self.clock.now());
            x.note(|| format!("serves what is stale: no answer within {limit:?}"));
            let step = self.serve_stale(x);
            x.request.flags.set(Flags::AD, true); // as for every refresh
            step
        })
    }
}

impl Cache {
    fn covers(&self, x: &Exchange) -> bool {
        x.request.opcode == Opcode::QUERY && self.zones.cover(x.question.name())
    }

    /// What is to be served: the denial, unless it is an error and there is an answer.
    fn pick<'l>(&self, looked: &'l Looked, now: Moment) -> Option<(&'l Entry, Age)> {
        let usable = |entry: Option<&'l Entry>| {
            entry.map(|entry| (entry, entry.age(now))).filter(|(_, age)| *age != Age::Over)
        };
        let success = usable(looked.success());
        let is_preferred =
            |success: &(&Entry, _)| self.config.settings.prefer_positive && success.0.is_answer;
        if let Some(success) = success.filter(is_preferred) {
            return Some(success);
        }
        match usable(looked.denial()) {
            Some((denial, _)) if denial.is_error() && success.is_some() => success,
            Some(denial) => Some(denial),
            None => success,
        }
    }

    /// Whether a stale entry may be served only if upstream servers do not answer. If a time is set
    /// for which nobody is asked again, one question at a time asks.
    fn must_verify(&self, entry: &Entry, now: Moment) -> bool {
        self.config.settings.stale.is_some_and(|stale| {
            let is_free = || stale.recheck.is_zero() || entry.claim(now, REFRESH_MAX);
            stale.verify.is_some() && is_free()
        })
    }

    /// Whether an entry that is served is to be asked for again.
    fn is_due(&self, entry: &Entry, age: Age, now: Moment) -> bool {
        let Settings { prefetch, stale, .. } = &self.config.settings;
        let Age::Fresh(left) = age else {
            return stale.is_some_and(|stale| stale.verify.is_none());
        };
        if prefetch.amount == 0 || !entry.is_popular(now, prefetch.amount, prefetch.gap) {
            return false;
        }
        let threshold = u64::from(entry.ttl()) * u64::from(prefetch.percent);
        u64::from(left) <= threshold.div_ceil(100)
    }

    /// Makes the reply out of an entry.
    fn reply(&self, x: &mut Exchange, entry: &Entry, age: Age) {
        let settings = &self.config.settings;
        let ttl = match age {
            Age::Fresh(_) if settings.keep_ttl => entry.ttl(),
            Age::Fresh(left) => left,
            // Nobody else may keep it for long: also with `keepttl`, unlike in CoreDNS.
            Age::Stale | Age::Over => settings.stale.map_or(0, |stale| stale.ttl),
        };
        entry.touch();
        entry.write(&mut x.reply, ttl);
        clear_unwanted(x);
        let error = match age {
            Age::Fresh(_) if entry.rcode == Rcode::SERVFAIL => ExtendedError::CACHED_ERROR,
            Age::Fresh(_) => return,
            Age::Stale | Age::Over => {
                self.count(x, |counters| &counters.stale);
                entry.stale_error()
            }
        };
        x.reply.options.push(OPT_EXTENDED_ERROR, &error.0.to_be_bytes());
    }

    /// Gives a reply of others its TTL, and keeps it if it is one to keep.
    fn settle(&self, x: &mut Exchange, waited: bool) {
        if x.failure().is_none() {
            let nature = self.nature(x, waited);
            let ttl = nature.ttl(&x.reply.body, &self.config.settings);
            for record in x.reply.body.records_mut() {
                record.ttl = ttl;
            }
            if waited && !x.is_live() {
                let kept = self.keep(x, nature, ttl);
                x.note(|| kept.to_text(ttl));
            }
            clear_unwanted(x);
        }
        if waited || x.failure().is_some() {
            self.end_refresh(x);
        }
    }

    fn nature(&self, x: &Exchange, waited: bool) -> Nature {
        let has_expired = || has_expired_signature(&x.reply.body, self.clock.unix_seconds());
        if waited && x.request.dnssec_ok() && has_expired() {
            return Nature::Other;
        }
        Nature::of(&x.reply, &x.question)
    }

    fn keep(&self, x: &Exchange, nature: Nature, ttl: u32) -> Kept {
        let (settings, question) = (&self.config.settings, &x.question);
        if x.reply.body.overflowed() {
            self.count(x, |counters| &counters.drops);
            return Kept::TooLarge;
        }
        if ttl == 0 || !nature.can_be_kept(&x.reply, question) {
            return Kept::Unfit;
        }
        let key = key(x);
        let is_answer = nature == Nature::Answer && answers(&x.reply.body, question);
        let looked = self.store.look(&key);
        let known = self.pick(&looked, x.now).map(|(entry, _)| entry);
        let is_worse = match nature {
            Nature::Error => known.is_some_and(|known| !known.is_error()),
            Nature::Answer | Nature::Referral if settings.prefer_positive && !is_answer => {
                known.is_some_and(|known| known.is_answer)
            }
            _ => false,
        };
        let (reply, now, stale) = (&x.reply, x.now, settings.stale_window());
        let making = Making { key, reply, nature, is_answer, ttl, now, stale };
        let kind = making.kind();
        let disabled = match kind {
            Kind::Success => &self.without_success,
            Kind::Denial => &self.without_denial,
        };
        if is_worse {
            return Kept::Worse;
        }
        if disabled.cover(question.name()) {
            return Kept::Disabled;
        }
        let evicted = self.store.put(&making);
        match kind {
            // What is known last is true, except for errors, and for denials if answers are preferred.
            Kind::Success if is_answer || !settings.prefer_positive => {
                self.store.remove(&key, Kind::Denial);
            }
            Kind::Denial if nature == Nature::Denial && !settings.prefer_positive => {
                self.store.remove(&key, Kind::Success);
            }
            _ => {}
        }
        if let Some(counters) = self.counters(x) {
            counters.evictions[kind as usize].add(x.worker, evicted as u64);
        }
        self.count_entries();
        Kept::Yes
    }

    /// Somebody was asked: if what is known is as old as before, others may ask again, but not at once
    /// if it is stale.
    fn end_refresh(&self, x: &Exchange) {
        let Settings { prefetch, stale, .. } = &self.config.settings;
        if stale.is_none() && prefetch.amount == 0 {
            return;
        }
        if let Some((entry, age)) = self.pick(&self.store.look(&key(x)), x.now) {
            let recheck = stale.filter(|_| age == Age::Stale).map(|stale| stale.recheck);
            entry.hold(x.now, recheck.unwrap_or_default());
        }
    }

    /// Serves what upstream servers have said about a stale entry, or else the entry.
    fn verified(&self, x: &mut Exchange, waited: bool) -> Step {
        if x.is_dropped() {
            return Step::Done;
        }
        let is_better = self.is_better_than_stale(x);
        self.settle(x, waited);
        if is_better {
            return Step::Done;
        }
        x.note(|| "serves what is stale: it is better than that".to_owned());
        self.serve_stale(x)
    }

    /// Serves what is known, however old. If it had to leave in the meantime, the reply stays as it is.
    fn serve_stale(&self, x: &mut Exchange) -> Step {
        let looked = self.store.look(&key(x));
        if let Some((entry, age)) = self.pick(&looked, x.now) {
            x.clear_reply();
            self.reply(x, entry, age);
        } else if x.reply.body.is_empty() && x.failure().is_none() {
            let text = "no answer in time, and what was known is gone".into();
            return x.fail(Failure::Upstream { cause: UpstreamFailure::TimedOut, text });
        }
        Step::Done
    }

    /// RFC 8767 §4: an answer or an authoritative denial replaces stale data, a failure does not.
    fn is_better_than_stale(&self, x: &Exchange) -> bool {
        if x.failure().is_some() || x.reply.flags.has(Flags::TC) {
            return false;
        }
        let nature = self.nature(x, true);
        if self.config.settings.prefer_positive {
            return nature == Nature::Answer && answers(&x.reply.body, &x.question);
        }
        !matches!(nature, Nature::Error | Nature::Other)
    }

    fn counters(&self, x: &Exchange) -> Option<&Counters> {
        self.counters.get(usize::from(x.server))?.as_ref()
    }

    fn count(&self, x: &Exchange, which: impl Fn(&Counters) -> &Counter) {
        if let Some(counters) = self.counters(x) {
            which(counters).increment(x.worker);
        }
    }

    fn count_entries(&self) {
        for kind in Kind::ALL {
            let count = self.store.len(kind);
            for counters in self.counters.iter().flatten() {
                // There are at most 10⁸.
                counters.entries[kind as usize].set(count as i64);
            }
        }
    }
}

/// What the question of an exchange is kept under.
fn key(x: &Exchange) -> Key<'_> {
    Key::new(&x.question, x.request.dnssec_ok(), x.request.flags.has(Flags::CD))
}

/// Notes, on the way down, the time and whether the client set AD; upstream servers are always asked
/// with AD, so that what they say is good for clients that set it too.
fn remember(x: &mut Exchange) {
    let ad = u64::from(x.request.flags.has(Flags::AD));
    x.remember(x.now.0 & !1 | ad);
    x.request.flags.set(Flags::AD, true);
}

/// Gives the request its AD flag back, and says whether the answer had to be waited for.
fn recall_waited(x: &mut Exchange) -> bool {
    match x.recall() {
        Some(noted) => {
            x.request.flags.set(Flags::AD, noted & 1 == 1);
            x.now.0 & !1 != noted & !1
        }
        // A refresh: nobody came down here.
        None => x.has_waited(),
    }
}

/// Asks again in the background once the reply is on its way, with AD as always.
fn refresh_later(x: &mut Exchange) {
    x.request.flags.set(Flags::AD, true);
    x.refresh_later();
}

/// RFC 6840 §5.7, §5.8: AD is for clients that set DO or AD.
fn clear_unwanted(x: &mut Exchange) {
    if !x.request.dnssec_ok() && !x.request.flags.has(Flags::AD) {
        x.reply.flags.set(Flags::AD, false);
    }
}

#[cfg(test)]
mod tests;
