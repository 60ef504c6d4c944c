//! What may never happen, checked on each frame that leaves a gateway.

use std::collections::{HashMap, HashSet};

use ptpproxy::Side;
use ptpproxy::core::Settings;
use ptpproxy::wire::{Address, Frame, Lane, MessageType, PortIdentity};

use super::frame::{Station, checksum_is_right, mark, mark_of};
use super::machine::MachineModel;
use super::port::{PortModel, Sent, StampFate};
use super::violation::Violation;

/// A frame at an ingress.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    at: u64,
    /// When the engine read it, or later.
    read: Option<u64>,
    correction: i64,
    digest: u64,
    one_step: bool,
    departed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct EventKey {
    gateway: usize,
    request: bool,
    sender: PortIdentity,
    sequence_id: u16,
    domain: u8,
    lane: Lane,
    peer: Option<Address>,
}

#[derive(Clone, Copy, Debug)]
struct Departed {
    residence_ns: u64,
    bound_ns: f64,
    one_step: bool,
    followed: bool,
}

/// Records what arrives and checks what departs.
#[derive(Debug, Default)]
pub struct Audit {
    /// Rules that were broken; the first ones.
    pub violations: Vec<Violation>,
    /// Frames that left.
    pub departed: u64,
    /// Of all that left: when, where and every octet.
    pub digest: u64,
    /// True residence of each Delay_Req that left: arrival, nanoseconds.
    pub holds: Vec<(u64, u64)>,
    /// Error of the correction of each Delay_Resp by the master's clock: departure, nanoseconds.
    pub response_errors: Vec<(u64, f64)>,
    /// The same of what carries the correction of a Sync.
    pub sync_errors: Vec<(u64, f64)>,
    /// Follow_Ups that the gateways made.
    pub made: u64,
    arrived: Vec<Arrived>,
    unread: Vec<Vec<usize>>,
    events: HashMap<EventKey, Departed>,
    answered: HashSet<(EventKey, PortIdentity)>,
    /// The last Delay_Req of each client that left, by its arrival.
    last: HashMap<(usize, PortIdentity, Lane), u64>,
    limits: Limits,
}

/// What stamps may be off by, and how long an event message may stay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    rx_noise_ns: [i64; 2],
    tx_noise_ns: [i64; 2],
    uncertainty_ns: u32,
    kick_ns: u64,
    max_hold_ns: u64,
    rate_ppm: f64,
    /// Windows by which clocks of cards are read, and what timestamps of two of them may be off by.
    window_ns: u64,
    two_clocks_ns: f64,
}

/// CLOCK_REALTIME may be slewed by 500 ppm, and adjtime adds 500: so much may stamps be off that
/// were taken some time before the clocks were read.
const SLEW_PPM: f64 = 1_000.0;
/// A change of the rate of a card's clock may go unnoticed for some readings.
const WANDER_NS: f64 = 60.0;
/// An authenticated answer passes untouched if its request had been here no longer than a millisecond
/// when it was sent on; the batch takes its time after that.
const UNTOUCHED_NS: f64 = 1_250_000.0;
const VIOLATIONS: usize = 8;

impl Limits {
    pub(super) fn new(settings: &Settings, machine: MachineModel) -> Self {
        Self {
            max_hold_ns: settings.max_hold.as_nanos() as u64,
            rate_ppm: settings.max_rate_ppm,
            uncertainty_ns: machine.uncertainty_ns,
            window_ns: machine.window_ns,
            ..Self::default()
        }
    }

    /// Ports behave like this from now on.
    pub(super) fn widen(&mut self, ports: [PortModel; 2]) {
        for (side, port) in ports.into_iter().enumerate() {
            self.rx_noise_ns[side] = self.rx_noise_ns[side].max(port.rx_noise_ns);
            self.tx_noise_ns[side] = self.tx_noise_ns[side].max(port.tx_noise_ns);
            let kick = port.kick_ns.0 + port.kick_ns.1 * port.batch as u64;
            self.kick_ns = self.kick_ns.max(kick);
        }
        let clocks = ports.map(|port| port.card.map(|card| card.clock));
        if let [Some(one), Some(other)] = clocks
            && one != other
        {
            self.two_clocks_ns = self.window_ns as f64 + WANDER_NS;
        }
    }
}

impl Audit {
    pub(super) fn new(gateways: usize, limits: Limits) -> Self {
        Self {
            unread: vec![Vec::new(); gateways],
            digest: FNV,
            limits,
            ..Self::default()
        }
    }

