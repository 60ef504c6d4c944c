//! Rows as they are written and read.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

fn tenant(n: u64) -> Tenant {
    let [_, _, mac @ ..] = n.to_be_bytes();
    let mac = Mac(mac);
    let (transport, address) = match n % 3 {
        0 => (Transport::Ethernet, Address::Mac(mac)),
        1 => (
            Transport::Udp4,
            Address::V4(Ipv4Addr::from_bits(u32::try_from(n).unwrap())),
        ),
        _ => (
            Transport::Udp6,
            Address::V6(Ipv6Addr::from_bits(u128::from(n) * 0x1_0000_0000_0000_0001)),
        ),
    };
    Tenant {
        identity: PortIdentity {
            clock: ClockIdentity(n.to_be_bytes()),
            port: u16::try_from(n % 65536).unwrap(),
        },
        lane: Lane::new(transport, &[(0x8100, 5)]),
        mac,
        address,
    }
}

#[test]
fn a_row_says_what_was_written() {
    let slots = ClientSlots::new(4);
    assert_eq!(ClientSlots::OCTETS, 80);
    let start = Instant::from_nanos(5_000_000_000);
    for n in [1, 2, 3] {
        slots.open(2, &tenant(n), start);
        let view = slots.read(2).expect("in use");
        let expected = tenant(n);
        assert_eq!(
            (view.identity, view.lane, view.mac, view.address),
            (
                expected.identity,
                expected.lane,
                expected.mac,
                expected.address
            )
        );
        let slot = slots.slot(2).unwrap();
        assert_eq!(slot.addresses(), (expected.mac, expected.address));
        assert_eq!(
            (view.requests, view.interval, view.joined),
            (0, None, start)
        );
        slots.close(2);
        assert_eq!(slots.read(2), None);
    }
    slots.open(2, &tenant(7), start);
    let slot = slots.slot(2).unwrap();
    slot.requested(0);
    slot.requested(125_000);
    slot.departed(3_000_000, 4_000_000);
    slot.departed(11_000_000, 12_000_000);
    slot.answered(800_000);
    slot.unanswered();
    slot.seen(start.plus_nanos(2_000_000));
    let view = slots.read(2).unwrap();
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!((view.requests, view.interval), (2, ms(125)));
    assert_eq!((view.mean_hold, view.mean_residence), (ms(4), ms(5)));
    assert_eq!(view.last_residence, ms(12));
    assert_eq!(view.response, Some(Duration::from_micros(800)));
    assert_eq!(view.answered_share(), Some(0.5));
    let later = start.plus_nanos(5_000_000);
    assert_eq!(view.silent(later), Duration::from_millis(3));
    assert_eq!(view.silent(start), Duration::ZERO, "not yet");
    assert_eq!(slot.silent(later), Duration::from_millis(3));
    assert_eq!(slots.iter().count(), 1);
    assert!(slots.read(4).is_none() && slots.read(0).is_none());
}

#[test]
fn no_reader_sees_one_client_with_the_address_of_another() {
    let slots = Arc::new(ClientSlots::new(1));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (slots, stop) = (Arc::clone(&slots), Arc::clone(&stop));
        move || {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n = (n + 1) % 0x7FFF_FFFF;
                slots.open(0, &tenant(n), Instant::from_nanos(n * 1_000_000_000));
                if n % 5 == 0 {
                    slots.close(0);
                }
            }
        }
    });
    let mut tenancies = 0;
    let mut last = None;
    while tenancies < 2_000 {
        let Some(view) = slots.read(0) else {
            std::thread::yield_now();
            continue;
        };
        let expected = tenant(u64::from_be_bytes(view.identity.clock.0));
        assert_eq!(
            (view.identity, view.lane, view.mac, view.address),
            (
                expected.identity,
                expected.lane,
                expected.mac,
                expected.address
            )
        );
        tenancies += u32::from(last.replace(view.tenancy) != Some(view.tenancy));
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}
