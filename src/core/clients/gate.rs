//! New clients, until the kernel's filter lets their answers in.

use std::collections::VecDeque;

use crate::core::hold::FrameRef;
use crate::core::refs::ClientRef;
use crate::core::state::{Reader, StateError, Writer};

/// Clients that wait for the filter at once.
const PENDING: usize = 4096;

/// Which clients' answers are let in.
pub(crate) struct Gate {
    /// Those of clients up to this version of the table.
    admitted: u64,
    /// First requests that wait for that.
    pending: VecDeque<(ClientRef, FrameRef)>,
}

impl Gate {
    /// All answers are let in.
    pub(super) fn open() -> Self {
        Self {
            admitted: u64::MAX,
            pending: VecDeque::with_capacity(PENDING),
        }
    }

    /// Writes it.
    pub(super) fn save(&self, out: &mut Writer) {
        out.put(&self.admitted);
        out.all(self.pending.iter());
    }

    /// Reads it.
    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.admitted = from.take()?;
        from.all(PENDING, "clients that wait for the filter", |pending| {
            self.pending.push_back(pending);
            Ok(())
        })
    }

    /// The answers to clients up to this version of the table are let in, and no others.
    pub(super) const fn admit(&mut self, version: u64) {
        self.admitted = version;
    }

    /// Whether answers to a client that joined with this version of the table are let in.
    pub(super) const fn admits(&self, joined: u64) -> bool {
        joined <= self.admitted
    }

    /// A client's request waits; false when too many do.
    pub(super) fn wait(&mut self, client: ClientRef, frame: FrameRef) -> bool {
        let room = self.pending.len() < PENDING;
        if room {
            self.pending.push_back((client, frame));
        }
        room
    }

    /// The request that has waited longest.
    pub(super) fn first(&self) -> Option<(ClientRef, FrameRef)> {
        self.pending.front().copied()
    }

    /// It waits no longer.
    pub(super) fn remove_first(&mut self) {
        self.pending.pop_front();
    }
}
