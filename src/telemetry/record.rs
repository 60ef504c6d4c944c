//! Words under a sequence number: one writer that never waits, any number of readers that copy.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use super::words::Put;

/// A copy that is torn is taken again after this pause.
const PAUSE: Duration = Duration::from_micros(50);
/// A reader gives up after this many copies, about a second: the writer was stopped in the middle.
const TRIES: u32 = 20_000;

/// A fixed number of words that one thread publishes and others copy.
///
/// The sequence number is odd while words are being written. A copy between two readings of the same even
/// number is whole (Boehm, "Can seqlocks get along with programming language memory models?", 2012).
#[derive(Debug)]
pub(super) struct Record {
    sequence: AtomicU64,
    words: Box<[AtomicU64]>,
}

impl Record {
    /// A record of zeroes that was never published.
    pub(super) fn new(words: usize) -> Self {
        Self {
            sequence: AtomicU64::new(0),
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Publishes what `write` puts, from the first word on. Only one thread may call this at a time; two
    /// would publish nonsense, but nothing worse.
    pub(super) fn publish(&self, write: impl FnOnce(&mut Page<'_>)) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(before.wrapping_add(1) | 1, Ordering::Relaxed);
        // No word is seen before the odd number.
        fence(Ordering::Release);
        write(&mut Page(self.words.iter()));
        self.sequence
            .store((before | 1).wrapping_add(1), Ordering::Release);
    }

    /// A whole copy into `copy`, and how often was published before; `None` if the writer was stopped in
    /// the middle for a second.
    pub(super) fn read(&self, copy: &mut Vec<u64>) -> Option<u64> {
        for _ in 0..TRIES {
            let before = self.sequence.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                copy.clear();
                copy.extend(self.words.iter().map(|word| word.load(Ordering::Relaxed)));
                // The number is read after the words.
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return Some(before / 2);
                }
            }
            std::thread::sleep(PAUSE);
        }
        None
    }
}

/// The words while they are written; those beyond the record are left out.
pub(super) struct Page<'a>(std::slice::Iter<'a, AtomicU64>);

impl Put for Page<'_> {
    fn put(&mut self, word: u64) {
        if let Some(to) = self.0.next() {
            to.store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn copies_are_whole_while_a_thread_publishes() {
        const WORDS: usize = 400;
        let record = Arc::new(Record::new(WORDS));
        let stop = Arc::new(AtomicBool::new(false));
        let writer = std::thread::spawn({
            let (record, stop) = (Arc::clone(&record), Arc::clone(&stop));
            move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    record.publish(|page| (0..WORDS).for_each(|_| page.put(round)));
                    // Readers are to find it still, and find it writing, too.
                    for _ in 0..round % 2_000 {
                        std::hint::spin_loop();
                    }
                }
                round
            }
        });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let record = Arc::clone(&record);
                std::thread::spawn(move || {
                    let mut copy = Vec::new();
                    let (mut last, mut changes) = (0, 0);
                    while changes < 300 {
                        let published = record.read(&mut copy).expect("a writer that goes on");
                        assert_eq!(copy.len(), WORDS);
                        assert!(copy.iter().all(|&word| word == copy[0]), "torn: {copy:?}");
                        assert_eq!(copy[0], published, "the number counts publications");
                        assert!(published >= last, "never back");
                        changes += u64::from(published > last);
                        last = published;
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() >= 300);
    }

    #[test]
    fn words_beyond_the_record_are_left_out() {
        let record = Record::new(2);
        record.publish(|page| (1..9).for_each(|word| page.put(word)));
        let mut copy = Vec::new();
        assert_eq!(record.read(&mut copy), Some(1));
        assert_eq!(copy, [1, 2]);
    }
}
