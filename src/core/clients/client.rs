//! What the core alone knows of one client.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::bucket::Bucket;
use crate::core::clients::open_request::{Lapse, OPEN, OpenKey, OpenRequest, Progress};
use crate::core::clients::other_way::OtherWay;
use crate::core::hold::FrameRef;
use crate::core::table::Key;
use crate::telemetry::{Slot, mean};
use crate::time::Instant;
use crate::wire::{Lane, PortIdentity};

/// Our client's request was seen upstream no longer ago than this: it has a second path.
const ABOVE_MS: u32 = 2_000;
/// No frame: there are fewer cells than that.
const NOBODY: u64 = u64::MAX;
const SECOND_NS: u64 = 1_000_000_000;

/// A client is one port on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientKey {
    pub(crate) identity: PortIdentity,
    pub(crate) lane: Lane,
}

impl Key for ClientKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.identity.clock.0),
            u64::from(self.identity.port) << 32 | u64::from(self.lane.bits()),
            0,
        ]
    }
}

/// What the core alone knows of a client. What others may read too is in its slot
/// ([`crate::telemetry::ClientSlots`]). Both, with its key and its open requests, take at most 320 bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Client {
    requests: [OpenRequest; OPEN],
    /// Arrival of its last Delay_Req.
    last_request: Instant,
    /// End of its longest unicast grant, in whole seconds of the steady clock.
    granted_until_s: u32,
    bucket: Bucket,
    /// Its request that waits, in one word; [`NOBODY`] if none does.
    waiting: u64,
    /// Seen upstream: its last sequenceId there, and when (milliseconds of the steady clock; zero is never).
    above_ms: u32,
    above_sequence_id: u16,
    /// Row of the master that answered last, plus one; zero while there is none.
    master: u16,
    /// Signs that its requests reach its masters by another way too.
    other_way: OtherWay,
    /// Version of the allow-list that it was found in.
    list: u16,
    /// Version of the table with which it joined.
    joined: u32,
    next_place: u8,
    /// It was answered, and the answer could be corrected: its requests may be held.
    served: bool,
    /// Its messages are signed and may not change: its requests are never held.
    fixed: bool,
    /// The association that signs for it, once one has.
    association: Option<u8>,
}

impl Client {
    pub(super) fn new(now: Instant, list: u16) -> Self {
        Self {
            requests: [OpenRequest::EMPTY; OPEN],
            last_request: Instant::default(),
            granted_until_s: 0,
            bucket: Bucket::full(now),
            waiting: NOBODY,
            above_ms: 0,
            above_sequence_id: 0,
            master: 0,
            other_way: OtherWay::default(),
            list,
            joined: 0,
            next_place: 0,
            served: false,
            fixed: false,
            association: None,
        }
    }

    /// It joined with this version of the table.
    pub(super) fn join(&mut self, version: u64) {
        self.joined = u32::try_from(version).unwrap_or(u32::MAX);
    }

    /// The version of the table with which it joined.
    pub(super) fn joined(&self) -> u64 {
        u64::from(self.joined)
    }

    /// The version of the allow-list that it was found in.
    pub(super) const fn list(&self) -> u16 {
        self.list
    }

    /// It was found in this version of the allow-list.
    pub(super) const fn set_list(&mut self, list: u16) {
        self.list = list;
    }

    // Its messages.

    /// Takes one of `rate` messages a second; false when it has sent more.
    pub(crate) fn may_send(&mut self, now: Instant, rate: u32) -> bool {
        self.bucket.take(now, rate)
    }

    /// Its Delay_Req was seen upstream.
    pub(crate) fn seen_above(&mut self, sequence_id: u16, now: Instant) {
        self.above_ms = millis(now);
        self.above_sequence_id = sequence_id;
    }

