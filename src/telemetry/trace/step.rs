//! A step on a message's way, as words.

use crate::reason::Reason;
use crate::side::Side;
use crate::telemetry::words::{Put, Take, Words, record};
use crate::time::Instant;
use crate::wire::{Lane, MessageType, Name, PortIdentity};

record! {
    /// What became of a message.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Step {
        /// When, by the steady clock.
        pub at: Instant,
        /// The side that the message came from.
        pub from: Side,
        /// What.
        pub what: What,
        /// Of which message; `None` if it is no PTP message.
        pub name: Option<Name>,
        /// The length of its frame in bytes; 0 if that is not known any more.
        pub length: u32,
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It came, and goes on at once.
    Passes {
        /// Added to correctionField, in scaled nanoseconds.
        correction: i64,
    },
    /// It came, and waits: a Delay_Req for its departure time, another for the residence of its event message.
    Waits {
        /// The departure time.
        due: Option<Instant>,
    },
    /// A general message that waited leaves.
    Leaves {
        /// Added to correctionField, in scaled nanoseconds.
        correction: i64,
    },
    /// An event message departed: its residence is known.
    Departed {
        /// How long it stayed, in nanoseconds of the local clock.
        residence_ns: u64,
        /// How long after its departure time it departed, if it had one.
        late_ns: Option<u64>,
    },
    /// An event message departed, and its residence will never be known: what answers it is dropped.
    Unmeasured {
        /// Why.
        reason: Reason,
    },
    /// It goes no further.
    Dropped {
        /// Why.
        reason: Reason,
    },
}

const PASSES: u64 = 1;
const WAITS: u64 = 2;
const LEAVES: u64 = 3;
const DEPARTED: u64 = 4;
const UNMEASURED: u64 = 5;
/// Zeroes are a value, too.
const DROPPED: u64 = 0;

impl Words for What {
    const WORDS: usize = 4;

    fn write(&self, out: &mut impl Put) {
        let (code, first, second) = match *self {
            Self::Passes { correction } => (PASSES, correction.cast_unsigned(), None),
            Self::Waits { due } => (WAITS, 0, due.map(Instant::as_nanos)),
            Self::Leaves { correction } => (LEAVES, correction.cast_unsigned(), None),
            Self::Departed {
                residence_ns,
                late_ns,
            } => (DEPARTED, residence_ns, late_ns),
            Self::Unmeasured { reason } => (UNMEASURED, reason as u64, None),
            Self::Dropped { reason } => (DROPPED, reason as u64, None),
        };
        code.write(out);
        first.write(out);
        second.write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        let (code, first) = (words.word(), words.word());
        let second = Option::<u64>::read(words);
        match code {
            PASSES => Self::Passes {
                correction: first.cast_signed(),
            },
            WAITS => Self::Waits {
                due: second.map(Instant::from_nanos),
            },
            LEAVES => Self::Leaves {
                correction: first.cast_signed(),
            },
            DEPARTED => Self::Departed {
                residence_ns: first,
                late_ns: second,
            },
            UNMEASURED => Self::Unmeasured {
                reason: reason(first),
            },
            _ => Self::Dropped {
                reason: reason(first),
            },
        }
    }
}

fn reason(number: u64) -> Reason {
    let reason = usize::try_from(number).ok();
    let reason = reason.and_then(|at| Reason::ALL.get(at));
    reason.copied().unwrap_or(Reason::NotPtp)
}

impl Words for Side {
    const WORDS: usize = 1;

    fn write(&self, out: &mut impl Put) {
        (*self == Self::Up).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        if bool::read(words) {
            Self::Up
        } else {
            Self::Down
        }
    }
}

impl Words for MessageType {
    const WORDS: usize = 1;

    fn write(&self, out: &mut impl Put) {
        (*self as u8).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        Self::try_from(u8::read(words)).unwrap_or(Self::Sync)
    }
}

record!(Name {
    message: MessageType,
    sender: PortIdentity,
    sequence_id: u16,
    lane: Lane,
    domain: u8,
    major_sdo_id: u8,
    requester: Option<PortIdentity>,
});
