//! Whatever bytes may come, nothing panics.

use proptest::prelude::*;

use super::*;

/// Calls everything that a frame has.
fn touch(bytes: &[u8]) -> Option<Layout> {
    let frame = Frame::parse(bytes).ok()?;
    let layout = frame.layout();
    assert!(layout.ptp_offset() + layout.message_len() <= bytes.len());
    assert!(layout.message_len() >= frame.message_type().min_len());
    assert!(frame.tags().count() <= 2);
    let _ = (frame.source(), frame.destination(), frame.is_multicast());
    let _ = (frame.group_mac(), frame.to_string());
    let _ = (
        frame.source_mac(),
        frame.destination_mac(),
        frame.lane().vlans(),
    );
    let _ = (frame.major_sdo_id(), frame.minor_version(), frame.domain());
    let _ = (
        frame.correction(),
        frame.port_identity(),
        frame.sequence_id(),
    );
    let _ = (
        frame.log_message_interval(),
        frame.two_step(),
        frame.announce(),
    );
    let _ = (
        frame.requesting_port(),
        frame.target_port(),
        frame.management_action(),
    );
    let _ = (
        frame.management_id(),
        frame.authenticated(),
        frame.trailing_len(),
    );
    let _ = (frame.unicast().count(), frame.unicast_grant());
    let _ = frame.timestamp().map(PtpTime::as_nanos);
    let mut out = [0; 2048];
    let _ = edit::follow_up(&frame, &mut out);
    Some(layout)
}

fn any_sample() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(&TRANSPORTS[..]),
        prop::sample::select(&TAGS[..]),
        prop::sample::select(MessageType::ALL),
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..12),
    )
        .prop_map(|(transport, tags, message_type, suffix, trailing)| {
            let mut sample = Sample::new(transport, message_with(message_type, &suffix)).tags(tags);
            sample.trailing = trailing;
            sample.bytes()
        })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        touch(&bytes);
    }

    #[test]
    fn mutated_frames_are_survived(
        mut bytes in any_sample(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        scaled in any::<i64>(),
    ) {
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        if let Some(layout) = touch(&bytes) {
            // Copies shorter than their layout are survived, too.
            for len in [bytes.len(), cut.index(bytes.len())] {
                let mut copy = bytes[..len].to_vec();
                edit::add_correction(&mut copy, layout, scaled);
                edit::set_two_step(&mut copy, layout);
                edit::complete_checksum(&mut copy, layout);
            }
        }
        touch(&bytes[..cut.index(bytes.len())]);
    }
}
