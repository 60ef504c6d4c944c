//! Frames that linuxptp 4.4 signed: between two of its clocks, and behind its transparent clock.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::{Refusal, SecurityAssociations, Verified, Verifier};
use super::{associations, frames};
use crate::side::Side;
use crate::time::Instant;
use crate::wire::{Frame, Layout, MessageType, Transport, edit};

/// A capture, the key that signed it, and whether its association is mutable.
struct Capture {
    name: &'static str,
    key: (u8, u32),
    transport: Transport,
    frames: Vec<Vec<u8>>,
}

macro_rules! captures {
    ($($name:literal, $spp:literal, $id:literal, $transport:ident;)+) => {
        [$(Capture {
            name: $name,
            key: ($spp, $id),
            transport: Transport::$transport,
            frames: frames(include_bytes!(concat!("captured/", $name, ".pcap"))),
        }),+]
    };
}

fn captures() -> [Capture; 10] {
    captures! {
        "sha256-128", 0, 1, Ethernet;
        "sha256", 0, 2, Udp4;
        "aes128", 0, 3, Udp6;
        "aes256", 0, 4, Udp4;
        "sha256-128-mutable", 7, 1, Udp4;
        "sha256-mutable", 7, 2, Udp6;
        "aes128-mutable", 7, 3, Ethernet;
        "aes256-mutable", 7, 4, Udp6;
        "tc-below", 0, 1, Ethernet;
        "tc-mutable-below", 7, 3, Udp4;
    }
}

const MUTABLE: u8 = 7;

fn verify(set: &SecurityAssociations, bytes: &[u8]) -> Result<Verified, Option<Refusal>> {
    let frame = Frame::parse(bytes).map_err(|_| None)?;
    let mut verifier = Verifier::new(set.clone(), 8, (1, 2));
    verifier
        .verify(&frame, Side::Up, Instant::default())
        .map_err(Some)
}

/// Where the message stands in its frame, up to its end.
fn message(layout: Layout) -> std::ops::Range<usize> {
    layout.ptp_offset()..layout.ptp_offset() + layout.message_len()
}

#[test]
fn every_message_is_accepted() {
    let mut corrected = 0;
    for capture in captures() {
        let mut verifier = Verifier::new(associations(), 64, (1, 2));
        let mut types = HashSet::new();
        assert_eq!(capture.frames.len(), 14, "{}", capture.name);
        for (n, bytes) in capture.frames.iter().enumerate() {
            let frame = Frame::parse(bytes).expect("a frame");
            assert_eq!(frame.lane().transport(), capture.transport);
            types.insert(frame.message_type());
            let found = frame.authentication().expect("a TLV");
            assert_eq!((found.spp(), found.key_id()), capture.key);
            let now = Instant::from_nanos(n as u64 * 50_000_000);
            let verified = verifier.verify(&frame, Side::Up, now);
            let verified = verified.unwrap_or_else(|why| panic!("{}: {why}", capture.name));
            assert_eq!(verified.spp(), capture.key.0);
            assert_eq!(
                verifier.leaves_correction(verified),
                capture.key.0 == MUTABLE
            );
            corrected += usize::from(frame.correction() != 0);
        }
        let expected = [
            MessageType::Sync,
            MessageType::DelayReq,
            MessageType::FollowUp,
            MessageType::DelayResp,
            MessageType::Announce,
        ];
        assert_eq!(types, HashSet::from(expected), "{}", capture.name);
    }
    assert!(corrected >= 10, "the transparent clock's: {corrected}");
}

#[test]
fn every_changed_byte_is_noticed() {
    let set = associations();
    for capture in captures() {
        for bytes in &capture.frames {
            let layout = Frame::parse(bytes).expect("a frame").layout();
            for (n, at) in message(layout).enumerate() {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (n % 8);
                let accepted = verify(&set, &changed).is_ok();
                let free = (8..16).contains(&n) && capture.key.0 == MUTABLE;
                assert_eq!(accepted, free, "{}: byte {n}", capture.name);
            }
        }
    }
}

#[test]
fn what_was_corrected_is_signed_again() {
    let set = associations();
    for capture in captures() {
        for bytes in &capture.frames {
            let layout = Frame::parse(bytes).expect("a frame").layout();
            let verified = verify(&set, bytes).expect("signed");
            let verifier = Verifier::new(set.clone(), 8, (1, 2));
            let mut edited = bytes.clone();
            // A UDP checksum that the sender left to its card is completed, as it is on the way.
            edit::complete_checksum(&mut edited, layout);
            let unedited = edited.clone();
            verifier.sign(&mut edited, layout, verified).expect("a key");
            assert_eq!(edited, unedited, "{}: the same ICV", capture.name);

            edit::add_correction(&mut edited, layout, 123 << 16);
            edit::set_two_step(&mut edited, layout);
            let flag = Frame::parse(bytes).expect("a frame").two_step();
            assert_eq!(
                verify(&set, &edited).is_ok(),
                capture.key.0 == MUTABLE && flag
            );
            verifier.sign(&mut edited, layout, verified).expect("a key");
            verify(&set, &edited).expect("signed again");
            let mut completed = edited.clone();
            edit::complete_checksum(&mut completed, layout);
            assert_eq!(completed, edited, "{}: the UDP checksum", capture.name);
        }
    }
}

