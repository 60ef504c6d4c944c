//! The core alone, driven frame by frame: what it says, and what leaves when.

use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::{Arrival, Forwarder, Settings, StateError, StateReader, StateWriter, Verdict};
use ptpproxy::engine::Token;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::{Frame, MessageType};

use crate::frames::Message;

/// Each event message departs this long after the present.
pub const TX_DELAY_NS: u64 = 10_000;

/// The gateway's own MAC address, on both sides.
pub const OWN_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xF0];

/// A millisecond.
pub const MS: Duration = Duration::from_millis(1);
/// A second.
pub const SECOND: Duration = Duration::from_secs(1);

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It left at once, with these octets.
    Sent(Vec<u8>),
    /// The core keeps it.
    Waits,
    /// It goes no further, for this reason.
    Dropped(Reason),
}

use Outcome::Dropped;

/// A frame that left after it had waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The side it left by.
    pub by: Side,
    /// When, in nanoseconds of the steady clock.
    pub at: u64,
    /// The whole frame.
    pub bytes: Vec<u8>,
}

impl Left {
    /// What left, parsed.
    pub fn frame(&self) -> Frame<'_> {
        Frame::parse(&self.bytes).expect("a frame")
    }
}

/// A gateway whose time is told.
pub struct Gateway {
    /// The core under test.
    pub core: Forwarder,
    /// The present, in nanoseconds of the steady clock.
    pub now: u64,
    /// Departures are stamped as they happen; else their tokens stay in `in_flight`.
    pub stamps: bool,
    /// What is sent on at once leaves at once; if not, it stays in the batch.
    pub kicks: bool,
    /// Departures without a timestamp yet: their tokens, and when they were.
    pub in_flight: Vec<(Token, u64)>,
    /// Frames that left after they had waited, in their order.
    pub left: Vec<Left>,
    /// Frames of the gateway's own making, in their order.
    pub own: Vec<Left>,
    to_host: bool,
}

/// The defaults, without holds, in little memory.
pub fn unheld() -> Settings {
    Settings {
        jitter: Duration::ZERO,
        max_clients: 64,
        hold_frames: 64,
        ..Settings::default()
    }
}

impl Gateway {
    /// A gateway that has just started.
    pub fn new(settings: Settings) -> Self {
        Self {
            core: Forwarder::new(settings.validated().expect("they fit")),
            now: 1_000_000_000_000,
            stamps: true,
            kicks: true,
            in_flight: Vec::new(),
            left: Vec::new(),
            own: Vec::new(),
            to_host: false,
        }
    }

    /// Another process goes on with the state of this one, by these settings.
    ///
    /// # Errors
    /// It does not.
    pub fn handed_over(&mut self, settings: Settings) -> Result<Self, StateError> {
        let state = self.state()?;
        let mut other = Self::new(settings);
        other.now = self.now;
        other.restore(&state)?;
        (other.stamps, other.kicks, other.to_host) = (self.stamps, self.kicks, self.to_host);
        // Each token is the other one's as well: they pass with the ring.
        let again = |token: &Token| {
            let token = serde_json::to_string(token).expect("a number");
            serde_json::from_str(&token).expect("the same")
        };
        let in_flight = self.in_flight.iter();
        other.in_flight = in_flight.map(|(token, at)| (again(token), *at)).collect();
        Ok(other)
    }

    /// The state of the core.
    ///
    /// # Errors
    /// It cannot be handed over.
    pub fn state(&mut self) -> Result<Vec<u8>, StateError> {
        let mut out = StateWriter::new();
        self.core.save(&mut out)?;
        out.finish()
    }

