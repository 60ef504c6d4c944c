//! Walks the frames of a receive ring and puts stripped VLAN tags back.

use std::mem::offset_of;

use crate::engine::FRAMES_AHEAD;
use crate::ring::map::{AFTER_HEADER, FrameMap};

/// Bytes that the kernel leaves free before a frame (PACKET_RESERVE): one VLAN tag.
pub(super) const RESERVE: u32 = 4;

/// Of a slot's body, what a PTP message of the usual length takes: address, alignment, and the frame.
const LOOKED_AT: usize = 140;

/// Slots whose memory is asked for ahead: the next one that is read, and one more.
const AHEAD: u32 = FRAMES_AHEAD + 1;

/// The walk over a receive ring. Frames are lent one at a time, in order.
#[derive(Debug)]
pub(super) struct RxSlots {
    map: FrameMap,
    next: u32,
    lent: bool,
    malformed: u64,
}

/// A frame of the ring, with its header's values.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    /// From the destination MAC on, the stripped tag back in its place.
    pub(super) bytes: &'a [u8],
    /// TP_STATUS_* bits.
    pub(super) status: u32,
    pub(super) seconds: u32,
    pub(super) nanoseconds: u32,
    /// A tag was put back.
    pub(super) tagged: bool,
    /// Bytes of the frame on the wire, its tag included.
    pub(super) length: usize,
    /// That is more than are lent.
    pub(super) truncated: bool,
    /// Its whole is in the socket's queue.
    pub(super) copied: bool,
    /// PACKET_HOST and kin.
    pub(super) packet_type: u8,
}

impl RxSlots {
    pub(super) const fn new(map: FrameMap) -> Self {
        Self {
            map,
            next: 0,
            lent: false,
            malformed: 0,
        }
    }

    /// The walk of another process over the same ring, from where that one is.
    pub(super) fn at(map: FrameMap, next: u32) -> Self {
        Self {
            next,
            ..Self::new(map)
        }
    }

    /// Frames of the ring.
    pub(super) const fn frames(&self) -> u32 {
        self.map.frames()
    }

    /// Bytes of each.
    pub(super) fn frame_size(&self) -> u32 {
        u32::try_from(self.map.frame_size()).unwrap_or(u32::MAX)
    }

    /// Gives the frame that is lent back. Where the walk goes on.
    pub(super) fn settle(&mut self) -> u32 {
        if self.lent {
            self.give_back();
        }
        self.next
    }

