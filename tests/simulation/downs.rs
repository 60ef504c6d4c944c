//! One port upstream and several downstream: each port downstream is on its own.

use ptpproxy::PerSide;
use ptpproxy::core::{Settings, StateError, StateReader, StateWriter};
use ptpproxy::engine::Engine;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{By, Role};
use ptpproxy::time::Instant;
use ptpproxy::wire::Mac;
use ptpproxy_lab::sim::Now;

use crate::common::MS;
use crate::turns::{Scripted, message};

const SYNC: u8 = 0;
const DELAY_REQ: u8 = 1;
const FOLLOW_UP: u8 = 8;
const DELAY_RESP: u8 = 9;
const ANNOUNCE: u8 = 11;
const SIGNALING: u8 = 12;
/// Where a PTP message begins.
const PTP: usize = 14;

struct Gateway {
    now: Now,
    engine: Engine<Scripted, Scripted, Now>,
}

impl Gateway {
    fn new(downs: usize, settings: Settings) -> Self {
        Self::at(Now::new(5_000 * MS), downs, settings)
    }

    fn at(now: Now, downs: usize, settings: Settings) -> Self {
        let downs = (0..downs).map(|_| Scripted::new(&now)).collect();
        let settings = settings.validated().expect("they fit");
        let engine = Engine::with_downs(Scripted::new(&now), downs, now.clone(), &settings);
        Self { now, engine }
    }

    /// Another process goes on with the state of this one.
    fn handed_over(&mut self, downs: usize, settings: Settings) -> Result<Self, StateError> {
        self.engine.settle();
        let mut out = StateWriter::new();
        self.engine.save(&mut out)?;
        let state = out.finish()?;
        let mut next = Self::at(self.now.clone(), downs, settings);
        let mut from = StateReader::new(&state)?;
        next.engine.restore(&mut from)?;
        from.finish()?;
        Ok(next)
    }

    /// This comes from upstream; what leaves by each port downstream, in the next 150 ms.
    fn comes_from_above(&mut self, frame: Vec<u8>) -> Vec<Vec<Vec<u8>>> {
        let at = self.now.get();
        self.engine.up_mut().arrivals.push_back((at, frame));
        self.run();
        self.below()
    }

    /// This comes from downstream; what leaves upstream, in the next 150 ms.
    fn comes_from_below(&mut self, port: usize, frame: Vec<u8>) -> Vec<Vec<u8>> {
        let at = self.now.get();
        self.engine.downs_mut()[port]
            .arrivals
            .push_back((at, frame));
        self.run();
        std::mem::take(&mut self.engine.up_mut().sent)
    }

    fn below(&mut self) -> Vec<Vec<Vec<u8>>> {
        let downs = self.engine.downs_mut().iter_mut();
        downs.map(|down| std::mem::take(&mut down.sent)).collect()
    }

    fn run(&mut self) {
        for _ in 0..150 {
            let _ = self.engine.turn();
            self.now.pass(MS);
        }
    }

    fn dropped(&self, reason: Reason) -> u64 {
        let cores = self.engine.cores().iter();
        cores.map(|core| core.counters().dropped_for(reason)).sum()
    }
}

/// A Delay_Resp of the grandmaster to a station's request.
fn answer(station: u8, sequence_id: u16) -> Vec<u8> {
    let mut frame = message(DELAY_RESP, 77, sequence_id);
    frame[PTP + 3] = 54;
    frame.extend([2, 0, 0, 0xFF, 0xFE, 0, 0, station, 0, 1]);
    frame
}

/// How many frames left by each port.
fn counts(frames: &[Vec<Vec<u8>>]) -> Vec<usize> {
    frames.iter().map(Vec::len).collect()
}

