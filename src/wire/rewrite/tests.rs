use proptest::prelude::*;

use super::super::samples::*;
use super::super::{Frame, MessageType};
use super::*;

const MAC: Mac = Mac([0x02, 0, 0, 0, 0, 0x99]);

fn layout(bytes: &[u8]) -> Layout {
    Frame::parse(bytes).expect("a frame").layout()
}

/// An end with an address that fits.
fn end(transport: Transport, ip: [u8; 16]) -> End {
    let [a, b, c, d, ..] = ip;
    let address = match transport {
        Transport::Ethernet => Address::Mac(MAC),
        Transport::Udp4 => Address::V4([a, b, c, d].into()),
        Transport::Udp6 => Address::V6(ip.into()),
    };
    End { mac: MAC, address }
}

/// Header and UDP checksum that these bytes ought to have, by the book; `None` where there is none.
fn expected(bytes: &[u8]) -> (Option<u16>, Option<u16>) {
    let layout = layout(bytes);
    let at = layout.network_offset();
    let datagram = &bytes[layout.ptp_offset().saturating_sub(8)..];
    let datagram = &datagram[..datagram.len().min(8 + layout.carried_len())];
    match layout.transport() {
        Transport::Ethernet => (None, None),
        Transport::Udp4 => {
            let header = &bytes[at..layout.ptp_offset() - 8];
            let sum = checksum(&[&header[..10], &header[12..]]);
            (Some(sum), Some(udp_checksum(&header[12..20], datagram)))
        }
        Transport::Udp6 => (None, Some(udp_checksum(&bytes[at + 8..at + 40], datagram))),
    }
}