    /// The next frame. The one before goes back to the kernel first.
    pub(super) fn take(&mut self) -> Option<Lent<'_>> {
        if self.lent {
            self.give_back();
        }
        let (status, placed) = loop {
            let status = self.map.status(self.next);
            if status & libc::TP_STATUS_USER == 0 {
                return None;
            }
            if let Some(placed) = self.place(status) {
                break (status, placed);
            }
            // Not a frame that this kernel interface describes: skipped, so that the ring goes on.
            self.malformed += 1;
            self.give_back();
        };
        self.lent = true;
        self.map.prefetch(self.next.wrapping_add(AHEAD), LOOKED_AT);
        let header = self.map.header(self.next);
        let body = self.map.body(self.next);
        let tagged = status & libc::TP_STATUS_VLAN_VALID != 0;
        let length = usize::try_from(header.tp_len).ok()? + if tagged { TAG } else { 0 };
        Some(Lent {
            bytes: body.get(placed.start..placed.end)?,
            status,
            seconds: header.tp_sec,
            nanoseconds: header.tp_nsec,
            tagged,
            length,
            truncated: header.tp_snaplen < header.tp_len,
            copied: status & libc::TP_STATUS_COPY != 0,
            packet_type: body
                .get(offset_of!(libc::sockaddr_ll, sll_pkttype))
                .copied()
                .unwrap_or(libc::PACKET_OTHERHOST),
        })
    }

    /// The bytes of the frame that is lent at the `ahead`-th call of [`Self::take`] after the next, if it is here
    /// and had no tag.
    pub(super) fn peek(&self, ahead: u32) -> Option<&[u8]> {
        let ahead = ahead.checked_add(u32::from(self.lent))?;
        if ahead >= self.map.frames() {
            return None;
        }
        let slot = self.next.wrapping_add(ahead);
        let status = self.map.status(slot);
        if status & (libc::TP_STATUS_USER | libc::TP_STATUS_VLAN_VALID) != libc::TP_STATUS_USER {
            return None;
        }
        let header = self.map.header(slot);
        let start = usize::from(header.tp_mac).checked_sub(AFTER_HEADER)?;
        let end = start.checked_add(usize::try_from(header.tp_snaplen).ok()?)?;
        self.map.body(slot).get(start..end)
    }

    /// Slots whose header made no sense; always 0 with a sane kernel.
    pub(super) const fn malformed(&self) -> u64 {
        self.malformed
    }

    fn give_back(&mut self) {
        self.map.set_status(self.next, libc::TP_STATUS_KERNEL);
        self.next = self.next.wrapping_add(1);
        self.lent = false;
    }

    /// Where the frame lies within the slot's body, once its stripped tag is back in place.
    fn place(&mut self, status: u32) -> Option<std::ops::Range<usize>> {
        let header = self.map.header(self.next);
        let start = usize::from(header.tp_mac).checked_sub(AFTER_HEADER)?;
        let end = start.checked_add(usize::try_from(header.tp_snaplen).ok()?)?;
        let body = self.map.body_mut(self.next);
        if end > body.len() {
            return None;
        }
        if status & libc::TP_STATUS_VLAN_VALID == 0 {
            return Some(start..end);
        }
        let tpid = if status & libc::TP_STATUS_VLAN_TPID_VALID == 0 {
            0x8100
        } else {
            header.tp_vlan_tpid
        };
        let tagged = start.checked_sub(TAG)?;
        // The addresses move forward; the tag fills the gap between them and the EtherType. The address
        // structure that the kernel left before the frame must stay whole.
        if tagged < size_of::<libc::sockaddr_ll>() || end < start + ADDRESSES {
            return None;
        }
        body.copy_within(start..start + ADDRESSES, tagged);
        let gap = body.get_mut(tagged + ADDRESSES..start + ADDRESSES)?;
        let (to_tpid, to_tci) = gap.split_first_chunk_mut::<2>()?;
        *to_tpid = tpid.to_be_bytes();
        to_tci.copy_from_slice(&header.tp_vlan_tci.to_be_bytes());
        Some(tagged..end)
    }
}

