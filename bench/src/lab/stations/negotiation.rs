//! Unicast negotiation as the clients see it: each asks for Announce, with the first one for Sync and Delay_Resp, and for
//! each again before it runs out.

use super::assignment::{Assignment, ClientsDone, SyncSeen};
use super::syncs::Syncs;
use crate::lab::frames::station::Station;
use crate::lab::frames::unicast::{self, GRANTED, SETS};
use crate::lab::frames::view::View;
use crate::lab::frames::{Kind, Template};
use crate::lab::io::clock::MasterClock;
use crate::lab::io::pacing::Pace;

/// What runs out within this time is asked for again.
const RENEWAL: i64 = 3_000_000_000;
/// A request without a grant is repeated after this time.
const AGAIN: i64 = 1_000_000_000;
/// The clients' first requests are spread over this time.
const SPREAD: i64 = 1_000_000_000;
/// What is asked for without a master: Announce.
const FIRST: usize = 1;
/// Whom a first request is for: every port of every clock.
const ANYBODY: [u8; 10] = [0xFF; 10];

/// Where Delay_Resp is among what is granted.
const ANSWERS: usize = 2;

/// All clients' grants, and what came of them.
#[derive(Debug)]
pub struct Negotiation {
    clients: Vec<Client>,
    look: Pace,
    /// One for each set of wishes.
    requests: Vec<Template>,
    lapsed: u64,
}

#[derive(Debug)]
struct Client {
    /// When each grant runs out; 0 if there is none.
    until: [i64; GRANTED.len()],
    /// It asks no sooner.
    asks_at: i64,
    announced: bool,
    /// It has had all grants at once.
    served: bool,
    sequence: u16,
    syncs: Syncs,
}

/// A request to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// To be made from this.
    pub template: &'a Template,
    /// sequenceId.
    pub sequence: u16,
    /// targetPortIdentity.
    pub target: [u8; 10],
}

impl Negotiation {
    /// Nobody has a grant.
    #[must_use]
    pub fn new(assignment: &Assignment, start: i64) -> Self {
        let logs = assignment.logs();
        let clients = i64::from(assignment.clients);
        let request = |set| {
            Template::new(assignment.shape, Kind::Signaling, Station::client(0))
                .tlvs(&unicast::requests(set, logs))
                .signed(assignment.signed)
        };
        Self {
            clients: (0..clients)
                .map(|number| Client {
                    until: [0; GRANTED.len()],
                    asks_at: start + number * SPREAD / clients,
                    announced: false,
                    served: false,
                    sequence: 0,
                    syncs: Syncs::default(),
                })
                .collect(),
            look: Pace::per_second(start, 100.0),
            requests: (0..SETS).map(request).collect(),
            lapsed: 0,
        }
    }

    /// Whether the clients' grants are to be looked at.
    pub fn is_due(&mut self, now: i64) -> bool {
        let due = self.look.take(now).is_some();
        while due && self.look.take(now).is_some() {}
        due
    }

    /// Whether a client has something to ask for.
    pub fn wants(&mut self, client: u32, now: i64) -> bool {
        let Some(client) = self.clients.get_mut(client as usize) else {
            return false;
        };
        for until in &mut client.until {
            if *until != 0 && *until <= now {
                *until = 0;
                self.lapsed += 1;
            }
        }
        now >= client.asks_at && client.wishes(now) != 0
    }

    /// What a client asks for now.
    pub fn asks(&mut self, client: u32, now: i64) -> Option<Asking<'_>> {
        let client = self.clients.get_mut(client as usize)?;
        let template = self.requests.get(client.wishes(now))?;
        client.asks_at = now + AGAIN;
        client.sequence = client.sequence.wrapping_add(1);
        let target = match client.announced {
            true => Station::MASTER.identity(),
            false => ANYBODY,
        };
        Some(Asking {
            template,
            sequence: client.sequence,
            target,
        })
    }

    /// Whether a client may send Delay_Req.
    #[must_use]
    pub fn is_answered(&self, client: u32, now: i64) -> bool {
        (self.clients.get(client as usize)).is_some_and(|client| client.until[ANSWERS] > now)
    }

    /// Signaling came to a client; whether it is meant.
    pub fn signaled(&mut self, client: u32, view: View<'_>, now: i64) -> bool {
        let target = view.target();
        let Some(known) = self.clients.get_mut(client as usize) else {
            return false;
        };
        if target != Station::client(client).identity() {
            return false;
        }
        for grant in unicast::granted(view.tlvs()) {
            known.until[grant.index] = now + i64::from(grant.seconds) * 1_000_000_000;
        }
        known.served |= known.until.iter().all(|until| *until > now);
        true
    }

    /// An Announce came to a client.
    pub fn announced(&mut self, client: u32) {
        if let Some(client) = self.clients.get_mut(client as usize) {
            // It goes on at once.
            client.asks_at = if client.announced { client.asks_at } else { 0 };
            client.announced = true;
        }
    }

    /// A Sync came to a client; whether it is a new one.
    pub fn sync(&mut self, client: u32, view: View<'_>, stamp: i64, clock: MasterClock) -> bool {
        (self.clients.get_mut(client as usize))
            .is_some_and(|client| client.syncs.sync(view, stamp, clock))
    }

    /// A Follow_Up came to a client.
    pub fn follow_up(&mut self, client: u32, view: View<'_>, clock: MasterClock) {
        if let Some(client) = self.clients.get_mut(client as usize) {
            client.syncs.follow_up(view, clock);
        }
    }

    /// What came of it all. A Sync's index is that of [`super::granting`].
    pub fn finish(self, done: &mut ClientsDone) {
        let clients = self.clients.len() as u64;
        done.lapsed = self.lapsed;
        for (number, client) in (0..).zip(self.clients) {
            done.served += u64::from(client.served);
            let indexed = |seen: SyncSeen| SyncSeen {
                index: seen.index * clients + number,
                ..seen
            };
            done.syncs
                .extend(client.syncs.finish().into_iter().map(indexed));
        }
    }
}

impl Client {
    /// What it has not, or not for long.
    fn wishes(&self, now: i64) -> usize {
        let all = if self.announced { SETS - 1 } else { FIRST };
        (self.until.iter().enumerate())
            .filter(|(_, until)| **until - now < RENEWAL)
            .map(|(index, _)| 1 << index)
            .sum::<usize>()
            & all
    }
}
