//! The AUTHENTICATION TLV (IEEE 1588-2019, 16.14.3): read in place, its check value replaced, one added.

use super::edit;
use super::follow_up;
use super::frame::Frame;
use super::lane::Transport;
use super::layout::Layout;
use super::tlv;

/// Bytes of a TLV's type and length.
const HEAD: usize = 4;
/// Bytes of the TLV in front of its optional fields: head, SPP, secParamIndicator, keyID.
const FIXED: usize = HEAD + 6;
/// secParamIndicator's bits that say which optional fields are there: RES, sequenceNo, disclosedKey.
const OPTIONAL: u8 = 0x07;

/// What an AUTHENTICATION TLV says, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication<'a> {
    spp: u8,
    indicator: u8,
    key_id: u32,
    /// Offset of the TLV in the message.
    at: u16,
    /// What follows keyID.
    fields: &'a [u8],
}

/// Why a message has no AUTHENTICATION TLV to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoAuthentication {
    /// It has none.
    Missing,
    /// It has one, and a length in it or in a TLV beside it is wrong.
    Malformed,
    /// It has more than one.
    Several,
    /// Another TLV follows it, outside of what it protects.
    NotLast,
}

impl<'a> Authentication<'a> {
    /// securityParameterPointer: names the security association.
    #[must_use]
    pub const fn spp(&self) -> u8 {
        self.spp
    }

    /// keyID.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// Does secParamIndicator announce a disclosedKey, sequenceNo or RES field? Their lengths are not in
    /// the message: only the security association knows them.
    #[must_use]
    pub const fn has_optional_fields(&self) -> bool {
        self.indicator & OPTIONAL != 0
    }

    /// What follows keyID: without optional fields the ICV.
    #[must_use]
    pub const fn icv(&self) -> &'a [u8] {
        self.fields
    }

    /// Offset of [`Self::icv`] in the message: without optional fields the ICV covers all in front of it.
    #[must_use]
    pub const fn icv_offset(&self) -> usize {
        self.at as usize + FIXED
    }

    /// Reads the value of a TLV at offset `at` of its message.
    fn from_value(at: usize, value: &'a [u8]) -> Option<Self> {
        let (&[spp, indicator, a, b, c, d], fields) = value.split_first_chunk()?;
        // The standard's TLVs are even in length; an odd one would put the ICV across checksum words.
        if !at.is_multiple_of(2) || !value.len().is_multiple_of(2) {
            return None;
        }
        Some(Self {
            spp,
            indicator,
            key_id: u32::from_be_bytes([a, b, c, d]),
            at: u16::try_from(at).ok()?,
            fields,
        })
    }
}

impl<'a> Frame<'a> {
    /// The PTP message, from its header to messageLength.
    #[must_use]
    pub fn message(&self) -> &'a [u8] {
        let (at, len) = (self.layout().ptp_offset(), self.layout().message_len());
        self.bytes().get(at..at + len).unwrap_or_default()
    }

    /// The one AUTHENTICATION TLV, if it is the last TLV of the message.
    ///
    /// # Errors
    /// Why there is none to go by. What follows a broken TLV is not looked at: a message whose TLVs break
    /// off before an AUTHENTICATION TLV has none.
    pub fn authentication(&self) -> Result<Authentication<'a>, NoAuthentication> {
        let mut at = self.message_type().min_len();
        let mut found = None;
        let mut after = false;
        let mut tlvs = self.tlvs();
        for (kind, value) in tlvs.by_ref() {
            if kind == tlv::AUTHENTICATION {
                if found.is_some() {
                    return Err(NoAuthentication::Several);
                }
                found = Some((at, value));
            } else {
                after = found.is_some();
            }
            at += HEAD + value.len();
        }
        let (at, value) = found.ok_or(NoAuthentication::Missing)?;
        if tlvs.malformed() {
            return Err(NoAuthentication::Malformed);
        }
        if after {
            return Err(NoAuthentication::NotLast);
        }
        Authentication::from_value(at, value).ok_or(NoAuthentication::Malformed)
    }
}

/// Replaces the ICV at an even offset of the message and updates the UDP checksum. ICVs are of 16 or 32
/// bytes; of another length, or beyond the bytes, nothing is replaced.
pub fn set_icv(bytes: &mut [u8], layout: Layout, at: usize, icv: &[u8]) {
    if let Ok(icv) = <[u8; 16]>::try_from(icv) {
        edit::replace(bytes, layout, at, |_| icv);
    } else if let Ok(icv) = <[u8; 32]>::try_from(icv) {
        edit::replace(bytes, layout, at, |_| icv);
    }
}

