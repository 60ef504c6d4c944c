//! What whoever watches is told of. Each of these is called behind one branch, which is not taken while nobody does.

use std::sync::Arc;

use crate::core::clients::ClientKey;
use crate::core::flight::{Flight, believed};
use crate::core::hold::{FrameRef, Purpose};
use crate::core::policy::Forwarder;
use crate::core::refs::Owner;
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::telemetry::{Trace, What};
use crate::time::Instant;
use crate::wire::{Frame, MessageType, Name};

impl Forwarder {
    /// From now on each message's steps are written there; or nowhere. Between two turns.
    pub fn watch(&mut self, trace: Option<Arc<Trace>>) {
        self.tap.set(trace);
    }

    /// A frame was judged.
    #[cold]
    pub(super) fn tell_verdict(&self, frame: &Frame<'_>, arrival: &Arrival, verdict: &Verdict) {
        let waits = *verdict == Verdict::Wait;
        let due = waits.then(|| self.due_of_request(frame)).flatten();
        self.tap.judged(frame, arrival, verdict, due);
    }

    /// When the request departs that has just been kept of its client; `None` if it waits until the kernel's filter lets
    /// its answer in.
    fn due_of_request(&self, frame: &Frame<'_>) -> Option<Instant> {
        if frame.message_type() != MessageType::DelayReq {
            return None;
        }
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let kept = self.clients.waiting(&key)?;
        match self.hold.get(kept)?.1.purpose() {
            Purpose::Request(request) if self.clients.is_shut_out(request.client) => None,
            Purpose::Request(request) => Some(request.due),
            Purpose::Sync(_) | Purpose::General(_) => None,
        }
    }

    /// A kept frame is dropped. Before it is gone.
    #[cold]
    pub(super) fn tell_dropped(&self, frame: FrameRef, reason: Reason) {
        if let Some((bytes, kept)) = self.hold.get(frame) {
            let from = (self.present, kept.egress().other());
            self.tap.kept(from, bytes, What::Dropped { reason });
        }
    }

    /// A general message that was kept leaves.
    #[cold]
    pub(super) fn tell_left(&self, frame: FrameRef, now: Instant) {
        if let Some((bytes, kept)) = self.hold.get(frame)
            && let Purpose::General(_) = kept.purpose()
        {
            let correction = kept.correction();
            let from = (now, kept.egress().other());
            self.tap.kept(from, bytes, What::Leaves { correction });
        }
    }

    /// The residence of an event message is known, or will never be. Before what waits for it is told.
    #[cold]
    pub(super) fn tell_residence(&self, flight: &Flight, residence_ns: Result<i64, Reason>) {
        let ns = residence_ns
            .and_then(believed)
            .and_then(|ns| u32::try_from(ns).map_err(|_| Reason::Residence));
        let (what, at) = match ns {
            Ok(ns) => {
                let departure = self.flights.departure(flight, ns);
                let late = flight.drawn.zip(departure);
                let late = late.map(|(drawn, departure)| departure.since(drawn.due).as_nanos());
                let what = What::Departed {
                    residence_ns: u64::from(ns),
                    late_ns: late.map(|late| u64::try_from(late).unwrap_or(u64::MAX)),
                };
                (what, departure)
            }
            Err(reason) => (What::Unmeasured { reason }, None),
        };
        self.tell_flight(flight, at.unwrap_or(self.present), what);
    }

    /// An event message was not sent.
    #[cold]
    pub(super) fn tell_unsent(&self, flight: &Flight, reason: Reason) {
        self.tell_flight(flight, self.present, What::Dropped { reason });
    }

    fn tell_flight(&self, flight: &Flight, at: Instant, what: What) {
        let from = (at, flight.egress.other());
        self.tap.flight(from, self.name_of(flight), what);
    }

    /// What an event message in flight is called; `None` if its client or its Sync is forgotten, or another request has
    /// its place by now.
    fn name_of(&self, flight: &Flight) -> Option<Name> {
        match flight.owner {
            Owner::Request { client, place } => {
                let (key, request) = self.clients.asked(client, place)?;
                if request.residence_or_flight() != flight.slot {
                    return None;
                }
                Some(Name {
                    message: MessageType::DelayReq,
                    sender: key.identity,
                    sequence_id: request.sequence_id(),
                    lane: key.lane,
                    domain: request.domain(),
                    major_sdo_id: request.sdo(),
                    requester: None,
                })
            }
            Owner::Sync(sync) => {
                let key = self.syncs.key(sync)?;
                Some(Name {
                    message: MessageType::Sync,
                    sender: key.sender,
                    sequence_id: key.sequence_id,
                    lane: key.lane,
                    domain: key.domain,
                    major_sdo_id: key.sdo,
                    requester: None,
                })
            }
        }
    }
}
