//! Every metric of the process.

use super::{Counter, Exposition, Gauge, Histogram, Kind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Something that has samples to show at a scrape.
pub trait Collect: Send + Sync {
    /// Adds them.
    fn collect(&self, exposition: &mut Exposition);
}

/// Knows every metric. Lives as long as the process.
///
/// A metric lives as long as somebody holds it: what a reload takes over goes on counting, what
/// nobody uses any more disappears from the next scrape, so that changing names and addresses do
/// not fill the memory.
pub struct Registry {
    workers: usize,
    families: Mutex<BTreeMap<&'static str, Family>>,
    collectors: Mutex<Vec<Weak<dyn Collect>>>,
}

struct Family {
    help: &'static str,
    series: BTreeMap<String, Series>,
}

enum Series {
    Counter(Weak<Counter>),
    Gauge(Weak<Gauge>),
    Histogram(Weak<Histogram>),
}

impl Registry {
    /// For `workers` workers beside the slow lane.
    pub fn new(workers: usize) -> Self {
        Self { workers, families: Mutex::new(BTreeMap::new()), collectors: Mutex::new(Vec::new()) }
    }

    /// How many workers there are beside the slow lane.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The counter with this name and these labels (see [`super::labels`]).
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &str) -> Arc<Counter> {
        self.held(
            name,
            help,
            labels,
            || Counter::new(self.workers),
            |series| match series {
                Series::Counter(held) => held.upgrade(),
                _ => None,
            },
        )
    }

    /// The gauge with this name and these labels.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &str) -> Arc<Gauge> {
        self.held(name, help, labels, Gauge::default, |series| match series {
            Series::Gauge(held) => held.upgrade(),
            _ => None,
        })
    }

    /// The histogram with this name and these labels.
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
        labels: &str,
    ) -> Arc<Histogram> {
        let make = || Histogram::new(self.workers, bounds);
        self.held(name, help, labels, make, |series| match series {
            Series::Histogram(held) => held.upgrade(),
            _ => None,
        })
    }

    /// Lets `collector` show its samples at each scrape, for as long as somebody holds it; once,
    /// however often it is handed in.
    pub fn collect(&self, collector: &Arc<impl Collect + 'static>) {
        let mut collectors = lock(&self.collectors);
        collectors.retain(|held| held.strong_count() > 0);
        let address = Arc::as_ptr(collector).cast::<()>();
        if collectors.iter().all(|held| held.as_ptr().cast::<()>() != address) {
            let collector: Arc<dyn Collect> = collector.clone();
            collectors.push(Arc::downgrade(&collector));
        }
    }

    /// All samples, as Prometheus reads them.
    pub fn text(&self) -> String {
        let mut exposition = Exposition::default();
        for (name, family) in lock(&self.families).iter_mut() {
            family
                .series
                .retain(|labels, series| series.show(name, family.help, labels, &mut exposition));
        }
        let collectors = lock(&self.collectors).clone();
        for collector in collectors.iter().filter_map(Weak::upgrade) {
            collector.collect(&mut exposition);
        }
        exposition.into_text()
    }

    fn held<T>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &str,
        make: impl FnOnce() -> T,
        held: impl Fn(&Series) -> Option<Arc<T>>,
    ) -> Arc<T>
    where
        Series: From<Weak<T>>,
    {
        let mut families = lock(&self.families);
        let family = families.entry(name).or_insert(Family { help, series: BTreeMap::new() });
        if let Some(series) = family.series.get(labels).and_then(held) {
            return series;
        }
        let made = Arc::new(make());
        family.series.insert(labels.to_owned(), Series::from(Arc::downgrade(&made)));
        made
    }
}

impl Series {
    /// Shows the sample; false if nobody holds the metric any more.
    fn show(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &str,
        exposition: &mut Exposition,
    ) -> bool {
        match self {
            Self::Counter(held) => held.upgrade().map(|counter| {
                exposition.family(name, Kind::Counter, help).value(labels, counter.total());
            }),
            Self::Gauge(held) => held.upgrade().map(|gauge| {
                exposition.family(name, Kind::Gauge, help).value(labels, gauge.value());
            }),
            Self::Histogram(held) => held.upgrade().map(|histogram| {
                exposition.family(name, Kind::Histogram, help).histogram(labels, &histogram);
            }),
        }
        .is_some()
    }
}

impl From<Weak<Counter>> for Series {
    fn from(held: Weak<Counter>) -> Self {
        Self::Counter(held)
    }
}

impl From<Weak<Gauge>> for Series {
    fn from(held: Weak<Gauge>) -> Self {
        Self::Gauge(held)
    }
}

impl From<Weak<Histogram>> for Series {
    fn from(held: Weak<Histogram>) -> Self {
        Self::Histogram(held)
    }
}

/// A scrape that panicked leaves nothing half done that the next would trip over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_goes_on_while_it_is_held_and_ends_with_its_last_holder() {
        let registry = Registry::new(1);
        let first = registry.counter("x_total", "X.", "");
        first.increment(1);
        let second = registry.counter("x_total", "X.", "");
        drop(first);
        second.increment(0);
        assert!(registry.text().ends_with("\nx_total 2\n"));
        drop(second);
        assert_eq!(registry.text(), "");
        assert_eq!(registry.counter("x_total", "X.", "").total(), 0);
    }
}
