//! What the loop knows of one port: how far it was read, and what its batch is.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct PortSide {
    /// Frames that waited when the clock jumped carry ambiguous timestamps, until all are read.
    ambiguous: bool,
    /// Arrival of the last frame that was read, by the steady clock.
    last_read: Instant,
    /// What had arrived until then was read.
    read_up_to: Instant,
    /// Frames that the port did not send.
    pub(super) unsent: u64,
    /// When the first event message of the batch will be stale.
    latest: Option<Instant>,
    /// Whether the batch is of event messages, where they go apart from others.
    of_events: bool,
}

impl PortSide {
    /// The clock jumped.
    pub(super) const fn clock_jumped(&mut self) {
        self.ambiguous = true;
    }

    /// Whether the timestamp of a frame that is read may be of before a jump or after it.
    pub(super) const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// A frame was read that had arrived then.
    pub(super) const fn read(&mut self, at: Instant) {
        self.last_read = at;
    }

    /// All that had arrived by now was read.
    pub(super) const fn all_read(&mut self, now: Instant) {
        self.ambiguous = false;
        self.read_up_to = now;
    }

    /// There is more behind the last frame that was read.
    pub(super) const fn more_to_read(&mut self) {
        self.read_up_to = self.last_read;
    }

    /// What had arrived until then was read.
    pub(super) const fn read_up_to(&self) -> Instant {
        self.read_up_to
    }

    /// A frame joins the batch: an event message or another one, which will be stale then.
    pub(super) fn joins(&mut self, event: bool, latest: Option<Instant>) {
        self.of_events = event;
        if let Some(latest) = latest {
            let earliest = self.latest.map_or(latest, |earliest| earliest.min(latest));
            self.latest = Some(earliest);
        }
    }

    /// The batch is not sent: so many frames were in it.
    pub(super) const fn gives_up(&mut self, frames: usize) {
        self.unsent += frames as u64;
        self.latest = None;
    }

    /// Whether the last frame that joined the batch is an event message.
    pub(super) const fn is_of_events(&self) -> bool {
        self.of_events
    }

    /// The batch is to be sent: whether it was filled too long ago.
    pub(super) fn is_stale(&mut self, now: Instant) -> bool {
        self.latest.take().is_some_and(|latest| latest < now)
    }
}
