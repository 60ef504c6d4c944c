//! Whether a clock jumped or was set while a message was here: then its timestamps do not belong together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// That a hardware clock was set is said once in this time: one that is broken is set with each reading.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What has happened to the clocks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Doubt {
    /// How often the local clock has jumped.
    jumps: u32,
    /// How often a hardware clock was set; and when, while frames that came before that may still be read.
    sets: u32,
    since: Option<Instant>,
    /// When that was said last.
    said: Option<Instant>,
    /// How often the clocks were read.
    readings: u32,
}

/// What had happened to the clocks when a message was launched.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    jumps: u32,
    sets: u32,
}

impl Doubt {
    /// What has happened up to now.
    pub(super) const fn mark(&self) -> Mark {
        Mark {
            jumps: self.jumps,
            sets: self.sets,
        }
    }

    /// Whether the local clock jumped since: a timestamp of that time may have been taken after the jump and translated
    /// by what held before.
    pub(super) const fn jumped_since(&self, mark: Mark) -> bool {
        mark.jumps != self.jumps
    }

    /// Whether a hardware clock was set since.
    pub(super) const fn set_since(&self, mark: Mark) -> bool {
        mark.sets != self.sets
    }

    /// A hardware clock was set, as is seen now.
    pub(super) const fn hardware_set(&mut self, now: Instant) {
        self.sets = self.sets.wrapping_add(1);
        self.since = Some(now);
    }

    /// Whether it is to be said now that one was set.
    pub(super) fn is_news(&mut self, now: Instant) -> bool {
        let news = self.said.is_none_or(|said| now.since(said) >= SAID_EVERY);
        if news {
            self.said = Some(now);
        }
        news
    }

    /// What had arrived until then was read.
    pub(super) fn read_up_to(&mut self, then: Instant) {
        self.since = self.since.filter(|&since| then < since);
    }

    /// Whether a hardware timestamp of what is read now may be of before its clock was set.
    pub(super) const fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// How often the clocks were read.
    pub(super) const fn readings(&self) -> u32 {
        self.readings
    }

    /// The clocks were read.
    pub(super) const fn clocks_read(&mut self) {
        self.readings = self.readings.wrapping_add(1);
    }

    /// The clocks were read, and the local one has jumped since the reading before: returns the number of that one.
    pub(super) const fn clock_stepped(&mut self) -> u32 {
        let before = self.readings;
        self.clocks_read();
        self.jumps = self.jumps.wrapping_add(1);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_always_set_is_named_once_a_minute() {
        let mut doubt = Doubt::default();
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        let said = (0..150_000).step_by(4).filter(|&ms| doubt.is_news(at(ms)));
        assert_eq!(said.collect::<Vec<_>>(), [0, 60_000, 120_000]);
    }
}
