//! The summary line, at an even interval.

use std::time::Duration;

use log::info;

use super::cores::{clients, counters};
use crate::core::Forwarder;
use crate::report::Summary;
use crate::time::Instant;

/// Logs a summary at an even interval.
pub(super) struct Lap {
    every: Option<Duration>,
    last: Instant,
    summary: Summary,
}

impl Lap {
    pub(super) fn new(every: Option<Duration>, now: Instant) -> Self {
        Self {
            every,
            last: now,
            summary: Summary::default(),
        }
    }

    /// From now on at this interval.
    pub(super) const fn set(&mut self, every: Option<Duration>) {
        self.every = every;
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.every.map(|every| self.last + every)
    }

    pub(super) fn log_if_due(&mut self, cores: &[Forwarder], now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        let elapsed = now.since(self.last);
        self.last = now;
        let line = self.summary.line(&counters(cores), clients(cores), elapsed);
        info!("{line}");
    }
}
