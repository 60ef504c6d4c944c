//! Fills the frames of a transmit ring in batches, and takes back what the kernel did not send.

use crate::ring::map::{AFTER_HEADER, FrameMap};

/// A `struct virtio_net_hdr` stands in front of each frame (PACKET_VNET_HDR).
///
/// All it says is `hdr_len`, how much of the frame the kernel copies into the packet's own memory: all of
/// it. Else all but the Ethernet header stays in the ring's pages, and a virtual interface copies those
/// between the transmit stamp and the receiver's, a microsecond that the two directions do not share.
const VNET_HEADER: usize = 10;
const VNET_HEADER_LENGTH: u32 = 10;
/// Where `hdr_len` is in it, in the machine's byte order.
const LINEAR: std::ops::Range<usize> = 2..4;

/// Of a slot's body, what a PTP message of the usual length takes.
const FILLED: usize = 110;

/// The walk over a transmit ring: `head` is the next frame to fill, the batch lies right before it.
///
/// The kernel walks strictly in order and stops at the first frame that it cannot send; so what it
/// left of a batch is a tail, and rewinding to its start keeps both walks at the same frame.
#[derive(Debug)]
pub(super) struct TxSlots {
    map: FrameMap,
    head: u32,
    batch: u32,
    batch_bytes: usize,
    /// No frame before this one is with the kernel.
    oldest: u32,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// Frames from the batch's start that the kernel took.
    pub(super) taken: u32,
    /// Frames after them, taken back.
    pub(super) left: u32,
    /// The kernel's count of bytes agrees with the frames it took: it skipped none.
    pub(super) exact: bool,
}

impl TxSlots {
    pub(super) const fn new(map: FrameMap) -> Self {
        Self {
            map,
            head: 0,
            batch: 0,
            batch_bytes: 0,
            oldest: 0,
        }
    }

    /// Goes on where another process was, without a batch.
    pub(super) const fn go_to(&mut self, (head, oldest): (u32, u32)) {
        (self.head, self.oldest) = (head, oldest);
    }

    /// Bytes of each frame, its header included.
    pub(super) fn frame_size(&self) -> u32 {
        u32::try_from(self.map.frame_size()).unwrap_or(u32::MAX)
    }

    /// Where the walk goes on, and the first frame that may be with the kernel. There is no batch.
    pub(super) const fn position(&self) -> (u32, u32) {
        (self.head, self.oldest)
    }

    /// Bytes that one frame holds.
    pub(super) const fn capacity(&self) -> usize {
        self.map.frame_size() - AFTER_HEADER - VNET_HEADER
    }

    /// Frames in the batch.
    pub(super) const fn queued(&self) -> u32 {
        self.batch
    }

    /// Frames of the ring.
    pub(super) const fn frames(&self) -> u32 {
        self.map.frames()
    }

    /// Space for the next frame, unless the kernel (or the batch) still holds it.
    pub(super) fn free(&mut self) -> Option<&mut [u8]> {
        if self.map.status(self.head) & BUSY != 0 {
            return None;
        }
        self.map.body_mut(self.head).get_mut(VNET_HEADER..)
    }

    /// Whether the frame after the next one is free too.
    pub(super) fn is_next_free(&self) -> bool {
        self.map.status(self.head.wrapping_add(1)) & BUSY == 0
    }

    /// The bytes of the next frame, for a look before [`Self::commit`].
    pub(super) fn peek(&self) -> &[u8] {
        self.map
            .body(self.head)
            .get(VNET_HEADER..)
            .unwrap_or_default()
    }

    /// Adds the next frame to the batch with its first `len` bytes, which must be within capacity.
    /// A frame that is not free is left alone.
    pub(super) fn commit(&mut self, len: usize) -> bool {
        let Ok(linear) = u16::try_from(len) else {
            return false;
        };
        if len > self.capacity() || self.map.status(self.head) & BUSY != 0 {
            return false;
        }
        if let Some(field) = self.map.body_mut(self.head).get_mut(LINEAR) {
            field.copy_from_slice(&linear.to_ne_bytes());
        }
        self.map
            .set_length(self.head, u32::from(linear) + VNET_HEADER_LENGTH);
        self.map.set_status(self.head, libc::TP_STATUS_SEND_REQUEST);
        self.head = self.head.wrapping_add(1);
        self.map.prefetch(self.head.wrapping_add(1), FILLED);
        self.batch += 1;
        self.batch_bytes += len;
        true
    }

