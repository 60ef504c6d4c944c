//! Words from one thread to another, in order: entries of any length in a ring of fixed size.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::words::Put;

/// Words in the ring, 512 KiB: some 4000 steps, or 2500 dropped frames of usual length.
const WORDS: usize = 1 << 16;

/// A ring with one writer and one reader. A second writer or reader would make nonsense of it, but nothing worse.
#[derive(Debug, Default)]
pub(super) struct Queue {
    words: OnceLock<Box<[AtomicU64]>>,
    /// Words written since the start, entry by entry.
    written: AtomicU64,
    /// Words read since the start.
    read: AtomicU64,
}

impl Queue {
    /// Takes its memory, if it has none yet.
    pub(super) fn make(&self) {
        self.words
            .get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
    }

    /// Puts an entry of `len` words, which `write` puts; false if there is no room.
    pub(super) fn put(&self, len: usize, write: impl FnOnce(&mut Entry<'_>)) -> bool {
        let Some(words) = self.words.get() else {
            return false;
        };
        let start = self.written.load(Ordering::Relaxed);
        // What was read is free only now.
        let used = start.wrapping_sub(self.read.load(Ordering::Acquire));
        let end = start.wrapping_add(len as u64).wrapping_add(1);
        if used + len as u64 + 1 > words.len() as u64 {
            return false;
        }
        let mut entry = Entry {
            words,
            next: start,
            end,
        };
        entry.put(len as u64);
        write(&mut entry);
        // The words are seen before the number.
        self.written.store(end, Ordering::Release);
        true
    }

    /// Takes the next entry into `entry`; false if there is none.
    pub(super) fn take(&self, entry: &mut Vec<u64>) -> bool {
        let Some(words) = self.words.get() else {
            return false;
        };
        let start = self.read.load(Ordering::Relaxed);
        let there = self.written.load(Ordering::Acquire).wrapping_sub(start);
        if there == 0 {
            return false;
        }
        let len = word(words, start).load(Ordering::Relaxed).min(there - 1);
        entry.clear();
        entry.extend((1..=len).map(|n| word(words, start.wrapping_add(n)).load(Ordering::Relaxed)));
        self.read
            .store(start.wrapping_add(len + 1), Ordering::Release);
        true
    }
}

/// An entry while it is written; words beyond its length are left out.
pub(super) struct Entry<'a> {
    words: &'a [AtomicU64],
    next: u64,
    end: u64,
}

impl Put for Entry<'_> {
    fn put(&mut self, value: u64) {
        if self.next != self.end {
            word(self.words, self.next).store(value, Ordering::Relaxed);
            self.next = self.next.wrapping_add(1);
        }
    }
}

/// The place of the word with this number.
fn word(words: &[AtomicU64], number: u64) -> &AtomicU64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below the length, a power of two"
    )]
    let place = (number & (WORDS as u64 - 1)) as usize;
    &words[place]
}

const _: () = assert!(WORDS.is_power_of_two());