#[test]
fn a_made_follow_up_is_signed_as_its_sync() {
    let set = associations();
    for capture in captures() {
        for bytes in &capture.frames {
            let frame = Frame::parse(bytes).expect("a frame");
            if frame.message_type() != MessageType::Sync {
                continue;
            }
            let verified = verify(&set, bytes).expect("signed");
            let verifier = Verifier::new(set.clone(), 8, (1, 2));
            let mut out = [0xEE; 256];
            let len = edit::follow_up(&frame, &mut out).expect("a Follow_Up");
            let (end, layout, made) = verifier.sign_made(&mut out, len, verified).expect("a key");
            let found = Frame::parse(&out[..end]).expect("a frame");
            let named = found.authentication().expect("a TLV");
            assert_eq!((named.spp(), named.key_id()), capture.key);
            assert_eq!(found.layout(), layout);
            assert_eq!(verify(&set, &out[..end]).expect("signed"), made);
            // Its correction comes later.
            edit::add_correction(&mut out[..end], layout, 1 << 20);
            verifier.sign(&mut out[..end], layout, made).expect("a key");
            verify(&set, &out[..end]).expect("signed again");
            // The least room that will do.
            let mut out = vec![0; end];
            let len = edit::follow_up(&frame, &mut out).expect("a Follow_Up");
            assert!(
                verifier
                    .sign_made(&mut out[..end - 1], len, verified)
                    .is_err()
            );
            assert!(verifier.sign_made(&mut out, len, verified).is_ok());
        }
    }
}

#[test]
fn stripped_doubled_and_misnamed_tlvs_have_their_reasons() {
    let set = associations();
    for capture in captures() {
        let bytes = &capture.frames[0];
        let layout = Frame::parse(bytes).expect("a frame").layout();
        if layout.transport() != Transport::Ethernet {
            continue;
        }
        let at = layout.message_type().min_len();
        let (ptp, end) = (layout.ptp_offset(), message(layout).end);
        let with_len = |mut bytes: Vec<u8>| {
            let len = u16::try_from(bytes.len() - ptp)
                .expect("short")
                .to_be_bytes();
            bytes[ptp + 2..ptp + 4].copy_from_slice(&len);
            bytes
        };
        let refusal = |bytes: &[u8]| verify(&set, bytes).expect_err("refused").expect("a frame");
        let name = super::super::KeyName {
            spp: capture.key.0,
            id: capture.key.1,
        };

        let stripped = with_len(bytes[..ptp + at].to_vec());
        assert_eq!(refusal(&stripped), Refusal::Unsigned);
        let tlv = &bytes[ptp + at..end];
        let doubled = with_len([&bytes[..end], tlv].concat());
        assert_eq!(refusal(&doubled), Refusal::Malformed);
        let followed = with_len([&bytes[..end], &[0, 3, 0, 2, 0, 0]].concat());
        assert_eq!(refusal(&followed), Refusal::Malformed);
        let mut changed = bytes.clone();
        changed[ptp + at + 4] = 99; // spp
        let unknown = super::super::KeyName { spp: 99, ..name };
        assert_eq!(refusal(&changed), Refusal::UnknownKey(unknown));
        changed[ptp + at + 4] = name.spp;
        changed[ptp + at + 5] = 2; // secParamIndicator: a sequenceNo
        assert_eq!(refusal(&changed), Refusal::Malformed);
        changed[ptp + at + 5] = 0;
        changed[ptp + at + 9] = 200; // keyID
        let unknown = super::super::KeyName { id: 200, ..name };
        assert_eq!(refusal(&changed), Refusal::UnknownKey(unknown));
        // The key of another length of ICV.
        changed[ptp + at + 9] = 2;
        assert_eq!(refusal(&changed), Refusal::Malformed);
        // The other key with an ICV of this length.
        changed[ptp + at + 9] = 4;
        let other = super::super::KeyName { id: 4, ..name };
        assert_eq!(refusal(&changed), Refusal::BadIcv(other));
    }
}

proptest! {
    /// Any change within the message is refused, unless it is of a correctionField that is left free.
    #[test]
    fn any_change_is_refused(
        which in any::<prop::sample::Index>(),
        frame in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in 1..=u8::MAX,
    ) {
        let set = associations();
        let captures = captures();
        let capture = which.get(&captures);
        let bytes = frame.get(&capture.frames);
        let layout = Frame::parse(bytes).expect("a frame").layout();
        let n = at.index(layout.message_len());
        let mut changed = bytes.clone();
        changed[layout.ptp_offset() + n] ^= byte;
        let free = (8..16).contains(&n) && capture.key.0 == MUTABLE;
        prop_assert_eq!(verify(&set, &changed).is_ok(), free, "{}: byte {}", capture.name, n);
    }

    /// Any bytes in place of the TLV: no panic, and nothing is accepted.
    #[test]
    fn any_tlv_is_survived(
        which in any::<prop::sample::Index>(),
        tlv in prop::collection::vec(any::<u8>(), 0..64),
        fixed in any::<bool>(),
    ) {
        let captures = captures();
        let bytes = &which.get(&captures).frames[0];
        let layout = Frame::parse(bytes).expect("a frame").layout();
        let at = layout.ptp_offset() + layout.message_type().min_len() + if fixed { 10 } else { 0 };
        let mut changed = bytes.clone();
        let len = tlv.len().min(changed.len() - at);
        changed[at..at + len].copy_from_slice(&tlv[..len]);
        if changed != *bytes && len > 2 {
            prop_assert!(verify(&associations(), &changed).is_err());
        }
    }
}
