//! Traffic in the background while faults come and go, and what they cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::segments::{END, Line};
use crate::stations::{End, Stations};

/// How long the clients may take to be in sync on a busy machine.
const PATIENCE: Duration = Duration::from_secs(12);
/// An answer that has not come by then does not come any more.
const NO_MORE: Duration = Duration::from_millis(400);

/// Stations that go on until this is dropped.
pub(crate) struct Traffic {
    stations: Arc<Mutex<Stations>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a fault cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// From the fault's end until a Sync and a request that began after it were complete.
    pub(crate) recovery: Duration,
    /// Requests without an answer that were sent while it lasted, or just before.
    pub(crate) lost_during: usize,
    /// And those sent after its end.
    pub(crate) lost_after: usize,
}

impl Traffic {
    /// Four clients, sixteen requests a second each.
    pub(crate) fn start(line: &Line) -> Self {
        Self::of(line, 4, Duration::from_micros(62_500))
    }

    /// `clients` with a request every `every` each.
    pub(crate) fn of(line: &Line, clients: u32, every: Duration) -> Self {
        let above = End::open(&line.grandmaster, END);
        let below = End::open(&line.clients, END);
        let stations = Stations::new(above, below, clients, every);
        let stations = Arc::new(Mutex::new(stations));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, told) = (Arc::clone(&stations), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                theirs.lock().unwrap_or_else(PoisonError::into_inner).step();
                thread::sleep(Duration::from_micros(300));
            }
        });
        Self {
            stations,
            stop,
            thread: Some(thread),
        }
    }

    /// The stations, which stand still meanwhile.
    pub(crate) fn stations(&self) -> MutexGuard<'_, Stations> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cable above was made anew.
    pub(crate) fn reopen_above(&self, line: &Line) {
        self.stations().above = Some(End::open(&line.grandmaster, END));
    }

    /// The cable below was made anew.
    pub(crate) fn reopen_below(&self, line: &Line) {
        self.stations().below = Some(End::open(&line.clients, END));
    }

    /// Waits until a Sync and a request that began after `since` were complete; how long that took.
    pub(crate) fn in_sync(&self, since: Instant) -> Duration {
        let deadline = Instant::now() + PATIENCE;
        loop {
            {
                let stations = self.stations();
                let served = stations
                    .served
                    .iter()
                    .filter(|served| served.sent >= since)
                    .map(|served| served.complete)
                    .min();
                let answered = stations
                    .requests
                    .iter()
                    .filter(|request| request.sent >= since)
                    .filter_map(|request| request.answered)
                    .min();
                if let (Some(served), Some(answered)) = (served, answered) {
                    return served.max(answered) - since;
                }
                assert!(
                    Instant::now() < deadline,
                    "not in sync: Sync {served:?}, Delay_Resp {answered:?}, wrong: {:?}",
                    stations.wrong
                );
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets a fault happen (`cause` returns when it has ended), and waits until it is over.
    pub(crate) fn through(&self, cause: impl FnOnce()) -> Cost {
        self.in_sync(Instant::now());
        let start = Instant::now();
        cause();
        let end = Instant::now();
        let recovery = self.in_sync(end);
        let back = Instant::now();
        thread::sleep(NO_MORE);
        let stations = self.stations();
        let lost = |from: Instant, to: Instant| {
            let sent = stations
                .requests
                .iter()
                .filter(|r| from <= r.sent && r.sent < to);
            sent.filter(|request| request.answered.is_none()).count()
        };
        // What was open when it began is lost by it.
        Cost {
            recovery,
            lost_during: lost(start - NO_MORE, end),
            lost_after: lost(end, back),
        }
    }

    /// Ends it; no time was wrong and nothing came late.
    pub(crate) fn end_right(self) {
        let stations = self.stations();
        assert_eq!(stations.wrong, Vec::<String>::new());
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
