//! Whether a clock jumped or was set while a message was here: then its timestamps do not belong together.

use crate::time::Instant;

/// What has happened to the clocks.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// How often the local clock has jumped.
    jumps: u32,
    /// How often a hardware clock was set; and when, while frames that came before that may still be read.
    sets: u32,
    since: Option<Instant>,
    /// How often the clocks were read.
    readings: u32,
}

/// What had happened to the clocks when a message was launched.
#[derive(Clone, Copy, Debug, Default)]
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
