//! Open requests: a client's last Delay_Req, and what their answers will be corrected by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::time::Instant;

/// Open requests of one client.
pub(crate) const OPEN: usize = 8;
/// An open request lives this long, in nanoseconds.
const OPEN_LIFE_NS: u64 = 2_000_000_000;
/// Its age is kept in units of 2^10 ns, which wrap after 73 minutes. The sweep for silent clients closes it long
/// before.
const UNIT: u32 = 10;
/// An authenticated answer to a request that waited longer than this cannot pass: it would be wrong by half the wait,
/// and an edit would break its integrity check.
const UNNOTICED: Duration = Duration::from_millis(1);

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No request here.
    Empty,
    /// Its Delay_Req waits for its departure time.
    Waiting,
    /// Sent; `residence_or_flight` is its slot among those in flight.
    InFlight,
    /// Its residence is known: `residence_or_flight`, in nanoseconds.
    Departed,
    /// Authenticated: its answer passes untouched. Once sent, `residence_or_flight` is or was its slot in flight.
    Untouched,
    /// A second path was found: its answers are dropped.
    SecondPath,
    /// Not sent: no answer is to be expected.
    Lost,
    /// Sent, but its residence will not be known: its answers are dropped. Why is in `residence_or_flight`
    /// ([`OpenRequest::unmeasured`]).
    Unmeasured,
}

/// One open request, in 20 bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OpenRequest {
    /// When its Delay_Req arrived; from departure on, when it departed. See [`UNIT`].
    since: u32,
    /// By [`Progress`]: a slot in flight, a residence in nanoseconds, or the number of a [`Reason`].
    residence_or_flight: u32,
    /// A keyed fold of the address that a unicast request was sent to; zero for multicast.
    unicast_to: u32,
    /// Masters that have answered, by row number modulo 30, [`SENT`] and [`REACHED`].
    answered_by: u32,
    sequence_id: u16,
    domain: u8,
    /// Four bits of majorSdoId, one that says that it waited visibly, three of progress.
    sdo_and_progress: u8,
}

/// A request found no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// In its time.
    Expired,
    /// Before a newer one of the same client took its place.
    Evicted,
}

const WAITED_VISIBLY: u8 = 8;
/// An answer has left toward its client.
const REACHED: u32 = 1 << 31;
/// It has left upstream.
const SENT: u32 = 1 << 30;

const PROGRESS: [Progress; 8] = [
    Progress::Empty,
    Progress::Waiting,
    Progress::InFlight,
    Progress::Departed,
    Progress::Untouched,
    Progress::SecondPath,
    Progress::Lost,
    Progress::Unmeasured,
];

impl OpenRequest {
    pub(super) const EMPTY: Self = Self {
        since: 0,
        residence_or_flight: 0,
        unicast_to: 0,
        answered_by: 0,
        sequence_id: 0,
        domain: 0,
        sdo_and_progress: 0,
    };

    /// A request that arrived at `since` and waits.
    pub(super) const fn new(key: OpenKey, since: Instant) -> Self {
        Self {
            since: units(since),
            residence_or_flight: 0,
            unicast_to: key.unicast_to,
            answered_by: 0,
            sequence_id: key.sequence_id,
            domain: key.domain,
            sdo_and_progress: key.sdo << 4 | Progress::Waiting as u8,
        }
    }

    // What happens to it.

    /// It departs at `now`, in this slot among those in flight; it arrived at `arrived`.
    pub(crate) fn departs(&mut self, slot: u32, now: Instant, arrived: Instant) {
        if self.progress() == Progress::Waiting {
            self.set_progress(Progress::InFlight);
        }
        if now.since(arrived) > UNNOTICED {
            self.sdo_and_progress |= WAITED_VISIBLY;
        }
        self.residence_or_flight = slot;
        self.answered_by |= SENT;
        self.since = units(now);
    }

