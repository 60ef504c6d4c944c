//! Open requests: a client's last Delay_Req, and what their answers will be corrected by.

use crate::time::Instant;

/// Open requests of one client.
pub(crate) const OPEN: usize = 8;
/// An open request lives this long, in nanoseconds.
pub(crate) const OPEN_LIFE_NS: u64 = 2_000_000_000;
/// Its age is kept in units of 2^10 ns, which wrap after 73 minutes; the sweep for silent clients clears
/// it long before.
const UNIT: u32 = 10;

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No request here.
    Empty,
    /// Its Delay_Req waits for its moment.
    Held,
    /// Sent; `residence_or_flight` is its slot among those in flight.
    InFlight,
    /// Its residence is known: `residence_or_flight`, in nanoseconds.
    Departed,
    /// Authenticated: its answer passes untouched. Once sent, `residence_or_flight` is or was its slot in flight.
    Untouched,
    /// A second path was found: its answers are dropped.
    SecondPath,
    /// Never departed, or its residence is not to be known: its answers are dropped.
    Lost,
    /// The local clock stepped while it was here: its answers are dropped.
    ClockStep,
}

/// One open request, in 20 octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// When its Delay_Req arrived; from departure on, when it departed. See [`UNIT`].
    since: u32,
    /// By [`Progress`]: a slot in flight, or a residence in nanoseconds.
    pub(crate) residence_or_flight: u32,
    /// A keyed fold of the address a unicast request was sent to; zero for multicast.
    pub(crate) peer: u32,
    /// Masters that have answered, by row number modulo 32.
    answered_by: u32,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    /// Four bits of majorSdoId, one that says that it was held, three of progress.
    sdo_and_progress: u8,
}

const HELD: u8 = 8;

const PROGRESS: [Progress; 8] = [
    Progress::Empty,
    Progress::Held,
    Progress::InFlight,
    Progress::Departed,
    Progress::Untouched,
    Progress::SecondPath,
    Progress::Lost,
    Progress::ClockStep,
];

impl Open {
    pub(crate) const EMPTY: Self = Self {
        since: 0,
        residence_or_flight: 0,
        peer: 0,
        answered_by: 0,
        sequence_id: 0,
        domain: 0,
        sdo_and_progress: 0,
    };

    pub(crate) const fn new(key: OpenKey, since: Instant, progress: Progress) -> Self {
        Self {
            since: units(since),
            residence_or_flight: 0,
            peer: key.peer,
            answered_by: 0,
            sequence_id: key.sequence_id,
            domain: key.domain,
            sdo_and_progress: key.sdo << 4 | progress as u8,
        }
    }

    pub(crate) const fn progress(&self) -> Progress {
        PROGRESS[(self.sdo_and_progress & 7) as usize]
    }

    pub(crate) const fn set_progress(&mut self, progress: Progress) {
        self.sdo_and_progress = self.sdo_and_progress & !7 | progress as u8;
    }

    /// It was held for so long that its answer must not pass uncorrected.
    pub(crate) const fn was_held(&self) -> bool {
        self.sdo_and_progress & HELD != 0
    }

    /// See [`Open::was_held`].
    pub(crate) const fn set_held(&mut self) {
        self.sdo_and_progress |= HELD;
    }

    pub(crate) const fn answered(&self) -> bool {
        self.answered_by != 0
    }

    /// A master answers; false if it has before. Of two masters whose rows are 32 apart only one is
    /// heard: who announces so many cannot have its answers multiplied.
    pub(crate) const fn answer(&mut self, master: u32) -> bool {
        let bit = 1 << (master % 32);
        let first = self.answered_by & bit == 0;
        self.answered_by |= bit;
        first
    }

    /// Open for answers: in use and young enough.
    pub(crate) fn live(&self, now: Instant) -> bool {
        self.progress() != Progress::Empty && self.age_ns(now) < OPEN_LIFE_NS
    }

    /// It departed at this moment.
    pub(crate) const fn departed_at(&mut self, at: Instant) {
        self.since = units(at);
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

    pub(crate) fn matches(&self, key: OpenKey, now: Instant) -> bool {
        self.sequence_id == key.sequence_id
            && self.domain == key.domain
            && self.peer == key.peer
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
    /// See [`Open::peer`].
    pub(crate) peer: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small_and_keeps_sdo_and_progress_apart() {
        assert_eq!(size_of::<Open>(), 20);
        let key = OpenKey {
            sequence_id: 7,
            domain: 3,
            sdo: 0xF,
            peer: 0,
        };
        let start = Instant::from_nanos(10);
        let mut open = Open::new(key, start, Progress::Held);
        open.set_held();
        for progress in PROGRESS {
            open.set_progress(progress);
            assert_eq!(open.progress(), progress);
            assert_eq!(open.matches(key, start), progress != Progress::Empty);
        }
        assert!(open.answer(3) && open.answer(4) && !open.answer(3) && !open.answer(35));
        assert!(open.answered());
        assert!(open.was_held() && !Open::new(key, start, Progress::Held).was_held());
        assert!(!open.matches(OpenKey { sdo: 0, ..key }, start));
        assert!(
            !open.matches(key, start.plus_nanos(OPEN_LIFE_NS)),
            "expired"
        );
    }
}
