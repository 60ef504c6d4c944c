//! The loop against ports and a clock of the test's own.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::core::Kind;
use crate::reason::Reason;
use crate::time::{ClockId, Stamp};
use crate::wire::MessageType;

const MS: u64 = 1_000_000;

/// A clock that the ports can move on while nobody looks.
#[derive(Clone, Default)]
struct Now(Rc<Cell<u64>>);

impl Clock for Now {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.get())
    }

    fn sample(&self) -> ClockSample {
        ClockSample {
            realtime_ns: self.0.get().cast_signed(),
            steady: self.now(),
            uncertainty_ns: 20,
        }
    }
}

#[derive(Default)]
struct Scripted {
    now: Now,
    arrivals: VecDeque<(u64, Vec<u8>)>,
    current: Vec<u8>,
    space: Vec<u8>,
    batch: Vec<(Vec<u8>, Option<Token>)>,
    done: Vec<Completion>,
    sent: Vec<Vec<u8>>,
    /// The process stands still for so long after each commit.
    stall_ns: u64,
    /// And for so long before each frame that it reads.
    stall_reading_ns: u64,
}

impl Scripted {
    fn new(now: &Now) -> Self {
        Self {
            now: now.clone(),
            space: vec![0; 2048],
            ..Self::default()
        }
    }
}

impl Port for Scripted {
    fn receive(&mut self) -> Option<Received<'_>> {
        let (at, bytes) = self.arrivals.pop_front()?;
        self.now.0.set(self.now.0.get() + self.stall_reading_ns);
        self.current = bytes;
        Some(Received {
            bytes: &self.current,
            stamp: Some(Stamp::new(ClockId::Realtime, at.cast_signed())),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.space)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch.push((self.space[..len].to_vec(), token));
        self.now.0.set(self.now.0.get() + self.stall_ns);
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let frames = self.batch.len();
        for token in self.batch.drain(..).filter_map(|(_, token)| token) {
            self.done.push(Completion::Unsent(token, Reason::Stale));
        }
        frames
    }

    fn kick(&mut self) -> KickReport {
        let sent = self.batch.len();
        let at = Stamp::new(ClockId::Realtime, self.now.0.get().cast_signed());
        for (bytes, token) in self.batch.drain(..) {
            self.sent.push(bytes);
            self.done
                .extend(token.map(|token| Completion::Stamped(token, at)));
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.done.drain(..).for_each(sink);
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
        let now = Now::default();
        now.0.set(5_000 * MS);
        let (mut up, mut down) = (Scripted::new(&now), Scripted::new(&now));
        down.arrivals.push_back((5_000 * MS, delay_req(1)));
        up.stall_ns = stall_ns;
        let mut engine = Engine::new(up, down, now.clone(), Settings::default());
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
        let later = now.0.get();
        engine.down_mut().arrivals.push_back((later, delay_req(2)));
        let _ = engine.turn();
        assert_eq!(engine.up_mut().sent.len(), sent + 1);
    }
}

/// A process that has no processor for a while reads frames that came after the clocks were read.
#[test]
fn a_pause_while_it_reads_is_no_step_of_the_clock() {
    let now = Now::default();
    now.0.set(5_000 * MS);
    let (up, mut down) = (Scripted::new(&now), Scripted::new(&now));
    down.stall_reading_ns = 40 * MS;
    for sequence_id in 0..3 {
        let came = 5_030 + 40 * u64::from(sequence_id);
        down.arrivals.push_back((came * MS, delay_req(sequence_id)));
    }
    let mut engine = Engine::new(up, down, now.clone(), Settings::default());
    let _ = engine.turn();
    let kind = Kind::Message(MessageType::DelayReq);
    let stepped = engine
        .counters()
        .dropped(Side::Down, kind, Reason::ClockStep);
    assert_eq!(stepped, 0);
    assert_eq!(engine.up_mut().sent.len(), 3);
    // One that was set back shows all the same.
    engine.down_mut().stall_reading_ns = 0;
    let later = now.0.get() + 50 * MS;
    engine.down_mut().arrivals.push_back((later, delay_req(9)));
    let _ = engine.turn();
    let stepped = engine
        .counters()
        .dropped(Side::Down, kind, Reason::ClockStep);
    assert_eq!(stepped, 1);
}
