//! Any octets: the parser does not panic, no accessor does, and an edit changes what it says it changes.

use ptpproxy::wire::{Frame, Transport, edit};

/// One input.
///
/// # Panics
/// If anything of that does not hold.
pub fn run(octets: &[u8]) {
    let Some((amount, bytes)) = octets.split_first_chunk::<8>() else {
        return;
    };
    let Ok(frame) = Frame::parse(bytes) else {
        return;
    };
    let amount = i64::from_le_bytes(*amount);
    read_all(&frame);
    let layout = frame.layout();
    let ptp = layout.ptp_offset();
    let udp = layout.transport() != Transport::Ethernet;
    let same_but = |after: &[u8], edited: std::ops::Range<usize>| {
        assert_eq!(after.len(), bytes.len());
        for at in 0..bytes.len() {
            let checksum = udp && (ptp - 2..ptp).contains(&at);
            let allowed = checksum || edited.contains(&at.wrapping_sub(ptp));
            assert!(allowed || after[at] == bytes[at], "octet {at}");
        }
        assert_eq!(Frame::parse(after).expect("still a frame").layout(), layout);
    };

    let mut copy = bytes.to_vec();
    edit::add_correction(&mut copy, layout, amount);
    same_but(&copy, 8..16);
    let expected = match frame.correction() {
        i64::MAX => i64::MAX,
        before => before.checked_add(amount).unwrap_or(i64::MAX),
    };
    assert_eq!(Frame::parse(&copy).expect("a frame").correction(), expected);

    let mut copy = bytes.to_vec();
    edit::set_two_step(&mut copy, layout);
    same_but(&copy, 6..7);

    // A checksum that is right before an edit is right after it; a full one is always right.
    let mut copy = bytes.to_vec();
    edit::complete_checksum(&mut copy, layout);
    same_but(&copy, 0..0);
    let mut full = copy.clone();
    edit::add_correction(&mut copy, layout, amount);
    edit::add_correction(&mut full, layout, amount);
    edit::complete_checksum(&mut full, layout);
    assert_eq!(copy, full, "incremental and full checksum");

    let mut made = [0; 2048];
    if let Some(len) = edit::follow_up(&frame, &mut made) {
        let made = Frame::parse(&made[..len]).expect("what we make is a frame");
        assert_eq!(made.lane(), frame.lane());
        assert_eq!(made.port_identity(), frame.port_identity());
        assert_eq!(made.timestamp(), frame.timestamp());
        assert_eq!(made.correction(), 0);
    }
}

fn read_all(frame: &Frame<'_>) {
    let _ = (frame.source(), frame.destination(), frame.is_multicast());
    let _ = (
        frame.requesting_port(),
        frame.target_port(),
        frame.announce(),
    );
    let _ = (frame.management_action(), frame.management_id());
    let _ = (
        frame.authenticated(),
        frame.unicast_grant(),
        frame.trailing_len(),
    );
    let _ = (
        frame.tags().count(),
        frame.tlvs().count(),
        frame.unicast().count(),
    );
    let _ = frame.timestamp().and_then(|time| time.as_nanos());
}
