//! A client whose row was looked up: what a message of it, or for it, may ask and change.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::core::clients::client::Client;
use crate::core::clients::gate::Gate;
use crate::core::clients::open_request::{Lapse, OpenKey};
use crate::core::hold::FrameRef;
use crate::core::refs::ClientRef;
use crate::telemetry::{ClientMode, Slot};
use crate::time::Instant;
use crate::wire::{Address, Mac};

/// One client: what the core alone knows of it ([`Client`]), what others may read too, and whether its answers are
/// let in.
pub(crate) struct ClientMut<'a> {
    pub(super) of: ClientRef,
    pub(super) client: &'a mut Client,
    pub(super) slot: Slot<'a>,
    pub(super) gate: &'a mut Gate,
    /// The version of the allow-list in force.
    pub(super) list: u16,
}

impl Deref for ClientMut<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl DerefMut for ClientMut<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl ClientMut<'_> {
    /// How long it has been silent, to the millisecond (49 days at most).
    pub(crate) fn silent(&self, now: Instant) -> Duration {
        self.slot.silent(now)
    }

    /// By what it is found again.
    pub(crate) const fn of(&self) -> ClientRef {
        self.of
    }

    /// Where its messages come from.
    pub(crate) fn addresses(&self) -> (Mac, Address) {
        self.slot.addresses()
    }

    /// They come from elsewhere now.
    pub(crate) fn moved(&self, (mac, address): (Mac, Address)) {
        self.slot.moved(mac, address);
    }

    /// Whether it was found in the allow-list in force.
    pub(crate) const fn is_listed(&self) -> bool {
        self.client.list() == self.list
    }

    /// It was found in the allow-list in force.
    pub(crate) const fn listed(&mut self) {
        self.client.set_list(self.list);
    }

    /// A message of it came.
    pub(crate) fn seen(&self, now: Instant) {
        self.slot.seen(now);
    }

    /// It asks so.
    pub(crate) fn asks(&self, mode: ClientMode) {
        self.slot.asks(mode);
    }

    /// Mean time between its requests in microseconds; zero while unknown.
    pub(crate) fn interval_us(&self) -> u32 {
        self.slot.interval_us()
    }

    /// A Delay_Req of it arrived at `at`.
    pub(crate) fn request_arrived(&mut self, at: Instant) {
        self.client.request_arrived(at, self.slot);
    }

    /// Opens a request that arrived at `since` in place of the oldest. Returns its place, and how the oldest lapsed.
    pub(crate) fn open(
        &mut self,
        key: OpenKey,
        since: Instant,
        now: Instant,
    ) -> (u8, Option<Lapse>) {
        let (place, lapse) = self.client.open(key, since, now);
        if lapse.is_some() {
            self.slot.unanswered();
        }
        (place, lapse)
    }

    /// An answer leaves toward it; false if one to the same request has before.
    pub(crate) fn reached(&mut self, place: u8, sequence_id: u16, response_ns: u64) -> bool {
        let request = self.client.request_mut(place);
        let first = request.is_open(sequence_id) && request.reached();
        if first {
            self.slot.answered(response_ns);
        }
        first
    }

    /// An answer that was counted did not leave; false if none was counted.
    pub(crate) fn not_reached(&mut self, place: u8) -> bool {
        let was = self.client.request_mut(place).not_reached();
        if was {
            self.slot.not_answered();
        }
        was
    }

    /// Its request departed. It was to be held for `hold_ns`, and stayed for `residence_ns`.
    pub(crate) fn departed(&self, hold_ns: u32, residence_ns: u32) {
        self.slot.departed(hold_ns, residence_ns);
    }

    /// Closes the requests that are open no longer. How many of them found no answer.
    pub(crate) fn close_old_requests(&mut self, now: Instant) -> u64 {
        let unanswered = self.client.close_old_requests(now);
        for _ in 0..unanswered {
            self.slot.unanswered();
        }
        unanswered
    }

    /// Closes all its requests: it is forgotten. How many of them found no answer.
    pub(crate) fn close_requests(&mut self) -> u64 {
        self.client.close_requests()
    }

    /// Whether its silence is long enough to forget it.
    pub(crate) fn expired(&self, now: Instant, timeout: Duration) -> bool {
        self.client.expired(now, timeout, self.slot)
    }

    /// Whether the kernel's filter lets its answers in.
    pub(crate) fn admitted(&self) -> bool {
        self.gate.admits(self.client.joined())
    }

    /// Its request waits for that; false when too many do.
    pub(crate) fn wait_for_filter(&mut self, frame: FrameRef) -> bool {
        self.gate.wait(self.of, frame)
    }
}
