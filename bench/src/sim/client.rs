//! A client that measures its offset by what it is given.

use ptpproxy::wire::{Frame, MessageType};

use super::frame::{Station, Template, Way};
use super::mode::Mode;
use super::oscillator::Oscillator;

/// When a client sends its Delay_Req.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// Within this time after each Sync.
    AfterSync(u64),
    /// At gaps drawn from twice this mean (IEEE 1588-2019, 9.5.11.2).
    Random(u64),
    /// At this interval, to the nanosecond.
    Steady(u64),
}

/// Which responses a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// To any request of the last five seconds.
    Recent,
    /// Only to its latest request.
    Latest,
}

/// How clients behave.
#[derive(Clone, Copy, Debug)]
pub struct ClientModel {
    /// How many there are.
    pub count: u32,
    /// When they ask.
    pub plan: Plan,
    /// What they take for an answer.
    pub accept: Accept,
    /// Their first sequenceId.
    pub first_sequence_id: u16,
    /// When the first asks; the others follow within a second.
    pub start_ns: u64,
    /// When nobody asks any more.
    pub stop_ns: u64,
    /// Time of flight between the nearest client and the segment; and what the farthest has more.
    pub cable_ns: (u64, u64),
}

impl Default for ClientModel {
    fn default() -> Self {
        Self {
            count: 10,
            plan: Plan::Random(125_000_000),
            accept: Accept::Recent,
            first_sequence_id: 0,
            start_ns: 0,
            stop_ns: u64::MAX,
            cable_ns: (100, 1_000),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    sequence_id: u16,
    at: u64,
}

/// Requests that a client remembers.
const REMEMBERED: usize = 16;
const RECENT_NS: u64 = 5_000_000_000;

#[derive(Clone, Copy, Debug)]
struct HalfSync {
    sequence_id: u16,
    master: usize,
    /// Arrival and correction of a Sync, origin time and correction of a Follow_Up.
    time: i64,
    correction: i64,
}

/// A client and what it measured.
#[derive(Debug)]
pub struct Client {
    /// Delay_Req sent.
    pub sent: u32,
    /// Delay_Resp taken.
    pub taken: u32,
    /// Delay_Resp to a request of its own that it would not take.
    pub refused: u32,
    /// Time of flight to the segment.
    pub cable_ns: u64,
    /// Where its measurements of the way down lie from the true flight: nanoseconds.
    pub down_errors: Vec<f64>,
    /// The same of the way up.
    pub up_errors: Vec<f64>,
    pub(super) template: Template,
    sequence_id: u16,
    asked: [Option<Asked>; REMEMBERED],
    sync: Option<HalfSync>,
    follow_up: Option<HalfSync>,
}

impl Client {
    pub(super) fn new(
        model: ClientModel,
        number: u32,
        mode: Mode,
        way: Way,
        domain: u8,
        cable_ns: u64,
    ) -> Self {
        let to = (mode != Mode::Multicast).then(|| Station::master(0));
        let from = Station::client(number);
        Self {
            sent: 0,
            taken: 0,
            refused: 0,
            cable_ns,
            down_errors: Vec::new(),
            up_errors: Vec::new(),
            template: Template::new(MessageType::DelayReq, way, domain, from, to),
            sequence_id: model.first_sequence_id,
            asked: [None; REMEMBERED],
            sync: None,
            follow_up: None,
        }
    }

    /// Writes its next Delay_Req into `copy`.
    pub(super) fn ask(&mut self, at: u64, copy: &mut [u8]) {
        let sequence_id = self.sequence_id;
        self.sequence_id = sequence_id.wrapping_add(1);
        self.asked[usize::from(sequence_id) % REMEMBERED] = Some(Asked { sequence_id, at });
        self.sent += 1;
        self.template.fill(copy, sequence_id, 0);
    }

    /// Takes a Sync or a Follow_Up that came at `at`; `flight_ns` is the true time of flight.
    pub(super) fn hear(
        &mut self,
        frame: &Frame<'_>,
        at: u64,
        master: (usize, &Oscillator),
        flight_ns: u64,
    ) {
        let Some(origin) = frame.timestamp().and_then(|time| time.as_nanos()) else {
            return;
        };
        let is_sync = frame.message_type() == MessageType::Sync;
        let half = HalfSync {
            sequence_id: frame.sequence_id(),
            master: master.0,
            time: if is_sync { at.cast_signed() } else { origin },
            correction: frame.correction(),
        };
        if is_sync && !frame.two_step() {
            let given = HalfSync {
                time: origin,
                correction: 0,
                ..half
            };
            self.measure_down(half, given, master.1, flight_ns);
            return;
        }
        if is_sync {
            self.sync = Some(half);
        } else {
            self.follow_up = Some(half);
        }
        if let (Some(sync), Some(follow_up)) = (self.sync, self.follow_up)
            && (sync.sequence_id, sync.master) == (follow_up.sequence_id, follow_up.master)
        {
            self.sync = None;
            self.follow_up = None;
            self.measure_down(sync, follow_up, master.1, flight_ns);
        }
    }

    fn measure_down(
        &mut self,
        sync: HalfSync,
        given: HalfSync,
        master: &Oscillator,
        flight_ns: u64,
    ) {
        let arrival = master.read(sync.time.cast_unsigned());
        let correction = (sync.correction + given.correction) as f64 / 65536.0;
        let way = (arrival - given.time) as f64 - correction;
        self.down_errors.push(way - flight_ns as f64);
    }

    /// Takes a Delay_Resp to one of its requests; false if it asked no such thing.
    pub(super) fn answered(
        &mut self,
        frame: &Frame<'_>,
        at: u64,
        accept: Accept,
        master: &Oscillator,
        flight_ns: u64,
    ) -> bool {
        let sequence_id = frame.sequence_id();
        let place = &mut self.asked[usize::from(sequence_id) % REMEMBERED];
        let Some(asked) = place.filter(|asked| asked.sequence_id == sequence_id) else {
            return false;
        };
        let latest = self.sequence_id.wrapping_sub(1);
        if accept == Accept::Latest && sequence_id != latest || asked.at + RECENT_NS < at {
            self.refused += 1;
            return true;
        }
        *place = None;
        let Some(received) = frame.timestamp().and_then(|time| time.as_nanos()) else {
            return true;
        };
        self.taken += 1;
        let way = (received - master.read(asked.at)) as f64 - frame.correction() as f64 / 65536.0;
        self.up_errors.push(way - flight_ns as f64);
        true
    }
}
