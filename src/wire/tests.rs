//! Frames: literal bytes and tables; what is dropped and what else may come have files of their own.

use super::samples::*;
use super::*;
use crate::reason::Reason;

mod any;
mod drops;

fn identity(text: &str, port: u16) -> PortIdentity {
    PortIdentity {
        clock: text.parse().expect("an identity"),
        port,
    }
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn parse(bytes: &[u8]) -> Frame<'_> {
    Frame::parse(bytes).expect("a frame")
}

const TIME: PtpTime = PtpTime {
    seconds: 0x1_6553_F100,
    nanoseconds: 123_456_789,
};

#[test]
fn sync_over_ethernet() {
    let frame = parse(SYNC_VLAN);
    assert_eq!(frame.lane().to_string(), "ethernet.5");
    assert_eq!(frame.tags().collect::<Vec<_>>(), [(0x8100, 0xE005)]);
    assert_eq!(frame.source(), address("00:1b:19:00:00:0a"));
    assert_eq!(frame.destination(), address("01:1b:19:00:00:00"));
    assert!(frame.is_multicast());
    assert_eq!(frame.message_type(), MessageType::Sync);
    assert_eq!((frame.major_sdo_id(), frame.minor_version()), (0, 1));
    assert_eq!(frame.domain(), 7);
    assert!(frame.two_step());
    assert_eq!(frame.correction(), -0x18000);
    assert_eq!(frame.port_identity(), identity("001b19fffe00000a", 1));
    assert_eq!(frame.sequence_id(), 0xBEEF);
    assert_eq!(frame.log_message_interval(), -3);
    assert_eq!(frame.timestamp(), Some(TIME));
    assert_eq!(frame.requesting_port(), None);
    assert_eq!(frame.announce(), None);
    assert_eq!(frame.target_port(), None);
    assert_eq!(frame.layout().ptp_offset(), 18);
    assert_eq!(frame.layout().message_len(), 44);
    assert_eq!(frame.trailing_len(), 0);
}

#[test]
fn delay_resp_over_ipv4_with_options() {
    let frame = parse(DELAY_RESP_V4);
    assert_eq!(frame.lane().to_string(), "udp4");
    assert_eq!(frame.tags().count(), 0);
    assert_eq!(frame.source(), address("192.0.2.1"));
    assert_eq!(frame.destination(), address("224.0.1.129"));
    assert_eq!(frame.source_mac().to_string(), "00:1b:19:00:00:0a");
    assert_eq!(frame.destination_mac().to_string(), "01:00:5e:00:01:81");
    assert_eq!(frame.message_type(), MessageType::DelayResp);
    assert_eq!(frame.domain(), 44);
    assert_eq!(frame.correction(), 0x18000);
    assert_eq!(frame.timestamp(), Some(TIME));
    let client = identity("525400fffe123456", 2);
    assert_eq!(frame.requesting_port(), Some(client));
    assert_eq!(frame.port_identity(), identity("001b19fffe00000a", 1));
    assert_eq!(frame.sequence_id(), 513);
    assert_eq!(frame.log_message_interval(), 0);
    assert_eq!(frame.layout().ptp_offset(), 46);
}

#[test]
fn a_frame_is_called_by_what_tells_it_from_others() {
    for (bytes, name) in [
        (
            SYNC_VLAN,
            "Sync 001b19.fffe.00000a-1 #48879 ethernet vlan 5 domain 7",
        ),
        (
            DELAY_RESP_V4,
            "Delay_Resp 001b19.fffe.00000a-1 #513 udp4 domain 44 to 525400.fffe.123456-2",
        ),
        (
            ANNOUNCE_V6,
            "Announce 525400.fffe.123456-2 #9 udp6 vlan 100.5",
        ),
        (MANAGEMENT, "Management 525400.fffe.123456-2 #3 ethernet"),
    ] {
        assert_eq!(parse(bytes).to_string(), name);
    }
    let mut request = message(MessageType::DelayReq);
    request[4] = 0;
    let bytes = Sample::new(Transport::Udp4, request).bytes();
    let name = parse(&bytes).to_string();
    assert!(
        name.starts_with("Delay_Req ") && name.ends_with(" udp4 sdo 3"),
        "{name}"
    );
}

