//! The loop against ports and a clock of the test's own.

use std::collections::VecDeque;

use ptpproxy::Side;
use ptpproxy::core::{Settings, ValidSettings};
use ptpproxy::engine::{Completion, Engine, KickReport, Port, Received, Token};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::wire::MessageType;
use ptpproxy_lab::sim::{Batch, Now, stamp};

use crate::common::MS;

#[derive(Default)]
pub(crate) struct Scripted {
    now: Now,
    pub(crate) arrivals: VecDeque<(u64, Vec<u8>)>,
    current: Vec<u8>,
    batch: Batch,
    pub(crate) sent: Vec<Vec<u8>>,
    /// The process stands still for this time after each commit.
    stall_ns: u64,
    /// And for this time before each batch is sent.
    pub(crate) stall_kick_ns: u64,
    /// And for this time before each frame that it reads.
    stall_reading_ns: u64,
    /// No stamp comes.
    loses_stamps: bool,
    /// A queue behind it may still have what left.
    holds: bool,
    /// Frames that a batch holds at most.
    room: Option<usize>,
    /// Frames that were received, and which of all were looked at before.
    received: usize,
    /// And by how many at most one was ahead.
    looked_at: Vec<usize>,
    farthest: usize,
    /// While a batch is sent, somebody sets the stamping clock by so much.
    step_ns: u64,
}

impl Scripted {
    pub(crate) fn new(now: &Now) -> Self {
        Self {
            now: now.clone(),
            ..Self::default()
        }
    }
}

impl Port for Scripted {
    fn receive(&mut self) -> Option<Received<'_>> {
        let (at, bytes) = self.arrivals.pop_front()?;
        self.received += 1;
        self.now.pass(self.stall_reading_ns);
        self.current = bytes;
        Some(Received {
            bytes: &self.current,
            stamp: Some(stamp(at)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let ahead = usize::try_from(ahead).ok()?;
        let (_, bytes) = self.arrivals.get(ahead)?;
        self.looked_at.push(self.received + ahead);
        self.farthest = self.farthest.max(ahead);
        Some(bytes)
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        if self.room.is_some_and(|room| self.batch.queued() >= room) {
            return None;
        }
        self.batch.slot()
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch.commit(len, token);
        self.now.pass(self.stall_ns);
    }

    fn queued(&self) -> usize {
        self.batch.queued()
    }

    fn take_back(&mut self) -> usize {
        self.batch.take_back()
    }

    fn kick(&mut self) -> KickReport {
        self.now.step(self.step_ns);
        self.now.pass(self.stall_kick_ns);
        let sent = self.batch.kick(|bytes| {
            self.sent.push(bytes);
            self.now.stamp()
        });
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.batch.completions(&mut |done| {
            if !self.loses_stamps {
                sink(done);
            }
        });
    }

    fn holds_frames(&mut self) -> bool {
        self.holds
    }
}

/// A Delay_Req over Ethernet.
fn delay_req(sequence_id: u16) -> Vec<u8> {
    let mut frame = vec![0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0x88, 0xF7];
    let mut ptp = [0_u8; 44];
    (ptp[0], ptp[1], ptp[3]) = (0x01, 0x02, 44);
    ptp[20..30].copy_from_slice(&[2, 0, 0, 0xFF, 0xFE, 0, 0, 9, 0, 1]);
    ptp[30..32].copy_from_slice(&sequence_id.to_be_bytes());
    frame.extend(ptp);
    frame
}

#[test]
fn a_batch_that_grew_stale_before_the_kick_is_taken_back() {
    for (stall_ns, sent) in [(99 * MS, 1), (101 * MS, 0), (2_000 * MS, 0)] {
        let now = Now::new(5_000 * MS);
        let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        down.arrivals.push_back((5_000 * MS, delay_req(1)));
        up.stall_ns = stall_ns;
        let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), sent, "{stall_ns}");
        let kind = Kind::Message(MessageType::DelayReq);
        let stale = engine.counters().dropped(Side::Down, kind, Reason::Stale);
        assert_eq!(stale, 1 - sent as u64);
        assert_eq!(engine.unsent(Side::Up), stale);
        let forwarded = engine.counters().forwarded(Side::Down, kind);
        assert_eq!(forwarded, sent as u64);
        // The next one leaves as usual.
        engine.up_mut().stall_ns = 0;
        let later = now.get();
        engine.down_mut().arrivals.push_back((later, delay_req(2)));
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), sent + 1);
    }
}

