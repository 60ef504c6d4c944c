//! Frames counted by side, message type and what became of them.

use super::counts::{Counts, core_counts};
use super::words::record;
use crate::reason::Reason;
use crate::side::{PerSide, Side};
use crate::wire::MessageType;

/// A message type, or a frame that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PTP message.
    Message(MessageType),
    /// A frame that did not parse.
    Malformed,
    /// ARP or neighbour discovery.
    Neighbour,
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        MessageType::ALL
            .iter()
            .map(|&message| Self::Message(message))
            .chain([Self::Malformed, Self::Neighbour])
    }

    /// The word used in reports and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Message(message) => message.label(),
            Self::Malformed => "malformed",
            Self::Neighbour => "neighbour",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Message(message) => message as usize,
            Self::Malformed => 16,
            Self::Neighbour => 17,
        }
    }
}

const KINDS: usize = 18;
const REASONS: usize = Reason::ALL.len();

type ByKind = PerSide<[u64; KINDS]>;

/// The counters, with a field for each of the list of [`Counts`].
macro_rules! counters {
    ($(#[$meta:meta])* pub struct Counts {
        $($(#[doc = $help:literal])+ $field:ident => $metric:literal,)+
    }) => {
        record! {
            /// Counts since the start.
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct Counters {
                received: ByKind,
                forwarded: ByKind,
                waited: ByKind,
                dropped: Box<PerSide<[[u64; REASONS]; KINDS]>>,
                /// Delay_Req whose residence became known.
                pub measured: u64,
                /// Sum of their residences, in nanoseconds.
                pub residence_ns: u64,
                $($(#[doc = $help])+ pub $field: u64,)+
            }
        }

        impl Default for Counters {
            fn default() -> Self {
                let none = PerSide::from_fn(|_| [0; KINDS]);
                Self {
                    received: none,
                    forwarded: none,
                    waited: none,
                    dropped: Box::new(PerSide::from_fn(|_| [[0; REASONS]; KINDS])),
                    measured: 0,
                    residence_ns: 0,
                    $($field: 0,)+
                }
            }
        }

        impl Counters {
            /// Adds what another forwarder has counted.
            pub fn add(&mut self, other: &Self) {
                for (sums, more) in [
                    (&mut self.received, &other.received),
                    (&mut self.forwarded, &other.forwarded),
                    (&mut self.waited, &other.waited),
                ] {
                    for side in Side::BOTH {
                        add_each(&mut sums[side], &more[side]);
                    }
                }
                for side in Side::BOTH {
                    let (sums, more) = (&mut self.dropped[side], &other.dropped[side]);
                    for (sums, more) in sums.iter_mut().zip(more) {
                        add_each(sums, more);
                    }
                }
                self.measured += other.measured;
                self.residence_ns = self.residence_ns.wrapping_add(other.residence_ns);
                $(self.$field += other.$field;)+
            }

            /// What is counted beside frames.
            #[must_use]
            pub const fn counts(&self) -> Counts {
                Counts { $($field: self.$field,)+ }
            }
        }
    };
}

core_counts!(counters);

fn add_each(sums: &mut [u64], more: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

impl Counters {
    /// Frames received from a side.
    #[must_use]
    pub fn received(&self, side: Side, kind: Kind) -> u64 {
        self.received[side][kind.index()]
    }

    /// Frames that came from a side and left by the other.
    #[must_use]
    pub fn forwarded(&self, side: Side, kind: Kind) -> u64 {
        self.forwarded[side][kind.index()]
    }

    /// Frames that came from a side and were dropped.
    #[must_use]
    pub fn dropped(&self, side: Side, kind: Kind, reason: Reason) -> u64 {
        self.dropped[side][kind.index()][reason as usize]
    }

    /// Frames that came from a side and had to wait; each is forwarded or dropped later.
    #[must_use]
    pub fn waited(&self, side: Side, kind: Kind) -> u64 {
        self.waited[side][kind.index()]
    }

    /// Frames dropped for a reason, over both sides and all kinds.
    #[must_use]
    pub fn dropped_for(&self, reason: Reason) -> u64 {
        let both = self.dropped.iter();
        both.flat_map(|(_, kinds)| kinds)
            .map(|reasons| reasons[reason as usize])
            .sum()
    }

    pub(crate) fn receive(&mut self, side: Side, kind: Kind) {
        self.received[side][kind.index()] += 1;
    }

    pub(crate) fn forward(&mut self, side: Side, kind: Kind) {
        self.forwarded[side][kind.index()] += 1;
    }

    pub(crate) fn wait(&mut self, side: Side, kind: Kind) {
        self.waited[side][kind.index()] += 1;
    }

    /// A frame that was counted as forwarded did not leave after all.
    pub(crate) fn unforward(&mut self, side: Side, kind: Kind) {
        let count = &mut self.forwarded[side][kind.index()];
        *count = count.saturating_sub(1);
    }

    pub(crate) fn drop(&mut self, side: Side, kind: Kind, reason: Reason) {
        self.dropped[side][kind.index()][reason as usize] += 1;
    }
}