#[test]
fn multicast_from_above_goes_to_each_port_and_has_its_own_residence() {
    let mut gateway = Gateway::new(4, Settings::default());
    assert_eq!(
        counts(&gateway.comes_from_above(message(ANNOUNCE, 77, 1))),
        [0; 4],
        "too short"
    );
    // One port is slow: its Sync leaves later, and its Follow_Up says so. The one behind it is later as well.
    gateway.engine.downs_mut()[2].stall_kick_ns = 7 * MS;
    let syncs = gateway.comes_from_above(message(SYNC, 77, 5));
    assert_eq!(counts(&syncs), [1; 4]);
    gateway.engine.downs_mut()[2].stall_kick_ns = 0;
    let corrected = gateway.comes_from_above(message(FOLLOW_UP, 77, 5));
    assert_eq!(counts(&corrected), [1; 4]);
    let corrections: Vec<u64> = (corrected.iter())
        .map(|frames| {
            let bytes = frames[0][PTP + 8..PTP + 16].try_into().expect("eight");
            u64::from_be_bytes(bytes) >> 16
        })
        .collect();
    assert!(corrections[2] >= 7 * MS, "{corrections:?}");
    assert!(corrections[0] < 7 * MS, "{corrections:?}");
}

#[test]
fn an_answer_goes_to_the_port_that_asked_and_to_no_other() {
    let mut gateway = Gateway::new(4, Settings::default());
    for round in 1..=3_u16 {
        for port in 0..4_usize {
            let station = u8::try_from(port).expect("few") + 1;
            let up = gateway.comes_from_below(port, message(DELAY_REQ, station, round));
            assert_eq!(up.len(), 1);
            assert_eq!(counts(&gateway.below()), [0; 4], "a request went down");
            let mut expected = [0; 4];
            expected[port] = 1;
            assert_eq!(
                counts(&gateway.comes_from_above(answer(station, round))),
                expected
            );
        }
    }
    assert_eq!(counts(&gateway.comes_from_above(answer(9, 1))), [0; 4]);
    assert_eq!(gateway.dropped(Reason::NotOurClient), 1, "counted once");
    assert_eq!(counts(&gateway.comes_from_above(answer(1, 99))), [0; 4]);
    assert_eq!(gateway.dropped(Reason::Unsolicited), 1);
}

#[test]
fn one_name_on_two_ports_gets_no_answer_of_the_other() {
    let mut gateway = Gateway::new(2, Settings::default());
    // It has moved: each port gets what was asked there.
    assert_eq!(
        gateway.comes_from_below(0, message(DELAY_REQ, 1, 10)).len(),
        1
    );
    assert_eq!(
        gateway.comes_from_below(1, message(DELAY_REQ, 1, 11)).len(),
        1
    );
    assert_eq!(counts(&gateway.comes_from_above(answer(1, 11))), [0, 1]);
    assert_eq!(counts(&gateway.comes_from_above(answer(1, 10))), [1, 0]);
    // Two ask the same: nobody can tell whose answer comes.
    assert_eq!(
        gateway.comes_from_below(0, message(DELAY_REQ, 1, 20)).len(),
        1
    );
    assert_eq!(
        gateway.comes_from_below(1, message(DELAY_REQ, 1, 20)).len(),
        1
    );
    for _ in 0..3 {
        assert_eq!(counts(&gateway.comes_from_above(answer(1, 20))), [0, 0]);
    }
    assert_eq!(gateway.dropped(Reason::SecondPath), 3);
    // What follows is answered again.
    assert_eq!(
        gateway.comes_from_below(1, message(DELAY_REQ, 1, 21)).len(),
        1
    );
    assert_eq!(counts(&gateway.comes_from_above(answer(1, 21))), [0, 1]);
}