fn found(bytes: &[u8]) -> (Option<u16>, Option<u16>) {
    let layout = layout(bytes);
    let word = |at: usize| Some(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    match layout.transport() {
        Transport::Ethernet => (None, None),
        Transport::Udp4 => (
            word(layout.network_offset() + 10),
            word(layout.ptp_offset() - 2),
        ),
        Transport::Udp6 => (None, word(layout.ptp_offset() - 2)),
    }
}

/// Offsets at which two frames of one length differ.
fn differences(before: &[u8], after: &[u8]) -> Vec<usize> {
    assert_eq!(before.len(), after.len());
    (0..before.len())
        .filter(|&at| before[at] != after[at])
        .collect()
}

#[test]
fn no_checksum_over_ipv4_stays_none() {
    let mut sample = Sample::new(Transport::Udp4, message(MessageType::DelayReq)).tags(TAGS[1]);
    sample.checksum = false;
    let mut bytes = sample.bytes();
    let layout = layout(&bytes);
    let to = end(Transport::Udp4, [198; 16]);
    assert!(set_source(&mut bytes, layout, to) && set_destination(&mut bytes, layout, to));
    let (header, udp) = found(&bytes);
    assert_eq!((header, udp), (expected(&bytes).0, Some(0)));
    let frame = Frame::parse(&bytes).expect("a frame");
    assert_eq!((frame.source(), frame.source_mac()), (to.address, MAC));
    assert_eq!(
        (frame.destination(), frame.destination_mac()),
        (to.address, MAC)
    );
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let of = |transport, sealed: bool| {
        let mut sample = Sample::new(transport, message(MessageType::DelayReq));
        if sealed {
            sample.extensions = (51, [&[17, 4, 0, 0][..], &[0; 20]].concat());
        }
        sample.bytes()
    };
    for (bytes, address) in [
        (of(Transport::Udp4, false), "2001:db8::1"),
        (of(Transport::Udp4, false), "02:00:00:00:00:01"),
        (of(Transport::Udp6, false), "192.0.2.1"),
        (of(Transport::Udp6, true), "2001:db8::1"),
    ] {
        let mut after = bytes.clone();
        let address = address.parse().expect("an address");
        let to = End { mac: MAC, address };
        let layout = layout(&bytes);
        assert!(!set_source(&mut after, layout, to), "{address}");
        assert!(!set_destination(&mut after, layout, to), "{address}");
        assert_eq!(after, bytes, "{address}");
        // Nor is there a panic where the bytes are too few.
        for len in 0..bytes.len().min(80) {
            let mut cut = bytes[..len].to_vec();
            set_source(&mut cut, layout, to);
            set_destination(&mut cut, layout, end(layout.transport(), [7; 16]));
            count_hop(&mut cut, layout);
        }
    }
}

#[test]
fn the_last_hop_is_not_passed() {
    for transport in [Transport::Udp4, Transport::Udp6] {
        for limit in [0, 1] {
            let mut bytes = Sample::new(transport, message(MessageType::Sync)).bytes();
            let layout = layout(&bytes);
            let at = if transport == Transport::Udp4 { 8 } else { 7 };
            bytes[layout.network_offset() + at] = limit;
            let before = bytes.clone();
            assert!(!count_hop(&mut bytes, layout), "{transport:?} {limit}");
            assert_eq!(bytes, before);
        }
    }
    let mut bytes = Sample::new(Transport::Ethernet, message(MessageType::Sync)).bytes();
    let layout = layout(&bytes);
    assert!(!count_hop(&mut bytes, layout));
}

proptest! {
    #[test]
    fn checksums_are_those_of_a_full_computation(
        transport in prop::sample::select(&TRANSPORTS[..]),
        tags in prop::sample::select(&TAGS[..]),
        message_type in prop::sample::select(MessageType::ALL),
        from in any::<[u8; 16]>(),
        to in any::<[u8; 16]>(),
        options in any::<bool>(),
        suffix in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut sample = Sample::new(transport, message_with(message_type, &suffix)).tags(tags);
        if options {
            sample.options = vec![0x94, 4, 0, 0];
        }
        let mut before = sample.bytes();
        let layout = layout(&before);
        let network = layout.network_offset();
        // A hop limit above 1, whatever the sample has; its checksum by the book.
        match transport {
            Transport::Udp4 => {
                before[network + 8] = 64;
                let sum = expected(&before).0.expect("a header");
                before[network + 10..network + 12].copy_from_slice(&sum.to_be_bytes());
            }
            Transport::Udp6 => before[network + 7] = 64,
            Transport::Ethernet => {}
        }
        let mut after = before.clone();
        let (from, to) = (end(transport, from), end(transport, to));
        prop_assert!(set_source(&mut after, layout, from));
        prop_assert_eq!(found(&after), expected(&after));
        prop_assert!(set_destination(&mut after, layout, to));
        prop_assert_eq!(found(&after), expected(&after));
        prop_assert_eq!(count_hop(&mut after, layout), transport != Transport::Ethernet);
        prop_assert_eq!(found(&after), expected(&after));
        let frame = Frame::parse(&after).expect("a frame");
        prop_assert_eq!(frame.source(), from.address);
        prop_assert_eq!(frame.destination(), to.address);
        prop_assert_eq!((frame.source_mac(), frame.destination_mac()), (MAC, MAC));
        prop_assert_eq!(frame.lane(), layout.lane());
        // Everything else is as it was.
        let mut edited: Vec<usize> = (0..12).collect();
        let (header, udp) = match transport {
            Transport::Ethernet => (0..0, 0..0),
            Transport::Udp4 => (8..20, layout.ptp_offset() - 2..layout.ptp_offset()),
            Transport::Udp6 => (7..40, layout.ptp_offset() - 2..layout.ptp_offset()),
        };
        edited.extend(header.map(|at| network + at));
        edited.extend(udp);
        prop_assert!(differences(&before, &after).iter().all(|at| edited.contains(at)));
        if transport == Transport::Udp4 {
            prop_assert_eq!(after[network + 9], 17, "the protocol stays");
        }
    }
}
