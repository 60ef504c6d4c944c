//! The policy: what happens to each frame. Here is all that may change more than one part of the core.
//!
//! | file | one idea |
//! |---|---|
//! | `from_up`, `from_down` | a row of the policy's table for each message type |
//! | `sync`, `follow_up` | Sync and Follow_Up, in either order; a one-step Sync becomes two-step |
//! | `request`, `response` | Delay_Req and Delay_Resp |
//! | `signaling`, `management` | Signaling and Management, both ways |
//! | `admission` | who becomes our client, and who stays |
//! | `masters` | which masters and grandmasters may pass, and what their Syncs tell of their rate |
//! | `second_path` | what another gateway beside us changes |
//! | `role` | active or standby: what one of two gateways does |
//! | `time` | time and timestamps in |
//! | `settle` | the residence of an event message is known, or lost |
//! | `depart` | what is due out |
//! | `signed` | keys in, and what leaves signed |
//! | `unicast` | keyed folds of addresses, for what unicast messages share; what the kernel routes |
//! | `simple` | exchanges of simple PTP |
//! | `source` | all clients behind the gateway's own addresses |
//! | `neighbours` | ARP and neighbour discovery, which unicast PTP needs |
//! | `routed` | unicast PTP between two subnets |
//! | `prefetch` | the memory of clients, asked for before their frames are dealt with |
//! | `apply` | other settings while it runs |
//! | `readers` | what others may see |
//! | `saved` | all of it, for the process that takes its place |
//! | `watched` | what whoever watches is told of |
//! | `whose` | several forwarders behind one upstream port: which of them a message is for |

mod admission;
mod apply;
mod depart;
mod follow_up;
mod from_down;
mod from_up;
mod management;
mod masters;
mod neighbours;
mod prefetch;
mod readers;
mod request;
mod response;
mod role;
mod routed;
mod saved;
mod second_path;
mod settle;
mod signaling;
mod signed;
mod simple;
mod source;
mod sync;
mod time;
mod unicast;
mod watched;
mod whose;

pub use whose::{Whose, whose};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::Side;
use crate::core::account::Account;
use crate::core::clients::Clients;
use crate::core::flight::Flights;
use crate::core::hold::Hold;
use crate::core::masters::Masters;
use crate::core::open_management::Management;
use crate::core::second_path::SecondPath;
use crate::core::settings::{InForce, Settings, ValidSettings};
use crate::core::signatures::Signatures;
use crate::core::syncs::{self, Syncs};
use crate::core::table::Secret;
use crate::core::tap::Tap;
use crate::core::unicast::Unicast;
use crate::core::verdict::{Arrival, Arrived, Verdict};
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::Instant;
use crate::wire::{Frame, MessageType};

/// At most 1/4 of the frame store holds Follow_Ups that arrived before their Sync, so that a flood of them cannot
/// starve requests.
const EARLY_FOLLOW_UPS: usize = 4;

