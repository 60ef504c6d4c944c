//! A Delay_Resp: it goes to the client that asked, with the residence of its request taken out.

use crate::core::clients::{ClientKey, ClientMut, OpenKey, Progress};
use crate::core::flight::Flights;
use crate::core::hold::{Answers, General};
use crate::core::policy::Forwarder;
use crate::core::policy::masters::allowed_master;
use crate::core::policy::unicast::fold;
use crate::core::refs::{ClientRef, Owner, RequestRef};
use crate::core::residence;
use crate::core::second_path::Answer;
use crate::core::settings::Authenticated;
use crate::core::table::Secret;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;

impl Forwarder {
    pub(super) fn response(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) -> Verdict {
        // The verdict is made where it stays: a move would stall on store-to-load forwarding.
        match self.take_response(frame, arrival) {
            Ok(Some(correction)) => arrival.forward_corrected(correction),
            Ok(None) => Verdict::Wait,
            Err(reason) => Verdict::Drop(reason),
        }
    }

    fn take_response(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Option<i64>, Reason> {
        let key = ClientKey {
            identity: frame.requesting_port().ok_or(Reason::BadLength)?,
            lane: frame.lane(),
        };
        let row = self.clients.find(&key).ok_or(Reason::NotOurClient)?;
        self.answered(frame, arrival, row)
    }

    /// An answer to a request of the client in this row: a Delay_Resp, or the Announce of simple PTP. The correction with
    /// which it leaves now, zero to leave as it came; `None` if it waits.
    pub(super) fn answered(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        row: u32,
    ) -> Result<Option<i64>, Reason> {
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
        let Some(response_ns) = client.answer(place, master, arrival.at) else {
            self.answered_again(frame, (row, place, master), now);
            return Err(Reason::Duplicate);
        };
        if let Some(received_ns) = received_ns(frame) {
            let which = which(frame, (row, place, master));
            self.paths.answered(which, received_ns);
        }
        if client.is_doubted(now) {
            return Err(Reason::SecondPath);
        }
        let sequence_id = frame.sequence_id();
        if progress != Progress::Departed
            || arrival.signature.is_fixed()
            || self.paths.guards_requests(now)
        {
            let request = RequestRef {
                client: client.of(),
                place,
                sequence_id,
            };
            let answers = Answers {
                request,
                response_ns,
            };
            return self.answered_otherwise(frame, arrival, answers, (progress, flight, master));
        }
        // Most answers. Nothing is moved here: a move of what was just written would stall.
        client.served();
        if client.reached(place, sequence_id, response_ns) {
            self.account.answered(response_ns);
        }
        let correction = residence::scaled(i64::from(flight), self.ratio(master));
        Ok(Some(correction))
    }

    /// An answer that does not simply leave corrected: the residence of its request is not known yet, an edit would break
    /// it, or a copy of its request may still be seen.
    #[inline(never)]
    fn answered_otherwise(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        answers: Answers,
        (progress, flight, master): (Progress, u32, u32),
    ) -> Result<Option<i64>, Reason> {
        let RequestRef { client, place, .. } = answers.request;
        let mut asked = self.clients.same(client).ok_or(Reason::NotOurClient)?;
        if arrival.signature.is_fixed() || progress == Progress::Untouched {
            let waited = asked.request(place).waited_visibly();
            asked.set_fixed(true);
            self.authenticated_response(progress, waited)?;
            self.reached(answers);
            return Ok(Some(0));
        }
        let general = General {
            master,
            answers: Some(answers),
        };
        if progress == Progress::InFlight {
            self.await_residence(frame, arrival, flight, general)?;
            return Ok(None);
        }
        asked.served();
        let owner = Owner::Request { client, place };
        let of = (owner, frame.sequence_id());
        self.await_copies(frame, arrival, of, (general, i64::from(flight)))?;
        Ok(None)
    }

    /// An answer that was to leave did not.
    pub(super) fn answer_unsent(&mut self, frame: &Frame<'_>, now: Instant) {
        let Some(identity) = frame.requesting_port() else {
            return;
        };
        let key = ClientKey {
            identity,
            lane: frame.lane(),
        };
        let row = self.clients.find(&key);
        if let Some(mut client) = row.and_then(|row| self.clients.row(row).ok())
            && let Some(place) = open_place(frame, &client, self.secret, now)
            && client.not_reached(place)
        {
            self.account.not_answered();
        }
    }

    /// An answer whose request is in flight waits for its residence. Another master's answer may wait already.
    fn await_residence(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        flight: u32,
        general: General,
    ) -> Result<(), Reason> {
        let kept = self
            .hold
            .keep_general(frame, arrival, general)
            .ok_or(Reason::HoldFull)?;
        match self.flights.wait_first(flight, kept) {
            Ok(behind) => {
                self.hold.wait_behind(kept, behind);
                Ok(())
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
    ) -> Result<(), Reason> {
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
        Ok(())
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

/// The place of the open request that a response answers.
///
/// sequenceIds are counted per destination: a unicast answer is looked for among what went to its sender first. It may
/// answer a multicast request, too, and one that went to another address of the same master.
pub(super) fn open_place(
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
    if frame.is_multicast()
        && let Some(place) = client.find_open(multicast, now)
    {
        // Most answers: no address needs to be hashed.
        return Some(place);
    }
    let unicast = OpenKey {
        unicast_to: fold(secret, frame.source()),
        ..multicast
    };
    client
        .find_open(unicast, now)
        .or_else(|| client.find_open(multicast, now))
        .or_else(|| client.find_elsewhere(unicast, now))
}
