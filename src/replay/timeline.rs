//! Capture time against the virtual clock, which never goes back.

/// The virtual clock starts here, away from zero: what is remembered has a past.
const START_NS: u64 = 1_000_000_000_000;
/// Packets are out of order by less than this (two queues, two interfaces); a greater step back means
/// that the clock of the capturing machine was set.
const REORDERED_NS: u64 = 1_000_000_000;

/// Maps one to the other.
#[derive(Debug)]
pub(super) struct Timeline {
    first_ns: Option<u64>,
    /// Virtual time less capture time.
    offset_ns: i128,
}

impl Timeline {
    pub(super) const fn new() -> Self {
        Self {
            first_ns: None,
            offset_ns: 0,
        }
    }

    /// Virtual time of the start.
    pub(super) const fn start_ns() -> u64 {
        START_NS
    }

    /// When a packet of this capture time arrives, and by how much the capture's clock was set back
    /// before it, if it was. Never before `now_ns`.
    pub(super) fn arrival(&mut self, capture_ns: u64, now_ns: u64) -> (u64, Option<u64>) {
        if self.first_ns.is_none() {
            self.first_ns = Some(capture_ns);
            self.offset_ns = i128::from(now_ns) - i128::from(capture_ns);
        }
        let virtual_ns = i128::from(capture_ns) + self.offset_ns;
        let back = i128::from(now_ns) - virtual_ns;
        if back <= 0 {
            return (u64::try_from(virtual_ns).unwrap_or(u64::MAX), None);
        }
        let back_ns = u64::try_from(back).unwrap_or(u64::MAX);
        if back_ns < REORDERED_NS {
            return (now_ns, None);
        }
        self.offset_ns += back;
        (now_ns, Some(back_ns))
    }

    /// The capture time of a moment of the virtual clock.
    pub(super) fn capture_ns(&self, virtual_ns: u64) -> u64 {
        u64::try_from(i128::from(virtual_ns) - self.offset_ns).unwrap_or(0)
    }

    /// Capture time since the first packet, as it is printed.
    pub(super) fn since_first(&self, capture_ns: u64) -> String {
        let ns = i128::from(capture_ns) - i128::from(self.first_ns.unwrap_or(capture_ns));
        let sign = if ns < 0 { "-" } else { "" };
        let ns = ns.unsigned_abs();
        format!("{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back() {
        let mut timeline = Timeline::new();
        let now = Timeline::start_ns();
        assert_eq!(timeline.arrival(5_000, now), (now, None));
        let (later, _) = timeline.arrival(2_000_005_000, now);
        assert_eq!(later, now + 2_000_000_000);
        assert_eq!(timeline.capture_ns(later), 2_000_005_000);
        // Out of order.
        assert_eq!(timeline.arrival(2_000_004_000, later), (later, None));
        assert_eq!(timeline.since_first(4_000), "-0.000001000");
        // Set back by 2 s: it goes on from here.
        assert_eq!(timeline.arrival(5_000, later), (later, Some(2_000_000_000)));
        assert_eq!(timeline.arrival(6_000, later), (later + 1_000, None));
        assert_eq!(timeline.capture_ns(later + 1_000), 6_000);
        assert_eq!(timeline.since_first(1_500_005_000), "1.500000000");
    }
}
