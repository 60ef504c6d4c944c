//! Who has the next hop's address, asked for and confirmed by questions of our own.
//!
//! The kernel's table would not do: no traffic of a packet ring confirms its entries. A hardware address counts for half a
//! minute, then its owner alone is asked while it goes on to serve; another one takes its place only when the old one has not
//! answered.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::Side;
use crate::core::bucket::Bucket;
use crate::core::table::{Key, Secret, Table};
use crate::time::Instant;
use crate::wire::Mac;

/// An answer counts for so long.
const FRESH: Duration = Duration::from_secs(30);
/// A question without an answer is repeated after this time.
const REPEAT: Duration = Duration::from_millis(250);
/// Questions in a row.
const QUESTIONS: u8 = 3;
/// Whoever did not answer is left alone for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// Next hops a second that were not asked for before.
const NEW: u32 = 1024;
/// One that was not used for so long gives way to another.
const IDLE: Duration = Duration::from_secs(60);
/// Rows that are looked at for one that may go, when the table is full.
const LOOKED_AT: u32 = 16;
/// Questions that wait to be sent.
const QUEUED: usize = 1024;

/// A next hop: an address on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) side: Side,
    pub(crate) ip: IpAddr,
}

impl Key for Hop {
    fn words(&self) -> [u64; 3] {
        let (bits, version) = match self.ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 0),
            IpAddr::V6(ip) => (ip.to_bits(), 2),
        };
        #[expect(clippy::cast_possible_truncation, reason = "split in halves")]
        let halves = [(bits >> 64) as u64, bits as u64];
        [halves[0], halves[1], version | self.side as u64]
    }
}

/// Whether a next hop can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    /// It was asked and may still answer.
    Soon,
    No,
}

#[derive(Clone, Debug)]
struct Row {
    mac: Option<Mac>,
    fresh_until: Instant,
    /// Questions in a row so far; 0 if none is open.
    asked: u8,
    /// How many there may be.
    most: u8,
    asked_at: Instant,
    failed: Option<Instant>,
    used: Instant,
}

/// See the module.
pub(super) struct Hops {
    table: Table<Hop, Row>,
    /// Rows with an open question.
    open: Vec<u32>,
    /// When the first of these is looked at.
    due: Option<Instant>,
    /// What is to be asked, and whom alone.
    questions: VecDeque<(Hop, Option<Mac>)>,
    new: Bucket,
    hand: u32,
    /// Rows with a hardware address.
    known: usize,
}

impl Hops {
    pub(super) fn new(capacity: u32, secret: Secret) -> Self {
        Self {
            table: Table::new(capacity as usize, secret),
            open: Vec::with_capacity(capacity as usize),
            due: None,
            questions: VecDeque::with_capacity(QUEUED),
            new: Bucket::full(Instant::default()),
            hand: 0,
            known: 0,
        }
    }

    /// How many hardware addresses are known, and how many next hops are being asked.
    pub(super) const fn counts(&self) -> (usize, usize) {
        (self.known, self.open.len())
    }

    /// The hardware address to send to.
    pub(super) fn mac(&self, hop: Hop) -> Option<Mac> {
        let row = self.table.find(&hop)?;
        self.table.get(row)?.mac
    }

    /// Whether it can be sent to, without a question.
    pub(super) fn look(&self, hop: Hop) -> Known {
        let row = self.table.find(&hop).and_then(|row| self.table.get(row));
        row.map_or(Known::No, |row| row.known())
    }

    /// It is to be sent to: it is asked if it must be, `most` times in a row.
    pub(super) fn want(&mut self, hop: Hop, most: u8, now: Instant) -> Known {
        let Some(at) = self.find_or_insert(hop, now) else {
            return Known::No;
        };
        let Some(row) = self.table.get_mut(at) else {
            return Known::No;
        };
        row.used = now;
        let known = row.known();
        let rests = row.failed.is_some_and(|at| now.since(at) < PAUSE);
        let stale = row.mac.is_none_or(|_| now >= row.fresh_until);
        if row.asked == 0 && stale && !rests {
            // One that serves is not given up for a single question.
            row.most = match known {
                Known::Yes => QUESTIONS,
                Known::Soon | Known::No => most,
            };
            self.ask(at, now);
            return match known {
                Known::Yes => Known::Yes,
                Known::Soon | Known::No => Known::Soon,
            };
        }
        row.most = row.most.max(most);
        known
    }

