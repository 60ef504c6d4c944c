//! What the grandmaster sends to one client alone: how it reaches it, what it has granted, and answers that wait for an
//! address.

use std::net::IpAddr;

use super::assignment::{Assignment, MasterDone};
use super::granting::{Granting, SyncSent};
use super::neighbours::Neighbours;
use crate::lab::frames::End;
use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::station::{Role, Station};
use crate::lab::frames::view::View;
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::io::pacing::Pace;
use crate::lab::io::port::Outbox;

/// Answers that wait for an address at once.
const UNADDRESSED: usize = 65_536;

/// What is answered, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// requestingPortIdentity.
    pub client: Station,
    /// The address that it goes to; `None` is everybody.
    pub to: Option<IpAddr>,
    /// sequenceId.
    pub sequence: u16,
    /// correctionField.
    pub correction: i64,
    /// receiveTimestamp.
    pub time: i64,
}

/// See the module.
#[derive(Debug)]
pub struct UnicastMaster {
    shape: Shape,
    routed: bool,
    neighbours: Neighbours,
    unaddressed: Vec<Answer>,
    /// When to look at them.
    asking: Pace,
    /// What it has granted, if it sends nothing to all.
    granting: Option<Granting>,
}

impl UnicastMaster {
    /// It knows nobody. `None` if all is multicast.
    #[must_use]
    pub fn new(assignment: &Assignment, start: i64) -> Option<Self> {
        let ip = Station::MASTER.ip(assignment.shape.network);
        let ip = ip.filter(|_| assignment.is_unicast())?;
        let neighbours = Neighbours::new(Station::MASTER.mac(), ip);
        Some(Self {
            shape: assignment.shape,
            routed: assignment.routed,
            neighbours: neighbours.behind(assignment.router(Role::Master)),
            unaddressed: Vec::new(),
            asking: Pace::per_second(start, 20.0),
            granting: (assignment.negotiated).then(|| Granting::new(assignment, start)),
        })
    }

    /// When it has something to send by itself; `None` if Sync goes to all.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        self.granting.as_ref().map(Granting::due)
    }

    /// Sends what is due; false if Sync goes to all.
    pub fn send_due(
        &mut self,
        now: i64,
        outbox: &mut Outbox<SyncSent>,
        done: &mut MasterDone,
    ) -> bool {
        let Some(granting) = &mut self.granting else {
            return false;
        };
        granting.send_due(now, &self.neighbours, outbox, done);
        true
    }

    /// For each Sync whose stamp came, its Follow_Up; false if Sync goes to all.
    pub fn follow_up(
        &self,
        clock: MasterClock,
        outbox: &mut Outbox<SyncSent>,
        done: &mut MasterDone,
    ) -> bool {
        let Some(granting) = &self.granting else {
            return false;
        };
        let sent: Vec<_> = outbox.departed().collect();
        for (SyncSent(number), stamp) in sent {
            let slot = usize::try_from(number).ok();
            if let Some(slot) = slot.and_then(|at| done.syncs.get_mut(at)) {
                *slot = stamp;
            }
            if let Some(stamp) = stamp {
                let origin = clock.read(stamp);
                granting.follow_up(number, origin, &self.neighbours, outbox);
            }
        }
        outbox.flush();
        true
    }

    /// How to reach an address; `None`, and a question once a second, while that is not known.
    fn end(&mut self, ip: IpAddr, outbox: &mut Outbox<SyncSent>) -> Option<End> {
        let end = self.neighbours.end(ip);
        if end.is_none()
            && let Some(question) = self.neighbours.ask(ip, clock::now())
        {
            outbox.say(&question, self.shape);
        }
        end
    }

    /// How to reach whom an answer is for; kept until that is known if it is not.
    pub fn reach(&mut self, answer: Answer, outbox: &mut Outbox<SyncSent>) -> Option<End> {
        let end = self.end(answer.to?, outbox);
        if end.is_none() && self.unaddressed.len() < UNADDRESSED {
            self.unaddressed.push(answer);
        }
        end
    }

    /// Signaling came: says what it grants. Whoever is not known yet asks again.
    pub fn signaled(
        &mut self,
        view: View<'_>,
        client: Station,
        now: i64,
        outbox: &mut Outbox<SyncSent>,
    ) {
        let granting = self.granting.as_mut();
        let granted = granting.and_then(|known| known.hears(view, client, now));
        let ip = client.ip(self.shape.network);
        if let Some(set) = granted
            && let Some(end) = ip.and_then(|ip| self.end(ip, outbox))
            && let Some(granting) = &mut self.granting
        {
            granting.grant(set, client, end, outbox);
        }
    }

    /// Asks once a second for each address that answers wait for.
    pub fn ask_again(&mut self, now: i64, outbox: &mut Outbox<SyncSent>) {
        if self.unaddressed.is_empty() || self.asking.take(now).is_none() {
            return;
        }
        for ip in self.unaddressed.iter().filter_map(|answer| answer.to) {
            if let Some(question) = self.neighbours.ask(ip, now) {
                outbox.say(&question, self.shape);
            }
        }
    }

    /// Somebody asks for an address or says that it has one: the answers that waited for that.
    pub fn hears(&mut self, talk: &Talk, outbox: &mut Outbox<SyncSent>) -> Vec<Answer> {
        let (answer, learnt) = self.neighbours.hears(talk);
        if let Some(answer) = answer {
            outbox.say(&answer, self.shape);
        }
        if !learnt {
            return Vec::new();
        }
        let hop = |ip| self.neighbours.hop(ip);
        let (now, later) = std::mem::take(&mut self.unaddressed)
            .into_iter()
            .partition(|answer| answer.to.map(hop) == talk.sender);
        self.unaddressed = later;
        now
    }

    /// Whether a request comes from where it should: its client's own address, and its own hardware address or a router's.
    #[must_use]
    pub fn came_rightly(&self, view: View<'_>, station: Station) -> bool {
        let own = station.ip(self.shape.network);
        let direct = view.from().0 == station.mac();
        direct != self.routed && own.is_some_and(|own| self.neighbours.came_rightly(view, own))
    }
}
