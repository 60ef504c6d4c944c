//! The way of a frame, and clients that come and go.

use ptpproxy::Side;
use ptpproxy::core::{Arrival, Forwarder, Settings, Verdict};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::{Frame, MessageType};
use ptpproxy_lab::sim::{Station, Template, Way};

use crate::allocations;
use crate::network::{MS, Network};

#[test]
fn ten_thousand_exchanges_allocate_nothing() {
    let mut network = Network::new();
    let warm = 5_000;
    for ms in 0..warm {
        network.step(ms);
    }
    let held = network.engine.counters().held;
    let before = allocations::so_far();
    let (answered, told) = (network.answered, network.told);
    let mut ms = warm;
    while network.answered < answered + 10_000 {
        network.step(ms);
        ms += 1;
        assert!(ms < 60_000, "{} answered", network.answered);
    }
    let after = allocations::so_far();
    assert_eq!(after - before, 0, "allocations");
    assert!(
        network.told > told + 300,
        "Follow_Ups, made ones among them"
    );
    assert!(network.engine.counters().held > held + 9_000);
    assert!(before > 100, "the counter counts");
}

/// Tables are as large at the start as they ever get: no client's coming stalls the loop.
#[test]
fn clients_that_come_and_go_allocate_nothing() {
    const MANY: u32 = 50_000;
    let settings = Settings {
        max_clients: MANY,
        ..Settings::default()
    };
    let mut core = Forwarder::new(settings.validated().expect("they fit"));
    core.follow_changes(true);
    let mut template = Template::new(
        MessageType::DelayReq,
        Way::ETHERNET,
        0,
        Station::client(0),
        None,
    );
    let mut now = 1_000_000 * MS;
    let before = allocations::so_far();
    let mut refused = 0;
    for client in 0..MANY + 10 {
        now += 10_000;
        template.bytes[38..42].copy_from_slice(&client.to_be_bytes());
        let Ok(frame) = Frame::parse(&template.bytes) else {
            panic!("a whole frame");
        };
        let at = Instant::from_nanos(now);
        let stamp = Stamp::new(ClockId::Steady, now.cast_signed());
        let arrival = Arrival {
            side: Side::Down,
            stamp: Ok(stamp),
            at,
            now: at,
            to_host: false,
            checksum_unfinished: false,
        };
        match core.frame(&frame, &arrival) {
            Verdict::Forward(_, Some(token)) => core.stamped(token, Ok(stamp)),
            Verdict::Drop(reason) => {
                assert_eq!(reason, Reason::TableFull);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
        while core.next_change().is_some() {}
    }
    assert_eq!((core.clients(), refused), (MANY as usize, 10));
    // All fall silent at once: they are forgotten a few at a time.
    let mut turns = 0;
    let mut most = 0;
    now += 61_000 * MS;
    while core.clients() > 0 {
        now += MS;
        let clients = core.clients();
        core.advance(Instant::from_nanos(now));
        most = most.max(clients - core.clients());
        while core.next_change().is_some() {}
        turns += 1;
        assert!(turns < 10_000, "{} left", core.clients());
    }
    assert!(most <= 256, "{most} in one turn");
    assert_eq!(allocations::so_far() - before, 0, "allocations");
}