    /// As [`Hops::want`], for a message.
    pub(super) fn want_for_message(&mut self, hop: Hop, now: Instant) -> Known {
        self.want(hop, QUESTIONS, now)
    }

    /// Somebody says that it is the hop. `to_us`: it answers us, or asks us. Whether something has changed for who waits.
    pub(super) fn hears(&mut self, hop: Hop, mac: Mac, to_us: bool, now: Instant) -> bool {
        let Some(at) = self.table.find(&hop) else {
            return false;
        };
        let Some(row) = self.table.get_mut(at) else {
            return false;
        };
        match row.mac {
            Some(known) if known == mac => {
                if to_us {
                    row.confirmed(mac, now);
                    self.closed(at);
                }
                false
            }
            // Somebody else says so: the one that we know is asked first.
            Some(_) => {
                if row.asked == 0 && now.since(row.asked_at) >= PAUSE {
                    row.most = QUESTIONS;
                    self.ask(at, now);
                }
                false
            }
            None if to_us && row.asked > 0 => {
                row.confirmed(mac, now);
                self.known += 1;
                self.closed(at);
                true
            }
            None => false,
        }
    }

    /// Lets time pass: questions are repeated, or nobody answers. Whether something has changed for who waits.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let mut failed = false;
        let mut at = 0;
        while let Some(&number) = self.open.get(at) {
            let Some(row) = self.table.get_mut(number) else {
                self.open.swap_remove(at);
                continue;
            };
            if now < row.asked_at + REPEAT {
                at += 1;
                continue;
            }
            if row.asked >= row.most {
                row.asked = 0;
                if row.mac.take().is_none() {
                    row.failed = Some(now);
                    failed = true;
                    self.open.swap_remove(at);
                    continue;
                }
                // The one that it was is gone: whoever has the address now.
                self.known -= 1;
            }
            self.repeat(number, now);
            at += 1;
        }
        self.schedule();
        failed
    }

    /// No question is open any longer.
    pub(super) fn ask_no_more(&mut self) {
        for number in self.open.drain(..) {
            if let Some(row) = self.table.get_mut(number) {
                row.asked = 0;
            }
        }
        self.questions.clear();
        self.due = None;
    }

    /// When there is something to do.
    pub(super) const fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether there is a question to be sent.
    pub(super) fn has_questions(&self) -> bool {
        !self.questions.is_empty()
    }

    /// The next question, and whom alone it goes to.
    pub(super) fn next_question(&mut self) -> Option<(Hop, Option<Mac>)> {
        self.questions.pop_front()
    }

    fn ask(&mut self, row: u32, now: Instant) {
        self.open.push(row);
        self.repeat(row, now);
        let due = now + REPEAT;
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    fn repeat(&mut self, number: u32, now: Instant) {
        let Some(&hop) = self.table.key(number) else {
            return;
        };
        if let Some(row) = self.table.get_mut(number) {
            row.asked += 1;
            row.asked_at = now;
            if self.questions.len() < QUEUED {
                self.questions.push_back((hop, row.mac));
            }
        }
    }

    /// The question about this row is open no longer.
    fn closed(&mut self, row: u32) {
        if let Some(at) = self.open.iter().position(|open| *open == row) {
            self.open.swap_remove(at);
            self.schedule();
        }
    }

    fn schedule(&mut self) {
        let table = &self.table;
        let asked = self.open.iter().filter_map(|row| table.get(*row));
        self.due = asked.map(|row| row.asked_at + REPEAT).min();
    }

    fn find_or_insert(&mut self, hop: Hop, now: Instant) -> Option<u32> {
        if let Some(row) = self.table.find(&hop) {
            return Some(row);
        }
        if !self.new.take(now, NEW) {
            return None;
        }
        let row = Row {
            mac: None,
            fresh_until: now,
            asked: 0,
            most: QUESTIONS,
            asked_at: Instant::default(),
            failed: None,
            used: now,
        };
        match self.table.insert(hop, row.clone()) {
            Ok(row) => Some(row),
            Err(_) => {
                self.make_room(now)?;
                self.table.insert(hop, row).ok()
            }
        }
    }

    /// Forgets one that was not used for long, or never answered.
    fn make_room(&mut self, now: Instant) -> Option<()> {
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) % self.table.high_water().max(1);
            let gone = self.table.get(self.hand).is_some_and(|row| {
                row.asked == 0 && (row.mac.is_none() || now.since(row.used) > IDLE)
            });
            if gone {
                let gone = self.table.remove(self.hand);
                self.known -= usize::from(gone.is_some_and(|(_, row)| row.mac.is_some()));
                return Some(());
            }
        }
        None
    }
}

