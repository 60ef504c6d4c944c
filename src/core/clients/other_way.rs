//! Signs that a client's requests reach its masters by another way too.
//!
//! The other copy of a request is not always heard here: a bridge or another gateway that neither side of this one
//! hears may carry it. What is heard are the answers to it. Two kinds of answers tell of such a copy, and of nothing else:
//! one that comes before our copy of the request has left, and a second one of the same master whose request arrived
//! at quite another moment (see `second_path::copies`).
//!
//! Others do not count. A second answer that says the same was doubled on its way back; one that says almost the same
//! tells that our own copy was doubled on its way there: the first is the one to ours all the same. One without an open
//! request is late or answers a request that gave way to newer ones: its master is overloaded, and its clients need all
//! the more what does come in time.
//!
//! Each request counts once, so that repeating one answer silences nobody.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// A client is doubted until this long after the last sign, 10 s; the first sign is forgotten then, too. In [`UNIT`]s.
const MEMORY: u16 = 75;
/// So many requests with a sign, each within [`MEMORY`] of the one before, and the client is doubted.
const SIGNS: u8 = 2;

/// Moments are kept in units of 2^27 ns, which wrap after 2.4 hours: the sweep for silent clients forgets old ones
/// long before.
const UNIT: u32 = 27;

const _: () = assert!((MEMORY as u64) << UNIT >= 10_000_000_000);

/// What is known of the other way of one client's requests. 6 bytes: each client has one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct OtherWay {
    /// When the last sign was; see [`UNIT`].
    last: u16,
    /// The request that it was a sign of.
    last_request: u16,
    signs: u8,
}

impl OtherWay {
    /// There is a sign of another way of this request.
    pub(super) fn sign(&mut self, request: u16, now: Instant) {
        let fresh = self.is_fresh(now);
        if fresh && self.last_request == request {
            return;
        }
        self.signs = if fresh {
            self.signs.saturating_add(1)
        } else {
            1
        };
        self.last = units(now);
        self.last_request = request;
    }

    /// Whether none of the client's answers is to be trusted.
    pub(super) const fn is_doubted(&self, now: Instant) -> bool {
        self.signs >= SIGNS && self.is_fresh(now)
    }

    const fn is_fresh(&self, now: Instant) -> bool {
        let age = units(now).wrapping_sub(self.last);
        // More than half the range is by a reading of the clock a moment before.
        self.signs > 0 && (age <= MEMORY || age > u16::MAX / 2)
    }

    /// Forgets signs that are old.
    pub(super) const fn forget_old(&mut self, now: Instant) {
        if !self.is_fresh(now) {
            self.signs = 0;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "wraps; only differences count"
)]
const fn units(at: Instant) -> u16 {
    (at.as_nanos() >> UNIT) as u16
}

const _: () = assert!(size_of::<OtherWay>() == 6);
