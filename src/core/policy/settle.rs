//! The residence of an event message is known, or will never be: what waits for it is completed, or dropped.

use std::time::Duration;

use crate::core::clients::Progress;
use crate::core::flight::{Flight, believed};
use crate::core::hold::{FrameRef, General};
use crate::core::policy::Forwarder;
use crate::core::refs::{ClientRef, Owner, SyncRef};
use crate::core::residence;
use crate::core::second_path::{GUARD, wait_for_copies};
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::wire::Frame;

/// What an exchange makes of the residence of its event message.
struct Settled {
    /// Why its general messages are dropped all the same.
    spoiled: Option<Reason>,
    /// sequenceId of its request, 0 of a Sync; `None` if it is gone.
    sequence_id: Option<u16>,
}

impl Forwarder {
    /// The residence of an event message is known, or will never be.
    pub(super) fn settle(&mut self, flight: &Flight, residence_ns: Result<i64, Reason>) {
        let residence_ns = residence_ns.and_then(believed);
        let settled = match flight.owner {
            Owner::Request { client, place } => {
                self.settle_request(flight, client, place, residence_ns)
            }
            Owner::Sync(sync) => Settled {
                spoiled: self
                    .syncs
                    .same_mut(sync)
                    .and_then(|sync| sync.settle(residence_ns)),
                sequence_id: Some(0),
            },
        };
        let mut next = flight.waiter();
        while let Some(frame) = next {
            let general = self.hold.general(frame);
            next = general.and_then(|(_, behind)| behind);
            match (residence_ns, settled.spoiled) {
                (Ok(ns), None) => {
                    if let Some((master, _)) = general {
                        self.complete(frame, (flight.owner, settled.sequence_id), master, ns);
                    }
                }
                (_, Some(reason)) | (Err(reason), None) => self.drop_kept(frame, reason),
            }
        }
    }

    fn settle_request(
        &mut self,
        flight: &Flight,
        client: ClientRef,
        place: u8,
        residence_ns: Result<i64, Reason>,
    ) -> Settled {
        let Some(mut client) = self.clients.same(client) else {
            return Settled {
                spoiled: None,
                sequence_id: None,
            };
        };
        let request = client.request_mut(place);
        let sequence_id = Some(request.sequence_id());
        let spoiled = match request.progress() {
            Progress::InFlight if request.residence_or_flight() == flight.slot => None,
            Progress::SecondPath => Some(Reason::SecondPath),
            // Another request has taken the place meanwhile.
            _ => Some(Reason::Unsolicited),
        };
        if spoiled.is_some() {
            return Settled {
                spoiled,
                sequence_id,
            };
        }
        let ns = residence_ns.map(|ns| u32::try_from(ns).unwrap_or(u32::MAX));
        let departure = (ns.ok()).and_then(|ns| self.flights.departure(flight, ns));
        request.settle(ns, departure);
        if let Ok(ns) = ns {
            if flight.waiter().is_some() {
                client.served();
            }
            client.departed(flight.drawn.map_or(0, |drawn| drawn.hold_ns), ns);
            let late = flight
                .drawn
                .zip(departure)
                .map(|(drawn, departure)| departure.since(drawn.due).as_nanos());
            let late_ns = late.map(|late| u64::try_from(late).unwrap_or(u64::MAX));
            self.account.departed(ns, late_ns);
        }
        Settled {
            spoiled,
            sequence_id,
        }
    }

    /// A general message has what it waited for: the residence of its event message.
    fn complete(
        &mut self,
        frame: FrameRef,
        (owner, sequence_id): (Owner, Option<u16>),
        master: u32,
        residence_ns: i64,
    ) {
        let correction = residence::scaled(residence_ns, self.ratio(master));
        self.hold.correct(frame, correction);
        let (to_many, wait) = match owner {
            Owner::Sync(_) => self.of_follow_up(frame),
            Owner::Request { .. } => (false, GUARD),
        };
        if (self.paths).guards(owner, visible(residence_ns, to_many), self.present) {
            let until = self.present + wait;
            self.guard(frame, owner, sequence_id, until);
        } else {
            self.hold.leave(frame);
        }
    }

    /// Of a Follow_Up that is kept, whether it goes to many, and how long it would wait for copies of its Sync.
    fn of_follow_up(&self, frame: FrameRef) -> (bool, Duration) {
        let bytes = self.hold.get(frame).map(|(bytes, _)| bytes);
        let parsed = bytes.and_then(|bytes| Frame::parse(bytes).ok());
        parsed.map_or((false, GUARD), |frame| {
            (frame.is_multicast(), wait_for_copies(&frame))
        })
    }

    /// A Follow_Up whose correction is known leaves: now, or when no copy of its Sync was seen for a while.
    pub(super) fn send_corrected(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        sync: SyncRef,
        (master, residence_ns): (u32, i64),
    ) -> Result<Verdict, Reason> {
        let owner = Owner::Sync(sync);
        let visible_ns = visible(residence_ns, frame.is_multicast());
        if !self.paths.guards(owner, visible_ns, arrival.now) {
            let correction = residence::scaled(residence_ns, self.ratio(master));
            return Ok(arrival.forward_corrected(correction));
        }
        let general = General::follow_up(master);
        self.await_copies(frame, arrival, (owner, 0), (general, residence_ns))?;
        Ok(Verdict::Wait)
    }

    /// A general message whose correction is known leaves when no copy of its event message was seen for a while.
    /// `sequence_id` is that of its request, or 0 of a Sync.
    pub(super) fn await_copies(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        (owner, sequence_id): (Owner, u16),
        (general, residence_ns): (General, i64),
    ) -> Result<(), Reason> {
        let correction = residence::scaled(residence_ns, self.ratio(general.master));
        let kept = self
            .hold
            .keep_general(frame, arrival, general)
            .ok_or(Reason::HoldFull)?;
        self.hold.correct(kept, correction);
        let until = arrival.now + wait_for_copies(frame);
        self.guard(kept, owner, Some(sequence_id), until);
        Ok(())
    }
}

/// The residence of a Sync in which another gateway's copy of it can be seen here: that of a unicast one goes to its client
/// alone.
const fn visible(residence_ns: i64, to_many: bool) -> i64 {
    if to_many { residence_ns } else { 0 }
}
