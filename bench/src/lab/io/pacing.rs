//! When the next message is due, and whether it went out on time.

/// Evenly spaced events from a start on.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start: i64,
    per_event: f64,
    next: u64,
}

impl Pace {
    /// One event each `interval` nanoseconds from `start` on.
    #[must_use]
    pub const fn new(start: i64, interval: f64) -> Self {
        Self {
            start,
            per_event: interval,
            next: 0,
        }
    }

    /// `rate` events a second from `start` on; none at all for 0.
    #[must_use]
    pub fn per_second(start: i64, rate: f64) -> Self {
        let interval = if rate > 0.0 {
            1e9 / rate
        } else {
            f64::INFINITY
        };
        Self::new(start, interval)
    }

    /// When the next event is due.
    #[must_use]
    pub fn due(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
        let after = (self.per_event * self.next as f64) as i64;
        self.start.saturating_add(if self.per_event.is_finite() {
            after
        } else {
            i64::MAX
        })
    }

    /// The number of the next event if it is due at `now`, and counts it as done.
    pub fn take(&mut self, now: i64) -> Option<u64> {
        if now < self.due() {
            return None;
        }
        let event = self.next;
        self.next += 1;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_when_due_and_once() {
        let mut pace = Pace::per_second(1_000, 1_000.0);
        assert_eq!(pace.take(999), None);
        assert_eq!(pace.take(1_000), Some(0));
        assert_eq!(pace.take(1_000), None);
        assert_eq!(pace.due(), 1_001_000);
        assert_eq!(
            (pace.take(i64::MAX), pace.take(i64::MAX)),
            (Some(1), Some(2))
        );
        assert_eq!(Pace::per_second(5, 0.0).take(i64::MAX - 1), None);
    }
}