/// The forwarder: policy, holds and corrections.
///
/// It reads no clock, socket or random device. A loop tells it the time and hands it timestamps and frames, and does
/// what the answers say. The same seed and the same calls give the same frames.
///
/// # Methods
///
/// * **Time and timestamps in**: [`clocks_read`](Self::clocks_read) or [`clock_stepped`](Self::clock_stepped),
///   [`advance`](Self::advance), [`kicked`](Self::kicked), [`postponed`](Self::postponed),
///   [`software_stamped`](Self::software_stamped), [`stamped`](Self::stamped), [`unsent`](Self::unsent),
///   [`unsent_frame`](Self::unsent_frame),
///   [`backlog`](Self::backlog), [`read_up_to`](Self::read_up_to), [`admit`](Self::admit).
/// * **Frames in**: [`frame`](Self::frame) for one that parses, [`malformed`](Self::malformed) for one that does not;
///   [`prefetch_bucket`](Self::prefetch_bucket) and [`prefetch_row`](Self::prefetch_row) before, for speed only;
///   [`neighbour`](Self::neighbour) for one that is no PTP, and [`next_neighbour`](Self::next_neighbour) for those of them
///   that waited; [`waits_for_hop`](Self::waits_for_hop) before one with our own MAC, and
///   [`next_routed`](Self::next_routed) for those that have waited.
/// * **What is due out**: [`next_egress`](Self::next_egress), then [`depart`](Self::depart) or
///   [`drop_next`](Self::drop_next); [`rewrite_correction`](Self::rewrite_correction) for a one-step Sync;
///   [`edit`](Self::edit) for what is forwarded at once; [`next_question`](Self::next_question) for what is asked for;
///   [`next_own`](Self::next_own) and [`write_own`](Self::write_own) for what a gateway sends that takes over;
///   [`next_wake`](Self::next_wake) says when there will be more.
/// * **Readers**: [`counters`](Self::counters), [`measures`](Self::measures), [`next_event`](Self::next_event),
///   [`client_slots`](Self::client_slots), [`master_states`](Self::master_states) and others. They may be called at
///   any time.
///
/// [`set_role`](Self::set_role), [`watch`](Self::watch), [`apply`](Self::apply), [`set_keys`](Self::set_keys) and
/// [`set_tx_stamps`](Self::set_tx_stamps) may be called between any
/// two turns. [`share_addresses`](Self::share_addresses), [`listen_first`](Self::listen_first), [`gate_new_clients`](Self::gate_new_clients) and
/// [`follow_changes`](Self::follow_changes) are called once, before the first turn, or not at all.
///
/// # A turn
///
/// A loop makes these calls in this order, over and over: when a frame or a TX timestamp is there, and no later than
/// [`next_wake`](Self::next_wake) and [`next_sweep`](Self::next_sweep) say. A star marks what is called as often as there
/// is something.
///
/// ```text
/// clocks_read | clock_stepped      the clocks were read: first of all, and again wherever it says "read the clocks"
/// (software_stamped | stamped | unsent)*  TX timestamps and failures that the ports report
/// backlog                          of both sides, if stamps_overdue: does the port still hold frames of old batches?
/// advance                          the present: what is due leaves next
/// (next_own, write_own)*           before all else of this turn: by it another gateway notices this one
/// (next_egress, depart)*           before frames are read, or one client's requests change places
/// (malformed | frame)*             downstream before upstream: a copy of our own request is not to be seen before it
/// read the clocks                  if frames were read: a jump meanwhile makes their timestamps ambiguous
/// read_up_to                       everything that arrived on both sides until then was read
/// repeat while frames leave:
///   (next_egress, depart)*
///   kicked, then send the batch    for each side with a batch; after kicked no frame joins that batch
///   read the clocks
///   (stamped | unsent)*
/// ```
///
/// * [`Verdict::Forward`]: the caller copies the frame into its egress batch and has `edit` make the edit in the copy. If
///   it cannot, it calls `unsent_frame`.
/// * [`Verdict::Wait`]: the core has copied the frame. It comes out by `depart`.
/// * [`Verdict::Drop`]: nothing is left to do.
/// * Where a card timestamps few frames at a time, event messages take turns: `next_egress` names their side only while one more
///   timestamp may be awaited there. [`next_awaits_stamp`](Self::next_awaits_stamp) says whether the next frame needs one:
///   on such a port the caller sends no frame without a token in one batch with those that have one.
/// * `next_egress` names a side. If its batch is full, the caller sends that (`kicked`, read the clocks, `stamped`) and
///   then calls `depart`; if there is still no room, `drop_next`.
/// * If a batch is sent early while a frame with a token was to join it, the caller calls `postponed` for that token.
/// * Each token comes back once, by `stamped` or `unsent`, or never. After `tx_timestamp_timeout` the core goes on
///   without it, and ignores it if it comes later.
/// * If the batch is not sent until [`Departure::latest`](crate::core::Departure::latest), and for a frame with a token
///   until its arrival plus `max_hold`, the caller sends none of it, and reports each token as `unsent`
///   ([`Reason::Stale`]).
///
/// # Time
///
/// * [`Instant`]s are of one monotonic clock. The `now` of `advance` never goes back. That of any other call is not
///   before the last `advance`; within a turn it may go back to that.
/// * Arrivals ([`Arrival::at`]) may come in any order. `at` is at most 10 ms later than `now`.
/// * `read_up_to`: no frame that arrived before `then` is still to be read, on either side.
/// * `clocks_read` or `clock_stepped` comes before the first frame whose timestamp was translated by that reading.
/// * [`Stamp`](crate::time::Stamp)s are of the steady clock or of a hardware clock, never of CLOCK_REALTIME: the
///   caller translates those ([`engine::ClockWatch`](crate::engine::ClockWatch)).
pub struct Forwarder {
    settings: InForce,
    rng: SmallRng,
    secret: Secret,
    clients: Clients,
    masters: Masters,
    syncs: Syncs,
    hold: Hold,
    flights: Flights,
    paths: SecondPath,
    unicast: Unicast,
    management: Management,
    signatures: Signatures,
    account: Account,
    tap: Tap,
    /// The moment of the last [`Forwarder::advance`].
    present: Instant,
}

