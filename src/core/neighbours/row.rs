//! Who has an address, and who says so.

use std::time::Duration;

use super::speaker::Speaker;
use crate::Side;
use crate::core::bucket::Bucket;
use crate::time::Instant;
use crate::wire::Mac;

/// Whoever has an address answers one of three questions within three times this time.
const TO_ANSWER: Duration = Duration::from_millis(165);
/// Questions in a row that stay unanswered until whoever has an address is gone, or until nobody has it: one alone, or
/// its answer, is lost as soon as somebody floods the way (RFC 5227, 2.1.1; RFC 4861, 10).
pub(super) const QUESTIONS: u8 = 3;
/// From the last of them on, nobody but whoever has claimed it first may claim it for so long.
const RESERVED: Duration = Duration::from_secs(2);
/// Nobody has answered: for so long that counts.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// Somebody has: a claim is not looked at again for so long.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Messages a second of one client.
const OF_A_CLIENT: u32 = 8;
/// The same of a master, which has many to answer.
const OF_A_MASTER: u32 = 500;
/// Its answer is awaited for this long after a question was relayed.
const ASKED: Duration = Duration::from_secs(2);
/// An answer is given in its name for this long after it spoke.
pub(super) const TRUSTED: Duration = Duration::from_secs(30);
/// What went another way does so for this long.
const OTHER_WAY: Duration = Duration::from_secs(60);
/// Whoever was silent for so long may be forgotten for others: nobody knows yet whether the address is its own.
const UNSETTLED: Duration = Duration::from_secs(30);
/// The same of one that is settled.
const SILENT: Duration = Duration::from_secs(600);

/// A hardware address that says it has the address of a row.
#[derive(Clone, Copy, Debug)]
struct Claim {
    mac: Mac,
    /// Of the last question about it.
    at: Instant,
    /// Questions so far.
    asked: u8,
    /// Somebody else has answered.
    refuted: bool,
}

/// Where an address lives. In one byte, for each row has it.
#[derive(Clone, Copy, Debug)]
enum Lives {
    Above,
    Below,
    /// Below, and unicast PTP came from it.
    Client,
}

/// An address on one side.
#[derive(Clone, Debug)]
pub(super) struct Row {
    lives: Lives,
    /// Its hardware address, once settled.
    mac: Option<Mac>,
    /// As long as none is: where its unicast PTP comes from.
    heard: Option<Mac>,
    claim: Option<Claim>,
    seen: Instant,
    spoken: Bucket,
    asked: Option<Instant>,
    other_way: Option<Instant>,
    /// Its hardware address spoke for it.
    confirmed: Option<Instant>,
}

/// Whether whoever speaks for an address may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It may; `refuted`: and so somebody else may not, who was asked about lately.
    Yes {
        /// See there.
        refuted: bool,
    },
    /// Ask this one whether it still has the address, or anybody on the other side.
    Ask(Option<Mac>),
    /// That was asked, and there is still time to answer.
    NotYet,
    /// Somebody has answered.
    No,
}

impl Row {
    /// An address of nobody knows whom.
    pub(super) fn new(side: Side, now: Instant) -> Self {
        Self {
            lives: match side {
                Side::Up => Lives::Above,
                Side::Down => Lives::Below,
            },
            mac: None,
            heard: None,
            claim: None,
            seen: now,
            spoken: Bucket::full(now),
            asked: None,
            other_way: None,
            confirmed: None,
        }
    }

    /// A master's: what is upstream is believed until somebody contradicts.
    pub(super) fn settled(mac: Mac, now: Instant) -> Self {
        Self {
            mac: Some(mac),
            confirmed: Some(now),
            ..Self::new(Side::Up, now)
        }
    }

    pub(super) const fn side(&self) -> Side {
        match self.lives {
            Lives::Above => Side::Up,
            Lives::Below | Lives::Client => Side::Down,
        }
    }

    pub(super) const fn mac(&self) -> Option<Mac> {
        self.mac
    }

    /// Unicast PTP came from it, and from this hardware address: another one is not believed as long as it answers.
    pub(super) fn is_a_client(&mut self, mac: Mac, now: Instant) {
        match self.lives {
            Lives::Above => return,
            Lives::Below | Lives::Client => self.lives = Lives::Client,
        }
        if self.mac.is_none() && self.heard.is_none() {
            self.heard = Some(mac);
        }
        let _ = self.confirms(mac, now);
    }

    pub(super) const fn client(&self) -> bool {
        matches!(self.lives, Lives::Client)
    }

    /// Whether it is settled, or a client's.
    pub(super) const fn is_known(&self) -> bool {
        self.client() || self.mac.is_some()
    }

