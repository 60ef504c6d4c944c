//! Generators: frames that networks carry and frames that they should not.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::wire::{ClockIdentity, PortIdentity};

/// Sixty identities, so that clients, senders and targets meet.
pub(super) fn identity() -> impl Strategy<Value = PortIdentity> {
    (0_u8..20, 1_u16..4).prop_map(|(last, port)| PortIdentity {
        clock: ClockIdentity([0x00, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, last]),
        port,
    })
}

pub(super) fn octets(identity: PortIdentity) -> Vec<u8> {
    [&identity.clock.0[..], &identity.port.to_be_bytes()].concat()
}

/// A PTP message of 54 octets or a few more.
fn message() -> impl Strategy<Value = Vec<u8>> {
    (
        prop_oneof![4 => Just(0_u8), 1 => 0_u8..16],
        prop_oneof![2 => select(vec![1_u8, 9]), 3 => 0_u8..16],
        prop_oneof![6 => select(vec![0x02_u8, 0x12]), 1 => any::<u8>()],
        prop_oneof![4 => 0_u8..4, 1 => any::<u8>()],
        identity(),
        identity(),
        0_usize..12,
    )
        .prop_map(|(sdo, kind, version, domain, source, requesting, more)| {
            let mut ptp = vec![0; 54 + more];
            ptp[0] = sdo << 4 | kind;
            ptp[1] = version;
            ptp[4] = domain;
            ptp[20..30].copy_from_slice(&octets(source));
            ptp[44..54].copy_from_slice(&octets(requesting));
            ptp
        })
}

fn udp() -> BoxedStrategy<Vec<u8>> {
    let port = prop_oneof![8 => select(vec![319_u16, 320]), 1 => any::<u16>()];
    (any::<u16>(), port, message())
        .prop_map(|(source, port, ptp)| {
            let length = u16::try_from(8 + ptp.len()).unwrap();
            let words = [source, port, length, 0].map(u16::to_be_bytes);
            [words.concat(), ptp].concat()
        })
        .boxed()
}

fn ipv4() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        6 => select(vec![0_u16, 0x4000]),
        1 => select(vec![0x2000_u16, 0x2001, 0x0007, 0x1000, 0x8000]),
    ];
    let protocol = prop_oneof![8 => Just(17_u8), 1 => any::<u8>()];
    (0_u8..11, fragment, any::<u8>(), protocol, udp()).prop_map(
        |(options, fragment, ttl, protocol, udp)| {
            let mut header = vec![0xEE; 20 + 4 * usize::from(options)];
            header[0] = 0x45 + options;
            header[6..8].copy_from_slice(&fragment.to_be_bytes());
            header[8] = ttl;
            header[9] = protocol;
            [header, udp].concat()
        },
    )
}

/// Zero to five extension headers, then UDP or a fragment header before it.
fn ipv6() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![12 => select(vec![0_u8, 43, 60, 51]), 1 => any::<u8>()];
    let extensions = prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec((kind, 0_u8..6), 1..6),
    ];
    let fragment = prop_oneof![
        6 => Just(None),
        1 => select(vec![0_u16, 1, 6, 8, 9, 0xFFF8]).prop_map(Some),
    ];
    let last = prop_oneof![10 => Just(17_u8), 1 => any::<u8>()];
    (extensions, fragment, last, udp()).prop_map(|(extensions, fragment, last, udp)| {
        // From behind, since each header names the next.
        let (mut next, mut packet) = (last, udp);
        if let Some(bits) = fragment {
            let [high, low] = bits.to_be_bytes();
            packet = [vec![next, 0xEE, high, low, 1, 2, 3, 4], packet].concat();
            next = 44;
        }
        for (kind, length) in extensions.into_iter().rev() {
            let whole = if kind == 51 {
                4 * (usize::from(length) + 2)
            } else {
                8 * (usize::from(length) + 1)
            };
            let mut header = vec![0xEE; whole];
            header[0] = next;
            header[1] = length;
            packet = [header, packet].concat();
            next = kind;
        }
        let mut header = vec![0x60; 40];
        header[6] = next;
        [header, packet].concat()
    })
}

/// A frame as the filter sees it: zero to three tags in the data.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        message().prop_map(|bytes| (0x88F7_u16, bytes)),
        ipv4().prop_map(|bytes| (0x0800, bytes)),
        ipv6().prop_map(|bytes| (0x86DD, bytes)),
    ];
    let tag = (select(vec![0x8100_u16, 0x88A8, 0x9100]), any::<u16>());
    let tags = prop_oneof![
        8 => prop::collection::vec(tag.clone(), 0..3),
        1 => prop::collection::vec(tag, 3),
    ];
    (any::<[u8; 12]>(), tags, payload).prop_map(|(mac, tags, (kind, bytes))| {
        let mut frame = mac.to_vec();
        for (tpid, tci) in tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        frame.extend(kind.to_be_bytes());
        [frame, bytes].concat()
    })
}

/// Mostly whole frames; some cut short, some with a wrong octet, some noise.
pub(super) fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    // Boxed, or a generator of this size overflows a test thread's stack.
    let frame = || frame().boxed();
    prop_oneof![
        12 => frame(),
        2 => (frame(), any::<Index>()).prop_map(|(mut frame, cut)| {
            frame.truncate(cut.index(frame.len() + 1));
            frame
        }),
        2 => (frame(), any::<Index>(), any::<u8>()).prop_map(|(mut frame, at, octet)| {
            let at = at.index(frame.len());
            frame[at] = octet;
            frame
        }),
        1 => any::<Vec<u8>>(),
    ]
}