    /// Its residence is known, or why it will never be. `departed` is when it departed, if that is known.
    pub(crate) fn settle(&mut self, residence_ns: Result<u32, Reason>, departed: Option<Instant>) {
        match residence_ns {
            Ok(ns) => {
                self.set_progress(Progress::Departed);
                self.residence_or_flight = ns;
                if let Some(at) = departed {
                    self.since = units(at);
                }
            }
            Err(reason @ (Reason::NoTxStamp | Reason::ClockStep | Reason::Residence)) => {
                self.set_progress(Progress::Unmeasured);
                self.residence_or_flight = reason as u32;
            }
            // Why it was not sent.
            Err(_) => self.set_progress(Progress::Lost),
        }
    }

    /// It authenticates, and passes untouched.
    pub(crate) const fn untouched(&mut self) {
        self.set_progress(Progress::Untouched);
    }

    /// It was not sent: no answer is to be expected.
    pub(crate) const fn lost(&mut self) {
        self.set_progress(Progress::Lost);
    }

    /// The flight in this slot was not sent. If it was to pass untouched it has no answer to expect either.
    pub(crate) fn unsent(&mut self, slot: u32) {
        let flies = matches!(
            self.progress(),
            Progress::InFlight | Progress::Untouched | Progress::SecondPath
        );
        if !flies || self.residence_or_flight != slot {
            return;
        }
        self.answered_by &= !SENT;
        if self.progress() == Progress::Untouched {
            self.lost();
        }
    }

    /// Somebody else sent it on: what answers it may answer that copy. If it still waits, it will not depart.
    pub(crate) fn copied(&mut self) {
        if self.progress() != Progress::Lost {
            self.set_progress(Progress::SecondPath);
        }
    }

    /// A master answers; false if it has before. Of two masters whose rows are 30 apart only one counts: who
    /// announces that many cannot have its answers multiplied.
    pub(crate) const fn answer(&mut self, master: u32) -> bool {
        let bit = 1 << (master % 30);
        let first = self.answered_by & bit == 0;
        self.answered_by |= bit;
        first
    }

    /// An answer leaves toward its client; false if one has before.
    pub(super) const fn reached(&mut self) -> bool {
        let first = self.answered_by & REACHED == 0;
        self.answered_by |= REACHED;
        first
    }

    /// The answer that was to leave did not; false if none was.
    pub(super) const fn not_reached(&mut self) -> bool {
        let was = self.answered_by & REACHED != 0;
        self.answered_by &= !REACHED;
        was
    }

    /// A newer one takes its place: how it lapsed, if it did.
    pub(super) fn evicted(&self, now: Instant) -> Option<Lapse> {
        if !self.lacks_answer() {
            None
        } else if self.live(now) {
            Some(Lapse::Evicted)
        } else {
            Some(Lapse::Expired)
        }
    }

    /// Its time is over. Whether it found no answer.
    pub(super) fn close(&mut self) -> bool {
        let unanswered = self.lacks_answer();
        self.set_progress(Progress::Empty);
        unanswered
    }

    /// Whether it went upstream and its client has no answer.
    const fn lacks_answer(&self) -> bool {
        let ended = matches!(self.progress(), Progress::Empty | Progress::Lost);
        !ended && self.answered_by & (SENT | REACHED) == SENT
    }

    // What is known of it.

    /// How far it has come.
    pub(crate) const fn progress(&self) -> Progress {
        PROGRESS[(self.sdo_and_progress & 7) as usize]
    }

    const fn set_progress(&mut self, progress: Progress) {
        self.sdo_and_progress = self.sdo_and_progress & !7 | progress as u8;
    }

    /// Why its residence will not be known, if so.
    pub(crate) fn unmeasured(&self) -> Option<Reason> {
        let reason = usize::try_from(self.residence_or_flight).ok()?;
        (self.progress() == Progress::Unmeasured).then(|| Reason::ALL.get(reason).copied())?
    }

    /// Whether it waited too long for its answer to pass uncorrected.
    pub(crate) const fn waited_visibly(&self) -> bool {
        self.sdo_and_progress & WAITED_VISIBLY != 0
    }