    pub(super) const fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// A frame comes to a gateway: marks it.
    pub(super) fn arrive(&mut self, gateway: usize, at: u64, bytes: &mut [u8]) {
        let id = self.arrived.len();
        mark(bytes, id as u64);
        let Ok(frame) = Frame::parse(bytes) else {
            return;
        };
        self.arrived.push(Arrived {
            at,
            read: None,
            correction: frame.correction(),
            digest: digest_of(&frame),
            one_step: frame.message_type() == MessageType::Sync && !frame.two_step(),
            departed: false,
        });
        self.unread[gateway].push(id);
    }

    /// A gateway begins a turn: it reads what has come.
    pub(super) fn read(&mut self, gateway: usize, at: u64) {
        for id in self.unread[gateway].drain(..) {
            self.arrived[id].read = Some(at);
        }
    }

    /// A frame left a gateway by `side`; its master runs `ppm` fast.
    pub(super) fn depart(&mut self, gateway: usize, side: Side, sent: &Sent, ppm: f64) {
        self.departed += 1;
        self.digest = fnv(self.digest, &sent.at.to_be_bytes());
        self.digest = fnv(self.digest, &[gateway as u8, side as u8]);
        self.digest = fnv(self.digest, &sent.bytes);
        let Ok(frame) = Frame::parse(&sent.bytes) else {
            self.broken(Violation::Malformed(sent.at));
            return;
        };
        let message = frame.message_type();
        if !checksum_is_right(&frame) {
            self.broken(Violation::Checksum(sent.at, message));
        }
        let arrived = mark_of(&sent.bytes).map(|id| &mut self.arrived[id as usize]);
        let arrived = arrived.map(|arrived| {
            let twice = std::mem::replace(&mut arrived.departed, true);
            (*arrived, twice)
        });
        if let Some((arrived, twice)) = arrived {
            if twice {
                self.broken(Violation::Twice(sent.at, message));
            }
            if arrived.digest != digest_of(&frame) {
                self.broken(Violation::Altered(sent.at, message));
            }
        } else {
            self.made += 1;
        }
        let arrived = arrived.map(|(arrived, _)| arrived);
        let from_below = matches!(
            message,
            MessageType::DelayReq | MessageType::Signaling | MessageType::Management
        );
        if from_below != (side == Side::Up) {
            self.broken(Violation::Side(sent.at, message));
        }
        match (message, arrived) {
            (MessageType::Sync | MessageType::DelayReq, Some(arrived)) => {
                self.event(gateway, side, sent, &frame, &arrived, ppm);
            }
            (MessageType::FollowUp, arrived) => self.follow_up(gateway, sent, &frame, arrived, ppm),
            (MessageType::DelayResp, Some(arrived)) => {
                self.response(gateway, sent, &frame, &arrived, ppm);
            }
            (_, Some(_)) => {}
            (_, None) => self.broken(Violation::Made(sent.at, message)),
        }
    }

    fn event(
        &mut self,
        gateway: usize,
        side: Side,
        sent: &Sent,
        frame: &Frame<'_>,
        arrived: &Arrived,
        ppm: f64,
    ) {
        let message = frame.message_type();
        let residence_ns = sent.at - arrived.at;
        let limits = &self.limits;
        let from = side.other() as usize;
        let noise = limits.rx_noise_ns[from] + limits.tx_noise_ns[side as usize];
        if residence_ns > limits.max_hold_ns + limits.rx_noise_ns[from].unsigned_abs() {
            self.broken(Violation::Late(sent.at, message, residence_ns));
        }
        let limits = &self.limits;
        let lag = arrived.read.unwrap_or(sent.at) - arrived.at + limits.kick_ns;
        let mut bound_ns = noise as f64
            // A poor reading is used when it proves the line of good ones off by more than itself.
            + 2.0 * f64::from(limits.uncertainty_ns)
            + limits.two_clocks_ns
            + limits.rate_ppm * 1e-6 * residence_ns as f64
            + SLEW_PPM * 1e-6 * lag as f64
            + 3.0;
        let rewritten = message == MessageType::Sync && arrived.one_step && !frame.two_step();
        if rewritten || matches!(sent.stamp, StampFate::Late | StampFate::Lost) {
            // Estimated: frames of one kick leave one after the other.
            bound_ns += limits.kick_ns as f64;
        }
        let departed = Departed {
            residence_ns,
            bound_ns,
            one_step: arrived.one_step,
            followed: rewritten,
        };
        self.events.insert(key(gateway, frame, None), departed);
        if message == MessageType::DelayReq {
            let (who, id) = (frame.port_identity(), mark_of(&sent.bytes).unwrap_or(0));
            let last = self.last.insert((gateway, who, frame.lane()), id);
            if last.is_some_and(|last| last > id) {
                self.broken(Violation::Order(sent.at, who, frame.sequence_id()));
            }
            self.holds.push((arrived.at, residence_ns));
        } else if rewritten {
            let error = self.compare(sent.at, frame, arrived.correction, departed, ppm);
            self.sync_errors.push((sent.at, error));
        }
    }