/// The same with an AUTHENTICATION TLV (16.14) of no content.
fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
    frame.extend([0x80, 0x09, 0, 0]);
    frame[17] += 4;
    frame
}

#[test]
fn a_turn_tells_of_what_passed_untouched() {
    let now = Now::new(5_000 * MS);
    let (up, down) = (Scripted::new(&now), Scripted::new(&now));
    let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
    for (request, untouched) in [
        (delay_req(1), false),
        (sealed(delay_req(2)), true),
        (delay_req(3), false),
    ] {
        engine.down_mut().arrivals.push_back((now.get(), request));
        let turn = engine.turn();
        assert_eq!((turn.received, turn.untouched), (1, untouched));
        assert!(!engine.turn().untouched, "it is over");
    }
}

#[test]
fn each_frame_is_looked_at_once_and_before_it_is_received() {
    let now = Now::new(5_000 * MS);
    let (up, mut down) = (Scripted::new(&now), Scripted::new(&now));
    for station in 0..20 {
        down.arrivals.push_back((now.get(), message(1, station, 1)));
    }
    let mut engine = Engine::new(up, down, now, ValidSettings::default());
    let _ = engine.turn();
    assert_eq!(engine.up_mut().sent.len(), 20);
    // The first is received at once.
    assert_eq!(engine.down_mut().looked_at, (1..20).collect::<Vec<_>>());
    assert_eq!(engine.down_mut().farthest, 3);
}

#[test]
fn a_batch_is_as_old_as_its_oldest_request() {
    for (stall_ns, sent) in [(15 * MS, 2), (25 * MS, 0)] {
        let now = Now::new(5_000 * MS);
        let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        // One was late, the other has just come; filling takes twice the stall.
        down.arrivals.push_back((4_940 * MS, message(1, 1, 1)));
        down.arrivals.push_back((5_000 * MS, message(1, 2, 1)));
        up.stall_ns = stall_ns;
        let mut engine = Engine::new(up, down, now, ValidSettings::default());
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), sent, "{stall_ns}");
    }
}

#[test]
fn what_has_waited_grows_stale_as_well() {
    for (stall_ns, sent) in [(80 * MS, 2), (95 * MS, 1)] {
        let now = Now::new(5_000 * MS);
        let (up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        for station in 1..=2 {
            down.arrivals.push_back((now.get(), message(1, station, 1)));
        }
        let settings = Settings {
            max_rate: Some(100),
            ..Settings::default()
        };
        let mut engine = Engine::new(
            up,
            down,
            now.clone(),
            settings.validated().expect("they fit"),
        );
        assert_eq!(engine.turn().sent, 1, "the other waits for its place");
        now.pass(10 * MS);
        engine.up_mut().stall_ns = stall_ns;
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), sent, "{stall_ns}");
        assert_eq!(engine.unsent(Side::Up), 2 - sent as u64);
    }
}

#[test]
fn general_messages_do_not_grow_stale() {
    const SIGNALING: u8 = 12;
    let now = Now::new(5_000 * MS);
    let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
    down.arrivals
        .push_back((now.get(), message(SIGNALING, 1, 1)));
    up.stall_ns = 2_000 * MS;
    let mut engine = Engine::new(up, down, now, ValidSettings::default());
    assert_eq!(engine.turn().sent, 1);
}

/// A PTP message over Ethernet, of 44 octets, from a station.
pub(crate) fn message(kind: u8, station: u8, sequence_id: u16) -> Vec<u8> {
    let mut frame = delay_req(sequence_id);
    frame[14] = kind;
    frame[14 + 27] = station;
    // twoStepFlag of a Sync.
    frame[14 + 6] = if kind == 0 { 2 } else { 0 };
    frame
}

/// While a second path is known corrections wait until all that came before was read. A flood from below
/// that is never read to its end does not keep them.
#[test]
fn a_flood_does_not_keep_corrections_waiting() {
    const SYNC: u8 = 0;
    const FOLLOW_UP: u8 = 8;
    let now = Now::new(5_000 * MS);
    let (up, down) = (Scripted::new(&now), Scripted::new(&now));
    let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
    let at = now.get();
    engine
        .up_mut()
        .arrivals
        .push_back((at, message(SYNC, 1, 1)));
    let _ = engine.turn();
    engine
        .down_mut()
        .arrivals
        .push_back((at, message(SYNC, 1, 1)));
    let _ = engine.turn();
    for kind in [SYNC, FOLLOW_UP] {
        let at = now.get();
        engine
            .up_mut()
            .arrivals
            .push_back((at, message(kind, 1, 2)));
        let _ = engine.turn();
    }
    assert_eq!(engine.down_mut().sent.len(), 2, "the Follow_Up waits");
    let mut turns = 0;
    while engine.down_mut().sent.len() == 2 {
        turns += 1;
        assert!(turns < 40, "it waits for the flood to end");
        now.pass(MS);
        for number in 0..600 {
            let at = now.get();
            let flood = message(FOLLOW_UP, 77, number);
            engine.down_mut().arrivals.push_back((at, flood));
        }
        assert!(engine.turn().more);
    }
    assert_eq!(engine.down_mut().sent[2][14], FOLLOW_UP);
}

