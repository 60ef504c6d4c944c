//! Whether a card that is to timestamp does so: it may promise what it does not deliver.

use serde::{Deserialize, Serialize};

/// This many messages in a row without a hardware timestamp: the card gives none, or gives none any more.
const ENOUGH: u32 = 16;

/// Which hardware timestamps a card does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Of what it receives.
    Receive,
    /// Of what it sends.
    Transmit,
    /// They come, but their two clocks are not known well enough against each other.
    Clocks,
}

/// The hardware timestamps of one interface.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Judge {
    received_without: u32,
    sent_without: u32,
    unplaced: u32,
}

impl Judge {
    /// An event message was received, with a hardware timestamp or without.
    pub(super) const fn received(&mut self, with: bool) {
        self.received_without = next(self.received_without, with);
    }

    /// An event message was sent, and its hardware timestamp came or did not.
    pub(super) const fn sent(&mut self, with: bool) {
        self.sent_without = next(self.sent_without, with);
    }

    /// Its hardware timestamp could be compared with that of another clock, or not.
    pub(super) const fn placed(&mut self, placed: bool) {
        self.unplaced = next(self.unplaced, placed);
    }

    /// What it does not give.
    pub(super) const fn lacks(self) -> Option<Lack> {
        if self.received_without >= ENOUGH {
            Some(Lack::Receive)
        } else if self.sent_without >= ENOUGH {
            Some(Lack::Transmit)
        } else if self.unplaced >= ENOUGH {
            Some(Lack::Clocks)
        } else {
            None
        }
    }
}

const fn next(without: u32, with: bool) -> u32 {
    if with { 0 } else { without.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_that_are_lost_condemn_no_card() {
        let mut judge = Judge::default();
        for n in 0..1_000_u32 {
            judge.received(n % 10 == 0);
            judge.sent(n % 15 == 0);
            assert_eq!(judge.lacks(), None);
        }
        for n in 1..=ENOUGH {
            judge.sent(false);
            judge.received(true);
            assert_eq!(judge.lacks().is_some(), n + 9 >= ENOUGH, "{n}");
        }
        assert_eq!(judge.lacks(), Some(Lack::Transmit));
        judge.sent(true);
        assert_eq!(judge.lacks(), None);
        for _ in 0..ENOUGH {
            judge.received(false);
        }
        assert_eq!(judge.lacks(), Some(Lack::Receive));
        judge.received(true);
        for _ in 0..ENOUGH {
            assert_eq!(judge.lacks(), None);
            judge.placed(false);
        }
        assert_eq!(judge.lacks(), Some(Lack::Clocks));
    }
}