    /// Goes on with this state.
    ///
    /// # Errors
    /// It does not.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut from = StateReader::new(state)?;
        let now = self.instant();
        self.core.restore(&mut from, now)?;
        from.finish()
    }

    /// Takes a message from a side at the present.
    pub fn hears(&mut self, side: Side, message: &Message) -> Outcome {
        self.hears_late(side, message, Duration::ZERO)
    }

    /// Takes a message that arrived this long ago.
    pub fn hears_late(&mut self, side: Side, message: &Message, age: Duration) -> Outcome {
        let at = self.now - nanos(age);
        let stamp = Stamp::new(ClockId::Steady, i64::try_from(at).expect("years"));
        self.hears_bytes(side, &message.bytes(), at, Ok(stamp))
    }

    /// Takes a message in a frame whose destination is the gateway's own MAC.
    pub fn hears_for_host(&mut self, side: Side, message: &Message) -> Outcome {
        let mut bytes = message.bytes();
        bytes[..6].copy_from_slice(&OWN_MAC);
        let stamp = Stamp::new(ClockId::Steady, i64::try_from(self.now).expect("years"));
        self.to_host = true;
        let outcome = self.hears_bytes(side, &bytes, self.now, Ok(stamp));
        self.to_host = false;
        outcome
    }

    /// Takes any bytes that arrived at `at`, with their receive timestamp or why there is none.
    pub fn hears_bytes(
        &mut self,
        side: Side,
        bytes: &[u8],
        at: u64,
        stamp: Result<Stamp, Reason>,
    ) -> Outcome {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(reason) => {
                self.core
                    .malformed(side, bytes, reason, Instant::from_nanos(at));
                return Dropped(reason);
            }
        };
        let arrival = Arrival {
            side,
            stamp,
            at: Instant::from_nanos(at),
            now: self.instant(),
            to_host: self.to_host,
            checksum_unfinished: false,
        };
        if self.to_host && self.core.waits_for_hop(&frame, &arrival) {
            return Outcome::Waits;
        }
        self.decides(&frame, &arrival)
    }

    /// Messages whose next hop is known by now go on; the questions for others that leave, each by its side.
    pub fn follow_hops(&mut self) -> Vec<(Side, Vec<u8>)> {
        let mut bytes = [0; 2048];
        while let Some((arrival, len)) = self.core.next_routed(&mut bytes, self.instant()) {
            let frame = Frame::parse(&bytes[..len]).expect("it was parsed before");
            if let Outcome::Sent(bytes) = self.decides(&frame, &arrival) {
                self.left.push(Left {
                    by: arrival.side.other(),
                    at: self.now,
                    bytes,
                });
            }
        }
        let mut questions = Vec::new();
        while let Some((side, probe, from)) = self.core.next_question() {
            let mut bytes = vec![0; 128];
            let len = probe.write(&mut bytes, from).expect("room");
            bytes.truncate(len);
            questions.push((side, bytes));
        }
        questions
    }

    fn decides(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Outcome {
        let side = arrival.side;
        match self.core.frame(frame, arrival) {
            Verdict::Forward(change, token) => {
                let mut sent = frame.bytes().to_vec();
                let (to, layout) = (side.other(), frame.layout());
                if let Err(reason) = self.core.edit(to, &change, &mut sent, layout) {
                    let now = self.instant();
                    self.core.unsent_frame(side, frame, token, reason, now);
                    return Dropped(reason);
                }
                if self.kicks {
                    self.core.kicked(side.other(), self.instant());
                    self.take_off(token);
                    self.flush();
                } else {
                    self.in_flight
                        .extend(token.map(|token| (token, self.now + TX_DELAY_NS)));
                }
                Outcome::Sent(sent)
            }
            Verdict::Wait => Outcome::Waits,
            Verdict::Drop(reason) => Dropped(reason),
        }
    }

    /// Lets time pass in steps of a tenth of a millisecond; what is due leaves.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + nanos(time);
        while self.now < end {
            self.now = end.min(self.now + 100_000);
            self.core.advance(self.instant());
            self.core.all_read(self.instant());
            self.core.all_read(self.instant());
            self.flush();
        }
    }

    /// Lets time pass in one step.
    pub fn skip(&mut self, time: Duration) {
        self.now += nanos(time);
        self.core.advance(self.instant());
        self.core.all_read(self.instant());
        self.flush();
    }

    /// What is ready leaves.
    pub fn flush(&mut self) {
        while let Some(by) = self.core.next_own(self.instant()) {
            let mut slot = [0; 2048];
            if let Some(len) = self.core.write_own(&mut slot, self.instant()) {
                let (at, bytes) = (self.now, slot[..len].to_vec());
                self.own.push(Left { by, at, bytes });
            }
        }
        while let Some(by) = self.core.next_egress() {
            let mut slot = [0; 2048];
            let Some(departure) = self.core.depart(&mut slot, self.instant()) else {
                continue;
            };
            self.left.push(Left {
                by,
                at: self.now,
                bytes: slot[..departure.len].to_vec(),
            });
            self.core.kicked(by, self.instant());
            self.take_off(departure.token);
        }
    }

    /// The stamps of all departures come in, in the order of the departures.
    pub fn stamp_all(&mut self) {
        for (token, at) in std::mem::take(&mut self.in_flight) {
            let at = i64::try_from(at).expect("years");
            self.core
                .stamped(token, Ok(Stamp::new(ClockId::Steady, at)));
        }
        self.flush();
    }

    /// The interface did not take what was to depart.
    pub fn refuse_all(&mut self) {
        for (token, _) in std::mem::take(&mut self.in_flight) {
            self.core.unsent(token, Reason::TxFailed);
        }
    }

    fn take_off(&mut self, token: Option<Token>) {
        let Some(token) = token else { return };
        self.in_flight.push((token, self.now + TX_DELAY_NS));
        if self.stamps {
            for (token, at) in std::mem::take(&mut self.in_flight) {
                let at = i64::try_from(at).expect("years");
                self.core
                    .stamped(token, Ok(Stamp::new(ClockId::Steady, at)));
            }
        }
    }

    /// Frames of a type that came from a side and were dropped for a reason.
    pub fn dropped(&self, side: Side, kind: MessageType, reason: Reason) -> u64 {
        self.core
            .counters()
            .dropped(side, Kind::Message(kind), reason)
    }

    /// The present.
    pub const fn instant(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// Each frame that came in has left, was dropped or waits: none is lost, none is counted twice. No more requests
    /// ended than were sent.
    pub fn assert_conserved(&self) {
        let counters = self.core.counters();
        let (mut received, mut gone) = (0, 0);
        for side in [Side::Up, Side::Down] {
            for kind in Kind::all() {
                received += counters.received(side, kind);
                gone += counters.forwarded(side, kind);
                gone += Reason::ALL
                    .iter()
                    .map(|&reason| counters.dropped(side, kind, reason))
                    .sum::<u64>();
            }
        }
        let waiting = self.core.waiting() as u64;
        assert_eq!(
            received + counters.follow_ups_made,
            gone + waiting,
            "{waiting} wait"
        );
        let requests = counters.forwarded(Side::Down, Kind::Message(MessageType::DelayReq));
        let ended = counters.answered + counters.unanswered;
        assert!(ended <= requests, "{ended} of {requests} ended");
    }
}

impl Outcome {
    /// Whether it left at once.
    pub const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent(_))
    }

    /// correctionField of what was sent at once.
    pub fn correction(&self) -> i64 {
        match self {
            Self::Sent(bytes) => Frame::parse(bytes).expect("a frame").correction(),
            other => panic!("not sent: {other:?}"),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("years")
}