    /// Whether the kernel has not given back every frame of earlier batches. It gives them back in order,
    /// or nearly so.
    pub(super) fn held(&mut self) -> bool {
        let batch_start = self.head.wrapping_sub(self.batch);
        // A lap later the same places hold newer frames.
        if batch_start.wrapping_sub(self.oldest) > self.map.frames() {
            self.oldest = batch_start.wrapping_sub(self.map.frames());
        }
        while self.oldest != batch_start {
            if self.map.status(self.oldest) & BUSY != 0 {
                return true;
            }
            self.oldest = self.oldest.wrapping_add(1);
        }
        false
    }

    /// Ends the batch after a kick that returned `bytes` (`None`: an error).
    pub(super) fn settle(&mut self, bytes: Option<usize>) -> Settled {
        let batch = std::mem::take(&mut self.batch);
        let batch_bytes = std::mem::take(&mut self.batch_bytes);
        if bytes == Some(batch_bytes) {
            return Settled {
                taken: batch,
                left: 0,
                exact: true,
            };
        }
        let start = self.head.wrapping_sub(batch);
        let mut taken = 0;
        let mut taken_bytes = 0;
        while taken < batch {
            let frame = start.wrapping_add(taken);
            if self.map.status(frame) & WAITING != 0 {
                break;
            }
            taken_bytes += (self.map.header(frame).tp_len as usize).saturating_sub(VNET_HEADER);
            taken += 1;
        }
        // From the last to the first: were the kernel to look now, it would find no gap to stop at.
        for back in (taken..batch).rev() {
            self.map
                .set_status(start.wrapping_add(back), libc::TP_STATUS_AVAILABLE);
        }
        self.head = start.wrapping_add(taken);
        Settled {
            taken,
            left: batch - taken,
            exact: bytes == Some(taken_bytes),
        }
    }
}

/// Not ours to fill. The higher bits are about timestamps and may stay set in a free frame.
const BUSY: u32 =
    libc::TP_STATUS_SEND_REQUEST | libc::TP_STATUS_SENDING | libc::TP_STATUS_WRONG_FORMAT;

/// Not taken by the kernel.
const WAITING: u32 = libc::TP_STATUS_SEND_REQUEST | libc::TP_STATUS_WRONG_FORMAT;

#[cfg(test)]
pub(super) mod model {
    use super::*;

    /// What the kernel does with a transmit ring (tpacket_snd).
    #[derive(Debug, Default)]
    pub(super) struct Kernel {
        pub(super) head: u32,
        /// Frames handed to the interface and not released yet.
        pub(super) in_flight: std::collections::VecDeque<u32>,
        pub(super) wire: Vec<Vec<u8>>,
    }