    /// Whether a station downstream that spoke lately has the address, and this hardware address is not its own.
    pub(super) fn is_of_another(&self, mac: Mac, now: Instant) -> bool {
        let same = self.mac == Some(mac);
        self.side() == Side::Down && self.is_known() && !same && now.since(self.seen) <= TRUSTED
    }

    pub(super) const fn seen(&mut self, now: Instant) {
        self.seen = now;
    }

    /// Whether it may be forgotten to make room.
    pub(super) fn may_go(&self, now: Instant) -> bool {
        let silent = now.since(self.seen);
        silent
            > if self.mac.is_some() {
                SILENT
            } else {
                UNSETTLED
            }
    }

    /// One message more: as whose it counts, if it has not had its own share.
    pub(super) fn speaks(&mut self, now: Instant) -> Option<Speaker> {
        let rate = match self.side() {
            Side::Up => OF_A_MASTER,
            Side::Down => OF_A_CLIENT,
        };
        let speaker = match (self.is_known(), self.spoken.is_full(now)) {
            (false, _) => Speaker::Stranger,
            (true, true) => Speaker::Rare,
            (true, false) => Speaker::Known,
        };
        self.spoken.take(now, rate).then_some(speaker)
    }

    /// A question of it is relayed.
    pub(super) const fn asks(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    pub(super) fn asked_lately(&self, now: Instant) -> bool {
        self.asked.is_some_and(|at| now.since(at) <= ASKED)
    }

    pub(super) const fn other_way(&mut self, now: Instant) {
        self.other_way = Some(now);
    }

    pub(super) fn went_another_way(&self, now: Instant) -> bool {
        self.other_way.is_some_and(|at| now.since(at) <= OTHER_WAY)
    }

    /// This hardware address says that it has the address. `announced` is that of a master that was heard with it.
    pub(super) fn says(&mut self, mac: Mac, announced: Option<Mac>, now: Instant) -> Settled {
        if self.mac == Some(mac) {
            let refuted = self.confirms(mac, now);
            return Settled::Yes { refuted };
        }
        // The first of a master whose Announce came from it.
        if self.mac.is_none() && announced == Some(mac) {
            self.has(mac, now);
            return Settled::Yes { refuted: false };
        }
        let mut asked = 1;
        if let Some(claim) = &self.claim {
            let age = now.since(claim.at);
            let same = claim.mac == mac;
            if same && claim.refuted && age < REFUSED_FOR {
                return Settled::No;
            }
            if !claim.refuted && (age < TO_ANSWER || !same && age < RESERVED) {
                return Settled::NotYet;
            }
            if same && !claim.refuted && age < GOOD_FOR {
                if claim.asked < QUESTIONS {
                    asked += claim.asked;
                } else if self.mac.is_some() || self.ptp_is_of(mac) {
                    self.has(mac, now);
                    return Settled::Yes { refuted: false };
                } else {
                    // Where PTP came from is gone. That tells nothing yet about the other side.
                    self.heard = None;
                }
            }
        }
        self.claim = Some(Claim {
            mac,
            at: now,
            asked,
            refuted: false,
        });
        Settled::Ask(self.mac.or(self.heard.filter(|heard| *heard != mac)))
    }

    /// Whether PTP comes from this hardware address, or none does from any.
    fn ptp_is_of(&self, mac: Mac) -> bool {
        self.heard.is_none_or(|heard| heard == mac)
    }

    const fn has(&mut self, mac: Mac, now: Instant) {
        self.mac = Some(mac);
        self.confirmed = Some(now);
        self.claim = None;
        self.heard = None;
    }

    /// Its hardware address, if that spoke for it lately.
    pub(super) fn answered_lately(&self, now: Instant) -> Option<Mac> {
        let lately = |at: &Instant| now.since(*at) <= TRUSTED;
        self.confirmed.filter(lately).and(self.mac)
    }

    /// This hardware address is still there: whether that refutes a claim that was not refuted yet.
    pub(super) fn confirms(&mut self, mac: Mac, now: Instant) -> bool {
        let own = self.mac.or(self.heard) == Some(mac);
        if self.mac == Some(mac) {
            self.confirmed = Some(now);
        }
        match &mut self.claim {
            Some(claim) if own && claim.mac != mac => !std::mem::replace(&mut claim.refuted, true),
            _ => false,
        }
    }

    /// This hardware address speaks for it on the other side: whether it is somebody else.
    pub(super) fn answered_elsewhere(&mut self, mac: Mac) -> bool {
        if self.mac == Some(mac) {
            return false;
        }
        match &mut self.claim {
            Some(claim) if claim.mac == mac => false,
            Some(claim) => {
                claim.refuted = true;
                true
            }
            None => self.mac.is_some(),
        }
    }
}
