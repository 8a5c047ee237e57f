//! What a run found out.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};
use wire::{Flags, Rcode};

use crate::histogram::Histogram;
use crate::meter::{CpuTime, Processes};

/// What came back, counted while it comes.
pub(crate) struct Tally {
    /// Answers to a query that was on its way.
    pub(crate) good: u64,
    /// Messages that are no answer to the query whose id they carry.
    pub(crate) bad: u64,
    /// Messages with the id of no query on its way: too late, twice, or forged.
    pub(crate) unexpected: u64,
    /// Queries without an answer in time.
    pub(crate) lost: u64,
    /// Datagrams that were longer than the generator takes; they count as what their start says.
    pub(crate) cut: u64,
    /// Connections that ended and were opened again.
    pub(crate) reconnects: u64,
    /// Octets of the good answers.
    octets: u64,
    /// Good answers by what they say.
    pub(crate) kinds: Kinds,
    pub(crate) latency: Histogram,
    /// The longest time in nanoseconds that a server certainly took: from sending a query until its
    /// answer was looked for in vain for the last time. Unlike `latency` it leaves out what the
    /// generator itself was kept from running. Over UDP alone.
    pub(crate) slowest_for_certain: u64,
}

/// How many answers said what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// NOERROR and at least one record.
    pub(crate) records: u64,
    /// NOERROR without a record.
    pub(crate) empty: u64,
    pub(crate) nxdomain: u64,
    pub(crate) servfail: u64,
    /// Another code.
    pub(crate) other: u64,
    /// Of all these, the ones with the flag TC.
    pub(crate) truncated: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            good: 0,
            bad: 0,
            unexpected: 0,
            lost: 0,
            cut: 0,
            reconnects: 0,
            octets: 0,
            kinds: Kinds::default(),
            latency: Histogram::new(),
            slowest_for_certain: 0,
        }
    }

    /// Counts a good answer.
    pub(super) fn add(&mut self, answer: &[u8], latency: u64) {
        self.good += 1;
        self.octets += answer.len() as u64;
        self.kinds.add(answer);
        self.latency.add(latency);
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl Kinds {
    /// Counts an answer, which has a whole header.
    fn add(&mut self, answer: &[u8]) {
        let flags = u16::from_be_bytes([answer[2], answer[3]]);
        let records = u16::from_be_bytes([answer[6], answer[7]]);
        self.truncated += u64::from(Flags::from_word(flags).has(Flags::TC));
        let kind = match Rcode(flags & 0xf) {
            Rcode::NOERROR if records > 0 => &mut self.records,
            Rcode::NOERROR => &mut self.empty,
            Rcode::NXDOMAIN => &mut self.nxdomain,
            Rcode::SERVFAIL => &mut self.servfail,
            _ => &mut self.other,
        };
        *kind += 1;
    }
}

/// Time and CPU time at one moment.
pub(super) struct Marks {
    at: u64,
    cpu: CpuTime,
}

impl Marks {
    pub(super) fn now(at: u64, processes: &Processes) -> Self {
        Self { at, cpu: processes.cpu() }
    }
}

/// What a run found out.
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) sent: u64,
    /// The time measured, without warm-up and without waiting for the last answers.
    pub(crate) measured: Duration,
    /// Good answers in that time; the tally has those that came later as well.
    pub(crate) answers_in_time: u64,
    /// CPU time of the server in that time; none if its processes were not named.
    pub(crate) server: Option<CpuTime>,
}

impl Report {
    pub(super) fn new(tally: Tally, sent: u64, answers_in_time: u64, marks: Range<Marks>) -> Self {
        let cpu = marks.end.cpu.since(marks.start.cpu);
        Self {
            tally,
            sent,
            measured: Duration::from_nanos(marks.end.at - marks.start.at),
            answers_in_time,
            server: (!cpu.run.is_zero()).then_some(cpu),
        }
    }

    pub(crate) fn answers_per_second(&self) -> f64 {
        self.answers_in_time as f64 / self.measured.as_secs_f64()
    }

    /// The server's CPU time for each answer, in microseconds.
    pub(crate) fn server_us(&self) -> Option<f64> {
        let run = self.server?.run;
        (self.answers_in_time > 0).then(|| run.as_secs_f64() * 1e6 / self.answers_in_time as f64)
    }

    /// The part of [`Report::server_us`] that was spent in user space.
    pub(crate) fn server_user_us(&self) -> Option<f64> {
        Some(self.server_us()? * self.server?.user_part())
    }

