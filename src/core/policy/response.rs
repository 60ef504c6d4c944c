//! A Delay_Resp: it goes to the client that asked, with the residence of its request taken out.

use crate::core::clients::{ClientKey, ClientMut, OpenKey, Progress};
use crate::core::flight::Flights;
use crate::core::policy::Forwarder;
use crate::core::policy::masters::allowed_master;
use crate::core::policy::unicast::fold;
use crate::core::refs::{ClientRef, Owner};
use crate::core::second_path::Answer;
use crate::core::settings::Authenticated;
use crate::core::table::Secret;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;

impl Forwarder {
    pub(super) fn response(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        let key = ClientKey {
            identity: frame.requesting_port().ok_or(Reason::BadLength)?,
            lane: frame.lane(),
        };
        let row = self.clients.find(&key).ok_or(Reason::NotOurClient)?;
        self.answered(frame, arrival, row)
    }

    /// An answer to a request of the client in this row: a Delay_Resp, or the Announce of simple PTP.
    pub(super) fn answered(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        row: u32,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let mut client = self.clients.row(row)?;
        arrival.signature.continues(client.association())?;
        let place = open_place(frame, &client, self.secret, now).ok_or(Reason::Unsolicited)?;
        let request = client.request(place);
        let (progress, flight) = (request.progress(), request.residence_or_flight());
        if is_ahead_of_ours(&self.flights, progress, flight, (client.of(), place)) {
            self.another_way(row, frame, now);
            return Err(Reason::Unsolicited);
        }
        expected(place, &mut client)?;
        let master = allowed_master(&mut self.masters, &self.settings, frame, now)?;
        if self.masters.made_itself_up(master) {
            return Err(Reason::Unannounced);
        }
        let first = self.first_answer(frame, arrival, (row, place, master))?;
        let mut client = self.clients.row(row)?;
        client.answered_by(master);
        if client.is_doubted(now) {
            return Err(Reason::SecondPath);
        }
        if let Some(response_ns) = first {
            self.account.answered(response_ns);
            client.answered(response_ns);
        }

        if arrival.signature.is_fixed() || progress == Progress::Untouched {
            let waited = client.request(place).waited_visibly();
            client.set_fixed(true);
            return self.authenticated_response(progress, waited, arrival);
        }
        if progress == Progress::InFlight {
            return self.await_residence(frame, arrival, flight, master);
        }
        client.served();
        let client = client.of();
        let owner = Owner::Request { client, place };
        self.send_corrected(
            frame,
            arrival,
            (owner, frame.sequence_id()),
            (master, i64::from(flight)),
        )
    }

    /// A master answers a client's open request. Returns after how long, if none has before.
    fn first_answer(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        (row, place, master): (u32, u8, u32),
    ) -> Result<Option<u64>, Reason> {
        let mut client = self.clients.row(row)?;
        let first = answer(&mut client, place, master, arrival.at);
        if first.is_err() {
            self.answered_again(frame, (row, place, master), arrival.now);
        } else if let Some(received_ns) = received_ns(frame) {
            let which = which(frame, (row, place, master));
            self.paths.answered(which, received_ns);
        }
        first
    }

    /// An answer whose request is in flight waits for its residence. Another master's answer may wait already.
    fn await_residence(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        flight: u32,
        master: u32,
    ) -> Result<Verdict, Reason> {
        let kept = self
            .hold
            .keep_general(frame, arrival, master)
            .ok_or(Reason::HoldFull)?;
        match self.flights.wait_first(flight, kept) {
            Ok(behind) => {
                self.hold.wait_behind(kept, behind);
                Ok(Verdict::Wait)
            }
            Err(reason) => {
                self.hold.release(kept);
                Err(reason)
            }
        }
    }

    /// An answer whose integrity check an edit would break: it passes untouched, if its request did not wait visibly
    /// long.
    fn authenticated_response(
        &mut self,
        progress: Progress,
        waited_visibly: bool,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        if self.settings.authenticated == Authenticated::Drop {
            return Err(Reason::Authenticated);
        }
        if waited_visibly {
            self.account.untouched();
            return Err(Reason::Authenticated);
        }
        if progress != Progress::Untouched {
            self.account.passes_untouched();
        }
        Ok(arrival.forward())
    }
}

/// Which answer this is, of a master in its row to a request at its place of a client in its row.
pub(super) fn which(frame: &Frame<'_>, (client, place, master): (u32, u8, u32)) -> Answer {
    Answer {
        client,
        place,
        sequence_id: frame.sequence_id(),
        master,
    }
}

/// When the request arrived that this answers, by the master's clock, less what other clocks on its way took out.
pub(super) fn received_ns(frame: &Frame<'_>) -> Option<i64> {
    let time = frame.timestamp()?.as_nanos()?;
    time.checked_sub(frame.correction() >> 16)
}

/// Whether an answer is to a copy that took another way: nothing of ours has left yet that it could answer.
fn is_ahead_of_ours(
    flights: &Flights,
    progress: Progress,
    flight: u32,
    (client, place): (ClientRef, u8),
) -> bool {
    match progress {
        Progress::Waiting => true,
        Progress::InFlight | Progress::Untouched => flights.is_boarding(flight, client, place),
        Progress::Empty
        | Progress::Departed
        | Progress::SecondPath
        | Progress::Lost
        | Progress::Unmeasured => false,
    }
}

/// Whether the answer to a request that has come this far can be corrected.
fn expected(place: u8, client: &mut ClientMut<'_>) -> Result<(), Reason> {
    let request = client.request(place);
    match request.progress() {
        Progress::Empty | Progress::Waiting => Err(Reason::Unsolicited),
        Progress::SecondPath => {
            // It is answered, so it may be held: the next request of it may find only one way.
            client.served();
            Err(Reason::SecondPath)
        }
        Progress::Lost => Err(Reason::NoTxStamp),
        Progress::Unmeasured => Err(request.unmeasured().unwrap_or(Reason::NoTxStamp)),
        Progress::InFlight | Progress::Departed | Progress::Untouched => Ok(()),
    }
}

/// A master answers a client's open request. Returns after how long, if none has before.
fn answer(
    client: &mut ClientMut<'_>,
    place: u8,
    master: u32,
    at: Instant,
) -> Result<Option<u64>, Reason> {
    let request = client.request_mut(place);
    let first = !request.answered();
    let response_ns = request.age_ns(at);
    if !request.answer(master) {
        return Err(Reason::Duplicate);
    }
    Ok(first.then_some(response_ns))
}

/// The place of the open request that a response answers.
///
/// sequenceIds are counted per destination: a unicast answer is looked for among what went to its sender first. It may
/// answer a multicast request, too, and one that went to another address of the same master.
fn open_place(
    frame: &Frame<'_>,
    client: &ClientMut<'_>,
    secret: Secret,
    now: Instant,
) -> Option<u8> {
    let multicast = OpenKey {
        sequence_id: frame.sequence_id(),
        domain: frame.domain(),
        sdo: frame.major_sdo_id(),
        unicast_to: 0,
    };
    let to_group = || client.find_open(multicast, now);
    let unicast = OpenKey {
        unicast_to: fold(secret, frame.source()),
        ..multicast
    };
    let to_sender = || client.find_open(unicast, now);
    let place = if frame.is_multicast() {
        to_group().or_else(to_sender)
    } else {
        to_sender().or_else(to_group)
    };
    place.or_else(|| client.find_elsewhere(unicast, now))
}