    fn follow_up(
        &mut self,
        gateway: usize,
        sent: &Sent,
        frame: &Frame<'_>,
        arrived: Option<Arrived>,
        ppm: f64,
    ) {
        let key = key(gateway, frame, None);
        let Some(departed) = self.events.get_mut(&key).filter(|sync| !sync.followed) else {
            let (sender, sequence_id) = (frame.port_identity(), frame.sequence_id());
            self.broken(Violation::NoSync(sent.at, sender, sequence_id));
            return;
        };
        departed.followed = true;
        let departed = *departed;
        if departed.one_step != arrived.is_none() {
            self.broken(Violation::Made(sent.at, frame.message_type()));
        }
        let correction = arrived.map_or(0, |arrived| arrived.correction);
        let error = self.compare(sent.at, frame, correction, departed, ppm);
        self.sync_errors.push((sent.at, error));
    }

    fn response(
        &mut self,
        gateway: usize,
        sent: &Sent,
        frame: &Frame<'_>,
        arrived: &Arrived,
        ppm: f64,
    ) {
        let Some(requesting) = frame.requesting_port() else {
            return;
        };
        let multicast = EventKey {
            request: true,
            sender: requesting,
            peer: None,
            ..key(gateway, frame, None)
        };
        let unicast = EventKey {
            peer: Some(frame.source()),
            ..multicast
        };
        let found = [multicast, unicast]
            .into_iter()
            .find_map(|key| self.events.get(&key).map(|departed| (key, *departed)));
        let ours = Station::client_number(requesting).is_some();
        let Some((key, departed)) = found.filter(|_| ours) else {
            self.broken(Violation::Unasked(sent.at, requesting, frame.sequence_id()));
            return;
        };
        if !self.answered.insert((key, frame.port_identity())) {
            self.broken(Violation::Unasked(sent.at, requesting, frame.sequence_id()));
        }
        let error = self.compare(sent.at, frame, arrived.correction, departed, ppm);
        self.response_errors.push((sent.at, error));
    }

    /// Checks a correction; returns its error by the master's clock.
    fn compare(
        &mut self,
        at: u64,
        frame: &Frame<'_>,
        before: i64,
        departed: Departed,
        ppm: f64,
    ) -> f64 {
        let residence = departed.residence_ns as f64;
        let added = (frame.correction() - before) as f64 / 65536.0;
        let error_ns = added - residence;
        let bound_ns = if frame.authenticated() {
            departed.bound_ns + UNTOUCHED_NS
        } else {
            departed.bound_ns
        };
        if error_ns.abs() > bound_ns {
            self.broken(Violation::Wrong {
                at,
                message: frame.message_type(),
                error_ns,
                bound_ns,
                residence_ns: departed.residence_ns,
            });
        }
        error_ns - residence * ppm * 1e-6
    }

    fn broken(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS {
            self.violations.push(violation);
        }
    }
}

/// What an event message shares with what carries its correction.
fn key(gateway: usize, frame: &Frame<'_>, peer: Option<Address>) -> EventKey {
    let destination = frame.destination();
    EventKey {
        gateway,
        request: frame.message_type() == MessageType::DelayReq,
        sender: frame.port_identity(),
        sequence_id: frame.sequence_id(),
        domain: frame.domain(),
        lane: frame.lane(),
        peer: peer.or_else(|| (!destination.is_multicast()).then_some(destination)),
    }
}

/// Of everything but what may change: correctionField, twoStepFlag and the UDP checksum.
fn digest_of(frame: &Frame<'_>) -> u64 {
    let (bytes, ptp) = (frame.bytes(), frame.layout().ptp_offset());
    let before = fnv(FNV, &bytes[..ptp - 2]);
    let head = fnv(before, &bytes[ptp..ptp + 6]);
    let flags = fnv(head, &[bytes[ptp + 6] & !2, bytes[ptp + 7]]);
    fnv(flags, &bytes[ptp + 16..])
}

const FNV: u64 = 0xCBF2_9CE4_8422_2325;

fn fnv(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, &octet| {
        (digest ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
    })
}