/// Adds an AUTHENTICATION TLV with an ICV of zeros behind a general message that fills `bytes` up to
/// its layout's end, and makes all lengths and checksums fit.
///
/// Returns the length of the frame then, its layout, and the offset of the ICV in the message. `None` if
/// `bytes` is too small, `icv_len` is odd, the message is an event message (its UDP ports would change),
/// or an IP authentication header covers it.
pub fn append(
    bytes: &mut [u8],
    layout: Layout,
    spp: u8,
    key_id: u32,
    icv_len: usize,
) -> Option<(usize, Layout, usize)> {
    if layout.message_type().is_event() || layout.sealed || !icv_len.is_multiple_of(2) {
        return None;
    }
    let message_end = layout.ptp_offset() + layout.message_len();
    let trailing = match layout.transport() {
        // Padding, no longer needed: a signed message is longer than the least frame.
        Transport::Ethernet => 0,
        Transport::Udp4 | Transport::Udp6 => layout.carried_len() - layout.message_len(),
    };
    let added = FIXED + icv_len;
    let end = message_end + added + trailing;
    let out = bytes.get_mut(..end)?;
    out.copy_within(message_end..message_end + trailing, message_end + added);
    let tlv = out.get_mut(message_end..message_end + added)?;
    tlv.fill(0);
    tlv[..2].copy_from_slice(&tlv::AUTHENTICATION.to_be_bytes());
    tlv[2..4].copy_from_slice(&u16::try_from(added - HEAD).ok()?.to_be_bytes());
    tlv[4] = spp;
    tlv[6..10].copy_from_slice(&key_id.to_be_bytes());

    let message = u16::try_from(layout.message_len() + added).ok()?;
    let layout = Layout {
        message,
        carried: message.checked_add(u16::try_from(trailing).ok()?)?,
        ..layout
    };
    let ptp = layout.ptp_offset();
    out.get_mut(ptp + 2..ptp + 4)?
        .copy_from_slice(&message.to_be_bytes());
    if let Some(udp) = layout.udp_offset() {
        follow_up::address(out, layout, udp)?;
    }
    Some((end, layout, layout.message_len() - icv_len))
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{MessageType, edit};
    use super::*;
    use proptest::prelude::*;

    /// An AUTHENTICATION TLV with these bytes behind its keyID.
    fn tlv(indicator: u8, fields: &[u8]) -> Vec<u8> {
        let len = u16::try_from(6 + fields.len()).expect("short");
        let mut tlv = [[0x80, 9], len.to_be_bytes()].concat();
        tlv.extend([3, indicator, 0xDE, 0xAD, 0xBE, 0xEF]);
        tlv.extend(fields);
        tlv
    }

    fn read(suffix: &[u8]) -> Result<(u8, u32, bool, Vec<u8>, usize), NoAuthentication> {
        let message = message_with(MessageType::FollowUp, suffix);
        let bytes = Sample::new(Transport::Udp4, message).bytes();
        let frame = Frame::parse(&bytes).expect("a frame");
        frame.authentication().map(|found| {
            let (at, icv) = (found.icv_offset(), found.icv());
            assert_eq!(&frame.message()[at..at + icv.len()], icv);
            let optional = found.has_optional_fields();
            (found.spp(), found.key_id(), optional, icv.to_vec(), at)
        })
    }

    #[test]
    fn one_tlv_at_the_end() {
        let id = 0xDEAD_BEEF;
        let icv = vec![7; 16];
        let alone = tlv(0, &icv);
        assert_eq!(read(&alone), Ok((3, id, false, icv.clone(), 54)));
        let other = [0, 3, 0, 2, 1, 2];
        let behind = [&other[..], &alone].concat();
        assert_eq!(read(&behind), Ok((3, id, false, icv.clone(), 60)));
        for indicator in [1, 2, 4, 7, 0xFF] {
            let (_, _, optional, _, _) = read(&tlv(indicator, &icv)).expect("a TLV");
            assert!(optional, "{indicator}");
        }
        // Reserved bits announce nothing.
        assert_eq!(read(&tlv(0xF8, &icv)), Ok((3, id, false, icv, 54)));
    }

    #[test]
    fn none_several_not_last_or_malformed() {
        use NoAuthentication::*;
        let (alone, other) = (tlv(0, &[7; 16]), [0, 3, 0, 2, 1, 2]);
        let odd_other = [0, 3, 0, 1, 9];
        for (suffix, expected) in [
            (vec![], Missing),
            (other.to_vec(), Missing),
            // What stands behind a broken TLV is no TLV.
            ([&[0, 3, 0xFF, 0][..], &alone].concat(), Missing),
            (alone.repeat(2), Several),
            ([&alone[..], &other, &alone].concat(), Several),
            ([&alone[..], &other].concat(), NotLast),
            ([&alone[..], &[0, 0]].concat(), Malformed),
            ([&alone[..], &[0, 3, 0, 2, 1]].concat(), Malformed),
            // keyID is cut; the value is odd; an odd TLV stands before it.
            (vec![0x80, 9, 0, 4, 0, 0, 0, 0], Malformed),
            (tlv(0, &[7; 15]), Malformed),
            ([&odd_other[..], &alone].concat(), Malformed),
        ] {
            assert_eq!(read(&suffix), Err(expected), "{suffix:x?}");
        }
        // No field behind keyID: a TLV, with an ICV of no bytes.
        assert_eq!(read(&tlv(0, &[])).map(|found| found.3), Ok(vec![]));
    }

    #[test]
    fn a_tlv_is_added_to_every_kind_of_frame() {
        for transport in TRANSPORTS {
            for tags in TAGS {
                for icv_len in [16, 32] {
                    let sync = Sample::new(transport, message(MessageType::Sync)).tags(tags);
                    let sync = sync.bytes();
                    let mut out = [0xEE; 256];
                    let sync = Frame::parse(&sync).expect("a Sync");
                    let len = edit::follow_up(&sync, &mut out).expect("a Follow_Up");
                    let before = out[..len].to_vec();
                    let made = Frame::parse(&before).expect("a frame");
                    let room = &mut out[..];
                    let (end, layout, at) =
                        append(room, made.layout(), 9, 0x0102_0304, icv_len).expect("room");
                    set_icv(room, layout, at, &vec![0xA7; icv_len]);
                    assert!(out[end.max(len)..].iter().all(|&byte| byte == 0xEE));

                    let frame = Frame::parse(&out[..end]).expect("a frame");
                    assert_eq!(frame.layout(), layout);
                    let found = frame.authentication().expect("a TLV");
                    assert_eq!((found.spp(), found.key_id()), (9, 0x0102_0304));
                    assert_eq!(found.icv(), vec![0xA7; icv_len]);
                    assert_eq!(found.icv_offset(), at);
                    assert!(!found.has_optional_fields());
                    // All else of the message is as before, and the trailing bytes are.
                    let (old, new) = (made.message(), frame.message());
                    assert_eq!(new[..2], old[..2]);
                    assert_eq!(new[4..old.len()], old[4..]);
                    if transport != Transport::Ethernet {
                        let trailing = made.trailing_len();
                        assert_eq!(frame.trailing_len(), trailing);
                        assert_eq!(out[end - trailing..end], before[len - trailing..]);
                    }
                    // Checksums are right: completing them again changes nothing.
                    let mut completed = out[..end].to_vec();
                    edit::complete_checksum(&mut completed, layout);
                    assert_eq!(completed, out[..end]);
                    if transport == Transport::Udp4 {
                        let ip = layout.network_offset();
                        assert_eq!(checksum(&[&out[ip..ip + 20]]), 0);
                    }
                    let mut small = before.clone();
                    small.resize(end - 1, 0);
                    assert_eq!(append(&mut small, made.layout(), 9, 1, icv_len), None);
                }
            }
        }
        let mut event = Sample::new(Transport::Udp4, message(MessageType::Sync)).bytes();
        let layout = Frame::parse(&event).expect("a Sync").layout();
        event.resize(256, 0);
        assert_eq!(append(&mut event, layout, 0, 1, 16), None);
    }

    proptest! {
        /// Any bytes where TLVs are expected: nothing panics, and what is found is where it is said to be.
        #[test]
        fn any_suffix_is_survived(suffix in prop::collection::vec(any::<u8>(), 0..80), start in 0..3_usize) {
            let mut suffix = suffix;
            let len = 4 + u8::try_from(suffix.len() % 64).expect("small");
            if start > 0 && suffix.len() >= 4 {
                suffix[..4].copy_from_slice(&[0x80, 9, 0, len]);
            }
            if let Ok((_, _, _, icv, at)) = read(&suffix) {
                prop_assert_eq!(at + icv.len(), 44 + suffix.len());
            }
        }

        /// Only the ICV and the UDP checksum change, and the checksum stays as right as it was.
        #[test]
        fn an_icv_is_replaced_in_place(
            transport in prop::sample::select(&TRANSPORTS[..]),
            long in any::<bool>(),
            icv in any::<[u8; 32]>(),
        ) {
            let icv = &icv[..if long { 32 } else { 16 }];
            let message = message_with(MessageType::DelayResp, &tlv(0, &vec![0x11; icv.len()]));
            let before = Sample::new(transport, message).bytes();
            let frame = Frame::parse(&before).expect("a frame");
            let (layout, at) = (frame.layout(), frame.authentication().expect("a TLV").icv_offset());
            let mut after = before.clone();
            set_icv(&mut after, layout, at, icv);
            let mut completed = after.clone();
            edit::complete_checksum(&mut completed, layout);
            prop_assert_eq!(&completed, &after);
            prop_assert_eq!(Frame::parse(&after).expect("a frame").authentication().expect("a TLV").icv(), icv);
            let ptp = layout.ptp_offset();
            for byte in (0..before.len()).filter(|byte| !(ptp - 2..ptp).contains(byte)) {
                let inside = (ptp + at..ptp + at + icv.len()).contains(&byte);
                prop_assert!(inside || before[byte] == after[byte]);
            }
            // Another length, or beyond the frame: left alone.
            let kept = after.clone();
            set_icv(&mut after, layout, at, &icv[..8]);
            set_icv(&mut after, layout, before.len(), icv);
            prop_assert_eq!(after, kept);
        }
    }
}
