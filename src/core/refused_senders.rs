//! Whose messages are refused for their signature, and which share of all in that sender's name they are.
//!
//! A name in a message that is refused may be made up, so there are few rows: those with the most refused messages stay.

use crate::reason::Reason;
use crate::side::Side;
use crate::telemetry::{RefusedSender, SHOWN_REFUSED};
use crate::time::Instant;
use crate::wire::PortIdentity;

/// Rows of the senders that were refused most.
pub(crate) struct RefusedSenders(Vec<RefusedSender>);

impl RefusedSenders {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(SHOWN_REFUSED))
    }

    /// A message of this sender was refused.
    #[cold]
    pub(crate) fn refuse(
        &mut self,
        side: Side,
        sender: PortIdentity,
        reason: Reason,
        now: Instant,
    ) {
        let fresh = RefusedSender {
            side,
            sender,
            reason,
            last: now,
            refused: 0,
            verified: 0,
        };
        let row = match self.position(side, sender) {
            Some(row) => row,
            None if self.0.len() < SHOWN_REFUSED => {
                self.0.push(fresh);
                self.0.len() - 1
            }
            None => {
                let least = |row: &usize| (self.0[*row].refused, self.0[*row].last);
                let Some(row) = (0..self.0.len()).min_by_key(least) else {
                    return;
                };
                self.0[row] = fresh;
                row
            }
        };
        let row = &mut self.0[row];
        (row.reason, row.last) = (reason, now);
        row.refused += 1;
    }

    /// A message of this sender was verified.
    pub(crate) fn verify(&mut self, side: Side, sender: PortIdentity) {
        if !self.0.is_empty()
            && let Some(row) = self.position(side, sender)
        {
            self.0[row].verified += 1;
        }
    }

    /// All of them.
    pub(crate) fn rows(&self) -> &[RefusedSender] {
        &self.0
    }

    fn position(&self, side: Side, sender: PortIdentity) -> Option<usize> {
        (self.0.iter()).position(|row| row.sender == sender && row.side == side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ClockIdentity;

    fn port(number: u16) -> PortIdentity {
        PortIdentity {
            clock: ClockIdentity([7; 8]),
            port: number,
        }
    }

    #[test]
    fn verified_messages_count_from_the_first_refused_one_on() {
        let mut senders = RefusedSenders::new();
        senders.verify(Side::Down, port(1));
        assert_eq!(senders.rows(), []);
        for (at, reason) in [(1, Reason::UnknownKey), (2, Reason::BadIcv)] {
            senders.refuse(Side::Down, port(1), reason, Instant::from_nanos(at));
        }
        for _ in 0..3 {
            senders.verify(Side::Down, port(1));
            // The same name on the other side is another sender.
            senders.verify(Side::Up, port(1));
        }
        let expected = RefusedSender {
            side: Side::Down,
            sender: port(1),
            reason: Reason::BadIcv,
            last: Instant::from_nanos(2),
            refused: 2,
            verified: 3,
        };
        assert_eq!(senders.rows(), [expected]);
    }

    #[test]
    fn made_up_names_do_not_displace_who_is_refused_often() {
        let mut senders = RefusedSenders::new();
        for n in 0..3 {
            senders.refuse(Side::Up, port(1), Reason::BadIcv, Instant::from_nanos(n));
        }
        for n in 2..10_000 {
            let now = Instant::from_nanos(n.into());
            senders.refuse(Side::Down, port(n), Reason::BadIcv, now);
        }
        assert_eq!(senders.rows().len(), SHOWN_REFUSED);
        let often = senders.rows().iter().find(|row| row.sender == port(1));
        assert_eq!(often.map(|row| row.refused), Some(3));
        let newest = senders.rows().iter().find(|row| row.sender == port(9_999));
        assert_eq!(newest.map(|row| row.refused), Some(1));
    }
}
