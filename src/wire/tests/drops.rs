//! What is no good frame, and the reason that it is dropped with.

use super::*;

/// Drops by changing octets of a good frame.
#[test]
fn what_is_wrong_has_its_reason() {
    use Transport::*;
    type Change = (usize, &'static [u8]);
    let cases: &[(&str, Transport, &[Change], Reason)] = &[
        (
            "another EtherType",
            Ethernet,
            &[(12, &[0x08, 0x06])],
            Reason::NotPtp,
        ),
        ("802.3 length", Ethernet, &[(12, &[0, 46])], Reason::NotPtp),
        ("version 1", Ethernet, &[(15, &[0x01])], Reason::Version),
        ("version 3", Ethernet, &[(15, &[0x13])], Reason::Version),
        (
            "reserved type",
            Ethernet,
            &[(14, &[0x04])],
            Reason::UnknownType,
        ),
        (
            "reserved type",
            Ethernet,
            &[(14, &[0x0F])],
            Reason::UnknownType,
        ),
        (
            "messageLength 0",
            Ethernet,
            &[(16, &[0, 0])],
            Reason::BadLength,
        ),
        (
            "less than a body",
            Ethernet,
            &[(16, &[0, 43])],
            Reason::BadLength,
        ),
        (
            "more than the frame",
            Ethernet,
            &[(16, &[0, 47])],
            Reason::Truncated,
        ),
        ("TCP", Udp4, &[(23, &[6])], Reason::NotPtp),
        ("version 5", Udp4, &[(14, &[0x55])], Reason::NotPtp),
        ("port 321", Udp4, &[(36, &[0x01, 0x41])], Reason::NotPtp),
        (
            "source port only",
            Udp4,
            &[(36, &[0xC0, 0])],
            Reason::NotPtp,
        ),
        (
            "header of 16 octets",
            Udp4,
            &[(14, &[0x44])],
            Reason::BadLength,
        ),
        (
            "total below header",
            Udp4,
            &[(16, &[0, 19])],
            Reason::BadLength,
        ),
        (
            "total without UDP",
            Udp4,
            &[(16, &[0, 27])],
            Reason::BadLength,
        ),
        ("total 0", Udp4, &[(16, &[0, 0])], Reason::BadLength),
        (
            "total beyond",
            Udp4,
            &[(16, &[0, 73]), (38, &[0, 53])],
            Reason::Truncated,
        ),
        (
            "more fragments",
            Udp4,
            &[(20, &[0x20, 0])],
            Reason::Fragment,
        ),
        ("last fragment", Udp4, &[(20, &[0, 0x09])], Reason::Fragment),
        (
            "fragment of another",
            Udp4,
            &[(20, &[0x20, 0]), (36, &[0, 53])],
            Reason::NotPtp,
        ),
        ("UDP length 0", Udp4, &[(38, &[0, 0])], Reason::BadLength),
        ("UDP length 7", Udp4, &[(38, &[0, 7])], Reason::BadLength),
        ("UDP beyond IP", Udp4, &[(38, &[0, 53])], Reason::BadLength),
        ("IP beyond UDP", Udp4, &[(38, &[0, 51])], Reason::Merged),
        (
            "IP beyond UDP and the frame",
            Udp4,
            &[(16, &[1, 94])],
            Reason::Truncated,
        ),
        (
            "message beyond UDP",
            Udp4,
            &[(44, &[0, 45])],
            Reason::BadLength,
        ),
        ("version 1", Udp4, &[(43, &[1])], Reason::Version),
        ("version 4", Udp6, &[(14, &[0x40])], Reason::NotPtp),
        ("ICMP", Udp6, &[(20, &[58])], Reason::NotPtp),
        ("ESP", Udp6, &[(20, &[50])], Reason::NotPtp),
        ("jumbogram", Udp6, &[(18, &[0, 0])], Reason::BadLength),
        (
            "payload beyond",
            Udp6,
            &[(18, &[0, 55]), (58, &[0, 55])],
            Reason::Truncated,
        ),
        ("UDP length 0", Udp6, &[(58, &[0, 0])], Reason::BadLength),
        ("UDP beyond IP", Udp6, &[(58, &[0, 55])], Reason::BadLength),
        ("IP beyond UDP", Udp6, &[(58, &[0, 52])], Reason::Merged),
        (
            "IP beyond UDP and the frame",
            Udp6,
            &[(18, &[1, 94])],
            Reason::Truncated,
        ),
        (
            "UDP beyond IP, IP beyond the frame",
            Udp6,
            &[(18, &[0, 60]), (58, &[0, 61])],
            Reason::BadLength,
        ),
        (
            "message beyond UDP",
            Udp6,
            &[(64, &[0, 47])],
            Reason::BadLength,
        ),
        ("port 53", Udp6, &[(56, &[0, 53])], Reason::NotPtp),
    ];
    for &(what, transport, changes, reason) in cases {
        let mut bytes = Sample::new(transport, message(MessageType::Sync)).bytes();
        for &(at, octets) in changes {
            bytes[at..at + octets.len()].copy_from_slice(octets);
        }
        let dropped = Frame::parse(&bytes).err();
        assert_eq!(dropped, Some(reason), "{transport:?}: {what}");
    }
}

#[test]
fn fragments_over_ipv6() {
    let mut sample = Sample::new(Transport::Udp6, message(MessageType::Sync));
    for (what, header, reason) in [
        ("atomic", [17, 0, 0, 0, 0, 0, 0, 9], Reason::Fragment),
        ("first", [17, 0, 0, 1, 0, 0, 0, 9], Reason::Fragment),
        ("last", [17, 0, 0, 8, 0, 0, 0, 9], Reason::Fragment),
        ("last of TCP", [6, 0, 0, 8, 0, 0, 0, 9], Reason::NotPtp),
        ("first of TCP", [6, 0, 0, 1, 0, 0, 0, 9], Reason::NotPtp),
    ] {
        sample.extensions = (44, header.to_vec());
        assert_eq!(Frame::parse(&sample.bytes()).err(), Some(reason), "{what}");
    }
    sample.extensions = (44, vec![17, 0, 0, 1, 0, 0, 0, 9]);
    let mut bytes = sample.bytes();
    bytes[64..66].copy_from_slice(&[0, 53]);
    assert_eq!(
        Frame::parse(&bytes).err(),
        Some(Reason::NotPtp),
        "of another port"
    );
}

#[test]
fn three_tags_are_too_many() {
    for transport in TRANSPORTS {
        let tags = [(0x88A8, 1), (0x8100, 2), (0x8100, 3)];
        let bytes = Sample::new(transport, message(MessageType::Sync))
            .tags(&tags)
            .bytes();
        assert_eq!(Frame::parse(&bytes).err(), Some(Reason::TooManyTags));
    }
}

#[test]
fn merged_datagrams_are_found_by_the_second_message() {
    for transport in [Transport::Udp4, Transport::Udp6] {
        for gap in [0, 2] {
            let second = message(MessageType::FollowUp);
            let mut sample = Sample::new(transport, message(MessageType::Sync));
            sample.trailing = [&vec![0; gap][..], &second].concat();
            assert_eq!(Frame::parse(&sample.bytes()).err(), Some(Reason::Merged));
            // What only looks a little like one is padding.
            sample.trailing.pop();
            assert!(
                Frame::parse(&sample.bytes()).is_ok(),
                "shorter than its length"
            );
        }
        let mut sample = Sample::new(transport, message(MessageType::Sync));
        sample.trailing = vec![0; 200];
        assert_eq!(parse(&sample.bytes()).trailing_len(), 200);
    }
}

#[test]
fn every_cut_of_a_good_frame_is_dropped() {
    for transport in TRANSPORTS {
        for tags in TAGS {
            let mut sample = Sample::new(transport, message(MessageType::DelayResp)).tags(tags);
            sample.padded = false;
            let bytes = sample.bytes();
            for len in 0..bytes.len() {
                let reason = Frame::parse(&bytes[..len]).err();
                assert_eq!(reason, Some(Reason::Truncated), "{transport:?} {len}");
            }
        }
    }
}
