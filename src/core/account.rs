//! What happened, for whoever reads it: counts, measures, events for the log.

use std::time::Duration;

use crate::Side;
use crate::core::event::{Event, Events};
use crate::core::state::{Reader, StateError, Writer};
use crate::reason::Reason;
use crate::telemetry::{Counters, Kind, Measures, from_words, to_words};
use crate::time::Instant;

/// A limit that is still hit is logged again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Counts, measures and events.
pub(crate) struct Account {
    counters: Counters,
    measures: Measures,
    events: Events,
    /// When each limit was logged last.
    limits_told: [Option<Instant>; Reason::ALL.len()],
    /// A message came that cannot be corrected; see [`Account::take_untouched`].
    untouched: bool,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            counters: Counters::default(),
            measures: Measures::default(),
            events: Events::new(),
            limits_told: [None; Reason::ALL.len()],
            untouched: false,
        }
    }

    /// Writes what was counted and measured.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.put(&to_words(&self.counters));
        out.put(&to_words(&self.measures));
    }

    /// Reads it; what is counted otherwise by now starts anew.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.counters = from_words(&from.take::<Vec<u64>>()?).unwrap_or_default();
        self.measures = from_words(&from.take::<Vec<u64>>()?).unwrap_or_default();
        Ok(())
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) const fn measures(&self) -> &Measures {
        &self.measures
    }

    // Events.

    /// A change of state for the log.
    pub(crate) fn tell(&mut self, event: Event, now: Instant) {
        self.events.tell(event, now);
    }

    /// A frame is dropped for this reason: for the log, if it is a limit and was not logged lately.
    pub(crate) fn tell_limit(&mut self, reason: Reason, now: Instant) {
        if reason.is_limit() {
            self.tell_drop(reason, now, || Event::Limit(reason));
        }
    }

    /// Frames are dropped for this reason: for the log, if that was not logged lately.
    pub(crate) fn tell_drop(
        &mut self,
        reason: Reason,
        now: Instant,
        event: impl FnOnce() -> Event,
    ) {
        let told = &mut self.limits_told[reason as usize];
        if told.is_none_or(|at| now.since(at) > TELL_AGAIN) {
            *told = Some(now);
            self.events.tell(event(), now);
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.events.advance(now);
    }

    /// The next change of state for the log.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.next()
    }

    // Frames.

    /// A frame came from `side`.
    pub(crate) fn received(&mut self, side: Side, kind: Kind) {
        self.counters.receive(side, kind);
    }

    /// A frame from `side` leaves by the other.
    pub(crate) fn forwarded(&mut self, side: Side, kind: Kind) {
        self.counters.forward(side, kind);
    }

    /// A frame from `side` waits.
    pub(crate) fn waits(&mut self, side: Side, kind: Kind) {
        self.counters.wait(side, kind);
    }

    /// A frame from `side` is dropped.
    pub(crate) fn dropped(&mut self, side: Side, kind: Kind, reason: Reason) {
        self.counters.drop(side, kind, reason);
    }

    /// A message from `side` that was counted as forwarded was not sent.
    pub(crate) fn unsent(&mut self, side: Side, kind: Kind, reason: Reason) {
        self.counters.unforward(side, kind);
        self.counters.drop(side, kind, reason);
    }

    // Messages that cannot be corrected.

    /// A message of an exchange that is authenticated goes on as it came.
    pub(crate) const fn passes_untouched(&mut self) {
        self.counters.authenticated += 1;
        self.untouched = true;
    }

    /// A message came that cannot be corrected.
    pub(crate) const fn untouched(&mut self) {
        self.untouched = true;
    }

    /// Whether one came since the last call: its wait in the rings stays in the client's time.
    pub(crate) const fn take_untouched(&mut self) -> bool {
        std::mem::replace(&mut self.untouched, false)
    }

    // Signatures.

    /// The signature of a message was verified.
    pub(crate) const fn verified(&mut self) {
        self.counters.verified += 1;
    }

    /// This many senders of signed messages were forgotten so far.
    pub(crate) const fn senders_forgotten(&mut self, senders: u64) {
        self.counters.forgotten_senders = senders;
    }

    /// A message was signed.
    pub(crate) const fn signed(&mut self) {
        self.counters.signed += 1;
    }

    // Exchanges.

    /// A Delay_Req waits for a drawn delay.
    pub(crate) const fn held(&mut self) {
        self.counters.held += 1;
    }

    /// The residence of a Delay_Req is known; it departed `late_ns` after its departure time, if it had one.
    pub(crate) fn departed(&mut self, residence_ns: u32, late_ns: Option<u64>) {
        self.counters.measured += 1;
        self.counters.residence_ns += u64::from(residence_ns);
        self.measures.residence.add(u64::from(residence_ns));
        if let Some(late_ns) = late_ns {
            self.measures.hold_error.add(late_ns);
        }
    }

    /// A departure was estimated for want of a TX timestamp.
    pub(crate) const fn estimated(&mut self) {
        self.counters.estimated += 1;
    }

    /// The answer to a Delay_Req, given after `response_ns`, leaves toward its client: the first of them.
    pub(crate) fn answered(&mut self, response_ns: u64) {
        self.counters.answered += 1;
        self.measures.response.add(response_ns);
    }

    /// An answer that was counted did not leave.
    pub(crate) const fn not_answered(&mut self) {
        self.counters.answered = self.counters.answered.saturating_sub(1);
    }

    /// This many Delay_Req found no answer.
    pub(crate) const fn unanswered(&mut self, requests: u64) {
        self.counters.unanswered += requests;
    }

    /// One of them because a newer one of the same client took its place.
    pub(crate) const fn evicted(&mut self) {
        self.counters.evicted += 1;
    }

    /// A second answer told of another copy of its request.
    pub(crate) const fn request_copied(&mut self) {
        self.counters.copied += 1;
    }

    /// A Follow_Up was made for a one-step Sync.
    pub(crate) const fn follow_up_made(&mut self) {
        self.counters.follow_ups_made += 1;
    }

    /// How far a Sync arrived off the even line.
    pub(crate) fn sync_deviation(&mut self, ns: u64) {
        self.measures.sync_variation.add(ns);
    }

    /// A client came from the other side.
    pub(crate) const fn roamed(&mut self) {
        self.counters.roamed += 1;
    }

    /// A question of our own for an address goes out.
    pub(crate) const fn neighbour_asked(&mut self) {
        self.counters.neighbours_asked += 1;
    }

    /// What changes in a message that leaves is written: it was signed, or routed between two subnets.
    pub(crate) const fn finished(&mut self, signed: bool, routed: bool) {
        self.counters.signed += signed as u64;
        self.counters.routed += routed as u64;
    }

    /// A frame went out by which switches find a station here.
    pub(crate) const fn address_moved(&mut self) {
        self.counters.addresses_moved += 1;
    }

    /// A message of our client was seen on the other side.
    pub(crate) const fn seen_above(&mut self) {
        self.counters.heard_above += 1;
    }
}