    fn mean_octets(&self) -> f64 {
        self.tally.octets as f64 / self.tally.good.max(1) as f64
    }

    pub(crate) fn json(&self) -> Value {
        let Self { tally, sent, .. } = self;
        let Kinds { records, empty, nxdomain, servfail, other, truncated } = tally.kinds;
        let us = |part| tally.latency.quantile_ns(part) as f64 / 1e3;
        json!({
            "seconds": self.measured.as_secs_f64(),
            "sent": sent,
            "answers": tally.good,
            "answers_per_second": self.answers_per_second(),
            "lost": tally.lost,
            "bad": tally.bad,
            "unexpected": tally.unexpected,
            "cut": tally.cut,
            "reconnects": tally.reconnects,
            "kinds": {
                "records": records,
                "empty": empty,
                "nxdomain": nxdomain,
                "servfail": servfail,
                "other": other,
                "truncated": truncated,
            },
            "mean_octets": self.mean_octets(),
            "latency_us": {
                "mean": tally.latency.mean_ns() / 1e3,
                "p50": us(0.5),
                "p99": us(0.99),
                "p999": us(0.999),
                "max": tally.latency.max_ns() as f64 / 1e3,
            },
            "server_us_per_answer": self.server_us(),
            "server_user_us_per_answer": self.server_user_us(),
            "server_cores": self.server.map(|cpu| cpu.run.as_secs_f64() / self.measured.as_secs_f64()),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, sent, .. } = self;
        let Kinds { records, empty, nxdomain, servfail, other, truncated } = tally.kinds;
        let us = |part| tally.latency.quantile_ns(part) as f64 / 1e3;
        let seconds = self.measured.as_secs_f64();
        writeln!(
            f,
            "answers  {} in {seconds:.2} s = {:.0} a second, {:.1} octets each; {sent} sent, {} lost",
            tally.good,
            self.answers_per_second(),
            self.mean_octets(),
            tally.lost
        )?;
        writeln!(
            f,
            "codes    {records} with records, {empty} empty, {nxdomain} NXDOMAIN, {servfail} SERVFAIL, {other} others; {truncated} truncated"
        )?;
        writeln!(
            f,
            "wrong    {} bad, {} unexpected, {} cut, {} reconnects",
            tally.bad, tally.unexpected, tally.cut, tally.reconnects
        )?;
        write!(
            f,
            "latency  mean {:.1}, median {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1} us",
            tally.latency.mean_ns() / 1e3,
            us(0.5),
            us(0.99),
            us(0.999),
            tally.latency.max_ns() as f64 / 1e3
        )?;
        let Some((us, user)) = self.server_us().zip(self.server_user_us()) else { return Ok(()) };
        write!(f, "\nserver   {us:.3} us CPU an answer, of it {user:.3} us in user space")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u16, answers: u16) -> Vec<u8> {
        [0, flags, 1, answers, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn answers_are_told_apart() {
        let mut tally = Tally::new();
        let answers =
            [(0x8000, 1), (0x8200, 2), (0x8000, 0), (0x8003, 0), (0x8002, 0), (0x8005, 0)];
        for (flags, records) in answers {
            tally.add(&header(flags, records), 1000);
        }
        let kinds =
            Kinds { records: 2, empty: 1, nxdomain: 1, servfail: 1, other: 1, truncated: 1 };
        assert_eq!(tally.kinds, kinds);
        assert_eq!((tally.good, tally.octets, tally.latency.max_ns()), (6, 72, 1000));
        tally.clear();
        assert_eq!((tally.good, tally.kinds, tally.latency.max_ns()), (0, Kinds::default(), 0));
    }

    #[test]
    fn costs_count_answers_in_the_measured_time() {
        let mark = |at, run_ms, user_ticks| Marks {
            at,
            cpu: CpuTime { run: Duration::from_millis(run_ms), user_ticks, system_ticks: 30 },
        };
        let marks = mark(5_000_000_000, 100, 10)..mark(7_000_000_000, 300, 20);
        let report = Report::new(Tally::new(), 110, 100, marks);
        assert_eq!(report.answers_per_second(), 50.0);
        assert_eq!(report.server_us(), Some(2000.0));
        assert_eq!(report.server_user_us(), Some(2000.0));
        assert_eq!(report.json()["server_cores"], json!(0.1));
        let nothing = Report::new(Tally::new(), 0, 0, mark(0, 0, 0)..mark(1, 0, 0));
        assert_eq!(nothing.server_us(), None);
        assert_eq!(nothing.json()["server_us_per_answer"], Value::Null);
    }
}
