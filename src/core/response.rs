//! A Delay_Resp: it goes to the client that asked, with the residence of its request taken out.

use crate::core::clients::ClientKey;
use crate::core::forwarder::Forwarder;
use crate::core::from_down::forward;
use crate::core::in_flight::Owner;
use crate::core::open::{OpenKey, Progress};
use crate::core::residence;
use crate::core::settings::Authenticated;
use crate::core::store::Purpose;
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;

impl Forwarder {
    pub(super) fn response(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let requesting = frame.requesting_port().ok_or(Reason::BadLength)?;
        let client_key = ClientKey {
            identity: requesting,
            lane: frame.lane(),
        };
        let row = self.clients.find(&client_key).ok_or(Reason::NotOurClient)?;
        let place = self
            .open_place(frame, row, now)
            .ok_or(Reason::Unsolicited)?;
        let client = self.clients.get_mut(row).ok_or(Reason::NotOurClient)?;
        let open = &client.open[usize::from(place)];
        let (progress, flight) = (open.progress(), open.residence_or_flight);
        match progress {
            // Nothing of ours has gone up yet that it could answer.
            Progress::Held | Progress::Empty => return Err(Reason::Unsolicited),
            Progress::SecondPath => {
                // It is answered, so it may be held: the next request of it may find only one way.
                client.served = true;
                return Err(Reason::SecondPath);
            }
            Progress::Lost => return Err(Reason::NoTxStamp),
            Progress::ClockStep => return Err(Reason::ClockStep),
            // The answer is to a copy that took another way.
            Progress::InFlight | Progress::Untouched if self.is_boarding(flight, row, place) => {
                return Err(Reason::Unsolicited);
            }
            Progress::InFlight | Progress::Departed | Progress::Untouched => {}
        }
        let master = self.allowed_master(frame, now)?;
        if self.masters.made_itself_up(master) {
            return Err(Reason::Unannounced);
        }
        let master_number = u16::try_from(master + 1).map_err(|_| Reason::TooManyMasters)?;

        let client = self.clients.get_mut(row).ok_or(Reason::NotOurClient)?;
        let open = &mut client.open[usize::from(place)];
        let first = !open.answered();
        let response_ns = open.age_ns(arrival.at);
        if !open.answer(master) {
            return Err(Reason::Duplicate);
        }
        let waited_for = open.residence_or_flight;
        let held = open.was_held();
        client.master = master_number;
        if first {
            self.counters.answered += 1;
            self.measures.response.add(response_ns);
            if let Some((_, slot)) = self.clients.with_slot(row) {
                slot.answered(response_ns);
            }
        }
        if frame.authenticated() || progress == Progress::Untouched {
            return self.authenticated_response(row, progress, held, arrival);
        }
        if progress == Progress::InFlight {
            let kept = self
                .keep(frame, arrival, Purpose::General { master })
                .ok_or(Reason::HoldFull)?;
            return match self.in_flight.get_mut(waited_for) {
                Some(flight) => {
                    // Another master's answer may wait already.
                    let behind = flight.waiter.replace(kept);
                    if let Some(waiting) = self.store.get_mut(kept) {
                        waiting.behind = behind;
                    }
                    Ok(Verdict::Wait)
                }
                None => {
                    self.store.release(kept);
                    Err(Reason::NoTxStamp)
                }
            };
        }
        if let Some(client) = self.clients.get_mut(row) {
            client.served = true;
        }
        let correction = residence::scaled(i64::from(waited_for), self.ratio(master));
        let owner = Owner::Request {
            client: row,
            generation: self.clients.generation(row),
            open: place,
        };
        self.settled(frame, arrival, owner, (master, correction))
    }

    /// The place of the open request that a response answers.
    ///
    /// sequenceIds are counted per destination: a unicast answer is looked for among what went to its sender
    /// first. It may answer a multicast request, too.
    fn open_place(&self, frame: &Frame<'_>, row: u32, now: Instant) -> Option<u8> {
        let client = self.clients.get(row)?;
        let multicast = OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            peer: 0,
        };
        let to_group = || client.find_open(multicast, now);
        let to_sender = || {
            let peer = self.fold(frame.source());
            client.find_open(OpenKey { peer, ..multicast }, now)
        };
        if frame.is_multicast() {
            to_group().or_else(to_sender)
        } else {
            to_sender().or_else(to_group)
        }
    }

    /// A general message whose correction is known leaves: now, or when no copy of its event message was
    /// heard for a while.
    pub(super) fn settled(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        owner: Owner,
        (master, correction): (u32, i64),
    ) -> Result<Verdict, Reason> {
        if !self.second_path.guards(owner, arrival.now) {
            return Ok(corrected(arrival, correction));
        }
        let kept = self
            .keep(frame, arrival, Purpose::General { master })
            .ok_or(Reason::HoldFull)?;
        if let Some(waiting) = self.store.get_mut(kept) {
            waiting.edit.correction = correction;
        }
        self.guard(kept, owner, arrival.now);
        Ok(Verdict::Wait)
    }

    /// An answer whose integrity check an edit would break: it passes untouched, if its request was not
    /// held.
    fn authenticated_response(
        &mut self,
        row: u32,
        progress: Progress,
        held: bool,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        if let Some(client) = self.clients.get_mut(row) {
            client.authenticates = true;
        }
        if self.settings.authenticated == Authenticated::Drop {
            return Err(Reason::Authenticated);
        }
        if held {
            self.untouched = true;
            return Err(Reason::Authenticated);
        }
        if progress != Progress::Untouched {
            self.passes_untouched();
        }
        Ok(forward(arrival))
    }
}

/// A general message goes on with the residence of its event message added.
pub(super) fn corrected(arrival: &Arrival, correction: i64) -> Verdict {
    Verdict::Forward(
        Edit {
            correction,
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        },
        None,
    )
}
