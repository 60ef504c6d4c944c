//! A client's Delay_Req: it goes up, now or at a random moment.

use crate::Side;
use crate::core::clients::Client;
use crate::core::forwarder::Forwarder;
use crate::core::from_down::{fresh_stamp, millis};
use crate::core::in_flight::Owner;
use crate::core::open::{Open, OpenKey, Progress};
use crate::core::store::{FrameRef, HeldRequest, Purpose};
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::core::waiting::UNHELD;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::Frame;

/// Until the grandmaster's rate is known, nobody is held longer.
const EARLY_HOLD_NS: u64 = 5_000_000;
/// Our client's request was heard above no longer ago than this: it has a second path.
const ABOVE_MS: u32 = 2_000;

impl Forwarder {
    /// A client's Delay_Req: it goes up, now or at a random moment.
    pub(super) fn request(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let rx = match fresh_stamp(arrival, self.holds.stale_after_ns) {
            Ok(rx) => rx,
            Err(reason) => return Verdict::Drop(reason),
        };
        let row = match self.client_row(frame, arrival) {
            Ok(row) => row,
            Err(reason) => return Verdict::Drop(reason),
        };
        let rate = self.settings.client_rate;
        let generation = self.clients.generation(row);
        let key = self.request_key(frame);
        let now = arrival.now;
        let authenticated = frame.authenticated();
        let Some((client, slot)) = self.clients.with_slot(row) else {
            return Verdict::Drop(Reason::NotOurClient);
        };
        if !client.bucket.take(now, rate) {
            return Verdict::Drop(Reason::ClientRate);
        }
        if client.find_open(key, now).is_some() {
            return Verdict::Drop(Reason::Duplicate);
        }
        if client.heard_above(key.sequence_id, now) {
            self.counters.heard_above += 1;
            self.second_path_found(Side::Down, now);
            return Verdict::Drop(Reason::SecondPath);
        }
        client.request_arrived(arrival.at, slot);
        client.authenticates |= authenticated;
        if self.second_path.known() && !self.clients.admitted(row) {
            // The other gateway's copy may have come while the kernel's filter did not let it in.
            return Verdict::Drop(Reason::SecondPath);
        }

        let window = self.hold_window(row);
        let planned = arrival.at.plus_nanos(self.holds.planned_ns);
        let mut due = if window == 0 {
            now
        } else {
            arrival.at.plus_nanos(self.draw(window)).max(now)
        };
        let mut paced = false;

        let gated = !authenticated && !self.clients.admitted(row);
        // A client's requests keep their order: one that still waits departs at once. Those whose answers
        // could not come in yet wait together.
        let earlier = self
            .clients
            .get_mut(row)
            .filter(|_| !gated)
            .and_then(|client| client.held.take());
        if let Some(earlier) = earlier
            && !self.depart_early(earlier, now)
        {
            // One of each client waits for its place; it would come before this one.
            if let Some(client) = self.clients.get_mut(row) {
                client.held = Some(earlier);
            }
            return Verdict::Drop(Reason::MaxRate);
        }
        if authenticated && self.second_path.listening() {
            // Nor may it wait: nothing would take the wait out again.
            return Verdict::Drop(Reason::Unannounced);
        }
        if gated {
            due = planned;
        } else if due <= now {
            // What goes untouched must not wait: nothing would take the wait out again.
            let latest = if authenticated { now } else { planned };
            match self.book(now, latest) {
                Some(at) => {
                    paced = true;
                    due = at;
                }
                None => return Verdict::Drop(Reason::MaxRate),
            }
        }
        let hold = due > now || earlier.is_some();
        let (open, before) = match self.clients.get_mut(row) {
            Some(client) => client.open_request(key, arrival.at, Progress::Held),
            None => return Verdict::Drop(Reason::NotOurClient),
        };
        self.evicted(row, &before, now);
        let verdict = if hold {
            let held = HeldRequest {
                rx,
                at: arrival.at,
                client: row,
                client_generation: generation,
                open,
                sequence_id: key.sequence_id,
                reading: self.readings,
                ambiguous: false,
                due,
                latest: planned,
                stale_at: arrival.at.plus_nanos(self.holds.stale_after_ns),
                end: arrival.at.plus_nanos(self.holds.max_hold_ns),
                paced,
                ready: false,
            };
            self.counters.held += u64::from(window > 0 && due > now);
            match self.hold(frame, arrival, held, due) {
                Some(kept) if gated && !self.clients.wait_for_filter(row, kept) => {
                    self.store.release(kept);
                    Verdict::Drop(Reason::HoldFull)
                }
                Some(_) => Verdict::Wait,
                None => Verdict::Drop(Reason::HoldFull),
            }
        } else {
            self.send_now(arrival, rx, row, generation, open)
        };
        if let Verdict::Forward(..) | Verdict::Wait = verdict {
            if authenticated {
                self.passes_untouched();
                self.set_progress(row, open, Progress::Untouched);
            }
        } else {
            self.set_progress(row, open, Progress::Lost);
        }
        verdict
    }

