//! How many frames one kick may timestamp: as many as the error queue holds.

/// The room of a socket's error queue, in timestamps.
///
/// The queue is charged to SO_RCVBUF, and what does not fit vanishes without a trace.
#[derive(Debug)]
pub(in crate::ring) struct StampBudget {
    capacity: usize,
    /// Stamps that may be in the queue or on their way to it.
    outstanding: usize,
    /// Stamps of each frame: one, or one by the kernel and one by the hardware.
    per_frame: usize,
}

/// Bytes of receive buffer per stamp. Linux 6.18 on x86-64 charges 832 (255 stamps in 212992 bytes);
/// some room is left for kernels with larger structures.
const COST: usize = 1024;

impl StampBudget {
    /// For a receive buffer of this many bytes, as getsockopt reports it.
    pub(in crate::ring) const fn new(receive_buffer: usize, per_frame: usize) -> Self {
        let capacity = receive_buffer.saturating_sub(1) / COST;
        Self {
            capacity: if capacity == 0 { 1 } else { capacity },
            outstanding: 0,
            per_frame: if per_frame == 0 { 1 } else { per_frame },
        }
    }

    /// From now on each frame has so many stamps.
    pub(super) const fn set_stamps_a_frame(&mut self, per_frame: usize) {
        self.per_frame = if per_frame == 0 { 1 } else { per_frame };
    }

    /// The receive buffer that holds this many stamps, in bytes.
    pub(super) const fn bytes_for(stamps: usize) -> usize {
        stamps.saturating_add(1).saturating_mul(COST)
    }

    /// Frames that the next kick may stamp. At least a quarter of the queue: stamps that were lost must
    /// not stop the ring.
    pub(in crate::ring) fn limit(&self) -> usize {
        let stamps = self.capacity.saturating_sub(self.outstanding);
        (stamps.max(self.capacity / 4) / self.per_frame).max(1)
    }

    /// A kick stamped this many frames.
    pub(super) const fn sent(&mut self, frames: usize) {
        let stamps = frames.saturating_mul(self.per_frame);
        self.outstanding = self.outstanding.saturating_add(stamps);
    }

    /// Stamps that may be in the queue or on their way.
    pub(super) const fn expected(&self) -> usize {
        self.outstanding
    }

    /// The queue was read until it was empty; this many stamps were in it.
    pub(super) const fn drained(&mut self, stamps: usize) {
        self.outstanding = if stamps == 0 {
            // Late or lost: each empty read makes lost more likely.
            self.outstanding / 2
        } else {
            self.outstanding.saturating_sub(stamps)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_buffer_holds_fewer_than_the_kernel_loses() {
        let budget = StampBudget::new(212_992, 1);
        assert!((200..255).contains(&budget.limit()), "{}", budget.limit());
        assert!(StampBudget::new(StampBudget::bytes_for(4096), 1).limit() >= 4096);
        assert_eq!(StampBudget::new(0, 1).limit(), 1);
    }

    #[test]
    fn two_stamps_a_frame_halve_it() {
        let one = StampBudget::new(212_992, 1);
        let mut two = StampBudget::new(212_992, 2);
        assert_eq!(two.limit(), one.limit() / 2);
        two.sent(50);
        assert_eq!(
            (two.limit(), two.expected()),
            ((one.limit() - 100) / 2, 100)
        );
    }

    #[test]
    fn unread_stamps_shrink_the_next_batch_and_lost_ones_do_not_stop_it() {
        let mut budget = StampBudget::new(212_992, 1);
        let whole = budget.limit();
        budget.sent(100);
        assert_eq!(budget.limit(), whole - 100);
        budget.drained(100);
        assert_eq!(budget.limit(), whole);
        for _ in 0..10 {
            budget.sent(budget.limit());
        }
        assert_eq!(budget.limit(), whole / 4);
        for _ in 0..20 {
            budget.drained(0);
        }
        assert_eq!(budget.limit(), whole);
    }
}
