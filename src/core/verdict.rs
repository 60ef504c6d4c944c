//! What the core is told of a frame, and what it decides.

use std::num::NonZeroU64;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::Side;
use crate::auth::Verified;
use crate::core::signature::Signature;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{Answer, Frame, Layout, Mac, Probe, edit};

/// How a frame arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The side it came from.
    pub side: Side,
    /// Its RX timestamp, steady or of hardware; or why there is none to rely on.
    pub stamp: Result<Stamp, Reason>,
    /// When it arrived.
    pub at: Instant,
    /// The present.
    pub now: Instant,
    /// Its destination MAC is the gateway's own. What is addressed to a PTP group by IP goes on all the same, and what is to be
    /// routed.
    pub to_host: bool,
    /// The sender left the UDP checksum unfinished.
    pub checksum_unfinished: bool,
}

impl Arrival {
    /// The RX timestamp of an event message that is young enough to be sent on.
    pub(crate) fn fresh_stamp(&self, stale_after_ns: u64) -> Result<Stamp, Reason> {
        if self.now > self.at.plus_nanos(stale_after_ns) {
            return Err(Reason::Stale);
        }
        self.stamp
    }
}

/// A frame that arrived, and what its signature has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) arrival: &'a Arrival,
    pub(crate) signature: Signature,
}

impl Deref for Arrived<'_> {
    type Target = Arrival;

    fn deref(&self) -> &Arrival {
        self.arrival
    }
}

impl Arrived<'_> {
    /// The edit that completes an unfinished checksum and puts the addressee's MAC in the place of ours, and changes nothing else.
    pub(crate) fn plain_edit(&self) -> Edit {
        Edit {
            complete_checksum: self.checksum_unfinished,
            // The policy lets nothing else pass that has the gateway's MAC.
            readdress: self.to_host,
            verified: self.signature.verified(),
            ..Edit::default()
        }
    }

    /// The frame goes on as it is.
    pub(crate) fn forward(&self) -> Verdict {
        Verdict::Forward(self.plain_edit(), None)
    }

    /// A general message goes on with the residence of its event message added.
    pub(crate) fn forward_corrected(&self, correction: i64) -> Verdict {
        Verdict::Forward(
            Edit {
                correction,
                ..self.plain_edit()
            },
            None,
        )
    }
}

/// What changes in a frame as it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Added to correctionField, in scaled nanoseconds.
    pub correction: i64,
    /// A one-step Sync becomes two-step.
    pub set_two_step: bool,
    /// The UDP checksum is computed afresh.
    pub complete_checksum: bool,
    /// It has the gateway's MAC: the destination MAC becomes that of the PTP group that the message is addressed to by IP
    /// (somebody on its way made unicast of it), or, if it is unicast, that of its next hop
    /// ([`crate::core::Forwarder::edit`]).
    pub readdress: bool,
    /// A one-step Sync of this master that stays one-step: its residence since [`Arrival::stamp`] is estimated when
    /// its batch is sent, and added to correctionField ([`crate::core::Forwarder::rewrite_correction`]).
    pub rewrite: Option<u32>,
    /// It was verified: what is changed in it is signed again ([`crate::core::Forwarder::edit`]).
    /// No other process has the keys that it names.
    #[serde(skip)]
    pub verified: Option<Verified>,
}

impl Edit {
    /// Makes the changes in a frame of this layout, and signs nothing. That of `rewrite` is not among them: it is made
    /// when the batch is sent. Nor is that of a unicast message that is routed.
    pub fn apply(&self, bytes: &mut [u8], layout: Layout) {
        if self.set_two_step {
            edit::set_two_step(bytes, layout);
        }
        if self.correction != 0 {
            edit::add_correction(bytes, layout, self.correction);
        }
        if self.complete_checksum {
            edit::complete_checksum(bytes, layout);
        }
        if self.readdress
            && let Some(group) = Frame::parse(bytes).ok().and_then(|frame| frame.group_mac())
        {
            edit::restore_group_mac(bytes, group);
        }
    }
}

/// Ties one event message that is sent to its TX timestamp: one send, one timestamp, one use. It is written and read again
/// where a ring passes to another process with what it awaits.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(NonZeroU64);

// With or without one, a frame of a batch has one word for it.
const _: () = assert!(size_of::<Option<Token>>() == size_of::<u64>());

impl Token {
    /// A token that carries `value`; only the core gives it a meaning.
    #[must_use]
    pub(crate) const fn new(value: NonZeroU64) -> Self {
        Self(value)
    }

    /// What it carries, to look at.
    #[must_use]
    pub(crate) const fn value(&self) -> u64 {
        self.0.get()
    }

    /// Uses the token up.
    #[must_use]
    pub(crate) const fn into_value(self) -> u64 {
        self.0.get()
    }

    /// The same for a port that several forwarders send by: it names this one of them.
    #[must_use]
    pub(crate) fn numbered(self, forwarder: u8) -> Self {
        Self(self.0 | u64::from(forwarder) << FORWARDER_SHIFT)
    }

    /// The forwarder that it names, and the token as that one knows it. Only one of the two may be used.
    #[must_use]
    pub(crate) fn split(&self) -> (u8, Self) {
        let [_, _, _, _, forwarder, ..] = self.value().to_be_bytes();
        let bare = self.value() & !(0xFF << FORWARDER_SHIFT);
        (forwarder, NonZeroU64::new(bare).map_or(Self(self.0), Self))
    }
}

/// Where a token names its forwarder. The core leaves it zero: below it a slot has its number, above it its generation.
const FORWARDER_SHIFT: u32 = 24;

/// What happens to a frame.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Leaves now by the other side. With a token it is an event message that needs a TX timestamp.
    Forward(Edit, Option<Token>),
    /// The core keeps a copy: it departs later, or when what it waits for is known.
    Wait,
    /// Goes no further.
    Drop(Reason),
}

/// What happens to ARP or neighbour discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Relay {
    /// Leaves now by the other side, as it came.
    Forward,
    /// Goes no further, or waits; this question leaves by that side ([`Probe::write`]), from this hardware address.
    Ask(Side, Probe, Mac),
    /// Goes no further; this answer leaves by that side ([`Answer::write`]).
    Answer(Side, Answer),
    /// Goes no further.
    Drop,
}

/// A frame that the core wrote into an egress slot.
#[derive(Debug)]
#[must_use]
pub struct Departure {
    /// Its length.
    pub len: usize,
    /// An event message that needs a TX timestamp has a token.
    pub token: Option<Token>,
    /// The batch must not be sent later than this: the frame would be stale.
    pub latest: Option<Instant>,
}
