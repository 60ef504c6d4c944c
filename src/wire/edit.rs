//! Every edit that a rule allows, on a copy of a frame.
//!
//! The functions take the [`Layout`] of the frame that the bytes were copied from; bytes too short for
//! it are left alone. A UDP checksum is updated with the edit; IPv4's 0 (none) stays 0.

use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;

use super::address::Mac;
use super::checksum::{self, Sum};
use super::field::{ethernet, ptp, udp};
pub use super::follow_up::follow_up;
use super::lane::Transport;
use super::layout::Layout;

/// correctionField that means "too big to be represented" (13.3.2.9).
pub const CORRECTION_TOO_BIG: i64 = i64::MAX;

/// Adds `scaled` (2^-16 ns) to correctionField.
///
/// A sum that does not fit, of either sign, becomes [`CORRECTION_TOO_BIG`], and that stays whatever is
/// added: no receiver may take it for a number (13.3.2.9).
#[inline]
pub fn add_correction(bytes: &mut [u8], layout: Layout, scaled: i64) {
    replace(bytes, layout, ptp::CORRECTION.start, |old| {
        let sum = match i64::from_be_bytes(old) {
            CORRECTION_TOO_BIG => CORRECTION_TOO_BIG,
            correction => correction.checked_add(scaled).unwrap_or(CORRECTION_TOO_BIG),
        };
        sum.to_be_bytes()
    });
}

/// Sets twoStepFlag.
#[inline]
pub fn set_two_step(bytes: &mut [u8], layout: Layout) {
    replace(bytes, layout, ptp::FLAGS.start, |[first, second]| {
        [first | ptp::TWO_STEP, second]
    });
}

/// Puts the group's MAC address, [`Frame::group_mac`](super::Frame::group_mac), in the place of another
/// destination. No checksum covers it.
#[inline]
pub fn restore_group_mac(bytes: &mut [u8], group: Mac) {
    if let Some(field) = bytes.get_mut(ethernet::DESTINATION) {
        field.copy_from_slice(&group.0);
    }
}

