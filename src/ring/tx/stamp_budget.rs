//! How many frames one kick may timestamp: as many as the error queue holds.

/// The room of a socket's error queue, in timestamps.
///
/// The queue is charged to SO_RCVBUF, and what does not fit vanishes without a trace.
#[derive(Debug)]
pub(in crate::ring) struct StampBudget {
    capacity: usize,
    /// Stamps that may be in the queue or on their way to it.
    outstanding: usize,
}

/// Bytes of receive buffer per stamp. Linux 6.18 on x86-64 charges 832 (255 stamps in 212992 bytes);
/// some room is left for kernels with larger structures.
const COST: usize = 1024;

impl StampBudget {
    /// For a receive buffer of this many bytes, as getsockopt reports it.
    pub(in crate::ring) const fn new(receive_buffer: usize) -> Self {
        let capacity = receive_buffer.saturating_sub(1) / COST;
        Self {
            capacity: if capacity == 0 { 1 } else { capacity },
            outstanding: 0,
        }
    }

    /// The receive buffer that holds this many stamps, in bytes.
    pub(super) const fn bytes_for(stamps: usize) -> usize {
        stamps.saturating_add(1).saturating_mul(COST)
    }

    /// Frames that the next kick may stamp. At least a quarter of the queue: stamps that were lost must
    /// not stop the ring.
    pub(in crate::ring) fn limit(&self) -> usize {
        self.capacity
            .saturating_sub(self.outstanding)
            .max(self.capacity / 4)
            .max(1)
    }

    /// A kick stamped this many frames.
    pub(super) const fn sent(&mut self, frames: usize) {
        self.outstanding = self.outstanding.saturating_add(frames);
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
        let budget = StampBudget::new(212_992);
        assert!((200..255).contains(&budget.limit()), "{}", budget.limit());
        assert!(StampBudget::new(StampBudget::bytes_for(4096)).limit() >= 4096);
        assert_eq!(StampBudget::new(0).limit(), 1);
    }

    #[test]
    fn unread_stamps_shrink_the_next_batch_and_lost_ones_do_not_stop_it() {
        let mut budget = StampBudget::new(212_992);
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
