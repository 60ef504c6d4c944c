//! A client's Delay_Req: it goes upstream, now or after a drawn delay.

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::Side;
use crate::core::account::Account;
use crate::core::clients::{ClientMut, Lapse, OpenKey};
use crate::core::event::Event;
use crate::core::flight::Flights;
use crate::core::hold::{Hold, WaitingRequest, moment_before};
use crate::core::masters::Masters;
use crate::core::policy::Forwarder;
use crate::core::policy::depart::unadmitted;
use crate::core::refs::Owner;
use crate::core::second_path::SecondPath;
use crate::core::settings::{Holds, Settings};
use crate::core::signature::Signature;
use crate::core::tap::Tap;
use crate::core::verdict::{Arrival, Arrived, Token, Verdict};
use crate::reason::Reason;
use crate::telemetry::{ClientMode, Kind, What};
use crate::time::{Instant, Stamp};
use crate::wire::{Frame, MessageType};

/// Until the grandmaster's rate is known, nobody is held longer.
const EARLY_HOLD_NS: u64 = 5_000_000;

impl Forwarder {
    /// A client's Delay_Req: it goes upstream, now or after a drawn delay.
    pub(super) fn request(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) -> Verdict {
        // The verdict is made where it stays: a move would stall on store-to-load forwarding.
        match self.take_request(frame, arrival) {
            Ok(Some(token)) => Verdict::Forward(arrival.plain_edit(), Some(token)),
            Ok(None) => Verdict::Wait,
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// The token of a request that leaves now; `None` if it waits.
    fn take_request(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Option<Token>, Reason> {
        let rx = arrival.fresh_stamp(self.settings.holds().stale_after_ns)?;
        let rx = self.flights.trusted(arrival.side, rx)?;
        let row = self.sender(frame, arrival)?;
        let key = OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            unicast_to: self.unicast_to(frame),
        };
        let mut request = Request {
            frame,
            arrival,
            rx,
            key,
            fixed: arrival.signature.is_fixed(),
            client: self.clients.row(row)?,
            plan: Plan::at_once(arrival.now),
            settings: &self.settings,
            holds: self.settings.holds(),
            rng: &mut self.rng,
            masters: &self.masters,
            hold: &mut self.hold,
            flights: &mut self.flights,
            paths: &mut self.paths,
            account: &mut self.account,
            tap: &self.tap,
        };
        request.may_ask()?;
        request.arrived()?;
        request.plan()?;
        let place = request.open();
        let client = request.client.of();
        let mode = mode(frame, request.client.has_grant(arrival.now));
        request.client.asks(mode);
        let sent = if request.waits() {
            request.wait(place).map(|()| None)
        } else {
            request.send_now(place).map(Some)
        };
        request.note(place, sent.is_ok());
        if key.unicast_to != 0 {
            self.client_has_address(frame, arrival.now);
        }
        match mode {
            ClientMode::Simple => self.asked_simply(frame, client),
            ClientMode::Multicast | ClientMode::Hybrid => self.masters.multicast_followed(),
            ClientMode::Unicast => {}
        }
        sent
    }
}

/// How its client asks, by what it sends and whether unicast was granted to it.
fn mode(frame: &Frame<'_>, granted: bool) -> ClientMode {
    if frame.asks_simply() {
        ClientMode::Simple
    } else if granted {
        ClientMode::Unicast
    } else if frame.is_multicast() {
        ClientMode::Multicast
    } else {
        ClientMode::Hybrid
    }
}

/// A Delay_Req, the client that sent it, and the parts that it passes.
struct Request<'a> {
    frame: &'a Frame<'a>,
    arrival: &'a Arrived<'a>,
    rx: Stamp,
    key: OpenKey,
    /// It may not change, and so may not wait.
    fixed: bool,
    client: ClientMut<'a>,
    plan: Plan,
    settings: &'a Settings,
    holds: &'a Holds,
    rng: &'a mut SmallRng,
    masters: &'a Masters,
    hold: &'a mut Hold,
    flights: &'a mut Flights,
    paths: &'a mut SecondPath,
    account: &'a mut Account,
    tap: &'a Tap,
}

/// When a Delay_Req departs.
struct Plan {
    due: Instant,
    /// The last departure time that may be planned for it.
    latest: Instant,
    /// It waits for a drawn delay.
    held: bool,
    /// It waits until the kernel's filter lets its answer in.
    gated: bool,
    /// It has its place under `--max-rate`.
    paced: bool,
    /// It departs behind an earlier one of its client.
    behind: bool,
}

impl Plan {
    const fn at_once(now: Instant) -> Self {
        Self {
            due: now,
            latest: now,
            held: false,
            gated: false,
            paced: false,
            behind: false,
        }
    }
}

impl Request<'_> {
    /// Whether its client may send it.
    fn may_ask(&mut self) -> Result<(), Reason> {
        let now = self.arrival.now;
        if !self.client.may_send(now, self.settings.client_rate) {
            return Err(Reason::ClientRate);
        }
        if self.client.find_open(self.key, now).is_some() {
            return Err(Reason::Duplicate);
        }
        if self.client.was_seen_above(self.key.sequence_id, now) {
            self.account.seen_above();
            if self.paths.found(now) {
                self.account.tell(Event::SecondPath(Side::Down), now);
            }
            return Err(Reason::SecondPath);
        }
        Ok(())
    }

