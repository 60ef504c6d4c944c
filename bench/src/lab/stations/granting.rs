//! Unicast negotiation as the grandmaster sees it: what it has granted to whom, and what it sends for that.

use super::assignment::{Assignment, MasterDone};
use super::neighbours::Neighbours;
use crate::lab::frames::shape::Network;
use crate::lab::frames::station::Station;
use crate::lab::frames::unicast::{self, GRANTED, SECONDS, SETS};
use crate::lab::frames::view::View;
use crate::lab::frames::{End, Kind, TWO_STEP, Template};
use crate::lab::io::pacing::Pace;
use crate::lab::io::port::Outbox;

/// Messages that it sends in one go.
const BATCH: usize = 64;
/// Where Announce and Sync are among what is granted.
const ANNOUNCE: usize = 0;
const SYNC: usize = 1;

/// A Sync that departed; names its stamp.
#[derive(Debug)]
pub struct SyncSent(pub u64);

/// All grants. The clients take turns, so a Sync's number says whose it is: it is the sequenceId times the number of
/// clients, and the client's number.
#[derive(Debug)]
pub struct Granting {
    /// When each grant of each client runs out.
    until: Vec<[i64; GRANTED.len()]>,
    sync: Pace,
    announce: Pace,
    late_after: i64,
    network: Network,
    sequence: u16,
    sync_template: Template,
    follow_up: Template,
    announce_template: Template,
    /// One for each set of grants.
    grants: Vec<Template>,
}

impl Granting {
    /// Nothing is granted.
    #[must_use]
    pub fn new(assignment: &Assignment, start: i64) -> Self {
        let logs = assignment.logs();
        let template = |kind| Template::new(assignment.shape, kind, Station::MASTER);
        let signed = assignment.signed;
        let clients = f64::from(assignment.clients);
        Self {
            until: vec![[0; GRANTED.len()]; assignment.clients as usize],
            sync: Pace::new(start, assignment.sync_interval as f64 / clients),
            announce: Pace::per_second(start, clients),
            network: assignment.shape.network,
            late_after: assignment.sync_interval / 10,
            sequence: 0,
            sync_template: template(Kind::Sync).flags(TWO_STEP).signed(signed),
            follow_up: template(Kind::FollowUp).signed(signed),
            announce_template: template(Kind::Announce).signed(signed),
            grants: (0..SETS)
                .map(|set| {
                    let tlvs = unicast::grants(set, logs);
                    template(Kind::Signaling).tlvs(&tlvs).signed(signed)
                })
                .collect(),
        }
    }

    /// Signaling came from a client: what it is granted, if it asks for anything.
    pub fn hears(&mut self, view: View<'_>, client: Station, now: i64) -> Option<usize> {
        let until = self.until.get_mut(client.number as usize)?;
        let mut set = 0;
        for wish in unicast::requested(view.tlvs()) {
            until[wish.index] = now + i64::from(SECONDS) * 1_000_000_000;
            set |= 1 << wish.index;
        }
        (set != 0).then_some(set)
    }

    /// Answers with a grant.
    pub fn grant(&mut self, set: usize, client: Station, end: End, outbox: &mut Outbox<SyncSent>) {
        let Some(template) = self.grants.get(set) else {
            return;
        };
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        outbox.send(template, None, |draft| {
            let draft = draft.to(end).sequence(sequence);
            draft.target(client.identity()).finish()
        });
    }

    /// When something may be due.
    #[must_use]
    pub fn due(&self) -> i64 {
        self.sync.due().min(self.announce.due())
    }

    /// Sends what is due to those who have a grant.
    pub fn send_due(
        &mut self,
        now: i64,
        neighbours: &Neighbours,
        outbox: &mut Outbox<SyncSent>,
        done: &mut MasterDone,
    ) {
        for _ in 0..BATCH {
            let Some(number) = self.announce.take(now) else {
                break;
            };
            if let Some(to) = self.receiver(ANNOUNCE, number, now, neighbours) {
                let sequence = self.round(number);
                outbox.send(&self.announce_template, None, |draft| {
                    draft.to(to).sequence(sequence).finish()
                });
            }
        }
        for _ in 0..BATCH {
            let due = self.sync.due();
            let Some(number) = self.sync.take(now) else {
                break;
            };
            if let Some(to) = self.receiver(SYNC, number, now, neighbours) {
                done.late += u64::from(now - due > self.late_after);
                let sequence = self.round(number);
                outbox.send(&self.sync_template, Some(SyncSent(number)), |draft| {
                    draft.to(to).sequence(sequence).finish()
                });
            }
        }
    }

    /// A Sync departed: its Follow_Up.
    pub fn follow_up(
        &self,
        number: u64,
        origin: i64,
        neighbours: &Neighbours,
        outbox: &mut Outbox<SyncSent>,
    ) {
        let ip = self.whose(number).ip(self.network);
        if let Some(to) = ip.and_then(|ip| neighbours.end(ip)) {
            outbox.send(&self.follow_up, None, |draft| {
                let draft = draft.to(to).sequence(self.round(number));
                draft.timestamp(origin).finish()
            });
        }
    }

    /// To whom a message of one kind goes, if it is granted and can be sent.
    fn receiver(
        &self,
        index: usize,
        number: u64,
        now: i64,
        neighbours: &Neighbours,
    ) -> Option<End> {
        let client = self.whose(number);
        let until = self.until.get(client.number as usize)?[index];
        (until > now).then(|| neighbours.end(client.ip(self.network)?))?
    }

    fn whose(&self, number: u64) -> Station {
        let clients = self.until.len().max(1) as u64;
        Station::client(u32::try_from(number % clients).unwrap_or(0))
    }

    fn round(&self, number: u64) -> u16 {
        let clients = self.until.len().max(1) as u64;
        low_bits(number / clients)
    }
}

/// A sequenceId of a count.
pub(super) fn low_bits(number: u64) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}
