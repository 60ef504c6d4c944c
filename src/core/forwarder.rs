//! The state machine that the loop drives: frames, stamps and time in; verdicts and departures out.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::Side;
use crate::core::clients::{ClientChange, Clients};
use crate::core::departures::Departures;
use crate::core::echoes::Echoes;
use crate::core::estimate::Estimator;
use crate::core::event::{Event, Events};
use crate::core::foreign::Foreign;
use crate::core::in_flight::InFlight;
use crate::core::limits::{Bucket, Pace};
use crate::core::management::OpenManagement;
use crate::core::masters::Masters;
use crate::core::peer_delay::ToldPeerDelay;
use crate::core::second_path::SecondPath;
use crate::core::settings::{Authenticated, Holds, Settings};
use crate::core::store::{FrameRef, FrameStore};
use crate::core::sweep::Sweep;
use crate::core::syncs::Syncs;
use crate::core::table::Secret;
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::telemetry::Measures;
use crate::telemetry::{Counters, Kind};
use crate::time::Instant;
use crate::wire::{Address, Frame, MessageType};

/// Event messages that may await their stamps at once.
const IN_FLIGHT: u32 = 8192;
/// Follow_Ups that wait for their Sync may take one so many-th of the memory of held requests: a flood of them is to
/// hold nobody up.
const FOLLOW_UPS_FIRST: usize = 4;
/// A limit that is still hit is told again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The forwarder: policy, holds and corrections.
pub struct Forwarder {
    pub(super) settings: Settings,
    pub(super) holds: Holds,
    pub(super) secret: Secret,
    rng: SmallRng,
    pub(super) clients: Clients,
    pub(super) foreign: Foreign,
    pub(super) echoes: Echoes,
    pub(super) masters: Masters,
    pub(super) syncs: Syncs,
    pub(super) management: OpenManagement,
    pub(super) management_bucket: Bucket,
    pub(super) all_ones_bucket: Bucket,
    pub(super) metadata_bucket: Bucket,
    pub(super) store: FrameStore,
    pub(super) in_flight: InFlight,
    pub(super) departures: Departures,
    pub(super) ready: VecDeque<FrameRef>,
    pub(super) estimators: [Estimator; 2],
    /// By side: the egress holds frames in a queue.
    pub(super) queued: [bool; 2],
    pub(super) pace: Option<Pace>,
    /// Which allow-list of clients is in force; wraps.
    pub(super) lists: u16,
    pub(super) counters: Counters,
    pub(super) measures: Measures,
    events: Events,
    told: [Option<Instant>; Reason::ALL.len()],
    pub(super) second_path: SecondPath,
    /// Clients to be let go when the listening ends.
    pub(super) admit_later: Option<u64>,
    pub(super) peer_delay: ToldPeerDelay,
    pub(super) sweep: Sweep,
    /// Something came that nothing may correct; see [`Forwarder::take_untouched`].
    pub(super) untouched: bool,
    /// How often the local clock has jumped.
    pub(super) jumps: u32,
    /// How often the clocks were read.
    pub(super) readings: u32,
    /// The moment of the last [`Forwarder::advance`].
    pub(super) present: Instant,
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
            syncs: Syncs::new(syncs, frames / FOLLOW_UPS_FIRST, secret),
            management: OpenManagement::new(),
            management_bucket: Bucket::full(Instant::default()),
            all_ones_bucket: Bucket::full(Instant::default()),
            metadata_bucket: Bucket::full(Instant::default()),
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
            peer_delay: ToldPeerDelay::new(),
            sweep: Sweep::default(),
            holds: Holds::of(&settings),
            untouched: false,
            jumps: 0,
            readings: 0,
            present: Instant::default(),
            settings,
        }
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

    /// Lets time pass: what is due becomes ready to depart, what waited in vain is dropped.
    pub fn advance(&mut self, now: Instant) {
        self.present = now;
        self.depart_due(now);
        while let Some(flight) = self.in_flight.pop_overdue(now) {
            let estimate = self.estimators[flight.egress as usize].estimate(flight.batch);
            let outcome = match estimate.and_then(|stamp| stamp.since(flight.rx)) {
                // An estimate of the departure helps no receive stamp.
                Some(_) if self.jumped_since(&flight) => Err(Reason::ClockStep),
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

    /// Whether a message came since the last call that has to pass untouched: its wait in the rings stays in the
    /// client's time.
    pub const fn take_untouched(&mut self) -> bool {
        std::mem::replace(&mut self.untouched, false)
    }

    /// When the next held request departs.
    #[must_use]
    pub fn next_departure(&self) -> Option<Instant> {
        self.departures.next_due()
    }

    // What the policy functions share.

    /// A message of an exchange that is authenticated goes on as it came.
    pub(super) const fn passes_untouched(&mut self) {
        self.counters.authenticated += 1;
        self.untouched = true;
    }

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

    pub(super) fn tell(&mut self, event: Event) {
        self.events.tell(event, self.present);
    }

    pub(super) fn tell_limit(&mut self, reason: Reason, now: Instant) {
        if !reason.is_limit() {
            return;
        }
        let told = &mut self.told[reason as usize];
        if told.is_none_or(|at| now.since(at) > TELL_AGAIN) {
            *told = Some(now);
            self.tell(Event::Limit(reason));
        }
    }
}
