//! Questions on their way, so that equal ones travel together.
//!
//! That spares the servers a stampede when an answer leaves a cache. It also keeps forgers from
//! profiting of many equal questions, any of which a forged answer may hit (RFC 5452 §5).

use crate::task::lock;
use futures_util::future::{FutureExt, Shared, WeakShared};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// Above this many different questions on their way, further ones travel alone.
const FLIGHTS_MAX: usize = 16_384;

type Travel<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A question on its way, for one of those who wait for it. It goes on as long as anyone waits,
/// whoever came first.
pub(crate) type Flight<T> = Shared<Travel<T>>;

/// How a question came into its flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Boarded {
    /// It is the first; others may join it.
    First,
    /// It shares the flight of an equal one.
    Joined,
    /// Nobody can join it: too many are on their way.
    Alone,
}

/// The questions that are on their way.
#[derive(Debug)]
pub(crate) struct Flights<T: Clone> {
    aloft: Mutex<Aloft<T>>,
}

#[derive(Debug)]
struct Aloft<T: Clone> {
    by_key: HashMap<Arc<[u8]>, Numbered<T>>,
    started: u64,
}

/// The number tells a flight from a later one with the same key.
#[derive(Debug)]
struct Numbered<T: Clone> {
    number: u64,
    flight: WeakShared<Travel<T>>,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(crate) fn new() -> Arc<Self> {
        let aloft = Aloft { by_key: HashMap::new(), started: 0 };
        Arc::new(Self { aloft: Mutex::new(aloft) })
    }

    /// The flight with `key`, or one that begins with `travel`.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: Vec<u8>,
        travel: impl Future<Output = T> + Send + 'static,
    ) -> (Flight<T>, Boarded) {
        let mut aloft = lock(&self.aloft);
        if let Some(flight) = aloft.by_key.get(&key[..]).and_then(|found| found.flight.upgrade()) {
            return (flight, Boarded::Joined);
        }
        if aloft.by_key.len() >= FLIGHTS_MAX {
            return (travel.boxed().shared(), Boarded::Alone);
        }
        let key: Arc<[u8]> = key.into();
        aloft.started += 1;
        let number = aloft.started;
        let landing = Landing { flights: self.clone(), key: key.clone(), number };
        // Not an `async` block, which would hold the travel twice: before it begins, and while it
        // goes on.
        let arrive = |outcome| {
            drop(landing);
            outcome
        };
        let flight = travel.map(arrive).boxed().shared();
        if let Some(flight) = flight.downgrade() {
            aloft.by_key.insert(key, Numbered { number, flight });
        }
        (flight, Boarded::First)
    }
}

/// Takes a flight off the table when it ends, or when nobody waits for it any more.
struct Landing<T: Clone> {
    flights: Arc<Flights<T>>,
    key: Arc<[u8]>,
    number: u64,
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        let by_key = &mut lock(&self.flights.aloft).by_key;
        if by_key.get(&self.key).is_some_and(|found| found.number == self.number) {
            by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::oneshot;

    fn aloft<T: Clone>(flights: &Flights<T>) -> usize {
        lock(&flights.aloft).by_key.len()
    }

    #[tokio::test]
    async fn whoever_asks_the_same_shares_the_answer() {
        let (flights, started) = (Flights::new(), Arc::new(AtomicU32::new(0)));
        let (answer, answered) = oneshot::channel();
        let count = started.clone();
        let (first, joined) = flights.join(vec![1], async move {
            count.fetch_add(1, Ordering::Relaxed);
            answered.await.unwrap()
        });
        assert_eq!(joined, Boarded::First);
        let (second, joined) = flights.join(vec![1], async { unreachable!() });
        let (other, apart) = flights.join(vec![2], async { 8 });
        assert_eq!((joined, apart, aloft(&flights)), (Boarded::Joined, Boarded::First, 2));
        answer.send(7).unwrap();
        assert_eq!((second.await, first.await, other.await), (7, 7, 8));
        assert_eq!((started.load(Ordering::Relaxed), aloft(&flights)), (1, 0));
    }

    #[tokio::test]
    async fn the_first_may_leave_in_the_middle() {
        let flights = Flights::new();
        let (answer, answered) = oneshot::channel();
        let (mut first, _) = flights.join(vec![1], async move { answered.await.unwrap() });
        assert!((&mut first).now_or_never().is_none());
        let (second, joined) = flights.join(vec![1], async { unreachable!() });
        assert_eq!(joined, Boarded::Joined);
        drop(first);
        answer.send(7).unwrap();
        assert_eq!(second.await, 7);
    }

    #[tokio::test]
    async fn a_flight_without_passengers_ends() {
        let flights = Flights::new();
        let (alive, ended) = oneshot::channel::<()>();
        let (first, _) = flights.join(vec![1], async move {
            let _alive = alive;
            std::future::pending::<u8>().await
        });
        let (second, _) = flights.join(vec![1], async { unreachable!() });
        drop((first, second));
        assert!(ended.await.is_err() && aloft(&flights) == 0);
        assert_eq!(flights.join(vec![1], async { 1 }).1, Boarded::First);
    }

    #[tokio::test]
    async fn above_the_limit_questions_travel_alone() {
        let flights = Flights::new();
        let crowd: Vec<_> = (0..FLIGHTS_MAX)
            .map(|number| flights.join(number.to_be_bytes().to_vec(), async { 1 }).0)
            .collect();
        for _ in 0..2 {
            let (flight, boarded) = flights.join(vec![1], async { 2 });
            assert_eq!((flight.await, boarded), (2, Boarded::Alone));
        }
        drop(crowd);
        assert_eq!(flights.join(vec![1], async { 3 }).1, Boarded::First);
    }
}
