//! Every edit that a rule allows, on a copy of a frame.
//!
//! The functions take the [`Layout`] of the frame that the bytes were copied from; bytes too short for
//! it are left alone. A UDP checksum is updated with the edit; IPv4's 0 (none) stays 0.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::{self, Sum};
pub use super::follow_up::follow_up;
use super::frame::TWO_STEP;
use super::lane::Transport;
use super::layout::Layout;

/// correctionField that means "too big to be represented" (13.3.2.9).
pub const CORRECTION_TOO_BIG: i64 = i64::MAX;

const FLAGS: usize = 6;
const CORRECTION: usize = 8;

/// Adds `scaled` (2^-16 ns) to correctionField.
///
/// A sum that does not fit, of either sign, becomes [`CORRECTION_TOO_BIG`], and that stays whatever is
/// added: no receiver may take it for a number (13.3.2.9).
#[inline]
pub fn add_correction(bytes: &mut [u8], layout: Layout, scaled: i64) {
    replace(bytes, layout, CORRECTION, |old| {
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
    replace(bytes, layout, FLAGS, |[first, second]| {
        [first | TWO_STEP, second]
    });
}

/// Computes the whole UDP checksum, for a datagram whose sender left it unfinished. Before other edits
/// or after them: what stood in the field does not count.
///
/// With an IPv6 routing header the sum is over the address in the IPv6 header: right once the last
/// segment is reached, as it is wherever PTP is spoken.
pub fn complete_checksum(bytes: &mut [u8], layout: Layout) {
    let Some(udp) = layout.udp_offset() else {
        return;
    };
    let Some(checksum) = full_checksum(bytes, layout, udp) else {
        return;
    };
    if let Some(field) = bytes.get_mut(udp + 6..udp + 8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

fn full_checksum(bytes: &[u8], layout: Layout, udp: usize) -> Option<u16> {
    let network = bytes.get(layout.network_offset()..)?;
    let datagram = bytes.get(udp..layout.ptp_offset() + layout.carried_len())?;
    let len = u16::try_from(datagram.len()).ok()?;
    let pseudo = match layout.transport() {
        Transport::Ethernet => return None,
        Transport::Udp4 => {
            let source: [u8; 4] = *network.get(12..)?.first_chunk()?;
            let destination: [u8; 4] = *network.get(16..)?.first_chunk()?;
            Sum::pseudo_v4(Ipv4Addr::from(source), Ipv4Addr::from(destination), len)
        }
        Transport::Udp6 => {
            let source: [u8; 16] = *network.get(8..)?.first_chunk()?;
            let destination: [u8; 16] = *network.get(24..)?.first_chunk()?;
            Sum::pseudo_v6(Ipv6Addr::from(source), Ipv6Addr::from(destination), len)
        }
    };
    let sum = pseudo.add(datagram.get(..6)?).add(datagram.get(8..)?);
    Some(sum.udp())
}

/// Replaces N octets at an even offset of the message, and updates the UDP checksum. Octets that stay
/// the same leave the checksum as it is, valid or not.
#[inline]
fn replace<const N: usize>(
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
    if layout.transport() == Transport::Ethernet {
        return;
    }
    let Some(checksum) = outer.last_chunk_mut::<2>() else {
        return;
    };
    let before = u16::from_be_bytes(*checksum);
    if before == 0 && layout.transport() == Transport::Udp4 {
        return;
    }
    *checksum = checksum::update(before, &old, &new).to_be_bytes();
}
