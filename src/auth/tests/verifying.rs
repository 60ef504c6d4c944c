//! Replays, sequences, and keys that change while messages wait.

use std::time::Duration;

use super::super::{KeyGone, KeyName, Refusal, Verified, Verifier};
use super::{associations, frames, parse, signed};
use crate::side::Side;
use crate::time::Instant;
use crate::wire::{Frame, MessageType};

/// Signed with key 1 of spp 0, over Ethernet.
fn capture() -> Vec<Vec<u8>> {
    frames(include_bytes!("captured/sha256-128.pcap"))
}

fn first(message_type: MessageType) -> Vec<u8> {
    let of_type =
        |bytes: &Vec<u8>| Frame::parse(bytes).expect("a frame").message_type() == message_type;
    capture().into_iter().find(of_type).expect("one of them")
}

const NAME: KeyName = KeyName { spp: 0, id: 1 };
const ID_AT: usize = 30;

fn with_id(bytes: &[u8], id: u16) -> Vec<u8> {
    signed(&associations(), bytes, |message| {
        message[ID_AT..ID_AT + 2].copy_from_slice(&id.to_be_bytes());
    })
}

fn at_ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn verifier() -> Verifier {
    Verifier::new(associations(), 64, (5, 6))
}

fn verify(verifier: &mut Verifier, bytes: &[u8], ms: u64) -> Result<Verified, Refusal> {
    let frame = Frame::parse(bytes).expect("a frame");
    verifier.verify(&frame, Side::Down, at_ms(ms))
}

const REPLAYED: Result<(), Refusal> = Err(Refusal::Replayed(NAME));

#[test]
fn a_message_is_accepted_once_on_each_side() {
    for message_type in [
        MessageType::Sync,
        MessageType::FollowUp,
        MessageType::DelayReq,
        MessageType::Announce,
    ] {
        let (mut verifier, bytes) = (verifier(), first(message_type));
        let frame = Frame::parse(&bytes).expect("a frame");
        assert!(verify(&mut verifier, &bytes, 0).is_ok());
        assert_eq!(verify(&mut verifier, &bytes, 1).map(drop), REPLAYED);
        assert!(verifier.verify(&frame, Side::Up, at_ms(2)).is_ok());
        assert!(verifier.verify(&frame, Side::Up, at_ms(3)).is_err());
    }
    // The sequenceId of an answer is its request's, in no order of its own.
    let (mut verifier, bytes) = (verifier(), first(MessageType::DelayResp));
    for ms in 0..3 {
        assert!(verify(&mut verifier, &bytes, ms).is_ok());
    }
}

#[test]
fn windows_are_the_associations() {
    // Sync and Follow_Up by the file: 3 is its default, 20 is said for spp 7; 0 checks nothing.
    let none = parse(
        b"[security_association]\nspp 0\nseqid_window 0\n\
        1 SHA256-128 HEX:F8ADC6B8B8E9AA709106BA42481EC9E29607334DE2C3C737A11A12931DB27F8C\n",
    );
    for (message_type, largest) in [
        (MessageType::Sync, 3),
        (MessageType::FollowUp, 3),
        (MessageType::DelayReq, 64),
        (MessageType::Announce, 64),
    ] {
        for ahead in [1, largest, largest + 1, 30_000] {
            let (one, next) = (
                with_id(&first(message_type), 7),
                with_id(&first(message_type), 7 + ahead),
            );
            let mut checked = verifier();
            assert!(verify(&mut checked, &one, 0).is_ok());
            assert_eq!(
                verify(&mut checked, &next, 1).is_ok(),
                ahead <= largest,
                "{message_type}"
            );
            let mut unchecked = Verifier::new(none.clone(), 64, (5, 6));
            for bytes in [&one, &next, &next, &one] {
                assert!(verify(&mut unchecked, bytes, 0).is_ok());
            }
        }
    }
}