    /// What becomes of a frame at the interface.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Fate {
        Sent,
        /// No memory for a packet: the frame stays.
        NoBuffer,
        /// The queue dropped it: the packet is gone, the frame stays.
        Dropped,
        /// Refused with PACKET_LOSS: skipped.
        Skipped,
    }

    impl Kernel {
        /// One kick: bytes, or an error. The fates are those of the frames from the first on.
        pub(super) fn kick(
            &mut self,
            slots: &mut TxSlots,
            mut fate: impl FnMut() -> Fate,
        ) -> Option<usize> {
            let mut sum = 0;
            while slots.map.status(self.head) == libc::TP_STATUS_SEND_REQUEST {
                let length = slots.map.header(self.head).tp_len as usize - VNET_HEADER;
                let body = slots.map.body(self.head);
                let linear = u16::from_ne_bytes([body[2], body[3]]);
                assert_eq!(usize::from(linear), length, "all of it is copied");
                match fate() {
                    Fate::Sent => {
                        let body = &slots.map.body(self.head)[VNET_HEADER..];
                        self.wire.push(body[..length].to_vec());
                        slots.map.set_status(self.head, libc::TP_STATUS_SENDING);
                        self.in_flight.push_back(self.head);
                        sum += length;
                    }
                    Fate::NoBuffer => return (sum > 0).then_some(sum),
                    Fate::Dropped => return None,
                    Fate::Skipped => slots.map.set_status(self.head, libc::TP_STATUS_AVAILABLE),
                }
                self.head = self.head.wrapping_add(1);
            }
            Some(sum)
        }

        /// The interface is done with its oldest frame.
        pub(super) fn release(&mut self, slots: &mut TxSlots) {
            if let Some(frame) = self.in_flight.pop_front() {
                // The kernel leaves the stamp's flag in the word.
                slots.map.set_status(
                    frame,
                    libc::TP_STATUS_AVAILABLE | libc::TP_STATUS_TS_SOFTWARE,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::model::{Fate, Kernel};
    use super::*;
    use proptest::prelude::*;

    const FRAMES: u32 = 8;

    fn fill(slots: &mut TxSlots, number: u64, len: usize) -> bool {
        let Some(space) = slots.free() else {
            return false;
        };
        space[..8].copy_from_slice(&number.to_be_bytes());
        space[8..len].fill(0x55);
        slots.commit(len)
    }

    #[test]
    fn oversize_is_no_part_of_the_batch() {
        let mut slots = TxSlots::new(FrameMap::in_memory(FRAMES, 256));
        assert!(!slots.commit(215));
        assert!(slots.commit(214));
        assert_eq!(slots.queued(), 1);
    }

    #[test]
    fn batch_never_laps_itself() {
        let mut slots = TxSlots::new(FrameMap::in_memory(FRAMES, 256));
        for number in 0..u64::from(FRAMES) {
            assert!(fill(&mut slots, number, 60));
        }
        assert!(slots.free().is_none());
        assert!(!slots.commit(60));
        assert_eq!(
            slots.settle(None),
            Settled {
                taken: 0,
                left: FRAMES,
                exact: false
            }
        );
        assert!(slots.free().is_some());
    }

    #[test]
    fn held_until_the_interface_is_done_with_every_frame() {
        let mut slots = TxSlots::new(FrameMap::in_memory(FRAMES, 256));
        let mut kernel = Kernel::default();
        for round in 0..50_u64 {
            assert!(!slots.held(), "round {round}");
            for number in 0..3 {
                assert!(fill(&mut slots, number, 60));
            }
            assert!(!slots.held(), "what was not kicked is ours");
            let bytes = kernel.kick(&mut slots, || Fate::Sent);
            let _ = slots.settle(bytes);
            for _ in 0..3 {
                assert!(slots.held());
                kernel.release(&mut slots);
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Fill(usize),
        Kick(Vec<u8>),
        Release,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (14_usize..214).prop_map(Step::Fill),
            2 => proptest::collection::vec(0_u8..8, 0..9).prop_map(Step::Kick),
            3 => Just(Step::Release),
        ]
    }

    proptest! {
        /// Whatever the kernel sends or refuses: sent frames leave once and in order, the rest never
        /// leaves later, and both walks stay together.
        #[test]
        fn what_is_taken_back_never_leaves(steps in proptest::collection::vec(step(), 0..300)) {
            let mut slots = TxSlots::new(FrameMap::in_memory(FRAMES, 256));
            let mut kernel = Kernel::default();
            let mut number = 0_u64;
            let mut batch = Vec::new();
            let mut expected = Vec::new();
            for step in steps {
                match step {
                    Step::Fill(len) => {
                        let oldest = kernel.in_flight.front().copied().unwrap_or(kernel.head);
                        let room = slots.head.wrapping_sub(oldest) < FRAMES;
                        prop_assert_eq!(fill(&mut slots, number, len.max(8)), room);
                        if room {
                            batch.push(number);
                        }
                        number += 1;
                    }
                    Step::Kick(fates) => {
                        let mut seen = Vec::new();
                        let mut fates = fates.into_iter();
                        let bytes = kernel.kick(&mut slots, || {
                            let fate = match fates.next() {
                                Some(0) => Fate::NoBuffer,
                                Some(1) => Fate::Dropped,
                                Some(2) => Fate::Skipped,
                                _ => Fate::Sent,
                            };
                            seen.push(fate);
                            fate
                        });
                        let stopped = matches!(seen.last(), Some(Fate::NoBuffer | Fate::Dropped));
                        let taken = seen.len() - usize::from(stopped);
                        let settled = slots.settle(bytes);
                        prop_assert_eq!(settled.taken as usize, taken);
                        prop_assert_eq!(settled.left as usize, batch.len() - taken);
                        let skipped = seen.contains(&Fate::Skipped);
                        if settled.exact {
                            prop_assert!(!skipped);
                        } else {
                            prop_assert!(skipped || bytes.is_none());
                        }
                        for (number, fate) in batch.drain(..).zip(seen) {
                            if fate == Fate::Sent {
                                expected.push(number);
                            }
                        }
                        prop_assert_eq!(slots.queued(), 0);
                    }
                    Step::Release => kernel.release(&mut slots),
                }
            }
            let left: Vec<u64> = kernel
                .wire
                .iter()
                .map(|frame| u64::from_be_bytes(frame[..8].try_into().unwrap()))
                .collect();
            prop_assert_eq!(left, expected);
        }
    }
}