/// Computes the whole UDP checksum, for a datagram whose sender left it unfinished. Before other edits
/// or after them: what stood in the field does not count.
///
/// With an IPv6 routing header the sum is over the address in the IPv6 header: right once the last
/// segment is reached, as it is wherever PTP is spoken.
pub fn complete_checksum(bytes: &mut [u8], layout: Layout) {
    let Some(at) = layout.udp_offset() else {
        return;
    };
    let Some(checksum) = full_checksum(bytes, layout, at) else {
        return;
    };
    let datagram = bytes.get_mut(at..);
    if let Some(field) = datagram.and_then(|datagram| datagram.get_mut(udp::CHECKSUM)) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

fn full_checksum(bytes: &[u8], layout: Layout, at: usize) -> Option<u16> {
    let network = bytes.get(layout.network_offset()..)?;
    let datagram = bytes.get(at..layout.ptp_offset() + layout.carried_len())?;
    let len = u16::try_from(datagram.len()).ok()?;
    let pseudo = match layout.transport() {
        Transport::Ethernet => return None,
        Transport::Udp4 => {
            let ip = Ipv4Packet::new(network)?;
            Sum::pseudo_v4(ip.get_source(), ip.get_destination(), len)
        }
        Transport::Udp6 => {
            let ip = Ipv6Packet::new(network)?;
            Sum::pseudo_v6(ip.get_source(), ip.get_destination(), len)
        }
    };
    let sum = pseudo
        .add(datagram.get(..udp::CHECKSUM.start)?)
        .add(datagram.get(udp::CHECKSUM.end..)?);
    Some(sum.udp())
}

/// Replaces N bytes at an even offset of the message, and updates the UDP checksum. Bytes that stay
/// the same leave the checksum as it is, valid or not.
#[inline]
pub(super) fn replace<const N: usize>(
    bytes: &mut [u8],
    layout: Layout,
    at: usize,
    edit: impl FnOnce([u8; N]) -> [u8; N],
) {
    let ptp = layout.ptp_offset();
    let Some((outer, message)) = bytes.split_at_mut_checked(ptp) else {
        return;
    };
    let Some(field) = message.get_mut(at..).and_then(|m| m.first_chunk_mut::<N>()) else {
        return;
    };
    let old = *field;
    let new = edit(old);
    if new == old {
        return;
    }
    *field = new;
    update_udp(outer, layout.transport(), &old, &new);
}

/// Takes a change, at an even offset of the datagram or of its pseudo-header, into the UDP checksum at the end of what
/// stands before the message.
#[inline]
pub(super) fn update_udp(outer: &mut [u8], transport: Transport, old: &[u8], new: &[u8]) {
    if transport == Transport::Ethernet {
        return;
    }
    let Some(checksum) = outer.last_chunk_mut::<2>() else {
        return;
    };
    let before = u16::from_be_bytes(*checksum);
    if before == 0 && transport == Transport::Udp4 {
        return;
    }
    *checksum = checksum::update(before, old, new).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{Frame, MessageType};
    use super::*;
    use proptest::prelude::*;

    fn layout(bytes: &[u8]) -> Layout {
        Frame::parse(bytes).expect("a frame").layout()
    }

    /// The UDP checksum that these bytes ought to have.
    fn expected_checksum(bytes: &[u8]) -> u16 {
        let layout = layout(bytes);
        let network = layout.network_offset();
        let addresses = match layout.transport() {
            Transport::Udp4 => &bytes[network + 12..network + 20],
            _ => &bytes[network + 8..network + 40],
        };
        let udp = layout.ptp_offset() - 8;
        udp_checksum(
            addresses,
            &bytes[udp..layout.ptp_offset() + layout.carried_len()],
        )
    }

    fn checksum_of(bytes: &[u8]) -> u16 {
        let ptp = layout(bytes).ptp_offset();
        u16::from_be_bytes([bytes[ptp - 2], bytes[ptp - 1]])
    }

    #[test]
    fn corrections_saturate_and_stay() {
        const MAX: i64 = CORRECTION_TOO_BIG;
        for (before, scaled, after) in [
            (0, 5 << 16, 5 << 16),
            (-7, 3, -4),
            (3, -7, -4),
            (MAX - 1, 1, MAX),
            (MAX - 1, 2, MAX),
            (1, MAX, MAX),
            (MAX, 0, MAX),
            (MAX, 1, MAX),
            (MAX, -1, MAX),
            (MAX, i64::MIN, MAX),
            (i64::MIN, 0, i64::MIN),
            (i64::MIN, -1, MAX),
            (-2, i64::MIN, MAX),
        ] {
            for transport in TRANSPORTS {
                let mut message = message(MessageType::FollowUp);
                message[8..16].copy_from_slice(&before.to_be_bytes());
                let mut bytes = Sample::new(transport, message).bytes();
                let layout = layout(&bytes);
                add_correction(&mut bytes, layout, scaled);
                let frame = Frame::parse(&bytes).expect("a frame");
                assert_eq!(frame.correction(), after, "{before} + {scaled}");
                if transport != Transport::Ethernet {
                    assert_eq!(checksum_of(&bytes), expected_checksum(&bytes));
                }
            }
        }
    }

    #[test]
    fn ipv4_without_checksum_stays_without() {
        let mut sample = Sample::new(Transport::Udp4, message(MessageType::Sync));
        sample.checksum = false;
        let mut bytes = sample.bytes();
        let layout = layout(&bytes);
        add_correction(&mut bytes, layout, 1 << 16);
        set_two_step(&mut bytes, layout);
        assert_eq!(checksum_of(&bytes), 0);
        assert!(Frame::parse(&bytes).expect("a frame").two_step());
    }

    #[test]
    fn a_computed_0_is_sent_as_all_ones() {
        for transport in [Transport::Udp4, Transport::Udp6] {
            let mut bytes = Sample::new(transport, message(MessageType::FollowUp)).bytes();
            let layout = layout(&bytes);
            let at = layout.ptp_offset() + 8;
            // Adding the checksum to a word of the message makes the new checksum 0.
            let before = checksum_of(&bytes);
            bytes[at..at + 8].fill(0);
            complete_checksum(&mut bytes, layout);
            assert_ne!(checksum_of(&bytes), before);
            let missing = checksum_of(&bytes);
            add_correction(&mut bytes, layout, i64::from(missing));
            assert_eq!(checksum_of(&bytes), 0xFFFF);
            assert_eq!(expected_checksum(&bytes), 0xFFFF);
            // And back from there.
            add_correction(&mut bytes, layout, -i64::from(missing));
            assert_eq!(checksum_of(&bytes), missing);
            add_correction(&mut bytes, layout, i64::from(missing));
            bytes[layout.ptp_offset() - 2..layout.ptp_offset()].fill(0x5A);
            complete_checksum(&mut bytes, layout);
            assert_eq!(checksum_of(&bytes), 0xFFFF);
        }
    }

    #[test]
    fn a_wrong_checksum_is_not_made_right() {
        for transport in [Transport::Udp4, Transport::Udp6] {
            let mut bytes = Sample::new(transport, message(MessageType::Sync)).bytes();
            let layout = layout(&bytes);
            bytes[layout.ptp_offset() - 1] ^= 1;
            add_correction(&mut bytes, layout, 77);
            assert_ne!(checksum_of(&bytes), expected_checksum(&bytes));
        }
        // IPv6 has no "none": what comes with 0 is wrong, stays wrong and never leaves as 0.
        let mut sample = Sample::new(Transport::Udp6, message(MessageType::Sync));
        sample.checksum = false;
        let mut bytes = sample.bytes();
        let layout = layout(&bytes);
        add_correction(&mut bytes, layout, 0);
        assert_eq!(bytes, sample.bytes(), "untouched");
        add_correction(&mut bytes, layout, 77);
        assert_ne!(checksum_of(&bytes), expected_checksum(&bytes));
        assert_ne!(checksum_of(&bytes), 0);
    }

    #[test]
    fn an_unfinished_checksum_is_completed_over_options_and_extensions() {
        let mut v4 = Sample::new(Transport::Udp4, message(MessageType::DelayReq));
        v4.options = vec![0x94, 4, 0, 0];
        let mut v6 = Sample::new(Transport::Udp6, message(MessageType::DelayReq)).tags(TAGS[3]);
        v6.extensions = (0, vec![17, 0, 5, 2, 0, 0, 1, 0]);
        v6.trailing = vec![1, 2, 3];
        for sample in [v4, v6] {
            let good = sample.bytes();
            let layout = layout(&good);
            let mut bytes = good.clone();
            bytes[layout.ptp_offset() - 2..layout.ptp_offset()].fill(0xD7);
            complete_checksum(&mut bytes, layout);
            assert_eq!(bytes, good);
        }
    }

    proptest! {
        #[test]
        fn only_what_is_edited_changes(
            transport in prop::sample::select(&TRANSPORTS[..]),
            tags in prop::sample::select(&TAGS[..]),
            message_type in prop::sample::select(MessageType::ALL),
            correction in any::<i64>(),
            scaled in prop_oneof![Just(0), any::<i64>()],
            suffix in prop::collection::vec(any::<u8>(), 0..9),
            trailing in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut message = message_with(message_type, &suffix);
            message[8..16].copy_from_slice(&correction.to_be_bytes());
            let mut sample = Sample::new(transport, message).tags(tags);
            sample.trailing = trailing;
            let before = sample.bytes();
            let layout = layout(&before);
            let ptp = layout.ptp_offset();
            let udp = transport != Transport::Ethernet;
            let same_but = |after: &[u8], edited: std::ops::Range<usize>| {
                before.len() == after.len() && (0..before.len()).all(|at| {
                    before[at] == after[at]
                        || edited.contains(&(at.wrapping_sub(ptp)))
                        || udp && (ptp - 2..ptp).contains(&at)
                })
            };

            let mut corrected = before.clone();
            add_correction(&mut corrected, layout, scaled);
            prop_assert!(same_but(&corrected, 8..16));
            if scaled == 0 {
                prop_assert_eq!(&corrected, &before);
            }
            let mut flagged = before.clone();
            set_two_step(&mut flagged, layout);
            prop_assert!(same_but(&flagged, 6..7));
            prop_assert!(Frame::parse(&flagged).expect("a frame").two_step());
            let mut completed = before.clone();
            complete_checksum(&mut completed, layout);
            prop_assert_eq!(&completed, &before);
            if udp {
                prop_assert_eq!(checksum_of(&corrected), expected_checksum(&corrected));
                prop_assert_eq!(checksum_of(&flagged), expected_checksum(&flagged));
            }
        }
    }
}
