//! Captures of other people's networks against what was read in them by hand and by another decoder.
//!
//! They are data of the projects that published them and no part of this one: the variable
//! `PTPPROXY_CAPTURES` names the folder that holds them. Without it the tests are skipped, with a
//! message; with `PTPPROXY_REQUIRE_PEERS=1` that is a failure.

use std::collections::BTreeMap;
use std::fs;

use ptpproxy::wire::{Frame, MessageType, edit, tlv};

use testkit::capture_files::{Result, folder, frames};

/// How many frames of each kind a capture holds: type, transport, version, domain, sourcePortIdentity;
/// `corrected` in whole ns, `+` octets that trail the message.
#[rustfmt::skip]
const EXPECTED: &[(&str, &[(usize, &str)])] = &[
    ("ndpi_ptpv2.pcap", &[
        (3, "signaling udp6 2.0 domain 0 from 002094.fffe.00000d-1 unicast +2"),
        (6, "signaling udp6 2.0 domain 0 from 00b0ae.fffe.01f920-1 unicast +2"),
        (3, "signaling udp6 2.0 domain 0 from 002094.fffe.00000e-1 unicast +2"),
        (1, "announce udp6 2.0 domain 0 from 00b0ae.fffe.01f920-1 unicast +2"),
        (1, "sync udp6 2.0 domain 0 from 00b0ae.fffe.01f920-1 unicast +2"),
    ]),
    ("tcpdump_ptp.pcap", &[
        (1, "delay_req udp4 2.0 domain 0 from 7cfe90.fffe.f950b4-1"),
        (1, "delay_resp udp4 2.0 domain 0 from 000200.fffe.000001-1"),
        (1, "announce udp4 2.0 domain 0 from 000200.fffe.000001-1"),
        (1, "sync udp4 2.0 domain 0 from 000200.fffe.000001-1 two-step"),
        (1, "follow_up udp4 2.0 domain 0 from 000200.fffe.000001-1"),
    ]),
    ("tcpdump_ptp_corrections.pcap", &[
        (1, "delay_req udp4 2.0 domain 44 from a0369f.fffe.856e8a-1 unicast"),
        (1, "delay_resp udp4 2.0 domain 44 from e8c57a.ffff.01313f-3 unicast corrected 36035"),
        (1, "sync udp4 2.0 domain 44 from e8c57a.ffff.01313f-3 unicast corrected 105045"),
    ]),
    ("tcpdump_ptp_ethernet.pcap", &[
        (70, "sync ethernet 2.0 domain 0 from 7483ef.ffff.01ac16-274 two-step +2"),
        (70, "follow_up ethernet 2.0 domain 0 from 7483ef.ffff.01ac16-274 +2"),
        (35, "announce ethernet 2.0 domain 0 from 7483ef.ffff.01ac16-274"),
        (15, "delay_req ethernet 2.0 domain 0 from 000006.ffff.020000-8 +2"),
        (15, "delay_resp ethernet 2.0 domain 0 from 7483ef.ffff.01ac16-274"),
    ]),
    ("tcpdump_ptp_management.pcap", &[
        (5, "management ethernet 2.0 domain 0 from 000000.fffe.000011-1"),
        (5, "management ethernet 2.0 domain 0 from 000000.fffe.000012-1"),
    ]),
    ("tcpdump_ptp_v2_1.pcap", &[
        (11, "sync ethernet 2.1 domain 0 from 38f3ab.fffe.96ec12-1 two-step"),
        (11, "follow_up ethernet 2.1 domain 0 from 38f3ab.fffe.96ec12-1"),
        (11, "pdelay_req ethernet 2.1 domain 0 from 38f3ab.fffe.96ec12-1"),
        (5, "announce ethernet 2.1 domain 0 from 38f3ab.fffe.96ec12-1"),
    ]),
];

#[test]
fn every_frame_is_what_it_was_read_to_be() -> Result {
    let Some(folder) = folder()? else {
        return Ok(());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "pcap")
        {
            let name = path.file_name().unwrap_or_default();
            found.push(name.to_string_lossy().into_owned());
        }
    }
    found.sort();
    let names: Vec<_> = EXPECTED.iter().map(|&(name, _)| name).collect();
    assert_eq!(found, names, "captures in {}", folder.display());

    for &(name, expected) in EXPECTED {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|&(count, kind)| (kind.to_owned(), count))
            .collect();
        let mut kinds = BTreeMap::new();
        for (_, bytes) in frames(&folder, name)? {
            *kinds.entry(kind(&bytes)).or_insert(0) += 1;
        }
        assert_eq!(kinds, expected, "{name}");
    }
    Ok(())
}