#[test]
fn the_ip_group_says_which_mac_it_has() {
    for (transport, group, ip) in [
        (Transport::Ethernet, None, None),
        (
            Transport::Udp4,
            Some("01:00:5e:00:01:81"),
            Some(30..34_usize),
        ),
        (Transport::Udp6, Some("33:33:00:00:01:81"), Some(38..54)),
    ] {
        let message = message(MessageType::Sync);
        let whole = Sample::new(transport, message).bytes();
        let mut bytes = whole.clone();
        let own = [0x52, 0x54, 0, 0, 0, 0xF0];
        bytes[..6].copy_from_slice(&own);
        let frame = parse(&bytes);
        let found = frame.group_mac();
        assert_eq!(found.map(|mac| mac.to_string()).as_deref(), group);
        let (Some(mac), Some(ip)) = (found, ip) else {
            continue;
        };
        let mut restored = bytes.clone();
        edit::restore_group_mac(&mut restored, mac);
        assert_eq!(parse(&restored).destination_mac(), mac);
        assert_eq!(restored[6..], bytes[6..], "and nothing else");
        // Too short for an address: left alone.
        let mut short = [7; 5];
        edit::restore_group_mac(&mut short, mac);
        assert_eq!(short, [7; 5]);
        // Any other destination is no group of ours.
        bytes[ip.end - 1] = 0x7F;
        assert_eq!(parse(&bytes).group_mac(), None);
    }
}

#[test]
fn announce_over_ipv6_with_extensions_and_two_tags() {
    let frame = parse(ANNOUNCE_V6);
    assert_eq!(frame.lane().to_string(), "udp6.100.5");
    assert_eq!(
        frame.tags().collect::<Vec<_>>(),
        [(0x88A8, 100), (0x8100, 5)]
    );
    assert_eq!(frame.source(), address("2001:db8::1"));
    assert_eq!(frame.destination(), address("ff0e::181"));
    assert!(frame.is_multicast());
    assert_eq!(frame.trailing_len(), 2);
    let origin = frame.timestamp().expect("an originTimestamp");
    assert_eq!(origin.as_nanos(), Some(0));
    let announce = Announce {
        grandmaster: "001b19fffe00000a".parse().expect("an identity"),
        priority1: 128,
        quality: ClockQuality {
            class: 6,
            accuracy: 0x21,
            variance: 0x4E5D,
        },
        priority2: 127,
        steps_removed: 2,
        time_source: 0x20,
        utc_offset: 37,
    };
    assert_eq!(frame.announce(), Some(announce));
    assert_eq!(frame.tlvs().count(), 0);
}

#[test]
fn management_over_ethernet() {
    let frame = parse(MANAGEMENT);
    assert_eq!(frame.management_action(), Some(2), "low nibble only");
    assert_eq!(frame.management_id(), Some(0x2000));
    assert_eq!(
        frame.target_port(),
        Some(identity("001b19fffe00000a", PortIdentity::EVERY_PORT))
    );
    assert_eq!(frame.tlvs().collect::<Vec<_>>(), [(1, &[0x20, 0][..])]);
    // An error status names the id after its error.
    let error = message_with(
        MessageType::Management,
        &[0, 2, 0, 8, 0, 6, 0x20, 4, 0, 0, 0, 0],
    );
    let error = Sample::new(Transport::Udp4, error).bytes();
    assert_eq!(parse(&error).management_id(), Some(0x2004));
}

#[test]
fn unicast_negotiation_and_authentication() {
    let suffix = [
        &[0, 5, 0, 8, 0xB0, 1, 0, 0, 0, 60, 0, 1][..],
        &[0, 5, 0, 8, 0x00, 0xFC, 0, 0, 1, 44, 0, 1],
        &[0, 4, 0, 6, 0x90, 0xFC, 0, 0, 0xFF, 0],
    ];
    let signaling = message_with(MessageType::Signaling, &suffix.concat());
    let bytes = Sample::new(Transport::Udp6, signaling).bytes();
    let frame = parse(&bytes);
    let kinds: Vec<_> = frame
        .unicast()
        .map(|u| (u.message_type, u.seconds))
        .collect();
    assert_eq!(
        kinds,
        [
            (MessageType::Announce, 60),
            (MessageType::Sync, 300),
            (MessageType::DelayResp, 0xFF00)
        ]
    );
    let grant = frame.unicast_grant().expect("a grant");
    assert_eq!((grant.seconds, grant.log_period), (300, -4));
    assert!(!frame.authenticated());

    for message_type in MessageType::ALL {
        let plain = Sample::new(Transport::Udp4, message(*message_type)).bytes();
        assert!(!parse(&plain).authenticated());
        let tlvs = [0, 3, 0, 2, 1, 2, 0x80, 0x09, 0, 6, 0, 0, 0, 0, 0, 0];
        let signed = Sample::new(Transport::Udp4, message_with(*message_type, &tlvs)).bytes();
        assert!(parse(&signed).authenticated(), "{message_type}");
        let cut = Sample::new(Transport::Udp4, message_with(*message_type, &tlvs[..15])).bytes();
        let mut tlvs = parse(&cut).tlvs();
        assert_eq!(tlvs.by_ref().count(), 1);
        assert!(tlvs.malformed(), "{message_type}");
    }
}