    /// Whether a master has answered.
    pub(crate) const fn answered(&self) -> bool {
        self.answered_by & !(REACHED | SENT) != 0
    }

    /// By [`Progress`]: its slot in flight, or its residence in nanoseconds.
    pub(crate) const fn residence_or_flight(&self) -> u32 {
        self.residence_or_flight
    }

    pub(crate) const fn sequence_id(&self) -> u16 {
        self.sequence_id
    }

    pub(crate) const fn domain(&self) -> u8 {
        self.domain
    }

    /// majorSdoId.
    pub(crate) const fn sdo(&self) -> u8 {
        self.sdo_and_progress >> 4
    }

    /// Whether this is the request with that sequenceId still.
    pub(super) fn is_open(&self, sequence_id: u16) -> bool {
        self.sequence_id == sequence_id && self.progress() != Progress::Empty
    }

    /// Open for answers: in use and young enough.
    pub(crate) fn live(&self, now: Instant) -> bool {
        self.progress() != Progress::Empty && self.age_ns(now) < OPEN_LIFE_NS
    }

    /// Nanoseconds since its Delay_Req departed, or arrived if it has not departed yet.
    pub(crate) fn age_ns(&self, now: Instant) -> u64 {
        let age = units(now).wrapping_sub(self.since);
        // By a reading of the clock a moment before.
        if age > u32::MAX / 2 {
            0
        } else {
            u64::from(age) << UNIT
        }
    }

    /// Whether it went, in unicast, to the address of this key.
    pub(super) fn went_to(&self, key: OpenKey) -> bool {
        self.went_in_unicast() && self.unicast_to == key.unicast_to
    }

    /// Whether it went to one address.
    pub(super) const fn went_in_unicast(&self) -> bool {
        self.unicast_to != 0
    }

    /// This key, to the address that the request went to.
    pub(super) const fn key_like(&self, key: OpenKey) -> OpenKey {
        OpenKey {
            unicast_to: self.unicast_to,
            ..key
        }
    }

    pub(super) fn matches(&self, key: OpenKey, now: Instant) -> bool {
        self.sequence_id == key.sequence_id
            && self.domain == key.domain
            && self.unicast_to == key.unicast_to
            && self.sdo_and_progress >> 4 == key.sdo
            && self.live(now)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "wraps; only differences count"
)]
const fn units(at: Instant) -> u32 {
    (at.as_nanos() >> UNIT) as u32
}

/// What an answer must share with its request, beside the client's identity and lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenKey {
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) sdo: u8,
    /// A keyed fold of the address that a unicast request was sent to; zero for multicast.
    pub(crate) unicast_to: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small_and_keeps_sdo_and_progress_apart() {
        assert_eq!(size_of::<OpenRequest>(), 20);
        let key = OpenKey {
            sequence_id: 7,
            domain: 3,
            sdo: 0xF,
            unicast_to: 0,
        };
        let start = Instant::from_nanos(10);
        let mut open = OpenRequest::new(key, start);
        open.departs(5, start + 2 * UNNOTICED, start);
        assert_eq!(open.progress(), Progress::InFlight);
        open.settle(Ok(7), Some(start));
        for progress in PROGRESS {
            open.set_progress(progress);
            assert_eq!(open.progress(), progress);
            assert_eq!(open.matches(key, start), progress != Progress::Empty);
        }
        assert!(open.answer(3) && open.answer(4) && !open.answer(3) && !open.answer(33));
        assert!(open.answered() && open.lacks_answer(), "none has left");
        assert!(open.reached() && !open.reached() && !open.lacks_answer());
        assert!(open.not_reached() && !open.not_reached() && open.answered());
        assert!(open.waited_visibly() && !OpenRequest::new(key, start).waited_visibly());
        assert!(!open.matches(OpenKey { sdo: 0, ..key }, start));
        assert!(
            !open.matches(key, start.plus_nanos(OPEN_LIFE_NS)),
            "expired"
        );
    }
}