/// Another gateway has sent it on already.
#[test]
fn a_request_that_was_heard_above_is_no_new_one_at_any_port() {
    for port in 0..3 {
        let mut gateway = Gateway::new(3, Settings::default());
        let request = |sequence| message(DELAY_REQ, 1, sequence);
        assert_eq!(gateway.comes_from_below(port, request(1)).len(), 1);
        assert_eq!(counts(&gateway.comes_from_above(request(2))), [0; 3]);
        assert_eq!(
            gateway.comes_from_below(port, request(2)),
            Vec::<Vec<u8>>::new(),
            "port {port}"
        );
        // Nor when its client has moved since.
        let other = (port + 1) % 3;
        assert_eq!(counts(&gateway.comes_from_above(request(3))), [0; 3]);
        assert_eq!(
            gateway.comes_from_below(other, request(3)),
            Vec::<Vec<u8>>::new(),
            "port {other}"
        );
    }
}

#[test]
fn nothing_goes_from_one_port_to_another() {
    let mut gateway = Gateway::new(3, Settings::default());
    let _ = gateway.comes_from_above(message(SYNC, 77, 1));
    for port in 0..3 {
        for kind in 0..16 {
            for station in [1, 2, 77] {
                let _ = gateway.comes_from_below(port, message(kind, station, 7));
                assert_eq!(counts(&gateway.below()), [0; 3], "port {port}, type {kind}");
            }
        }
    }
}

#[test]
fn unicast_goes_to_the_port_where_its_address_was_heard() {
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
    let unicast = |sequence_id| {
        let mut sync = message(SYNC, 77, sequence_id);
        sync[..6].copy_from_slice(&MAC);
        sync[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 77]);
        sync
    };
    let mut gateway = Gateway::new(3, Settings::default());
    assert_eq!(
        counts(&gateway.comes_from_above(unicast(1))),
        [0; 3],
        "nobody knows where it is"
    );
    for (port, sequence_id) in [(1, 2), (2, 3)] {
        // Negotiation comes from there: 44 bytes, its target is every port.
        let mut signaling = message(SIGNALING, 9, sequence_id);
        signaling[PTP + 34..PTP + 44].fill(0xFF);
        assert_eq!(gateway.comes_from_below(port, signaling).len(), 1);
        let mut expected = [0; 3];
        expected[port] = 1;
        assert_eq!(
            counts(&gateway.comes_from_above(unicast(sequence_id + 10))),
            expected
        );
    }
}

#[test]
fn another_process_goes_on_with_all_ports() {
    let mut former = Gateway::new(4, Settings::default());
    let at = former.now.get();
    for (down, station) in former.engine.downs_mut().iter_mut().zip(1..) {
        let request = message(DELAY_REQ, station, 7);
        down.arrivals.push_back((at, request));
    }
    former.run();
    assert_eq!(former.engine.up_mut().sent.len(), 4);
    for downs in [3, 5] {
        let refused = former.handed_over(downs, Settings::default()).err();
        let number = StateError::Sized("the number of interfaces downstream");
        assert_eq!(refused, Some(number));
    }
    let mut next = former
        .handed_over(4, Settings::default())
        .expect("its own state");
    let at = next.now.get();
    for station in [3, 1, 4, 2] {
        let up = next.engine.up_mut();
        up.arrivals.push_back((at, answer(station, 7)));
    }
    next.run();
    for (frames, station) in next.below().iter().zip(1..) {
        let of: Vec<u8> = frames.iter().map(|frame| frame[PTP + 51]).collect();
        assert_eq!(of, [station]);
    }
    assert_eq!(next.dropped(Reason::Unsolicited), 0);
}

#[test]
fn the_rate_upstream_is_one_and_shared() {
    for handed_over_at in [None, Some(1_000)] {
        shares_its_rate(handed_over_at);
    }
}

