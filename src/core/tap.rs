//! Where whoever watches is told of each message's steps. Nobody watches, usually: then it is one branch.

use std::cell::Cell;
use std::sync::Arc;

use crate::Side;
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::telemetry::{Step, Trace, What};
use crate::time::Instant;
use crate::wire::{Frame, Name};

/// Tells of steps, while somebody watches.
#[derive(Default)]
pub(crate) struct Tap {
    trace: Option<Arc<Trace>>,
    /// The last departure that was told. The time of a turn is that of its start: what leaves later in it leaves after
    /// that departure.
    departed: Cell<Instant>,
}

impl Tap {
    /// From now on steps are written there; or nowhere.
    pub(crate) fn set(&mut self, trace: Option<Arc<Trace>>) {
        self.trace = trace;
    }

    /// Whether anybody watches.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.trace.is_some()
    }

    /// A frame came, and this was decided. `due` is the departure time of a request that waits.
    pub(crate) fn judged(
        &self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        verdict: &Verdict,
        due: Option<Instant>,
    ) {
        let what = match verdict {
            Verdict::Forward(edit, _) => What::Passes {
                correction: edit.correction,
            },
            Verdict::Wait => What::Waits { due },
            Verdict::Drop(reason) => What::Dropped { reason: *reason },
        };
        self.step(
            (arrival.at, arrival.side),
            what,
            Some(frame.name()),
            frame.bytes(),
        );
    }

    /// A frame came that cannot be parsed.
    pub(crate) fn malformed(&self, (at, side): (Instant, Side), bytes: &[u8], reason: Reason) {
        self.step((at, side), What::Dropped { reason }, None, bytes);
    }

    /// A frame from this side that the core kept, as it came, or was to go at once: it leaves, or is dropped.
    pub(crate) fn kept(&self, (at, from): (Instant, Side), bytes: &[u8], what: What) {
        let name = Frame::parse(bytes).ok().map(|frame| frame.name());
        let at = at.max(self.departed.get());
        self.step((at, from), what, name, bytes);
    }

    /// An event message from this side whose frame is not here any more.
    pub(crate) fn flight(&self, (at, from): (Instant, Side), name: Option<Name>, what: What) {
        self.departed.set(self.departed.get().max(at));
        self.step((at, from), what, name, &[]);
    }

    fn step(&self, (at, from): (Instant, Side), what: What, name: Option<Name>, bytes: &[u8]) {
        if let Some(trace) = &self.trace {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let step = Step {
                at,
                from,
                what,
                name,
                length,
            };
            trace.write(&step, bytes);
        }
    }
}
