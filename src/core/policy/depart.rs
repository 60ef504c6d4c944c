//! What is due out: requests whose departure time has come, and general messages that are complete.

use crate::core::clients::{Clients, Progress};
use crate::core::flight::{Drawn, Flights};
use crate::core::hold::{Answers, Due, FrameRef, Purpose, WaitingRequest, WaitingSync};
use crate::core::policy::Forwarder;
use crate::core::policy::routed::{Macs, rewrite_hop};
use crate::core::refs::Owner;
use crate::core::settings::Settings;
use crate::core::syncs::{SyncProgress, Syncs};
use crate::core::verdict::{Departure, Edit, Token};
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::Instant;
use crate::wire::Layout;
use crate::{PerSide, Side};

impl Forwarder {
    /// When the next request departs that waits for its departure time.
    #[must_use]
    pub fn next_departure(&self) -> Option<Instant> {
        self.hold.next_due()
    }

    /// The side by which the next frame leaves.
    #[must_use]
    pub fn next_egress(&mut self) -> Option<Side> {
        let listening = self.paths.listening();
        let room = PerSide::from_fn(|side| !listening && self.flights.has_room(side, self.present));
        self.hold.next_egress(room)
    }

    /// Whether the next frame, by the side that [`Forwarder::next_egress`] named, is an event message.
    #[must_use]
    pub const fn next_awaits_stamp(&self) -> bool {
        self.hold.next_is_event()
    }

    /// Whether messages are known to take another way as well: who reads a copy late sends a second one.
    #[must_use]
    pub const fn second_path_known(&self) -> bool {
        self.paths.known()
    }

    /// Whether event messages that are due wait until a TX timestamp comes: the sooner it is read, the sooner they
    /// leave.
    #[must_use]
    pub fn turns_wait(&self) -> bool {
        let turns = self.waiting_turns();
        turns.up || turns.down
    }

    /// By which sides event messages wait for such a timestamp, and for nothing else.
    pub(super) fn waiting_turns(&self) -> PerSide<bool> {
        match self.paths.listening() {
            true => PerSide::default(),
            false => self.hold.turns_wait(),
        }
    }

    /// Writes the next frame that leaves into an egress slot of the side that [`Forwarder::next_egress`] named. `None`
    /// when it turned out to be stale or not to be sent: it was dropped.
    pub fn depart(&mut self, slot: &mut [u8], now: Instant) -> Option<Departure> {
        let frame = self.hold.next()?;
        let (bytes, kept) = self.hold.get(frame)?;
        let Some(room) = slot.get_mut(..bytes.len()) else {
            self.drop_kept(frame, Reason::TooLarge);
            return None;
        };
        let egress = kept.egress();
        let macs = self.next_macs(kept.edit().0, bytes, egress);
        let mut answers = None;
        let by = (now, &*self.settings);
        let (clients, flights, syncs) = (&mut self.clients, &mut self.flights, &mut self.syncs);
        let launched = match (kept.purpose(), &macs) {
            (_, Err(reason)) => Err(*reason),
            (Purpose::General(general), _) => {
                answers = general.answers;
                Ok((None, None))
            }
            (Purpose::Sync(sync), _) => {
                board((flights, syncs), sync, by).map(|token| (Some(token), Some(sync.end)))
            }
            (Purpose::Request(request), _) => {
                launch(clients, flights, (frame, request), egress, by)
                    .map(|token| (Some(token), Some(request.end)))
            }
        };
        let (token, latest) = match launched {
            Ok(launched) => launched,
            Err(reason) => {
                if reason == Reason::Stale {
                    self.account.tell_limit(reason, now);
                }
                self.drop_kept(frame, reason);
                return None;
            }
        };
        room.copy_from_slice(bytes);
        let len = bytes.len();
        let macs = macs.ok().flatten();
        match self.finish(egress, kept.edit(), macs, room) {
            Ok(signed) => self.account.finished(signed, macs.is_some()),
            Err(reason) => {
                // No request: those leave as they came, and with an address that was there when they came. A Sync is
                // landed with it.
                self.drop_kept(frame, reason);
                return None;
            }
        }
        let kind = Kind::Message(kept.message_type());
        self.account.forwarded(egress.other(), kind);
        if self.tap.is_on() {
            self.tell_left(frame, now);
        }
        self.hold.release(frame);
        if let Some(answers) = answers {
            self.reached(answers);
        }
        Some(Departure { len, token, latest })
    }

    /// Writes what changes in a frame that leaves by this side: what the edit says, its signature, an address that all
    /// share, and of what is routed one hop more. Whether it was signed.
    pub(super) fn finish(
        &self,
        egress: Side,
        (edit, layout): (&Edit, Layout),
        macs: Option<Macs>,
        room: &mut [u8],
    ) -> Result<bool, Reason> {
        let signed = self.signatures.edit(edit, room, layout)?;
        if self.unicast.is_shared() {
            self.readdress(egress, room, layout)?;
        }
        if let Some(macs) = macs {
            rewrite_hop(room, layout, macs);
        }
        Ok(signed)
    }