/// In two seconds; another process goes on at this millisecond.
fn shares_its_rate(handed_over_at: Option<u16>) {
    let settings = Settings {
        max_rate: Some(1_000),
        jitter: std::time::Duration::ZERO,
        ..Settings::default()
    };
    let mut gateway = Gateway::new(4, settings.clone());
    let mut of_port = [0_u64; 4];
    for ms in 0..2_000_u16 {
        if Some(ms) == handed_over_at {
            gateway = (gateway.handed_over(4, settings.clone())).expect("its own state");
        }
        // Port 0 asks for ten times what there is, two others for as much as there is, the last for a tenth of its part.
        for (port, each_ms) in [(0_usize, 10), (1, 1), (2, 1), (3, u16::from(ms % 40 == 0))] {
            for number in 0..each_ms {
                let station = u8::try_from(port * 60).expect("few");
                let station = station + u8::try_from((ms * each_ms + number) % 50).expect("few");
                let frame = message(DELAY_REQ, station, ms);
                let at = gateway.now.get();
                gateway.engine.downs_mut()[port]
                    .arrivals
                    .push_back((at, frame));
            }
        }
        let _ = gateway.engine.turn();
        gateway.now.pass(MS);
        for sent in gateway.engine.up_mut().sent.drain(..) {
            of_port[usize::from(sent[PTP + 27] / 60)] += 1;
        }
    }
    let all: u64 = of_port.iter().sum();
    assert!((1_960..=2_041).contains(&all), "{of_port:?}");
    // The last one still waits.
    assert!(of_port[3] >= 49, "{of_port:?}");
    for port in 0..3 {
        // A third of what the last leaves, and a fifth of all at the very least.
        assert!(of_port[port] > 500, "{of_port:?}");
    }
}

/// ARP of a station whose MAC and IPv4 address end like this, about an address that ends like that.
fn arp(operation: u8, (mac, ip): (u8, u8), target: u8) -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend([
        2, 0, 0, 0, 0, mac, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation,
    ]);
    frame.extend([2, 0, 0, 0, 0, mac, 10, 0, 0, ip]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, target]);
    frame.resize(60, 0);
    frame
}

/// The grandmaster's IPv4 address ends so, and its MAC as well.
const MASTER: u8 = 77;

/// A gateway of three ports, whose clients are settled: station 1 on port 0, station 2 on port 1.
fn gateway_with_neighbours() -> Gateway {
    let settings = Settings {
        unicast_masters: vec!["10.0.0.77".parse().expect("an address")],
        ..Settings::default()
    };
    let mut gateway = Gateway::new(3, settings);
    for core in gateway.engine.cores_mut() {
        core.set_own_macs(PerSide {
            up: Mac([2, 0, 0, 0, 0, 250]),
            down: Mac([2, 0, 0, 0, 0, 251]),
        });
        core.set_own_addresses(Vec::new());
    }
    for (port, station) in [(0, 1), (1, 2)] {
        // The first is kept until nobody has answered for its address upstream.
        let mut up = gateway.comes_from_below(port, arp(1, (station, station), MASTER));
        (0..5).for_each(|_| gateway.run());
        up.append(&mut gateway.engine.up_mut().sent);
        assert_eq!(up.last().map(|frame| frame[11]), Some(station), "{up:?}");
    }
    gateway
}

#[test]
fn arp_from_above_goes_to_the_port_of_its_client_only() {
    let mut gateway = gateway_with_neighbours();
    for (station, expected) in [(1, [1, 0, 0]), (2, [0, 1, 0]), (3, [0, 0, 0])] {
        for operation in [1, 2] {
            let down = gateway.comes_from_above(arp(operation, (MASTER, MASTER), station));
            assert_eq!(counts(&down), expected, "station {station}, {operation}");
        }
    }
}