pub(super) const ADDRESSES: usize = 12;
pub(super) const TAG: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const FRAMES: u32 = 8;
    const SIZE: usize = 256;
    /// Where the kernel puts an Ethernet header: TPACKET_ALIGN(TPACKET2_HDRLEN + 16) + RESERVE - 14.
    const MAC: usize = 80 + RESERVE as usize - 14;

    /// What the kernel does with a receive ring (tpacket_rcv).
    struct Kernel {
        head: u32,
        dropped: u64,
    }

    impl Kernel {
        fn deliver(&mut self, map: &mut FrameMap, wire: &[u8], tag: Option<(u16, u16)>) -> bool {
            if map.status(self.head) != libc::TP_STATUS_KERNEL {
                self.dropped += 1;
                return false;
            }
            let kept = wire.len().min(SIZE - MAC);
            map.body_mut(self.head)[MAC - AFTER_HEADER..][..kept].copy_from_slice(&wire[..kept]);
            map.body_mut(self.head)[10] = libc::PACKET_MULTICAST;
            let mut header = map.header(self.head);
            header.tp_len = u32::try_from(wire.len()).unwrap();
            header.tp_snaplen = u32::try_from(kept).unwrap();
            header.tp_mac = u16::try_from(MAC).unwrap();
            header.tp_sec = 7;
            header.tp_nsec = self.head;
            let mut status = libc::TP_STATUS_USER | libc::TP_STATUS_TS_SOFTWARE;
            if let Some((tpid, tci)) = tag {
                header.tp_vlan_tpid = tpid;
                header.tp_vlan_tci = tci;
                status |= libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;
            }
            map.write_header(self.head, header);
            map.set_status(self.head, status);
            self.head = self.head.wrapping_add(1);
            true
        }
    }

    fn ring() -> (RxSlots, Kernel) {
        let slots = RxSlots::new(FrameMap::in_memory(FRAMES, SIZE));
        (
            slots,
            Kernel {
                head: 0,
                dropped: 0,
            },
        )
    }

    fn tagged(wire: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
        let mut bytes = wire[..12].to_vec();
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
        bytes.extend(&wire[12..]);
        bytes
    }

    #[test]
    fn tag_returns_to_its_place() {
        let wire: Vec<u8> = (0..60).collect();
        for (tpid, tci) in [(0x8100, 0), (0x8100, 0xEFFF), (0x88A8, 5)] {
            let (mut slots, mut kernel) = ring();
            kernel.deliver(&mut slots.map, &wire, Some((tpid, tci)));
            let lent = slots.take().unwrap();
            assert_eq!(lent.bytes, tagged(&wire, tpid, tci));
            assert_eq!(lent.packet_type, libc::PACKET_MULTICAST);
            assert!(!lent.truncated);
        }
    }

    #[test]
    fn nonsense_is_skipped_and_the_ring_goes_on() {
        let good = [9; 60];
        for (mac, length, tag) in [
            (0, 60, false),
            (31, 60, false),
            (255, 60, false),
            (70, u32::MAX, false),
            (70, 200, false),
            (52, 60, true),
            (34, 60, true),
            (70, 11, true),
        ] {
            let (mut slots, mut kernel) = ring();
            let tag = tag.then_some((0x8100, 1));
            kernel.deliver(&mut slots.map, &good, tag);
            let mut header = slots.map.header(0);
            header.tp_mac = mac;
            header.tp_snaplen = length;
            let status = slots.map.status(0);
            slots.map.write_header(0, header);
            slots.map.set_status(0, status);
            kernel.deliver(&mut slots.map, &good, None);
            let look = slots.peek(0).map(<[u8]>::len);
            assert!(look.is_none_or(|len| len <= SIZE), "{mac} {length}");
            assert_eq!(slots.take().unwrap().bytes, good, "{mac} {length}");
            assert_eq!(slots.malformed(), 1);
            assert_eq!(slots.map.status(0), libc::TP_STATUS_KERNEL);
        }
    }

    proptest! {
        /// Against a queue: same frames, same order, full means dropped, one slot is lent at most. A look
        /// ahead shows what comes, but for frames with a tag.
        #[test]
        fn behaves_like_a_bounded_queue(
            steps in proptest::collection::vec((any::<bool>(), 14_usize..300, 0_u8..3), 0..200)
        ) {
            let (mut slots, mut kernel) = ring();
            let (mut twin, mut tags) = (VecDeque::new(), VecDeque::new());
            let mut lent = false;
            for (number, (deliver, length, tag)) in steps.into_iter().enumerate() {
                if deliver {
                    #[expect(clippy::cast_possible_truncation, reason = "any byte will do")]
                    let wire = vec![number as u8; length];
                    let tag = [None, Some((0x8100, 0x2001)), Some((0x88A8, 7))][usize::from(tag)];
                    let room = twin.len() + usize::from(lent) < FRAMES as usize;
                    prop_assert_eq!(kernel.deliver(&mut slots.map, &wire, tag), room);
                    if room {
                        let kept = &wire[..length.min(SIZE - MAC)];
                        let seen = tag.map_or(kept.to_vec(), |(tpid, tci)| tagged(kept, tpid, tci));
                        twin.push_back((seen, length > kept.len()));
                        tags.push_back(tag.is_some());
                    }
                } else {
                    tags.pop_front();
                    let expected = twin.pop_front();
                    lent = expected.is_some();
                    let got = slots.take().map(|lent| (lent.bytes.to_vec(), lent.truncated));
                    prop_assert_eq!(got, expected);
                }
                for ahead in 0..=FRAMES + 1 {
                    let at = ahead as usize;
                    let tagged = tags.get(at).copied().unwrap_or(true);
                    let comes = twin.get(at).filter(|_| !tagged).map(|(seen, _)| &seen[..]);
                    prop_assert_eq!(slots.peek(ahead), comes);
                }
                prop_assert_eq!(slots.peek(u32::MAX), None);
            }
            prop_assert_eq!(slots.malformed(), 0);
        }
    }
}
