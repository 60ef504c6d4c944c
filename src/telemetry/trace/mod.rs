//! What becomes of each message, step by step, for whoever watches: a queue from the loop to one reader.
//!
//! Nobody watches, usually: then the loop writes nothing. Who does, turns it on by [`Trace::want`]. The queue has a
//! fixed size; a step that does not fit is left out and counted, so that no reader ever holds the loop up.
//!
//! | file | one idea |
//! |---|---|
//! | `queue` | words from one thread to another, in order |
//! | `step` | what is said of a message, and how it is written |

mod queue;
mod step;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

pub use step::{Step, What};

use super::words::{Take, Words};
use queue::Queue;

/// Bytes of a frame that are copied: all of any Ethernet frame that is not a jumbo.
const LONGEST: usize = 2048;

/// What is wanted of the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Every step; if not, drops only.
    pub exchanges: bool,
    /// The bytes of what is dropped.
    pub frames: bool,
}

/// Steps on their way from the loop to one reader.
#[derive(Debug, Default)]
pub struct Trace {
    /// [`Wanted`] as bits; zero while nobody watches.
    wanted: AtomicU8,
    queue: Queue,
    lost: AtomicU64,
}

const ON: u8 = 1;
const EXCHANGES: u8 = 2;
const FRAMES: u8 = 4;

impl Trace {
    // For the reader.

    /// From now on the loop writes what is wanted; `None` is nothing. The first call takes the queue's memory.
    pub fn want(&self, wanted: Option<Wanted>) {
        let bits = wanted.map_or(0, |wanted| {
            ON | if wanted.exchanges { EXCHANGES } else { 0 }
                | if wanted.frames { FRAMES } else { 0 }
        });
        if bits != 0 {
            self.queue.make();
        }
        self.wanted.store(bits, Ordering::Release);
    }

    /// Takes the next step, and the bytes of its frame if they are wanted. Only one thread may call this.
    pub fn take(&self, words: &mut Vec<u64>) -> Option<(Step, Vec<u8>)> {
        if !self.queue.take(words) {
            return None;
        }
        let mut taken = Take(words.iter());
        let step = Step::read(&mut taken);
        let len = usize::try_from(taken.word()).unwrap_or(0).min(LONGEST);
        let mut bytes: Vec<u8> = taken.0.flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(len);
        Some((step, bytes))
    }

    /// Steps that were left out since the start, because the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    // For the loop.

    /// Whether anybody watches.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) != 0
    }

    /// Writes a step, and the frame if that is wanted: no lock, no memory, no system call. Only one thread may call
    /// this.
    pub(crate) fn write(&self, step: &Step, bytes: &[u8]) {
        let wanted = self.wanted.load(Ordering::Relaxed);
        let dropped = matches!(step.what, What::Dropped { .. });
        if wanted == 0 || !dropped && wanted & EXCHANGES == 0 {
            return;
        }
        let bytes = match dropped && wanted & FRAMES != 0 {
            true => bytes.get(..LONGEST).unwrap_or(bytes),
            false => &[],
        };
        let len = Step::WORDS + 1 + bytes.len().div_ceil(8);
        let written = self.queue.put(len, |out| {
            step.write(out);
            (bytes.len() as u64).write(out);
            for chunk in bytes.chunks(8) {
                let mut word = [0; 8];
                for (to, from) in word.iter_mut().zip(chunk) {
                    *to = *from;
                }
                u64::from_le_bytes(word).write(out);
            }
        });
        if !written {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
