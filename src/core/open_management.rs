//! Management: the requests whose answers may come back, and how many messages pass a second.

use serde::{Deserialize, Serialize};

use crate::core::bucket::Bucket;
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::time::Instant;
use crate::wire::{Lane, PortIdentity};

const CAPACITY: usize = 256;
const LIFE_NS: u64 = 2_000_000_000;
/// Management requests a second that pass, and those to everybody.
const RATE: u32 = 100;
const ALL_ONES_RATE: u32 = 1;
/// Messages of metadata a second that pass: each master sends one a second, and one more at a change.
const METADATA_RATE: u32 = 20;

/// What an answer shares with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagementKey {
    /// The station that asked.
    pub(crate) station: PortIdentity,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) lane: Lane,
}

/// The last requests, and the limits.
pub(crate) struct Management {
    /// An answer may come from many ports, so that a request stays open for its time.
    requests: Vec<(Instant, ManagementKey)>,
    next: usize,
    bucket: Bucket,
    all_ones_bucket: Bucket,
    metadata_bucket: Bucket,
}

impl Management {
    pub(crate) fn new() -> Self {
        Self {
            requests: Vec::with_capacity(CAPACITY),
            next: 0,
            bucket: Bucket::full(Instant::default()),
            all_ones_bucket: Bucket::full(Instant::default()),
            metadata_bucket: Bucket::full(Instant::default()),
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.all(self.requests.iter());
        let buckets = (self.bucket, self.all_ones_bucket, self.metadata_bucket);
        out.put(&(self.next, buckets));
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.all(CAPACITY, "Management", |request| {
            self.requests.push(request);
            Ok(())
        })?;
        (
            self.next,
            (self.bucket, self.all_ones_bucket, self.metadata_bucket),
        ) = from.take()?;
        sane(self.next < CAPACITY, "Management")
    }

    /// Whether one more request may pass; `to_all` is one to everybody.
    pub(crate) fn may_ask(&mut self, to_all: bool, now: Instant) -> bool {
        self.bucket.take(now, RATE) && (!to_all || self.all_ones_bucket.take(now, ALL_ONES_RATE))
    }

    /// Whether one more message of metadata may pass.
    pub(crate) fn metadata_may_pass(&mut self, now: Instant) -> bool {
        self.metadata_bucket.take(now, METADATA_RATE)
    }

    /// A request passes: answers to it may come back.
    pub(crate) fn open(&mut self, key: ManagementKey, now: Instant) {
        if self.requests.len() < CAPACITY {
            self.requests.push((now, key));
        } else {
            self.requests[self.next] = (now, key);
            self.next = (self.next + 1) % CAPACITY;
        }
    }

    /// Whether an answer with this key may come back.
    pub(crate) fn is_open(&self, key: &ManagementKey, now: Instant) -> bool {
        self.requests.iter().any(|(since, open)| {
            open == key && now.as_nanos().saturating_sub(since.as_nanos()) < LIFE_NS
        })
    }
}
