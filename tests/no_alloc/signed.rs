//! Signed messages.

use ptpproxy::Side;
use ptpproxy::core::{Arrival, Forwarder, Settings, Verdict};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::Frame;

use crate::allocations;
use crate::network::MS;

/// Signed messages through the core: verified, corrected and signed again, or refused.
#[test]
fn signed_messages_allocate_nothing() {
    use ptpproxy::auth::SecurityAssociations;
    use ptpproxy::core::RequireAuthentication;
    use testkit::frames::{announce, clock, follow_up, one_step, sync};
    use testkit::signatures::Key;
    const KEY: Key = Key::of(3, "one-secret");
    let settings = Settings {
        require_authentication: RequireAuthentication::Both,
        ..Settings::default()
    };
    let mut core = Forwarder::new(settings.validated().unwrap());
    let set = SecurityAssociations::parse("sa.cfg".as_ref(), KEY.file().as_bytes()).unwrap();
    core.set_keys(set, Instant::default());
    let mut frames = vec![KEY.signs(announce(1, 0, clock(1))).bytes()];
    for id in 1..50 {
        frames.push(KEY.signs(sync(1, 2 * id)).bytes());
        frames.push(KEY.signs(follow_up(1, 2 * id, 9)).bytes());
        frames.push(KEY.signs(one_step(1, 2 * id + 1, 9)).bytes());
        frames.push(Key { id: 2, ..KEY }.signs(sync(1, 2 * id)).bytes());
        frames.push(sync(1, 2 * id).bytes());
    }
    let (mut now, mut out) = (1_000_000 * MS, [0; 2048]);
    let before = allocations::so_far();
    for bytes in &frames {
        now += MS;
        let at = Instant::from_nanos(now);
        let frame = Frame::parse(bytes).unwrap();
        let stamp = Stamp::new(ClockId::Steady, now.cast_signed());
        let arrival = Arrival {
            side: Side::Up,
            stamp: Ok(stamp),
            at,
            now: at,
            to_host: false,
            checksum_unfinished: false,
        };
        if let Verdict::Forward(edit, token) = core.frame(&frame, &arrival) {
            let room = &mut out[..bytes.len()];
            room.copy_from_slice(bytes);
            core.edit(Side::Down, &edit, room, frame.layout()).unwrap();
            if let Some(token) = token {
                core.stamped(
                    token,
                    Ok(Stamp::new(ClockId::Steady, (now + 1_000).cast_signed())),
                );
            }
        }
        while core.next_egress().is_some() {
            let _ = core.depart(&mut out, at);
        }
        while core.next_event().is_some() {}
    }
    assert_eq!(allocations::so_far(), before);
    let counters = core.counters();
    assert_eq!((counters.verified, counters.follow_ups_made), (148, 49));
    assert_eq!(counters.dropped_for(Reason::UnknownKey), 49);
    assert_eq!(counters.dropped_for(Reason::Unsigned), 49);
    // Each Follow_Up, and those that were made: when they were made, and corrected.
    assert!(counters.signed > 49 * 3, "{}", counters.signed);
}

/// A Sync that linuxptp signed, verified and signed again, with each kind of key.
#[test]
fn verifying_and_signing_allocate_nothing() {
    use ptpproxy::auth::{SecurityAssociations, Verifier};
    const FILE: &[u8] = include_bytes!("../../src/auth/tests/captured/sa.cfg");
    const CAPTURES: [&[u8]; 4] = [
        include_bytes!("../../src/auth/tests/captured/sha256-128.pcap"),
        include_bytes!("../../src/auth/tests/captured/sha256.pcap"),
        include_bytes!("../../src/auth/tests/captured/aes128.pcap"),
        include_bytes!("../../src/auth/tests/captured/aes256-mutable.pcap"),
    ];
    let set = SecurityAssociations::parse("sa.cfg".as_ref(), FILE).unwrap();
    let mut verifier = Verifier::new(set, 64, (1, 2));
    for capture in CAPTURES {
        // The first frame: its length stands before it.
        let len =
            usize::try_from(u32::from_le_bytes(*capture[32..].first_chunk().unwrap())).unwrap();
        let mut bytes = capture[40..40 + len].to_vec();
        let original = bytes.clone();
        let frame = Frame::parse(&original).unwrap();
        let before = allocations::so_far();
        let verified = verifier
            .verify(&frame, Side::Up, Instant::default())
            .unwrap();
        assert!(
            verifier
                .verify(&frame, Side::Up, Instant::default())
                .is_err()
                || !frame.message_type().is_event()
        );
        let layout = frame.layout();
        ptpproxy::wire::edit::add_correction(&mut bytes, layout, 1 << 16);
        verifier.sign(&mut bytes, layout, verified).unwrap();
        assert_eq!(allocations::so_far(), before);
        assert_ne!(bytes, original);
    }
}