    /// Whether this very request was seen upstream.
    pub(crate) fn was_seen_above(&self, sequence_id: u16, now: Instant) -> bool {
        self.above_ms != 0
            && self.above_sequence_id == sequence_id
            && millis(now).wrapping_sub(self.above_ms) < ABOVE_MS
    }

    /// It was granted unicast messages until then.
    pub(crate) fn granted(&mut self, until: Instant) {
        let until_s = until.as_nanos().div_ceil(SECOND_NS);
        let until_s = u32::try_from(until_s).unwrap_or(u32::MAX);
        self.granted_until_s = self.granted_until_s.max(until_s);
    }

    /// Whether it has a grant of unicast messages.
    pub(crate) fn has_grant(&self, now: Instant) -> bool {
        now.as_nanos() <= u64::from(self.granted_until_s) * SECOND_NS
    }

    /// Whether what it sends or is sent is signed and may not change.
    pub(crate) const fn set_fixed(&mut self, fixed: bool) {
        self.fixed = fixed;
    }

    /// The association that signs for it, once one has.
    pub(crate) const fn association(&self) -> Option<u8> {
        self.association
    }

    /// A message of it was verified. Nobody but this association speaks for it from now on.
    pub(crate) fn signed_by(&mut self, association: Option<u8>) {
        self.association = self.association.or(association);
    }

    /// Its request was answered, and the answer could be corrected.
    pub(crate) const fn served(&mut self) {
        self.served = true;
    }

    /// This master, by its row, answers its request. After how long, in nanoseconds; `None` if it has before.
    pub(crate) fn answer(&mut self, place: u8, master: u32, at: Instant) -> Option<u64> {
        let request = self.request_mut(place);
        let response_ns = request.age_ns(at);
        if !request.answer(master) {
            return None;
        }
        self.master = u16::try_from(master + 1).unwrap_or(0);
        Some(response_ns)
    }

    /// A copy of this request of it took another way. Whether it is doubted by now.
    pub(crate) fn took_another_way(&mut self, sequence_id: u16, now: Instant) -> bool {
        self.other_way.sign(sequence_id, now);
        self.is_doubted(now)
    }

    /// Whether none of its answers is to leave: copies of its requests took another way, lately and more than once.
    pub(crate) fn is_doubted(&self, now: Instant) -> bool {
        self.other_way.is_doubted(now)
    }

    /// Whether its requests may be held.
    pub(crate) const fn may_be_held(&self) -> bool {
        self.served && !self.fixed
    }

    /// Row of the master that answered last.
    pub(crate) fn master(&self) -> Option<u32> {
        u32::from(self.master).checked_sub(1)
    }

    /// Notes a Delay_Req that arrived at `at`. The mean interval (in microseconds, up to an hour) follows the last
    /// eight or so.
    pub(super) fn request_arrived(&mut self, at: Instant, slot: Slot<'_>) {
        let mut interval_us = slot.interval_us();
        if slot.requests() > 0 {
            let mut gap = at.as_nanos().saturating_sub(self.last_request.as_nanos()) / 1_000;
            if interval_us > 0 {
                // Gaps are up to twice the mean (9.5.11.2): more is a pause, which does not change the rate.
                gap = gap.min(u64::from(interval_us) * 4);
            }
            interval_us = mean(interval_us, gap);
        }
        self.last_request = at;
        slot.requested(interval_us);
    }

    // Its open requests.

    /// The place of the open request with this key.
    pub(crate) fn find_open(&self, key: OpenKey, now: Instant) -> Option<u8> {
        self.requests
            .iter()
            .position(|request| request.matches(key, now))
            .and_then(|at| u8::try_from(at).ok())
    }

    /// The place of the one open unicast request that an answer from another address can mean (a virtual address, VRRP).
    ///
    /// None if it could mean two, if the request is answered, or if the client asks that address, too: then sequenceIds
    /// of two series meet, and the residence of another request would be taken out.
    pub(crate) fn find_elsewhere(&self, key: OpenKey, now: Instant) -> Option<u8> {
        if self.requests.iter().any(|request| request.went_to(key)) {
            return None;
        }
        let mut fitting = (0..).zip(&self.requests).filter(|(_, request)| {
            request.went_in_unicast() && request.matches(request.key_like(key), now)
        });
        let (place, request) = fitting.next()?;
        (fitting.next().is_none() && !request.answered()).then_some(place)
    }

