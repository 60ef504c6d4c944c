//! The state machine that the loop drives: frames, stamps and time in; verdicts and departures out.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::Side;
use crate::core::clients::{ClientChange, ClientKey, Clients};
use crate::core::counters::{Counters, Kind};
use crate::core::departures::Departures;
use crate::core::echoes::Echoes;
use crate::core::estimate::Estimator;
use crate::core::event::{Event, Events};
use crate::core::foreign::Foreign;
use crate::core::in_flight::{Drawn, Flight, InFlight, Owner};
use crate::core::limits::{Bucket, Pace};
use crate::core::management::OpenManagement;
use crate::core::masters::Masters;
use crate::core::open::Progress;
use crate::core::residence;
use crate::core::second_path::SecondPath;
use crate::core::settings::{Authenticated, Settings, stale_after};
use crate::core::shown::departure;
use crate::core::store::{FrameRef, FrameStore, HeldRequest, Purpose, Waiting};
use crate::core::sweep::Sweep;
use crate::core::syncs::{SyncProgress, Syncs};
use crate::core::syntonizer::Change;
use crate::core::table::Secret;
use crate::core::verdict::{Arrival, Departure, Edit, Verdict};
use crate::engine::Token;
use crate::reason::Reason;
use crate::telemetry::Measures;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Address, Frame, Lane, Layout, MessageType, PortIdentity, edit};

/// Event messages that may await their stamps at once.
const IN_FLIGHT: u32 = 8192;
/// A limit that is still hit is told again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Residences beyond this are not believed.
const LONGEST_RESIDENCE_NS: i64 = 4_000_000_000;
/// An authenticated answer to a request that was held longer than this cannot pass: it would be wrong
/// by half the hold, and an edit would break its integrity check.
pub(super) const UNHELD: Duration = Duration::from_millis(1);
/// Peer delay clients that are told at most, and are forgotten after this long: so that made-up ones do
/// not keep real ones from the log for ever.
const PEER_DELAY_TOLD: usize = 32;
const PEER_DELAY_FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// The forwarder: policy, holds and corrections.
pub struct Forwarder {
    pub(super) settings: Settings,
    pub(super) secret: Secret,
    rng: SmallRng,
    pub(super) clients: Clients,
    pub(super) foreign: Foreign,
    echoes: Echoes,
    pub(super) masters: Masters,
    pub(super) syncs: Syncs,
    pub(super) management: OpenManagement,
    pub(super) management_bucket: Bucket,
    pub(super) all_ones_bucket: Bucket,
    pub(super) store: FrameStore,
    pub(super) in_flight: InFlight,
    departures: Departures,
    ready: VecDeque<FrameRef>,
    estimators: [Estimator; 2],
    /// By side: the egress holds frames in a queue.
    queued: [bool; 2],
    pub(super) pace: Option<Pace>,
    /// Which allow-list of clients is in force; wraps.
    pub(super) lists: u16,
    pub(super) counters: Counters,
    pub(super) measures: Measures,
    events: Events,
    told: [Option<Instant>; Reason::ALL.len()],
    pub(super) second_path: SecondPath,
    /// Clients to be let go when the listening ends.
    admit_later: Option<u64>,
    peer_delay_told: Vec<PortIdentity>,
    /// When the first of them was told.
    peer_delay_since: Instant,
    pub(super) sweep: Sweep,
    /// How often the local clock has jumped.
    jumps: u32,
    /// How often the clocks were read.
    pub(super) readings: u32,
    /// The moment of the last [`Forwarder::advance`].
    present: Instant,
}