/// A process that has no processor for a while reads frames that came after the clocks were read.
#[test]
fn a_pause_while_it_reads_is_no_step_of_the_clock() {
    let now = Now::new(5_000 * MS);
    let (up, mut down) = (Scripted::new(&now), Scripted::new(&now));
    down.stall_reading_ns = 40 * MS;
    for sequence_id in 0..3 {
        let came = 5_030 + 40 * u64::from(sequence_id);
        down.arrivals.push_back((came * MS, delay_req(sequence_id)));
    }
    let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
    let _ = engine.turn();
    let kind = Kind::Message(MessageType::DelayReq);
    let stepped = engine
        .counters()
        .dropped(Side::Down, kind, Reason::ClockStep);
    assert_eq!(stepped, 0);
    assert_eq!(engine.up_mut().sent.len(), 3);
    // One that was set back shows all the same.
    engine.down_mut().stall_reading_ns = 0;
    let later = now.get() + 50 * MS;
    engine.down_mut().arrivals.push_back((later, delay_req(9)));
    let _ = engine.turn();
    let stepped = engine
        .counters()
        .dropped(Side::Down, kind, Reason::ClockStep);
    assert_eq!(stepped, 1);
}

/// A clock that is set while a full batch makes room, in the middle of a turn: its stamps tell nothing.
#[test]
fn a_step_while_a_batch_makes_room_spoils_its_stamps() {
    const DELAY_RESP: u8 = 9;
    for (step_ns, loses_stamps, answered) in [
        (0, false, 3),
        (0, true, 3),
        (500 * MS, false, 0),
        (500 * MS, true, 0),
    ] {
        let now = Now::new(5_000 * MS);
        let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        for station in 1..=3 {
            down.arrivals.push_back((now.get(), message(1, station, 1)));
        }
        (up.room, up.step_ns, up.loses_stamps) = (Some(2), step_ns, loses_stamps);
        let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), 3);
        engine.up_mut().step_ns = 0;
        now.pass(11 * MS);
        let _ = engine.turn();
        for station in 1..=3 {
            let mut answer = message(DELAY_RESP, 77, 1);
            answer[14 + 3] = 54;
            answer.extend_from_slice(&message(1, station, 1)[14 + 20..14 + 30]);
            let at = u64::try_from(now.stamp().as_nanos()).unwrap();
            engine.up_mut().arrivals.push_back((at, answer));
        }
        let _ = engine.turn();
        assert_eq!(engine.down_mut().sent.len(), answered, "{step_ns}");
        let kind = Kind::Message(MessageType::DelayResp);
        let spoiled = engine.counters().dropped(Side::Up, kind, Reason::ClockStep);
        assert_eq!(spoiled, 3 - answered as u64);
    }
}

/// Of what a queue behind the port may still hold nobody can say when it left.
#[test]
fn what_may_still_be_in_a_queue_is_not_estimated() {
    for (egress, holds) in [
        (Side::Up, false),
        (Side::Up, true),
        (Side::Down, false),
        (Side::Down, true),
    ] {
        let now = Now::new(5_000 * MS);
        let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        let (from, to, frame) = match egress {
            Side::Up => (&mut down, &mut up, delay_req(1)),
            Side::Down => (&mut up, &mut down, message(0, 1, 1)),
        };
        (to.loses_stamps, to.holds) = (true, holds);
        from.arrivals.push_back((now.get(), frame));
        let mut engine = Engine::new(up, down, now.clone(), ValidSettings::default());
        assert_eq!(engine.turn().sent, 1);
        now.pass(11 * MS);
        let _ = engine.turn();
        let estimated = engine.counters().estimated;
        assert_eq!(estimated, u64::from(!holds), "{egress:?}");
    }
}