    /// It is a new one of its client.
    fn arrived(&mut self) -> Result<(), Reason> {
        self.client.request_arrived(self.arrival.at);
        match self.arrival.signature {
            Signature::Fixed => self.client.set_fixed(true),
            // Other settings may have been in force.
            Signature::Mutable | Signature::Verified(_) => self.client.set_fixed(false),
            Signature::None | Signature::Refused => {}
        }
        if self.paths.known() && !self.client.admitted() {
            // The other gateway's copy may have come while the kernel's filter did not let it in.
            return Err(Reason::SecondPath);
        }
        Ok(())
    }

    /// Decides when it departs. The plan is made where it stays.
    fn plan(&mut self) -> Result<(), Reason> {
        let Arrival { at, now, .. } = *self.arrival.arrival;
        if self.settings.assume_answered {
            self.client.served();
        }
        let window_ns = self.hold_window_ns();
        self.plan.due = self.draw(window_ns);
        self.plan.latest = at.plus_nanos(self.holds.planned_ns);
        self.plan.gated = !self.fixed && !self.client.admitted();
        // A client's requests keep their order: one that still waits departs at once. Those whose answers could not
        // come in yet wait together.
        if !self.plan.gated {
            self.plan.behind = self.send_earlier()?;
        }
        let early = !self.paths.is_introduced() && self.client.admitted();
        if early || self.fixed && self.paths.listening() {
            // Nor may what is fixed wait: nothing would take the wait out again.
            return Err(Reason::Unannounced);
        }
        if self.plan.gated {
            self.plan.due = self.plan.latest;
        } else if self.plan.due <= now {
            // What goes untouched must not wait: nothing would take the wait out again.
            let latest = if self.fixed { now } else { self.plan.latest };
            self.plan.due = self.hold.book(now, latest).ok_or(Reason::MaxRate)?;
            self.plan.paced = true;
        }
        self.plan.held = window_ns > 0 && self.plan.due > now;
        Ok(())
    }

    /// Whether it does not leave at once.
    fn waits(&self) -> bool {
        self.plan.due > self.arrival.now || self.plan.behind || self.takes_turns()
    }

    /// Its departure time by the drawn delay alone. While few wait, those drawn for nearly the same time share a
    /// wake-up: the loop costs more than their departures then, and the grandmaster feels no burst.
    fn draw(&mut self, window_ns: u64) -> Instant {
        let Arrival { at, now, .. } = *self.arrival.arrival;
        if window_ns == 0 {
            return now;
        }
        let mut due = at.plus_nanos(self.rng.random_range(0..window_ns));
        let shared_ns = self.holds.shared_ns;
        let shares = shared_ns > 0 && window_ns >= 2 * shared_ns && !self.paths.known();
        if shares && self.hold.few_wait() {
            due = moment_before(due, shared_ns, self.settings.seed);
        }
        due.max(now)
    }