impl Forwarder {
    /// A forwarder that knows nobody yet. All memory is reserved here.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut rng = SmallRng::seed_from_u64(settings.seed);
        let secret = Secret(rng.random(), rng.random());
        let store = FrameStore::new(settings.hold_frames);
        let frames = store.capacity();
        let syncs = (settings.max_clients as usize).clamp(8192, 65536);
        Self {
            secret,
            rng,
            clients: Clients::new(settings.max_clients, secret),
            foreign: Foreign::new(secret),
            echoes: Echoes::new(secret),
            masters: Masters::new(settings.max_rate_ppm, secret),
            syncs: Syncs::new(syncs, secret),
            management: OpenManagement::new(),
            management_bucket: Bucket::full(Instant::default()),
            all_ones_bucket: Bucket::full(Instant::default()),
            store,
            in_flight: InFlight::new(IN_FLIGHT),
            departures: Departures::new(2 * frames),
            ready: VecDeque::with_capacity(2 * frames),
            estimators: [Estimator::new(), Estimator::new()],
            queued: [false; 2],
            pace: settings.max_rate.map(Pace::new),
            lists: 0,
            counters: Counters::default(),
            measures: Measures::default(),
            events: Events::new(),
            told: [None; Reason::ALL.len()],
            second_path: SecondPath::new(),
            admit_later: None,
            peer_delay_told: Vec::with_capacity(PEER_DELAY_TOLD),
            peer_delay_since: Instant::default(),
            sweep: Sweep::default(),
            jumps: 0,
            readings: 0,
            present: Instant::default(),
            settings,
        }
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Clients in the table.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The identities of our clients.
    pub fn client_identities(&self) -> impl Iterator<Item = PortIdentity> {
        self.clients.iter().map(|(_, key, _)| key.identity)
    }

    /// Changes whenever a client comes or goes.
    #[must_use]
    pub const fn clients_version(&self) -> u64 {
        self.clients.version()
    }

    /// From now on each client that comes or goes is told by [`Forwarder::next_change`]; or no longer. Nobody
    /// comes or goes while too many changes wait to be taken.
    pub fn follow_changes(&mut self, follow: bool) {
        self.clients.follow_changes(follow);
    }

    /// The next client that came or went, and the version of the table ([`Forwarder::clients_version`]) with
    /// that change.
    pub fn next_change(&mut self) -> Option<(ClientChange, u64)> {
        self.clients.next_change()
    }

    /// Changes that wait for [`Forwarder::next_change`].
    #[must_use]
    pub fn changes(&self) -> usize {
        self.clients.changes()
    }

    /// From now on a new client's first request waits until [`Forwarder::admit`]: for loops that have the
    /// kernel drop what is not for our clients.
    pub const fn gate_new_clients(&mut self) {
        self.clients.gate();
    }

    /// The kernel lets in the answers to all clients of this version of the table.
    pub fn admit(&mut self, version: u64) {
        if self.second_path.listening() {
            self.admit_later = Some(version);
            return;
        }
        while let Some(frame) = self.clients.admit(version) {
            self.release_held(frame, self.present);
        }
    }

    /// Ends the wait of a held request: it departs now, or when the pace allows.
    fn release_held(&mut self, frame: FrameRef, now: Instant) {
        if let Some(waiting) = self.store.get_mut(frame)
            && let Purpose::Request(held) = &mut waiting.purpose
            && !held.paced
        {
            held.due = now;
        }
        self.due(frame, now);
    }