#[test]
fn every_transport_tag_and_type() {
    for transport in TRANSPORTS {
        for tags in TAGS {
            for &message_type in MessageType::ALL {
                let sample = Sample::new(transport, message(message_type)).tags(tags);
                let bytes = sample.bytes();
                let frame = parse(&bytes);
                let lane = Lane::new(transport, tags);
                assert_eq!(frame.lane(), lane);
                assert_eq!(frame.tags().collect::<Vec<_>>(), tags);
                assert_eq!(frame.message_type(), message_type);
                assert_eq!(frame.major_sdo_id(), 3);
                assert_eq!(frame.bytes(), bytes);
                let layout = frame.layout();
                let at = layout.ptp_offset();
                assert_eq!(bytes[at..at + layout.message_len()], sample.message);
                assert_eq!(layout.lane(), lane);
                assert_eq!(layout.transport(), transport);
                assert_eq!(layout.message_type(), message_type);
                // Fields that only some types have.
                use MessageType::*;
                let timed = matches!(
                    message_type,
                    Sync | DelayReq | FollowUp | DelayResp | Announce
                );
                assert_eq!(frame.timestamp().is_some(), timed);
                assert_eq!(frame.requesting_port().is_some(), message_type == DelayResp);
                assert_eq!(frame.announce().is_some(), message_type == Announce);
                let targeted = matches!(message_type, Signaling | Management);
                assert_eq!(frame.target_port().is_some(), targeted);
                assert_eq!(
                    frame.management_action().is_some(),
                    message_type == Management
                );
            }
        }
    }
}

#[test]
fn extension_headers() {
    let hop = [60, 0, 5, 2, 0, 0, 1, 0];
    let destination = [43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routing = [17, 0, 253, 0, 0, 0, 0, 0];
    let signed = [
        17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let mut sample = Sample::new(Transport::Udp6, message(MessageType::Sync));

    sample.extensions = (0, [&hop[..], &destination, &routing].concat());
    let bytes = sample.bytes();
    assert_eq!(parse(&bytes).layout().ptp_offset(), 14 + 40 + 32 + 8);
    assert!(!parse(&bytes).authenticated());

    sample.extensions = (51, signed.to_vec());
    let bytes = sample.bytes();
    assert_eq!(parse(&bytes).layout().ptp_offset(), 14 + 40 + 24 + 8);
    assert!(parse(&bytes).authenticated(), "an IP authentication header");

    // Length beyond what IPv6 carries, and beyond the frame.
    sample.extensions = (60, [17, 200, 1, 4, 0, 0, 0, 0].to_vec());
    assert_eq!(Frame::parse(&sample.bytes()).err(), Some(Reason::BadLength));
    let mut bytes = sample.bytes();
    bytes[18..20].copy_from_slice(&4000_u16.to_be_bytes());
    assert_eq!(Frame::parse(&bytes).err(), Some(Reason::Truncated));

    // A chain without end.
    sample.extensions = (60, [60, 0, 1, 4, 0, 0, 0, 0].repeat(40));
    assert_eq!(Frame::parse(&sample.bytes()).err(), Some(Reason::NotPtp));
}

#[test]
fn either_port_carries_either_class() {
    for message_type in [MessageType::Sync, MessageType::Announce] {
        for port in [319_u16, 320] {
            let mut bytes = Sample::new(Transport::Udp4, message(message_type)).bytes();
            bytes[34..36].copy_from_slice(&[0xC0, 0x01]);
            bytes[36..38].copy_from_slice(&port.to_be_bytes());
            assert_eq!(parse(&bytes).message_type(), message_type);
        }
    }
}