    fn hold(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        held: HeldRequest,
        due: Instant,
    ) -> Option<FrameRef> {
        let kept = self.keep(frame, arrival, Purpose::Request(held))?;
        if due <= arrival.now {
            self.make_ready(kept);
        } else if !self.hold_until(due, kept) {
            self.store.release(kept);
            return None;
        }
        if let Some(client) = self.clients.get_mut(held.client) {
            client.held = Some(kept);
        }
        Some(kept)
    }

    fn send_now(
        &mut self,
        arrival: &Arrival,
        rx: Stamp,
        row: u32,
        generation: u32,
        open: u8,
    ) -> Verdict {
        let owner = Owner::Request {
            client: row,
            generation,
            open,
        };
        let Some((token, slot)) = self.launch(rx, owner, Side::Up, None, arrival.now, None) else {
            return Verdict::Drop(Reason::InFlightFull);
        };
        if let Some(client) = self.clients.get_mut(row) {
            let open = &mut client.open[usize::from(open)];
            open.set_progress(Progress::InFlight);
            open.residence_or_flight = slot;
            open.departed_at(arrival.now);
            if arrival.now.since(arrival.at) > UNHELD {
                open.set_held();
            }
        }
        let change = Edit {
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        };
        Verdict::Forward(change, Some(token))
    }

    /// The longest that this client's request is held, in nanoseconds.
    fn hold_window(&mut self, row: u32) -> u64 {
        let settings = &self.settings;
        let Some((client, slot)) = self.clients.with_slot(row) else {
            return 0;
        };
        if !client.served || client.authenticates {
            return 0;
        }
        let mut window = self.holds.jitter_ns;
        if let Some(share) = settings.jitter_share {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a positive number of nanoseconds"
            )]
            let of_interval = (f64::from(slot.interval_us()) * 1e3 * share) as u64;
            window = window.min(of_interval);
        }
        let known = client.master > 0
            && self
                .masters
                .get(u32::from(client.master) - 1)
                .is_some_and(|master| master.syntonizer.known());
        if settings.syntonize && !known {
            window = window.min(EARLY_HOLD_NS);
        }
        window
    }

    /// What the answer will share with this request.
    fn request_key(&self, frame: &Frame<'_>) -> OpenKey {
        OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            peer: self.peer(frame),
        }
    }

    fn evicted(&mut self, row: u32, before: &Open, now: Instant) {
        let progress = before.progress();
        if progress == Progress::Empty || progress == Progress::Lost || before.answered() {
            return;
        }
        self.counters.unanswered += 1;
        if let Some((_, slot)) = self.clients.with_slot(row) {
            slot.unanswered();
        }
        if before.live(now) {
            self.counters.evicted += 1;
        }
    }

    fn set_progress(&mut self, row: u32, open: u8, progress: Progress) {
        if let Some(client) = self.clients.get_mut(row) {
            client.open[usize::from(open)].set_progress(progress);
        }
    }
}

impl Client {
    /// Whether this very request was heard above.
    fn heard_above(&self, sequence_id: u16, now: Instant) -> bool {
        self.above_ms != 0
            && self.above_sequence_id == sequence_id
            && millis(now).wrapping_sub(self.above_ms) < ABOVE_MS
    }
}