#[test]
fn an_address_of_one_port_is_not_claimed_from_another() {
    let mut gateway = gateway_with_neighbours();
    for operation in [1, 2] {
        // Station 9 says on each other port that it has the address of station 1.
        for port in [1, 2] {
            let up = gateway.comes_from_below(port, arp(operation, (9, 1), MASTER));
            assert_eq!(up, Vec::<Vec<u8>>::new(), "port {port}");
            assert_eq!(counts(&gateway.below()), [0; 3]);
        }
    }
    (0..5).for_each(|_| gateway.run());
    assert_eq!(gateway.engine.up_mut().sent, Vec::<Vec<u8>>::new());
    assert_eq!(gateway.dropped(Reason::NeighbourClaimed), 4);
    // What is for station 1 does not go there.
    let down = gateway.comes_from_above(arp(2, (MASTER, MASTER), 1));
    assert_eq!(counts(&down), [1, 0, 0]);
    // Station 1 itself may move.
    let mut up = gateway.comes_from_below(2, arp(1, (1, 1), MASTER));
    (0..5).for_each(|_| gateway.run());
    up.append(&mut gateway.engine.up_mut().sent);
    assert!(!up.is_empty());
    // And of one that is silent for long another may have it.
    (0..250).for_each(|_| gateway.run());
    let mut up = gateway.comes_from_below(1, arp(1, (9, 1), MASTER));
    (0..5).for_each(|_| gateway.run());
    up.append(&mut gateway.engine.up_mut().sent);
    assert!(!up.is_empty());
}

#[test]
fn each_of_four_ports_in_overload_has_its_part_of_the_rate() {
    let settings = Settings {
        max_rate: Some(1_000),
        ..Settings::default()
    };
    let mut gateway = Gateway::new(4, settings);
    let (mut of_port, mut all) = ([0_u64; 4], Vec::new());
    // Ten, five, two and one times what there is for all of them.
    for ms in 0..4_000_u16 {
        for (port, each_ms) in [(0_usize, 10), (1, 5), (2, 2), (3, 1)] {
            for number in 0..each_ms {
                let station = u8::try_from(port * 60).expect("few");
                let station = station + u8::try_from((ms * each_ms + number) % 50).expect("few");
                let at = gateway.now.get();
                let frame = message(DELAY_REQ, station, ms);
                let arrivals = &mut gateway.engine.downs_mut()[port].arrivals;
                arrivals.push_back((at, frame));
            }
        }
        let _ = gateway.engine.turn();
        gateway.now.pass(MS);
        let sent = std::mem::take(&mut gateway.engine.up_mut().sent);
        // From then on each has as many waiting as it may.
        if ms >= 1_000 {
            all.push(sent.len());
            (sent.iter()).for_each(|frame| of_port[usize::from(frame[PTP + 27] / 60)] += 1);
        }
    }
    // In total and in each second, to 2 %.
    for second in all.chunks(1_000) {
        let sum: usize = second.iter().sum();
        assert!((980..=1_020).contains(&sum), "{sum}");
    }
    for count in of_port {
        assert!(count >= 3_000 / 5, "{of_port:?}");
    }
}

#[test]
fn in_standby_no_port_sends_and_in_the_other_role_each_does() {
    let mut gateway = Gateway::new(3, Settings::default());
    for (role, expected) in [(Role::Standby, 0), (Role::Active, 1)] {
        let now = Instant::from_nanos(gateway.now.get());
        for core in gateway.engine.cores_mut() {
            core.set_role(role, By::START, now);
        }
        // What makes a take-over known leaves first.
        let mut announce = message(ANNOUNCE, 77, 1);
        announce.resize(PTP + 64, 0);
        announce[PTP + 3] = 64;
        let announced = counts(&gateway.comes_from_above(announce));
        // The last that was heard, and this one.
        assert_eq!(announced, [2 * usize::from(expected); 3], "{role:?}");
        let _ = (
            gateway.below(),
            std::mem::take(&mut gateway.engine.up_mut().sent),
        );
        let sequence_id = 10 + expected;
        let syncs = counts(&gateway.comes_from_above(message(SYNC, 77, sequence_id)));
        assert_eq!(syncs, [usize::from(expected); 3], "{role:?}");
        for (port, station) in [(0, 1), (1, 2), (2, 3)] {
            let up = gateway.comes_from_below(port, message(DELAY_REQ, station, sequence_id));
            assert_eq!(up.len(), usize::from(expected), "{role:?}, port {port}");
        }
    }
}