    /// Frames that wait for their moment or for a stamp.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.store.len()
    }

    /// The frames that wait, as they came.
    pub fn waiting_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.store.iter()
    }

    /// Masters heard: sender, domain, and the rate ratio less one in parts per million if it is known.
    pub fn masters(&self) -> impl Iterator<Item = (PortIdentity, u8, Option<f64>)> {
        self.masters.iter().map(|(_, key, master)| {
            let syntonizer = &master.syntonizer;
            let ppm = syntonizer.known().then(|| (syntonizer.ratio() - 1.0) * 1e6);
            (key.sender, key.domain, ppm)
        })
    }

    /// The next change of state to be logged.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.next()
    }

    /// Counts a frame that did not parse.
    pub fn malformed(&mut self, side: Side, reason: Reason) {
        self.counters.receive(side, Kind::Malformed);
        self.counters.drop(side, Kind::Malformed, reason);
    }

    /// Decides on a frame. What it says must be done is done by the caller; what waits is copied.
    pub fn frame(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let kind = Kind::Message(frame.message_type());
        self.counters.receive(arrival.side, kind);
        let verdict = match self.common(frame, arrival) {
            Some(reason) => Verdict::Drop(reason),
            None => match arrival.side {
                Side::Up => self.decide_up(frame, arrival),
                Side::Down => self.decide_down(frame, arrival),
            },
        };
        match &verdict {
            Verdict::Forward(..) => self.counters.forward(arrival.side, kind),
            Verdict::Drop(reason) => {
                self.counters.drop(arrival.side, kind, *reason);
                self.tell_limit(*reason, arrival.now);
            }
            Verdict::Wait => self.counters.wait(arrival.side, kind),
        }
        verdict
    }

    /// The rows of the policy that hold for both sides.
    fn common(&self, frame: &Frame<'_>, arrival: &Arrival) -> Option<Reason> {
        if arrival.to_host {
            return Some(Reason::ToHost);
        }
        if frame.major_sdo_id() == 1 {
            return Some(Reason::Gptp);
        }
        if matches!(
            frame.message_type(),
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp
        ) {
            return None;
        }
        let domains = &self.settings.domains;
        if !domains.is_empty() && !domains.contains(&frame.domain()) {
            return Some(Reason::Domain);
        }
        if self.settings.authenticated == Authenticated::Drop && frame.authenticated() {
            return Some(Reason::Authenticated);
        }
        None
    }

    /// A frame that was to be forwarded at once could not be.
    pub fn not_sent(
        &mut self,
        from: Side,
        message: MessageType,
        token: Option<Token>,
        reason: Reason,
        now: Instant,
    ) {
        let kind = Kind::Message(message);
        self.counters.unforward(from, kind);
        self.counters.drop(from, kind, reason);
        self.tell_limit(reason, now);
        if let Some(flight) = token.and_then(|token| self.in_flight.land(token)) {
            self.settle(&flight, Err(reason));
        }
    }

    /// Whether [`Forwarder::advance`] will give up waiting for a stamp.
    #[must_use]
    pub fn stamps_overdue(&mut self, now: Instant) -> bool {
        self.in_flight
            .next_deadline()
            .is_some_and(|deadline| deadline <= now)
    }

    /// Whether the egress of this side still holds frames: then none of its departures is estimated.
    pub const fn queued(&mut self, side: Side, holds: bool) {
        self.queued[side as usize] = holds;
    }

    /// Lets time pass: what is due becomes ready to depart, what waited in vain is dropped.
    pub fn advance(&mut self, now: Instant) {
        self.present = now;
        while let Some(frame) = self.departures.pop_due(now) {
            self.due(frame, now);
        }
        while let Some(flight) = self.in_flight.pop_overdue(now) {
            let estimate = self.estimators[flight.egress as usize].estimate(flight.batch);
            let outcome = match estimate.and_then(|stamp| stamp.since(flight.rx)) {
                Some(ns) if self.settings.estimate && !self.queued[flight.egress as usize] => {
                    self.counters.estimated += 1;
                    Ok(ns)
                }
                _ => Err(Reason::NoTxStamp),
            };
            self.settle(&flight, outcome);
        }
        while let Some(frame) = self.syncs.pop_overdue(now) {
            self.discard(frame, Reason::NoSync);
        }
        self.events.advance(now);
        self.sweep(now);
        if self.follow_second_path(now)
            && let Some(version) = self.admit_later.take()
        {
            self.admit(version);
        }
    }

    /// When [`Forwarder::advance`] or [`Forwarder::read_up_to`] has something to do next.
    #[must_use]
    pub fn next_wake(&mut self) -> Option<Instant> {
        if self.next_egress().is_some() {
            return Some(self.present);
        }
        [
            self.departures.next_due(),
            self.in_flight.next_deadline(),
            self.syncs.next_deadline(),
            self.second_path.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the next held request departs.
    #[must_use]
    pub fn next_departure(&self) -> Option<Instant> {
        self.departures.next_due()
    }

    /// The side by which the next ready frame leaves.
    #[must_use]
    pub fn next_egress(&mut self) -> Option<Side> {
        while let Some(&frame) = self.ready.front() {
            if let Some((_, waiting)) = self.store.get(frame) {
                return Some(waiting.egress);
            }
            self.ready.pop_front();
        }
        None
    }

    /// Writes the next ready frame into an egress slot of the side that [`Forwarder::next_egress`]
    /// named. `None` when it turned out to be stale or not to be sent.
    pub fn depart(&mut self, slot: &mut [u8], now: Instant) -> Option<Departure> {
        let frame = self.ready.pop_front()?;
        let (bytes, &waiting) = self.store.get(frame)?;
        if slot.len() < bytes.len() {
            self.discard(frame, Reason::TooLarge);
            return None;
        }
        let token = match waiting.purpose {
            Purpose::General { .. } => None,
            Purpose::Request(held) => match self.launch_held(frame, &held, waiting.egress, now) {
                Ok(token) => Some(token),
                Err(reason) => {
                    self.discard(frame, reason);
                    return None;
                }
            },
        };
        let (bytes, waiting) = self.store.get(frame)?;
        let room = slot.get_mut(..bytes.len())?;
        room.copy_from_slice(bytes);
        apply_edit(room, waiting.layout, &waiting.edit);
        let (len, from) = (bytes.len(), waiting.egress.other());
        let kind = Kind::Message(waiting.layout.message_type());
        self.counters.forward(from, kind);
        let latest = match waiting.purpose {
            Purpose::Request(held) => Some(held.at + held.max_hold),
            Purpose::General { .. } => None,
        };
        self.store.release(frame);
        Some(Departure { len, token, latest })
    }

    /// Gives up the next ready frame: its egress has no room.
    pub fn give_up(&mut self, now: Instant) {
        if let Some(frame) = self.ready.pop_front() {
            self.discard(frame, Reason::TxFull);
            self.tell_limit(Reason::TxFull, now);
        }
    }

    /// The batch of this side is kicked now.
    pub fn kicked(&mut self, side: Side, now: Instant) {
        self.estimators[side as usize].kicked(now);
    }

    /// The batch before was kicked to make room: this event message leaves by the next.
    pub fn postponed(&mut self, token: &Token) {
        if let Some(flight) = self.in_flight.of_mut(token) {
            flight.batch = self.estimators[flight.egress as usize].batch();
        }
    }

    /// An event message departed at this moment; or its stamp is not to be relied on.
    pub fn stamped(&mut self, token: Token, stamp: Result<Stamp, Reason>) {
        let Some(flight) = self.in_flight.land(token) else {
            return;
        };
        let outcome = stamp.and_then(|stamp| {
            if stamp.clock() == ClockId::Steady && flight.jumps != self.jumps {
                // Taken before a jump, it was translated by what holds after it.
                return Err(Reason::ClockStep);
            }
            self.estimators[flight.egress as usize].learn(flight.batch, stamp);
            stamp.since(flight.rx).ok_or(Reason::Residence)
        });
        self.settle(&flight, outcome);
    }

    /// An event message did not depart.
    pub fn unsent(&mut self, token: Token, reason: Reason) {
        let Some(flight) = self.in_flight.land(token) else {
            return;
        };
        let kind = Kind::Message(match flight.owner {
            Owner::Request { .. } => MessageType::DelayReq,
            Owner::Sync { .. } => MessageType::Sync,
        });
        let from = flight.egress.other();
        self.counters.unforward(from, kind);
        self.counters.drop(from, kind, reason);
        self.settle(&flight, Err(reason));
    }

    /// Whether event messages were sent whose stamps are not here yet.
    #[must_use]
    pub fn stamps_due(&self) -> bool {
        self.in_flight.any()
    }

    /// The clocks were read, and the local one had not jumped.
    pub const fn clocks_read(&mut self) {
        self.readings = self.readings.wrapping_add(1);
    }

    /// The local clock jumped since [`Forwarder::clocks_read`]: stamps of what is in flight are ambiguous,
    /// and so are those of what was read since then.
    pub fn clock_stepped(&mut self) {
        self.store.mark_ambiguous(self.readings);
        self.readings = self.readings.wrapping_add(1);
        self.jumps = self.jumps.wrapping_add(1);
        self.tell(Event::ClockStep);
    }

    /// The correction of a one-step Sync that is kicked at `kick` (see [`Edit::rewrite`]); `None` when
    /// its departure cannot be estimated.
    #[must_use]
    pub fn rewrite_correction(&self, rx: Stamp, master: u32, kick: Instant) -> Option<i64> {
        let departure = self.estimators[Side::Down as usize].at_kick(kick)?;
        let ns = departure.since(rx)?;
        (0..=LONGEST_RESIDENCE_NS)
            .contains(&ns)
            .then(|| residence::scaled(ns, self.ratio(master)))
    }

    // What the policy functions share.

    /// A keyed fold of an address, never zero.
    pub(super) fn fold(&self, address: Address) -> u32 {
        let words = match address {
            Address::Mac(mac) => {
                let [a, b, c, d, e, f] = mac.0;
                [u64::from_be_bytes([0, 0, a, b, c, d, e, f]), 0, 1]
            }
            Address::V4(v4) => [u64::from(v4.to_bits()), 0, 2],
            Address::V6(v6) => {
                let bits = v6.to_bits();
                #[expect(clippy::cast_possible_truncation, reason = "split in halves")]
                let halves = [(bits >> 64) as u64, bits as u64, 3];
                halves
            }
        };
        let fold = self.secret.hash(words) >> 32;
        u32::try_from(fold).unwrap_or(u32::MAX).max(1)
    }

    /// The moment a client's next Delay_Req departs, if it is held.
    pub(super) fn draw(&mut self, window_ns: u64) -> u64 {
        if window_ns == 0 {
            0
        } else {
            self.rng.random_range(0..window_ns)
        }
    }

    pub(super) fn ratio(&self, master: u32) -> f64 {
        if !self.settings.syntonize {
            return 1.0;
        }
        self.masters
            .get(master)
            .map_or(1.0, |master| master.syntonizer.ratio())
    }

    /// Launches an event message that departs now.
    pub(super) fn launch(
        &mut self,
        rx: Stamp,
        owner: Owner,
        egress: Side,
        waiter: Option<FrameRef>,
        now: Instant,
        drawn: Option<Drawn>,
    ) -> Option<(Token, u32)> {
        let flight = Flight {
            rx,
            owner,
            egress,
            batch: self.estimators[egress as usize].batch(),
            waiter,
            drawn,
            jumps: self.jumps,
            slot: 0,
        };
        self.in_flight
            .launch(flight, now + self.settings.tx_timestamp_timeout)
    }

    /// Books a place toward the grandmaster.
    pub(super) fn book(&mut self, now: Instant, latest: Instant) -> Option<Instant> {
        match &mut self.pace {
            Some(pace) => pace.book(now, latest),
            None => Some(now),
        }
    }

    /// A waiting frame leaves next; a held request once.
    pub(super) fn make_ready(&mut self, frame: FrameRef) {
        let Some(waiting) = self.store.get_mut(frame) else {
            return;
        };
        let again = match &mut waiting.purpose {
            Purpose::Request(held) => std::mem::replace(&mut held.ready, true),
            Purpose::General { .. } => false,
        };
        if !again {
            self.ready.push_back(frame);
        }
    }

    /// Queues a held request; false when the queue is full.
    pub(super) fn hold_until(&mut self, due: Instant, frame: FrameRef) -> bool {
        let store = &self.store;
        self.departures
            .push(due, frame, |due, frame| store.awaits(frame, due))
    }

    /// Drops a waiting frame.
    pub(super) fn discard(&mut self, frame: FrameRef, reason: Reason) {
        let Some((_, waiting)) = self.store.get(frame) else {
            return;
        };
        let from = waiting.egress.other();
        let kind = Kind::Message(waiting.layout.message_type());
        let purpose = waiting.purpose;
        self.counters.drop(from, kind, reason);
        self.store.release(frame);
        if let Purpose::Request(held) = purpose
            && let Some(client) = self.clients.same_mut(held.client, held.client_generation)
        {
            if client.held == Some(frame) {
                client.held = None;
            }
            let open = &mut client.open[usize::from(held.open)];
            if open.sequence_id == held.sequence_id && open.progress() == Progress::Held {
                open.set_progress(Progress::Lost);
            }
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.tell(event, self.present);
    }

    /// Why a Signaling message goes no further: it is a copy of one heard a moment ago.
    pub(super) fn echo(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<(), Reason> {
        match self.echoes.heard(frame, arrival.side, arrival.now) {
            None => Ok(()),
            Some(side) if side == arrival.side => Err(Reason::Duplicate),
            Some(_) => {
                self.second_path_found(arrival.side, arrival.now);
                Err(Reason::SecondPath)
            }
        }
    }

    pub(super) fn tell_peer_delay(&mut self, who: PortIdentity, lane: Lane, now: Instant) {
        if now.since(self.peer_delay_since) > PEER_DELAY_FORGOTTEN {
            self.peer_delay_told.clear();
        }
        if self.peer_delay_told.is_empty() {
            self.peer_delay_since = now;
        }
        let key = ClientKey {
            identity: who,
            lane,
        };
        if self.peer_delay_told.len() < PEER_DELAY_TOLD
            && !self.peer_delay_told.contains(&who)
            && self.clients.find(&key).is_none()
        {
            self.peer_delay_told.push(who);
            self.tell(Event::PeerDelayClient(who));
        }
    }

    /// A Sync gave a point for the rate of its master.
    pub(super) fn syntonize(
        &mut self,
        master: u32,
        master_ns: Option<i64>,
        rx: Stamp,
        sender: PortIdentity,
    ) {
        let Some(master_ns) = master_ns else {
            return;
        };
        let Some(row) = self.masters.get_mut(master) else {
            return;
        };
        let change = row.syntonizer.observe(master_ns, rx);
        if let Some(ns) = row.syntonizer.deviation_ns() {
            self.measures.sync_variation.add(ns);
        }
        match change {
            Change::None => {}
            Change::Known => {
                let ppm = (row.syntonizer.ratio() - 1.0) * 1e6;
                self.tell(Event::RateKnown { sender, ppm });
            }
            Change::Lost => self.tell(Event::RateLost { sender }),
        }
    }

    fn tell_limit(&mut self, reason: Reason, now: Instant) {
        if !reason.is_limit() {
            return;
        }
        let told = &mut self.told[reason as usize];
        if told.is_none_or(|at| now.since(at) > TELL_AGAIN) {
            *told = Some(now);
            self.tell(Event::Limit(reason));
        }
    }

    /// A later request of its client has come: this one does not wait for its random moment. False if it
    /// still waits, for its place under `--max-rate`.
    pub(super) fn depart_early(&mut self, frame: FrameRef, now: Instant) -> bool {
        self.release_held(frame, now);
        !self.store.get(frame).is_some_and(
            |(_, waiting)| matches!(waiting.purpose, Purpose::Request(held) if held.due > now),
        )
    }

    /// A held request's moment has come.
    fn due(&mut self, frame: FrameRef, now: Instant) {
        let Some(waiting) = self.store.get_mut(frame) else {
            return;
        };
        let Purpose::Request(held) = &mut waiting.purpose else {
            return;
        };
        if held.ready || held.due > now {
            return;
        }
        if self.clients.generation(held.client) == held.client_generation
            && !self.clients.admitted(held.client)
        {
            // Its answer could not come in.
            let reason = if self.second_path.listening() {
                Reason::Unannounced
            } else {
                Reason::Stale
            };
            self.discard(frame, reason);
            return;
        }
        if !held.paced
            && let Some(pace) = &mut self.pace
        {
            match pace.book(now, held.latest) {
                None => {
                    self.discard(frame, Reason::MaxRate);
                    self.tell_limit(Reason::MaxRate, now);
                    return;
                }
                Some(at) if at > now => {
                    held.paced = true;
                    held.due = at;
                    if !self.hold_until(at, frame) {
                        self.discard(frame, Reason::HoldFull);
                    }
                    return;
                }
                Some(_) => held.paced = true,
            }
        }
        self.make_ready(frame);
    }

    /// A held request leaves: it becomes an event message in flight.
    fn launch_held(
        &mut self,
        frame: FrameRef,
        held: &HeldRequest,
        egress: Side,
        now: Instant,
    ) -> Result<Token, Reason> {
        if now.since(held.at) > stale_after(held.max_hold) {
            self.tell_limit(Reason::Stale, now);
            return Err(Reason::Stale);
        }
        if held.ambiguous && held.rx.clock() == ClockId::Steady {
            return Err(Reason::ClockStep);
        }
        let Some(client) = self.clients.same_mut(held.client, held.client_generation) else {
            return Err(Reason::NotOurClient);
        };
        let open = &client.open[usize::from(held.open)];
        if open.sequence_id != held.sequence_id {
            return Err(Reason::Duplicate);
        }
        let progress = open.progress();
        match progress {
            Progress::Held | Progress::Untouched => {}
            Progress::SecondPath => return Err(Reason::SecondPath),
            _ => return Err(Reason::Duplicate),
        }
        let owner = Owner::Request {
            client: held.client,
            generation: held.client_generation,
            open: held.open,
        };
        let drawn = Drawn {
            due: held.due,
            hold_ns: u32::try_from(held.due.since(held.at).as_nanos()).unwrap_or(u32::MAX),
        };
        let launched = self.launch(held.rx, owner, egress, None, now, Some(drawn));
        let Some(client) = self.clients.same_mut(held.client, held.client_generation) else {
            return Err(Reason::NotOurClient);
        };
        // A newer one of the same client may wait by now.
        if client.held == Some(frame) {
            client.held = None;
        }
        let open = &mut client.open[usize::from(held.open)];
        let Some((token, slot)) = launched else {
            open.set_progress(Progress::Lost);
            return Err(Reason::InFlightFull);
        };
        if progress == Progress::Held {
            open.set_progress(Progress::InFlight);
        }
        if now.since(held.at) > UNHELD {
            open.set_held();
        }
        open.residence_or_flight = slot;
        open.departed_at(now);
        Ok(token)
    }

    /// The residence of an event message is known, or will never be.
    fn settle(&mut self, flight: &Flight, outcome: Result<i64, Reason>) {
        let outcome = outcome.and_then(|ns| {
            if (0..=LONGEST_RESIDENCE_NS).contains(&ns) {
                Ok(ns)
            } else {
                Err(Reason::Residence)
            }
        });
        let spoiled = match flight.owner {
            Owner::Request {
                client,
                generation,
                open,
            } => self.settle_request(flight, client, generation, open, outcome),
            Owner::Sync { entry, generation } => self.settle_sync(entry, generation, outcome),
        };
        let mut next = flight.waiter;
        while let Some(frame) = next {
            next = self
                .store
                .get(frame)
                .and_then(|(_, waiting)| waiting.behind);
            match (outcome, spoiled) {
                (Ok(ns), None) => self.complete(frame, flight.owner, ns),
                (_, Some(reason)) | (Err(reason), None) => self.discard(frame, reason),
            }
        }
    }

    /// A general message has what it waited for: the residence of its event message.
    fn complete(&mut self, frame: FrameRef, owner: Owner, ns: i64) {
        let Some(Purpose::General { master }) =
            self.store.get(frame).map(|(_, waiting)| waiting.purpose)
        else {
            return;
        };
        let correction = residence::scaled(ns, self.ratio(master));
        if let Some(waiting) = self.store.get_mut(frame) {
            waiting.edit.correction = correction;
        }
        if self.second_path.guards(owner, self.present) {
            self.guard(frame, owner, self.present);
        } else {
            self.ready.push_back(frame);
        }
        if let Owner::Request {
            client, generation, ..
        } = owner
            && let Some(client) = self.clients.same_mut(client, generation)
        {
            client.served = true;
        }
    }

    /// Returns why its answers are dropped all the same.
    fn settle_request(
        &mut self,
        flight: &Flight,
        row: u32,
        generation: u32,
        open: u8,
        outcome: Result<i64, Reason>,
    ) -> Option<Reason> {
        let client = self.clients.same_mut(row, generation)?;
        let open = &mut client.open[usize::from(open)];
        match open.progress() {
            Progress::InFlight if open.residence_or_flight == flight.slot => {}
            Progress::SecondPath => return Some(Reason::SecondPath),
            // Another request has taken the place meanwhile.
            _ => return Some(Reason::Unsolicited),
        }
        match outcome {
            Ok(ns) => {
                let ns = u32::try_from(ns).unwrap_or(u32::MAX);
                open.set_progress(Progress::Departed);
                open.residence_or_flight = ns;
                if let Some(departure) = departure(flight.rx, ns) {
                    open.departed_at(departure);
                }
                self.departed(flight, row, ns);
            }
            Err(Reason::ClockStep) => open.set_progress(Progress::ClockStep),
            Err(_) => open.set_progress(Progress::Lost),
        }
        None
    }

    fn settle_sync(
        &mut self,
        entry: u32,
        generation: u32,
        outcome: Result<i64, Reason>,
    ) -> Option<Reason> {
        let sync = self.syncs.same_mut(entry, generation)?;
        match sync.progress {
            SyncProgress::InFlight(_) => {}
            SyncProgress::SecondPath => return Some(Reason::SecondPath),
            _ => return None,
        }
        sync.progress = match outcome {
            Ok(ns) => SyncProgress::Departed(ns),
            Err(Reason::ClockStep) => SyncProgress::ClockStep,
            Err(_) => SyncProgress::Lost,
        };
        None
    }

    /// Keeps a copy of a frame.
    pub(super) fn keep(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        purpose: Purpose,
    ) -> Option<FrameRef> {
        let bytes = frame.bytes();
        let waiting = Waiting {
            len: u16::try_from(bytes.len()).ok()?,
            egress: arrival.side.other(),
            layout: frame.layout(),
            edit: Edit {
                complete_checksum: arrival.checksum_unfinished,
                ..Edit::default()
            },
            purpose,
            behind: None,
        };
        self.store
            .keep_with(bytes.len(), waiting, |cell| cell.copy_from_slice(bytes))
    }
}

/// Makes the edits of a frame in its egress slot.
pub(crate) fn apply_edit(bytes: &mut [u8], layout: Layout, change: &Edit) {
    if change.set_two_step {
        edit::set_two_step(bytes, layout);
    }
    if change.correction != 0 {
        edit::add_correction(bytes, layout, change.correction);
    }
    if change.complete_checksum {
        edit::complete_checksum(bytes, layout);
    }
}