    /// Opens a request that arrived at `since` in place of the oldest. Returns its place, and how the oldest lapsed.
    pub(super) fn open(
        &mut self,
        key: OpenKey,
        since: Instant,
        now: Instant,
    ) -> (u8, Option<Lapse>) {
        let at = self.next_place;
        self.next_place = (at + 1) % OPEN8;
        let place = &mut self.requests[usize::from(at) % OPEN];
        let before = std::mem::replace(place, OpenRequest::new(key, since));
        (at, before.evicted(now))
    }

    /// The open request at a place.
    pub(crate) fn request(&self, place: u8) -> &OpenRequest {
        &self.requests[usize::from(place) % OPEN]
    }

    /// The open request at a place.
    pub(crate) fn request_mut(&mut self, place: u8) -> &mut OpenRequest {
        &mut self.requests[usize::from(place) % OPEN]
    }

    /// Closes the requests that are open no longer. How many of them found no answer.
    pub(super) fn close_old_requests(&mut self, now: Instant) -> u64 {
        self.other_way.forget_old(now);
        self.close_those(|request| !request.live(now))
    }

    /// Closes all its requests. How many of them found no answer.
    pub(super) fn close_requests(&mut self) -> u64 {
        self.close_those(|_| true)
    }

    fn close_those(&mut self, over: impl Fn(&OpenRequest) -> bool) -> u64 {
        let mut unanswered = 0;
        for request in &mut self.requests {
            if request.progress() != Progress::Empty && over(request) {
                unanswered += u64::from(request.close());
            }
        }
        unanswered
    }

    // Its request that waits.

    /// A request of it waits.
    pub(crate) const fn waits(&mut self, frame: FrameRef) {
        self.waiting = frame.to_word();
    }

    /// Its request that waits, which does so no longer.
    pub(crate) const fn take_waiting(&mut self) -> Option<FrameRef> {
        match std::mem::replace(&mut self.waiting, NOBODY) {
            NOBODY => None,
            frame => Some(FrameRef::from_word(frame)),
        }
    }

    /// Its request that waits.
    pub(super) const fn waiting(&self) -> Option<FrameRef> {
        match self.waiting {
            NOBODY => None,
            frame => Some(FrameRef::from_word(frame)),
        }
    }

    /// This frame waits no longer; a newer one of the same client may.
    pub(crate) fn waits_no_longer(&mut self, frame: FrameRef) {
        if self.waiting == frame.to_word() {
            self.waiting = NOBODY;
        }
    }

    /// Its request, at this place and with this sequenceId, waited and was dropped.
    pub(crate) fn waiting_dropped(&mut self, frame: FrameRef, place: u8, sequence_id: u16) {
        self.waits_no_longer(frame);
        let request = self.request_mut(place);
        if request.sequence_id() == sequence_id && request.progress() == Progress::Waiting {
            request.lost();
        }
    }

    /// Whether its silence is long enough to forget it: the largest of `timeout`, four of its intervals, and
    /// its grant.
    pub(super) fn expired(&self, now: Instant, timeout: Duration, slot: Slot<'_>) -> bool {
        let patience = timeout.max(Duration::from_micros(u64::from(slot.interval_us()) * 4));
        slot.silent(now) > patience && !self.has_grant(now)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "eight")]
const OPEN8: u8 = OPEN as u8;

/// Milliseconds of the steady clock, never zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "wraps after 49 days; only differences count"
)]
fn millis(now: Instant) -> u32 {
    ((now.as_nanos() / 1_000_000) as u32).max(1)
}