impl Row {
    const fn known(&self) -> Known {
        match self.mac {
            Some(_) => Known::Yes,
            None if self.asked > 0 => Known::Soon,
            None => Known::No,
        }
    }

    fn confirmed(&mut self, mac: Mac, now: Instant) {
        self.mac = Some(mac);
        self.fresh_until = now + FRESH;
        self.asked = 0;
        self.failed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: Hop = Hop {
        side: Side::Up,
        ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 1)),
    };
    const ONE: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn hops() -> Hops {
        Hops::new(4, Secret(1, 2))
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos((1_000_000 + ms) * 1_000_000)
    }

    /// Whom alone each question that is due goes to.
    fn questions(hops: &mut Hops, ms: u64) -> Vec<Option<Mac>> {
        hops.advance(at(ms));
        std::iter::from_fn(|| hops.next_question())
            .map(|(hop, to)| {
                assert_eq!(hop, HOP);
                to
            })
            .collect()
    }

    fn known() -> Hops {
        let mut hops = hops();
        assert_eq!(hops.want_for_message(HOP, at(0)), Known::Soon);
        assert_eq!(questions(&mut hops, 0), [None]);
        assert!(hops.hears(HOP, ONE, true, at(1)));
        hops
    }

    #[test]
    fn it_is_asked_three_times_and_then_left_alone() {
        let mut hops = hops();
        assert_eq!(hops.want_for_message(HOP, at(0)), Known::Soon);
        assert_eq!(questions(&mut hops, 0), [None]);
        assert_eq!(hops.want_for_message(HOP, at(10)), Known::Soon);
        assert_eq!(questions(&mut hops, 249), []);
        assert_eq!(questions(&mut hops, 250), [None]);
        assert_eq!(questions(&mut hops, 500), [None]);
        assert_eq!(hops.next_due(), Some(at(750)));
        assert!(hops.advance(at(750)));
        assert_eq!(hops.want_for_message(HOP, at(751)), Known::No);
        assert_eq!(questions(&mut hops, 1749), []);
        assert_eq!(hops.next_due(), None);
        assert_eq!(hops.want_for_message(HOP, at(1751)), Known::Soon);
        assert_eq!(questions(&mut hops, 1751), [None]);
    }

    #[test]
    fn who_answers_is_known_and_asked_again_after_half_a_minute() {
        let mut hops = known();
        assert_eq!(hops.mac(HOP), Some(ONE));
        assert_eq!(hops.want_for_message(HOP, at(30_000)), Known::Yes);
        assert_eq!(questions(&mut hops, 30_000), []);
        assert_eq!(hops.want_for_message(HOP, at(30_001)), Known::Yes);
        assert_eq!(questions(&mut hops, 30_001), [Some(ONE)]);
        assert!(!hops.hears(HOP, ONE, true, at(30_002)));
        assert_eq!(questions(&mut hops, 40_000), []);
        assert_eq!(hops.want_for_message(HOP, at(60_000)), Known::Yes);
        assert_eq!(questions(&mut hops, 60_001), []);
    }

    #[test]
    fn another_one_counts_only_when_the_old_one_does_not_answer() {
        let mut hops = known();
        assert!(!hops.hears(HOP, OTHER, true, at(5_000)));
        assert_eq!(questions(&mut hops, 5_000), [Some(ONE)]);
        assert_eq!(hops.mac(HOP), Some(ONE));
        // It answers: the other one is not believed, and does not make us ask more than once a second.
        assert!(!hops.hears(HOP, ONE, true, at(5_001)));
        assert!(!hops.hears(HOP, OTHER, true, at(5_002)));
        assert_eq!(questions(&mut hops, 5_900), []);
        assert!(!hops.hears(HOP, OTHER, true, at(6_000)));
        for ms in [6_000, 6_250, 6_500] {
            assert_eq!(questions(&mut hops, ms), [Some(ONE)], "{ms}");
        }
        assert_eq!(hops.counts(), (1, 1));
        assert_eq!(questions(&mut hops, 6_750), [None]);
        assert_eq!((hops.mac(HOP), hops.counts()), (None, (0, 1)));
        assert!(hops.hears(HOP, OTHER, true, at(6_751)));
        assert_eq!((hops.mac(HOP), hops.counts()), (Some(OTHER), (1, 0)));
    }

    /// For an answer that will come nobody is asked more than once, but one that serves is not given up for that.
    #[test]
    fn one_that_serves_is_given_up_after_three_questions() {
        let mut hops = known();
        assert_eq!(hops.want(HOP, 1, at(30_001)), Known::Yes);
        for ms in [30_001, 30_251, 30_501] {
            assert_eq!(questions(&mut hops, ms), [Some(ONE)], "{ms}");
        }
        assert!(!hops.hears(HOP, ONE, true, at(30_740)));
        assert_eq!(questions(&mut hops, 30_751), []);
        assert_eq!(hops.mac(HOP), Some(ONE));
    }

    /// What it says to others confirms nothing: anybody could say so in its name, and nobody would contradict.
    #[test]
    fn only_an_answer_to_us_confirms() {
        let mut hops = known();
        assert_eq!(hops.want_for_message(HOP, at(30_001)), Known::Yes);
        assert_eq!(questions(&mut hops, 30_001), [Some(ONE)]);
        assert!(!hops.hears(HOP, ONE, false, at(30_002)));
        assert_eq!(questions(&mut hops, 30_251), [Some(ONE)]);
        assert!(!hops.hears(HOP, ONE, true, at(30_252)));
        assert_eq!(questions(&mut hops, 30_501), []);
    }

    #[test]
    fn nobody_is_believed_who_was_not_asked() {
        let mut hops = hops();
        assert!(!hops.hears(HOP, ONE, true, at(0)));
        assert_eq!(hops.mac(HOP), None);
        assert_eq!(hops.want_for_message(HOP, at(1)), Known::Soon);
        assert!(!hops.hears(HOP, ONE, false, at(2)), "not to us");
        assert!(!hops.hears(
            Hop {
                side: Side::Down,
                ..HOP
            },
            ONE,
            true,
            at(2)
        ));
        assert_eq!(hops.mac(HOP), None);
    }

    #[test]
    fn the_table_is_bounded_and_who_is_idle_gives_way() {
        let hop = |last: u8| Hop {
            ip: IpAddr::from([10, 0, 1, last]),
            ..HOP
        };
        let mut hops = hops();
        for last in 1..=4 {
            assert_eq!(hops.want_for_message(hop(last), at(0)), Known::Soon);
            hops.hears(hop(last), ONE, true, at(0));
        }
        assert_eq!(hops.want_for_message(hop(5), at(1_000)), Known::No);
        let later = 61_001;
        assert_eq!(hops.want_for_message(hop(2), at(later)), Known::Yes);
        assert_eq!(hops.want_for_message(hop(5), at(later)), Known::Soon);
        assert_eq!(
            hops.counts(),
            (3, 2),
            "of four, one gave way; two are asked"
        );
        let asked: Vec<_> = std::iter::from_fn(|| hops.next_question()).collect();
        assert_eq!(asked.len(), 6);
    }
}
