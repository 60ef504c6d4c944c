//! Frames counted by side, message type and what became of them.

use super::{Put, Take};
use crate::Side;
use crate::reason::Reason;
use crate::wire::MessageType;

/// A message type, or a frame that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PTP message.
    Message(MessageType),
    /// A frame that did not parse.
    Malformed,
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        MessageType::ALL
            .iter()
            .map(|&message| Self::Message(message))
            .chain([Self::Malformed])
    }

    /// The word used in reports and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Message(message) => message.label(),
            Self::Malformed => "malformed",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Message(message) => message as usize,
            Self::Malformed => 16,
        }
    }
}

const KINDS: usize = 17;
const REASONS: usize = Reason::ALL.len();
/// Counts that stand alone.
const SINGLE: usize = 11;

/// Counts since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    received: [[u64; KINDS]; 2],
    forwarded: [[u64; KINDS]; 2],
    dropped: Box<[[[u64; REASONS]; KINDS]; 2]>,
    waited: [[u64; KINDS]; 2],
    /// Delay_Req whose residence became known.
    pub measured: u64,
    /// Sum of their residences, in nanoseconds.
    pub residence_ns: u64,
    /// Follow_Up messages made for one-step Syncs.
    pub follow_ups_made: u64,
    /// Delay_Req held for a random time.
    pub held: u64,
    /// Departures that were estimated for want of a stamp.
    pub estimated: u64,
    /// Exchanges with an AUTHENTICATION TLV that went untouched.
    pub authenticated: u64,
    /// Open requests that got no answer in time.
    pub unanswered: u64,
    /// Open requests put out by a newer one of the same client.
    pub evicted: u64,
    /// Clients that came from the other side.
    pub roamed: u64,
    /// Our clients' messages heard on the other side.
    pub heard_above: u64,
    /// Delay_Req of our clients that got an answer.
    pub answered: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            received: [[0; KINDS]; 2],
            forwarded: [[0; KINDS]; 2],
            dropped: Box::new([[[0; REASONS]; KINDS]; 2]),
            waited: [[0; KINDS]; 2],
            measured: 0,
            residence_ns: 0,
            follow_ups_made: 0,
            held: 0,
            estimated: 0,
            authenticated: 0,
            unanswered: 0,
            evicted: 0,
            roamed: 0,
            heard_above: 0,
            answered: 0,
        }
    }
}

impl Counters {
    /// Frames received from a side.
    #[must_use]
    pub fn received(&self, side: Side, kind: Kind) -> u64 {
        self.received[side as usize][kind.index()]
    }

    /// Frames that came from a side and left by the other.
    #[must_use]
    pub fn forwarded(&self, side: Side, kind: Kind) -> u64 {
        self.forwarded[side as usize][kind.index()]
    }

    /// Frames that came from a side and were dropped.
    #[must_use]
    pub fn dropped(&self, side: Side, kind: Kind, reason: Reason) -> u64 {
        self.dropped[side as usize][kind.index()][reason as usize]
    }

    /// Frames that came from a side and had to wait; each is forwarded or dropped later.
    #[must_use]
    pub fn waited(&self, side: Side, kind: Kind) -> u64 {
        self.waited[side as usize][kind.index()]
    }

    /// Frames dropped for a reason, over both sides and all kinds.
    #[must_use]
    pub fn dropped_for(&self, reason: Reason) -> u64 {
        self.dropped
            .iter()
            .flatten()
            .map(|reasons| reasons[reason as usize])
            .sum()
    }

    /// Words that they take on the board.
    pub(crate) const WORDS: usize = 2 * KINDS * (3 + REASONS) + SINGLE;

    /// Writes them to the board.
    pub(crate) fn write(&self, out: &mut impl Put) {
        for counts in [&self.received, &self.forwarded, &self.waited] {
            counts.iter().flatten().for_each(|&count| out.put(count));
        }
        for reasons in self.dropped.iter().flatten() {
            reasons.iter().for_each(|&count| out.put(count));
        }
        self.single().into_iter().for_each(|count| out.put(count));
    }

    /// Reads them from the board.
    pub(crate) fn read(words: &mut Take<'_>) -> Self {
        let mut counters = Self::default();
        for counts in [
            &mut counters.received,
            &mut counters.forwarded,
            &mut counters.waited,
        ] {
            for count in counts.iter_mut().flatten() {
                *count = words.word();
            }
        }
        for count in counters.dropped.iter_mut().flatten().flatten() {
            *count = words.word();
        }
        for count in counters.single_mut() {
            *count = words.word();
        }
        counters
    }

    pub(crate) fn receive(&mut self, side: Side, kind: Kind) {
        self.received[side as usize][kind.index()] += 1;
    }

    pub(crate) fn forward(&mut self, side: Side, kind: Kind) {
        self.forwarded[side as usize][kind.index()] += 1;
    }

    pub(crate) fn wait(&mut self, side: Side, kind: Kind) {
        self.waited[side as usize][kind.index()] += 1;
    }

    /// A frame that was counted as forwarded did not leave after all.
    pub(crate) fn unforward(&mut self, side: Side, kind: Kind) {
        let count = &mut self.forwarded[side as usize][kind.index()];
        *count = count.saturating_sub(1);
    }

    pub(crate) fn drop(&mut self, side: Side, kind: Kind, reason: Reason) {
        self.dropped[side as usize][kind.index()][reason as usize] += 1;
    }

    const fn single(&self) -> [u64; SINGLE] {
        [
            self.measured,
            self.residence_ns,
            self.follow_ups_made,
            self.held,
            self.estimated,
            self.authenticated,
            self.unanswered,
            self.evicted,
            self.roamed,
            self.heard_above,
            self.answered,
        ]
    }

    const fn single_mut(&mut self) -> [&mut u64; SINGLE] {
        [
            &mut self.measured,
            &mut self.residence_ns,
            &mut self.follow_ups_made,
            &mut self.held,
            &mut self.estimated,
            &mut self.authenticated,
            &mut self.unanswered,
            &mut self.evicted,
            &mut self.roamed,
            &mut self.heard_above,
            &mut self.answered,
        ]
    }
}