#[test]
fn each_delay_resp_follows_its_request() -> Result {
    let Some(folder) = folder()? else {
        return Ok(());
    };
    for (name, expected) in [
        ("tcpdump_ptp.pcap", 1),
        ("tcpdump_ptp_corrections.pcap", 1),
        ("tcpdump_ptp_ethernet.pcap", 15),
    ] {
        let mut open = None;
        let mut answered = 0;
        for (_, bytes) in frames(&folder, name)? {
            let frame = parse(&bytes);
            let key = |port| (port, frame.sequence_id(), frame.domain(), frame.lane());
            match frame.message_type() {
                MessageType::DelayReq => open = Some(key(frame.port_identity())),
                MessageType::DelayResp => {
                    assert!(open.is_some(), "{name}: a second answer");
                    assert_eq!(open.take(), frame.requesting_port().map(key), "{name}");
                    answered += 1;
                }
                _ => {}
            }
        }
        assert_eq!(answered, expected, "{name}");
    }
    Ok(())
}

#[test]
fn bodies_hold_what_was_read() -> Result {
    let Some(folder) = folder()? else {
        return Ok(());
    };
    let announced: Vec<_> = frames(&folder, "tcpdump_ptp_ethernet.pcap")?
        .iter()
        .filter_map(|(_, bytes)| parse(bytes).announce())
        .map(|a| (a.grandmaster.to_string(), a.priority1, a.steps_removed))
        .collect();
    let before = ("7483ef.ffff.01ac16".to_owned(), 128, 0);
    let after = ("000006.ffff.010000".to_owned(), 0, 1);
    assert_eq!(announced, [vec![before; 3], vec![after; 32]].concat());

    let managed: Vec<_> = frames(&folder, "tcpdump_ptp_management.pcap")?
        .iter()
        .map(|(_, bytes)| parse(bytes))
        .map(|frame| (frame.management_action(), frame.management_id()))
        .collect();
    let asked = [0x2001, 0x2004, 0x2000, 0x2002, 0x0001];
    let expected: Vec<_> = asked
        .iter()
        .flat_map(|&id| [(Some(0), Some(id)), (Some(2), Some(id))])
        .collect();
    assert_eq!(managed, expected);

    let negotiated: Vec<_> = frames(&folder, "ndpi_ptpv2.pcap")?
        .iter()
        .flat_map(|(_, bytes)| parse(bytes).unicast())
        .map(|unicast| (unicast.kind, unicast.message_type, unicast.seconds))
        .collect();
    let messages = [
        MessageType::Announce,
        MessageType::Sync,
        MessageType::DelayResp,
    ];
    let step = |kind| messages.map(|message_type| (kind, message_type, 300));
    let steps = [
        step(tlv::UnicastKind::Request),
        step(tlv::UnicastKind::Grant),
    ]
    .concat();
    assert_eq!(negotiated, steps.repeat(2));

    let times: Vec<_> = frames(&folder, "tcpdump_ptp.pcap")?
        .iter()
        .filter_map(|(_, bytes)| parse(bytes).timestamp()?.as_nanos())
        .collect();
    // Zero in Sync, Announce and Delay_Req: senders need not fill it in.
    assert_eq!(
        times,
        [
            0,
            1_516_736_649_248_292_005,
            0,
            0,
            1_516_736_650_034_751_783
        ]
    );
    Ok(())
}

/// One Delay_Req was captured on its sender's own host, before its checksum was finished.
#[test]
fn checksums_are_those_of_real_senders() -> Result {
    let Some(folder) = folder()? else {
        return Ok(());
    };
    let mut unfinished = 0;
    for &(name, _) in EXPECTED {
        for (at, (_, bytes)) in frames(&folder, name)?.iter().enumerate() {
            let mut completed = bytes.clone();
            edit::complete_checksum(&mut completed, parse(bytes).layout());
            if (name, at) == ("tcpdump_ptp_corrections.pcap", 0) {
                assert_eq!(bytes[40..42], [0x08, 0x50]);
                assert_eq!(completed[40..42], [0x10, 0x56]);
                unfinished += 1;
            } else {
                assert_eq!(completed, *bytes, "{name}: frame {}", at + 1);
            }
        }
    }
    assert_eq!(unfinished, 1);
    Ok(())
}

/// One line on a frame, or the reason why it is none.
fn kind(bytes: &[u8]) -> String {
    let frame = match Frame::parse(bytes) {
        Ok(frame) => frame,
        Err(reason) => return reason.to_string(),
    };
    let mut kind = format!(
        "{} {} 2.{} domain {} from {}",
        frame.message_type(),
        frame.lane(),
        frame.minor_version(),
        frame.domain(),
        frame.port_identity(),
    );
    if frame.major_sdo_id() != 0 {
        kind += &format!(" sdo {}", frame.major_sdo_id());
    }
    if frame.authenticated() {
        kind += " authenticated";
    }
    if frame.two_step() {
        kind += " two-step";
    }
    if !frame.is_multicast() {
        kind += " unicast";
    }
    if frame.correction() != 0 {
        kind += &format!(" corrected {}", frame.correction() >> 16);
    }
    if frame.trailing_len() != 0 {
        kind += &format!(" +{}", frame.trailing_len());
    }
    kind
}

fn parse(bytes: &[u8]) -> Frame<'_> {
    Frame::parse(bytes).expect("a frame")
}