impl Forwarder {
    /// A forwarder that knows nobody yet. All memory is reserved here.
    #[must_use]
    pub fn new(settings: ValidSettings) -> Self {
        let settings = Settings::from(settings);
        let rng = SmallRng::seed_from_u64(settings.seed);
        Self::with_random(settings, rng)
    }

    fn with_random(settings: Settings, mut rng: SmallRng) -> Self {
        let secret = Secret(rng.random(), rng.random());
        Self::with(settings, secret, rng)
    }

    fn with(settings: Settings, secret: Secret, rng: SmallRng) -> Self {
        let hold = Hold::new(settings.hold_frames, settings.max_rate);
        let remembered = syncs::beside(settings.max_clients);
        Self {
            rng,
            secret,
            clients: Clients::new(settings.max_clients, secret),
            masters: Masters::new(settings.max_rate_ppm, secret),
            syncs: Syncs::new(remembered, hold.capacity() / EARLY_FOLLOW_UPS, secret),
            hold,
            flights: Flights::new(&settings),
            paths: SecondPath::new(secret),
            unicast: Unicast::new(&settings, secret),
            management: Management::new(),
            signatures: Signatures::new(),
            account: Account::new(),
            tap: Tap::default(),
            present: Instant::default(),
            settings: InForce::new(settings),
        }
    }

    /// Counts a frame that arrived at `at` and did not parse.
    pub fn malformed(&mut self, side: Side, bytes: &[u8], reason: Reason, at: Instant) {
        if self.tap.is_on() {
            self.tap.malformed((at, side), bytes, reason);
        }
        self.account.received(side, Kind::Malformed);
        self.account.dropped(side, Kind::Malformed, reason);
    }

    /// Decides on a frame. The caller does what the verdict says; what waits was copied.
    pub fn frame(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let kind = Kind::Message(frame.message_type());
        self.account.received(arrival.side, kind);
        let mut verdict = self.decide(frame, arrival);
        if self.paths.stands_by() {
            verdict = self.stay(verdict, frame, arrival);
        }
        if self.tap.is_on() {
            self.tell_verdict(frame, arrival, &verdict);
        }
        match &verdict {
            Verdict::Forward(..) => self.account.forwarded(arrival.side, kind),
            Verdict::Drop(reason) => {
                self.account.dropped(arrival.side, kind, *reason);
                self.account.tell_limit(*reason, arrival.now);
                if reason.is_refusal() {
                    self.tell_refusal(*reason, frame, arrival);
                }
            }
            Verdict::Wait => self.account.waits(arrival.side, kind),
        }
        verdict
    }

    fn decide(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let checked = self.common(frame, arrival);
        let signature = match checked.and_then(|()| self.vouch(frame, arrival)) {
            Ok(signature) => signature,
            Err(reason) => return Verdict::Drop(reason),
        };
        let arrived = Arrived { arrival, signature };
        match arrival.side {
            Side::Up => self.decide_up(frame, &arrived),
            Side::Down => self.decide_down(frame, &arrived),
        }
    }

    /// The rows of the policy that hold for both sides and need to know nobody.
    fn common(&self, frame: &Frame<'_>, arrival: &Arrival) -> Result<(), Reason> {
        // Bridges and access points that convert multicast to unicast put our MAC in a group's place: the IP group
        // decides.
        if arrival.to_host && frame.group_mac().is_none() && !self.is_for_a_client(frame, arrival) {
            self.may_route(frame, arrival.side)?;
        }
        if self.unicast.is_shared() && arrival.side == Side::Down {
            self.may_share(frame)?;
        }
        if frame.major_sdo_id() == 1 {
            return Err(Reason::Gptp);
        }
        if frame.carries_ntp() {
            return Err(Reason::NtpOverPtp);
        }
        if matches!(
            frame.message_type(),
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp
        ) {
            return Ok(());
        }
        let domains = &self.settings.domains;
        if !domains.is_empty() && !domains.contains(&frame.domain()) {
            return Err(Reason::Domain);
        }
        Ok(())
    }
}
