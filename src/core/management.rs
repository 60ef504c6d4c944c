//! Open Management requests, so that their answers find the way back.

use crate::time::Instant;
use crate::wire::{Lane, PortIdentity};

const CAPACITY: usize = 256;
const LIFE_NS: u64 = 2_000_000_000;

/// What an answer shares with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ManagementKey {
    /// The station that asked.
    pub(crate) station: PortIdentity,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) lane: Lane,
}

/// The last requests; an answer may come from many ports, so that a request stays open for its time.
pub(crate) struct OpenManagement {
    requests: Vec<(Instant, ManagementKey)>,
    next: usize,
}

impl OpenManagement {
    pub(crate) fn new() -> Self {
        Self {
            requests: Vec::with_capacity(CAPACITY),
            next: 0,
        }
    }

    pub(crate) fn open(&mut self, key: ManagementKey, now: Instant) {
        if self.requests.len() < CAPACITY {
            self.requests.push((now, key));
        } else {
            self.requests[self.next] = (now, key);
            self.next = (self.next + 1) % CAPACITY;
        }
    }

    pub(crate) fn is_open(&self, key: &ManagementKey, now: Instant) -> bool {
        self.requests.iter().any(|(since, open)| {
            open == key && now.as_nanos().saturating_sub(since.as_nanos()) < LIFE_NS
        })
    }
}