    /// The longest that it is held, in nanoseconds.
    fn hold_window_ns(&self) -> u64 {
        if !self.client.may_be_held() || self.frame.asks_simply() {
            return 0;
        }
        let mut window = self.holds.jitter_ns;
        if let Some(share) = self.settings.jitter_share {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a positive number of nanoseconds"
            )]
            let of_interval = (f64::from(self.client.interval_us()) * 1e3 * share) as u64;
            window = window.min(of_interval);
        }
        let known = self.settings.assume_answered
            || (self.client.master()).is_some_and(|master| self.masters.rate_known(master));
        if self.settings.syntonize && !known {
            window = window.min(EARLY_HOLD_NS);
        }
        window
    }

    /// The client's request that waits, if one does, departs before this one. Whether there was one.
    fn send_earlier(&mut self) -> Result<bool, Reason> {
        let now = self.arrival.now;
        let Some(earlier) = self.client.take_waiting() else {
            return Ok(false);
        };
        self.hold.cut_short(earlier, now);
        let (client, paths) = (&self.client, &self.paths);
        let due = self.hold.due(earlier, now, |_| {
            (!client.admitted()).then(|| unadmitted(paths.listening()))
        });
        if let Err(reason) = due {
            if self.tap.is_on()
                && let Some((bytes, _)) = self.hold.get(earlier)
            {
                let from = (now, self.arrival.side);
                self.tap.kept(from, bytes, What::Dropped { reason });
            }
            if let Some(removed) = self.hold.remove(earlier) {
                let kind = Kind::Message(MessageType::DelayReq);
                self.account.dropped(removed.from, kind, reason);
                if let Some((_, place, sequence_id)) = removed.request {
                    self.client.waiting_dropped(earlier, place, sequence_id);
                }
            }
            if reason == Reason::MaxRate {
                self.account.tell_limit(reason, now);
            }
        } else if self.hold.still_waits(earlier, now) {
            // One of each client waits for its place under `--max-rate`; it would come before this one.
            self.client.waits(earlier);
            return Err(Reason::MaxRate);
        }
        Ok(true)
    }

    /// Whether it has to wait until the card has a place for one more timestamp. What goes untouched needs none.
    fn takes_turns(&self) -> bool {
        !self.fixed
            && (self.paths.listening()
                || !self.flights.has_room(Side::Up, self.arrival.now)
                || self.hold.turns_wait().up)
    }

    /// Opens it for answers. Returns its place among the client's open requests.
    fn open(&mut self) -> u8 {
        let Arrival { at, now, .. } = *self.arrival.arrival;
        let (place, lapse) = self.client.open(self.key, at, now);
        if let Some(lapse) = lapse {
            self.account.unanswered(1);
            if lapse == Lapse::Evicted {
                self.account.evicted();
            }
        }
        place
    }

    /// It waits for its departure time, or leaves behind an earlier one.
    fn wait(&mut self, place: u8) -> Result<(), Reason> {
        let Arrival { at, now, .. } = *self.arrival.arrival;
        let plan = &self.plan;
        if plan.held {
            self.account.held();
        }
        let (rx, sequence_id, client) = (self.rx, self.key.sequence_id, self.client.of());
        let (holds, reading) = (self.holds, self.flights.readings());
        let request = || WaitingRequest {
            rx,
            at,
            client,
            place,
            sequence_id,
            reading,
            ambiguous: false,
            due: plan.due,
            latest: plan.latest,
            stale_at: at.plus_nanos(holds.stale_after_ns),
            end: at.plus_nanos(holds.max_hold_ns),
            paced: plan.paced,
            leaving: false,
        };
        let kept = self
            .hold
            .keep_request(self.frame, self.arrival, request)
            .ok_or(Reason::HoldFull)?;
        if plan.due <= now {
            self.hold.leave(kept);
        } else if !self.hold.hold_until(plan.due, kept) {
            self.hold.release(kept);
            return Err(Reason::HoldFull);
        }
        self.client.waits(kept);
        if plan.gated && !self.client.wait_for_filter(kept) {
            self.hold.release(kept);
            return Err(Reason::HoldFull);
        }
        Ok(())
    }

    /// It leaves now, as an event message in flight.
    fn send_now(&mut self, place: u8) -> Result<Token, Reason> {
        let Arrival { at, now, .. } = *self.arrival.arrival;
        let owner = Owner::Request {
            client: self.client.of(),
            place,
        };
        let by = (now, self.settings);
        let (token, slot) = self
            .flights
            .launch((self.rx, owner), Side::Up, None, by, None)
            .ok_or(Reason::InFlightFull)?;
        self.client.request_mut(place).departs(slot, now, at);
        Ok(token)
    }

    /// What became of it, for its answers.
    fn note(&mut self, place: u8, passes: bool) {
        if !passes {
            self.client.request_mut(place).lost();
        } else if self.fixed {
            self.client.request_mut(place).untouched();
            self.account.passes_untouched();
        }
    }
}
