//! Readings of a hardware clock on their way to the loop: one thread writes them, another takes them, and neither waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::time::{Crossing, Instant};

/// Readings that are kept for one who does not take them: at one each 4 ms, those of the last 64 ms. Older ones are of no
/// use to a loop that has slept.
const KEPT: usize = 16;

/// The last readings of one hardware clock.
#[derive(Debug)]
pub struct Crossings {
    phc: u32,
    /// How many were written.
    written: AtomicU64,
    places: [Place; KEPT],
}

/// One reading under a sequence number, which is odd while it is written (as in `telemetry/record.rs`).
#[derive(Debug, Default)]
struct Place {
    sequence: AtomicU64,
    words: [AtomicU64; 3],
}

impl Crossings {
    /// None yet, of this clock.
    #[must_use]
    pub fn new(phc: u32) -> Arc<Self> {
        Arc::new(Self {
            phc,
            written: AtomicU64::new(0),
            places: std::array::from_fn(|_| Place::default()),
        })
    }

    /// Adds a reading. Only one thread may call this at a time; two would write nonsense, but nothing worse.
    pub fn add(&self, crossing: &Crossing) {
        let number = self.written.load(Ordering::Relaxed);
        let Some(place) = self.place(number) else {
            return;
        };
        place.sequence.store(2 * number + 1, Ordering::Relaxed);
        // No word is seen before the odd number.
        fence(Ordering::Release);
        let words = [
            crossing.steady.as_nanos(),
            crossing.hardware_ns.cast_unsigned(),
            crossing.half_ns.into(),
        ];
        for (to, word) in place.words.iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        place.sequence.store(2 * number + 2, Ordering::Release);
        self.written.store(number + 1, Ordering::Release);
    }

    fn place(&self, number: u64) -> Option<&Place> {
        let place = usize::try_from(number % KEPT as u64).ok()?;
        self.places.get(place)
    }

    /// The reading of this number; `None` if it was overwritten.
    fn get(&self, number: u64) -> Option<Crossing> {
        let place = self.place(number)?;
        let before = place.sequence.load(Ordering::Acquire);
        let [steady, hardware, half] =
            std::array::from_fn(|n| place.words[n].load(Ordering::Relaxed));
        // The number is read after the words.
        fence(Ordering::Acquire);
        let whole = place.sequence.load(Ordering::Relaxed) == before && before == 2 * number + 2;
        whole.then(|| Crossing {
            phc: self.phc,
            steady: Instant::from_nanos(steady),
            hardware_ns: hardware.cast_signed(),
            half_ns: u32::try_from(half).unwrap_or(u32::MAX),
        })
    }
}

/// Takes readings in their order.
#[derive(Debug)]
pub struct CrossingReader {
    from: Arc<Crossings>,
    next: u64,
}

impl CrossingReader {
    /// Takes those that are kept, and what comes.
    #[must_use]
    pub const fn new(from: Arc<Crossings>) -> Self {
        Self { from, next: 0 }
    }

    /// The next reading that was not taken. Those that were overwritten are left out.
    pub fn take(&mut self) -> Option<Crossing> {
        let written = self.from.written.load(Ordering::Acquire);
        self.next = self.next.max(written.saturating_sub(KEPT as u64));
        while self.next < written {
            let number = self.next;
            self.next += 1;
            if let Some(crossing) = self.from.get(number) {
                return Some(crossing);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossing(n: u32) -> Crossing {
        Crossing {
            phc: 3,
            steady: Instant::from_nanos(u64::from(n) * 7),
            hardware_ns: -i64::from(n),
            half_ns: n,
        }
    }

    #[test]
    fn come_in_order_and_the_oldest_are_left_out() {
        let crossings = Crossings::new(3);
        let mut reader = CrossingReader::new(Arc::clone(&crossings));
        assert_eq!(reader.take(), None);
        (0..3).for_each(|n| crossings.add(&crossing(n)));
        for n in 0..3 {
            assert_eq!(reader.take(), Some(crossing(n)));
        }
        assert_eq!(reader.take(), None);
        (3..40).for_each(|n| crossings.add(&crossing(n)));
        let all: Vec<Crossing> = std::iter::from_fn(|| reader.take()).collect();
        assert_eq!(all, (24..40).map(crossing).collect::<Vec<_>>());
    }

    #[test]
    fn are_whole_while_a_thread_writes() {
        const LAST: u32 = 300_000;
        let crossings = Crossings::new(3);
        let mut reader = CrossingReader::new(Arc::clone(&crossings));
        let writer = std::thread::spawn(move || {
            for n in 0..=LAST {
                crossings.add(&crossing(n));
            }
        });
        let mut last = None;
        while last != Some(LAST) {
            let Some(taken) = reader.take() else {
                std::hint::spin_loop();
                continue;
            };
            assert_eq!(taken, crossing(taken.half_ns));
            assert!(last < Some(taken.half_ns), "in their order");
            last = Some(taken.half_ns);
        }
        writer.join().expect("it writes");
    }
}