    /// An answer leaves toward its client.
    pub(super) fn reached(&mut self, answers: Answers) {
        let (of, response_ns) = (answers.request, answers.response_ns);
        if let Some(mut client) = self.clients.same(of.client)
            && client.reached(of.place, of.sequence_id, response_ns)
        {
            self.account.answered(response_ns);
        }
    }

    /// Drops the next frame that leaves: its egress has no room.
    pub fn drop_next(&mut self, now: Instant) {
        if let Some(frame) = self.hold.next() {
            self.drop_kept(frame, Reason::TxFull);
            self.account.tell_limit(Reason::TxFull, now);
        }
    }

    /// Requests that are due by `now` leave next. A frame that has waited is out of the caches, and so is its client:
    /// some are taken together, so that the memory of all is on its way before the first needs it.
    pub(super) fn depart_due(&mut self, now: Instant) {
        if !self.hold.is_due(now) {
            return;
        }
        let mut due = Due::default();
        while self.hold.is_due(now) {
            let batch = self.hold.take_due(now, &mut due);
            for &frame in batch {
                if let Some(client) = self.hold.client(frame) {
                    self.clients.prefetch(client.row);
                }
            }
            for &frame in batch {
                self.due(frame, now);
            }
        }
    }

    /// A request may be due.
    pub(super) fn due(&mut self, frame: FrameRef, now: Instant) {
        let (clients, paths) = (&self.clients, &self.paths);
        let due = self.hold.due(frame, now, |client| {
            let shut_out = clients.is_shut_out(client);
            shut_out.then(|| unadmitted(paths.listening()))
        });
        if let Err(reason) = due {
            self.drop_kept(frame, reason);
            if reason == Reason::MaxRate {
                self.account.tell_limit(reason, now);
            }
        }
    }

    /// Drops a kept frame.
    pub(super) fn drop_kept(&mut self, frame: FrameRef, reason: Reason) {
        if self.tap.is_on() {
            self.tell_dropped(frame, reason);
        }
        let Some(removed) = self.hold.remove(frame) else {
            return;
        };
        let kind = Kind::Message(removed.message);
        self.account.dropped(removed.from, kind, reason);
        if let Some((client, place, sequence_id)) = removed.request
            && let Some(mut client) = self.clients.same(client)
        {
            client.waiting_dropped(frame, place, sequence_id);
        }
        if let Some(flight) = removed
            .sync
            .and_then(|slot| self.flights.land_reserved(slot))
        {
            self.settle(&flight, Err(reason));
        }
    }
}

/// Why a request is dropped that is due before the answers to its client could come in.
pub(super) const fn unadmitted(listening: bool) -> Reason {
    if listening {
        Reason::Unannounced
    } else {
        Reason::Stale
    }
}

/// It is the turn of a Sync.
fn board(
    (flights, syncs): (&mut Flights, &mut Syncs),
    sync: &WaitingSync,
    (now, settings): (Instant, &Settings),
) -> Result<Token, Reason> {
    if now > sync.stale_at {
        return Err(Reason::Stale);
    }
    let of = (flights.sync_of(sync.slot)).and_then(|of| syncs.same_mut(of));
    if of.is_some_and(|sync| sync.progress() == SyncProgress::SecondPath) {
        // Who has heard that one needs no second one.
        return Err(Reason::SecondPath);
    }
    let token = flights.board(sync.slot, (now, settings));
    token.ok_or(Reason::InFlightFull)
}

/// A request that waited becomes an event message in flight.
fn launch(
    clients: &mut Clients,
    flights: &mut Flights,
    (frame, waited): (FrameRef, &WaitingRequest),
    egress: Side,
    (now, settings): (Instant, &Settings),
) -> Result<Token, Reason> {
    if now > waited.stale_at {
        return Err(Reason::Stale);
    }
    if waited.ambiguous {
        return Err(Reason::ClockStep);
    }
    let mut client = clients.same(waited.client).ok_or(Reason::NotOurClient)?;
    let request = client.request(waited.place);
    if request.sequence_id() != waited.sequence_id {
        return Err(Reason::Duplicate);
    }
    match request.progress() {
        Progress::Waiting | Progress::Untouched => {}
        Progress::SecondPath => return Err(Reason::SecondPath),
        _ => return Err(Reason::Duplicate),
    }
    let owner = Owner::Request {
        client: waited.client,
        place: waited.place,
    };
    let drawn = Drawn {
        due: waited.due,
        hold_ns: u32::try_from(waited.due.since(waited.at).as_nanos()).unwrap_or(u32::MAX),
    };
    let launched = flights.launch(
        (waited.rx, owner),
        egress,
        None,
        (now, settings),
        Some(drawn),
    );
    // A newer one of the same client may wait by now.
    client.waits_no_longer(frame);
    let request = client.request_mut(waited.place);
    let Some((token, slot)) = launched else {
        request.lost();
        return Err(Reason::InFlightFull);
    };
    request.departs(slot, now, waited.at);
    Ok(token)
}