#[test]
fn reordered_requests_are_accepted_once_each() {
    let (mut verifier, request) = (verifier(), first(MessageType::DelayReq));
    for (ms, id) in [9, 12, 10, 14, 13, 11].into_iter().enumerate() {
        assert!(
            verify(&mut verifier, &with_id(&request, id), ms as u64).is_ok(),
            "{id}"
        );
    }
    for id in 9..15 {
        assert_eq!(
            verify(&mut verifier, &with_id(&request, id), 10).map(drop),
            REPLAYED
        );
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let (mut verifier, request) = (verifier(), first(MessageType::DelayReq));
    assert!(verify(&mut verifier, &with_id(&request, 100), 0).is_ok());
    for id in 101..160 {
        let mut forged = with_id(&request, id);
        *forged.last_mut().expect("bytes") ^= 1;
        assert_eq!(
            verify(&mut verifier, &forged, 1).map(drop),
            Err(Refusal::BadIcv(NAME))
        );
    }
    for id in 101..160 {
        assert!(
            verify(&mut verifier, &with_id(&request, id), 2).is_ok(),
            "{id}"
        );
    }
}

#[test]
fn ports_types_domains_and_addressees_count_on_their_own() {
    let set = associations();
    let sync = with_id(&first(MessageType::Sync), 50);
    let other_port = signed(&set, &sync, |message| message[29] ^= 1);
    let other_clock = signed(&set, &sync, |message| message[20] ^= 1);
    let other_domain = signed(&set, &sync, |message| message[4] ^= 1);
    let mut unicast = sync.clone();
    unicast[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    let mut other_unicast = sync.clone();
    other_unicast[..6].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    let tagged = [&sync[..12], &[0x81, 0, 0, 5], &sync[12..]].concat();
    let all = [
        sync,
        other_port,
        other_clock,
        other_domain,
        unicast,
        other_unicast,
        tagged,
    ];
    let mut verifier = verifier();
    for bytes in &all {
        assert!(verify(&mut verifier, bytes, 0).is_ok());
    }
    for bytes in &all {
        assert_eq!(verify(&mut verifier, bytes, 1).map(drop), REPLAYED);
    }
}

const LINGER: Duration = Duration::from_millis(100);

#[test]
fn keys_change_at_once_and_what_waits_is_still_signed() {
    let (mut verifier, requests) = (verifier(), first(MessageType::DelayReq));
    let waiting = with_id(&requests, 1);
    let verified = verify(&mut verifier, &waiting, 0).expect("signed");
    let layout = Frame::parse(&waiting).expect("a frame").layout();

    // Key 1 goes, key 2 gets other bytes, key 3 stays, key 9 comes.
    let set = parse(b"[security_association]\nspp 0\n9 SHA256 abc\n2 SHA256 abc\n3 AES128 HEX:FAF48EBA01E7C5966A76CB787AED4E7B\n");
    let name = |spp, id| KeyName { spp, id };
    let changes = verifier.reload(set, at_ms(10), LINGER);
    assert_eq!(changes.added, [name(0, 9)]);
    assert_eq!(changes.replaced, [name(0, 2)]);
    assert_eq!(changes.kept, 1);
    let gone = [(0, 1), (0, 4), (7, 1), (7, 2), (7, 3), (7, 4)].map(|(spp, id)| name(spp, id));
    assert_eq!(changes.removed, gone);

    let later = with_id(&requests, 2);
    assert_eq!(
        verify(&mut verifier, &later, 11),
        Err(Refusal::OldKey(NAME))
    );
    let signed_again = |verifier: &Verifier| {
        let mut bytes = waiting.clone();
        bytes[layout.ptp_offset() + 8] ^= 1;
        verifier.sign(&mut bytes, layout, verified).map(|()| bytes)
    };
    let bytes = signed_again(&verifier).expect("within its time");
    assert!(verify(&mut self::verifier(), &bytes, 0).is_ok());
    // A second file within that time takes nothing from the first.
    let changes = verifier.reload(associations(), at_ms(50), LINGER);
    assert_eq!((changes.added.len(), changes.kept), (6, 1));
    assert!(signed_again(&verifier).is_ok());
    verifier.expire(at_ms(109));
    assert!(signed_again(&verifier).is_ok());
    verifier.expire(at_ms(110));
    assert_eq!(signed_again(&verifier), Err(KeyGone));

    // The key is back, and what was seen of the sender was kept.
    assert_eq!(verify(&mut verifier, &waiting, 120).map(drop), REPLAYED);
    assert!(verify(&mut verifier, &later, 121).is_ok());
    assert_eq!(verifier.associations().names().count(), 8);
}

#[test]
fn a_replaced_key_is_told_from_a_wrong_one_while_it_lasts() {
    let (mut verifier, request) = (verifier(), first(MessageType::DelayReq));
    let set = parse(b"[security_association]\nspp 0\n1 SHA256-128 another-key\n");
    let changes = verifier.reload(set, at_ms(0), LINGER);
    assert_eq!(changes.replaced, [NAME]);
    assert_eq!(
        verify(&mut verifier, &request, 1),
        Err(Refusal::OldKey(NAME))
    );
    let mut forged = request.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(
        verify(&mut verifier, &forged, 1),
        Err(Refusal::BadIcv(NAME))
    );
    verifier.expire(at_ms(100));
    assert_eq!(
        verify(&mut verifier, &request, 101),
        Err(Refusal::BadIcv(NAME))
    );
}

#[test]
fn many_reloads_keep_few_sets() {
    let (mut verifier, request) = (verifier(), first(MessageType::DelayReq));
    let layout = Frame::parse(&request).expect("a frame").layout();
    let verified = verify(&mut verifier, &request, 0).expect("signed");
    let mut bytes = request.clone();
    for n in 0..4 {
        verifier.reload(associations(), at_ms(n), LINGER);
        assert!(verifier.sign(&mut bytes, layout, verified).is_ok(), "{n}");
    }
    verifier.reload(associations(), at_ms(5), LINGER);
    assert_eq!(verifier.sign(&mut bytes, layout, verified), Err(KeyGone));
    assert_eq!(bytes, request);
}

#[test]
fn words_of_refusals() {
    let unknown = Refusal::UnknownKey(NAME);
    assert_eq!(unknown.to_string(), "unknown-key (key 1 of spp 0)");
    assert_eq!(Refusal::Unsigned.to_string(), "unsigned");
    assert_eq!(unknown.key(), Some(NAME));
    assert_eq!(Refusal::Malformed.key(), None);
}
