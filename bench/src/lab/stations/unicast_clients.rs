//! Clients who talk with the grandmaster alone: how each reaches it, what it asks for and is granted, and what may come to
//! it.

use std::net::IpAddr;
use std::ops::Range;

use super::assignment::{Assignment, ClientsDone};
use super::negotiation::Negotiation;
use super::neighbours::Neighbours;
use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::station::{Role, Station};
use crate::lab::frames::view::View;
use crate::lab::frames::{End, Kind};
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::io::port::Outbox;

/// See the module.
#[derive(Debug)]
pub struct UnicastClients {
    shape: Shape,
    routed: bool,
    master: IpAddr,
    /// Of each client.
    neighbours: Vec<Neighbours>,
    /// What each is granted, if nothing comes to all.
    negotiation: Option<Negotiation>,
}

/// What a message of the grandmaster was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// For its client.
    Well,
    /// That has come before.
    Again,
    /// For another one, or it came otherwise than it should.
    Damaged,
    /// Nobody waits for such a message.
    Foreign,
}

impl UnicastClients {
    /// Nobody knows anybody. `None` if all is multicast.
    #[must_use]
    pub fn new(assignment: &Assignment, start: i64) -> Option<Self> {
        let network = assignment.shape.network;
        let master = (Station::MASTER.ip(network)).filter(|_| assignment.is_unicast())?;
        let of = |number| {
            let station = Station::client(number);
            let neighbours = Neighbours::new(station.mac(), station.ip(network)?);
            Some(neighbours.behind(assignment.router(Role::Client)))
        };
        Some(Self {
            shape: assignment.shape,
            routed: assignment.routed,
            master,
            neighbours: (0..assignment.clients).filter_map(of).collect(),
            negotiation: (assignment.negotiated).then(|| Negotiation::new(assignment, start)),
        })
    }

    /// Whether nothing comes to all.
    #[must_use]
    pub const fn negotiates(&self) -> bool {
        self.negotiation.is_some()
    }

    /// The grandmaster as this client knows it; `None`, and a question once a second, while it does not. The first client
    /// knows a router for all: a kernel, as it routes, has room for some hundred neighbours.
    pub fn grandmaster<T>(&mut self, outbox: &mut Outbox<T>, client: u32) -> Option<End> {
        let asker = self.asker(client);
        let neighbours = self.neighbours.get_mut(asker)?;
        if let Some(end) = neighbours.end(self.master) {
            return Some(end);
        }
        if let Some(question) = neighbours.ask(self.master, clock::now()) {
            outbox.say(&question, self.shape);
        }
        None
    }

    /// The same to send a Delay_Req, which negotiating clients do while they are granted answers.
    pub fn to_ask<T>(&mut self, outbox: &mut Outbox<T>, client: u32) -> Option<End> {
        let answered = |all: &Negotiation| all.is_answered(client, clock::now());
        let may = self.negotiation.as_ref().is_none_or(answered);
        may.then(|| self.grandmaster(outbox, client))?
    }

    /// Somebody asks for a client's address or answers one; whether it may.
    pub fn hears<T>(&mut self, outbox: &mut Outbox<T>, talk: &Talk) -> bool {
        let about = talk.wanted.or(talk.to.map(|(_, ip)| ip));
        let known = about.and_then(Station::from_ip);
        let Some(client) = known.filter(|station| station.role == Role::Client) else {
            return true;
        };
        let Some(neighbours) = self.neighbours.get_mut(client.number as usize) else {
            return true;
        };
        // An answer comes to its own hardware address, or another's table was filled.
        if talk.to.is_some_and(|(mac, _)| mac != client.mac()) {
            return false;
        }
        if let (Some(answer), _) = neighbours.hears(talk) {
            outbox.say(&answer, self.shape);
        }
        true
    }

    /// Whom of ours a message of the grandmaster is for, if it has come as it should.
    #[must_use]
    pub fn addressed(&self, view: View<'_>, ours: &Range<u32>) -> Option<u32> {
        let (mac, ip) = view.to();
        let client = Station::from_ip(ip?)?;
        let meant = client.role == Role::Client && client.mac() == mac;
        let neighbours = self.neighbours.get(self.asker(client.number))?;
        let rightly = meant && neighbours.came_rightly(view, self.master);
        (rightly && ours.contains(&client.number)).then_some(client.number)
    }

    /// What the grandmaster sends to one client, but for Delay_Resp.
    pub fn takes(
        &mut self,
        view: View<'_>,
        stamp: i64,
        ours: &Range<u32>,
        clock: MasterClock,
    ) -> Taken {
        let client = self.addressed(view, ours);
        let (Some(client), Some(negotiation)) = (client, &mut self.negotiation) else {
            return Taken::Damaged;
        };
        match view.kind() {
            Some(Kind::Sync) if negotiation.sync(client, view, stamp, clock) => {}
            Some(Kind::Sync) => return Taken::Again,
            Some(Kind::FollowUp) => negotiation.follow_up(client, view, clock),
            Some(Kind::Announce) => negotiation.announced(client),
            Some(Kind::Signaling) if negotiation.signaled(client, view, stamp) => {}
            Some(Kind::Signaling) => return Taken::Damaged,
            _ => return Taken::Foreign,
        }
        Taken::Well
    }

    /// Whether grants are to be looked at.
    pub fn is_due(&mut self, now: i64) -> bool {
        (self.negotiation.as_mut()).is_some_and(|all| all.is_due(now))
    }

    /// Has each of these clients ask for what it has not, or not for long.
    pub fn negotiate<T>(&mut self, outbox: &mut Outbox<T>, clients: Range<u32>, now: i64) {
        for client in clients {
            let wants = |all: &mut Negotiation| all.wants(client, now);
            if !self.negotiation.as_mut().is_some_and(wants) {
                continue;
            }
            let Some(end) = self.grandmaster(outbox, client) else {
                continue;
            };
            let negotiation = self.negotiation.as_mut();
            let Some(asking) = negotiation.and_then(|all| all.asks(client, now)) else {
                continue;
            };
            outbox.send(asking.template, None, |draft| {
                let draft = draft.source(Station::client(client)).to(end);
                draft
                    .sequence(asking.sequence)
                    .target(asking.target)
                    .finish()
            });
        }
    }

    /// What came of it all.
    pub fn finish(self, done: &mut ClientsDone) {
        let found = |client: &usize| {
            let neighbours = self.neighbours.get(if self.routed { 0 } else { *client });
            neighbours.is_some_and(|known| known.end(self.master).is_some())
        };
        done.found = (0..self.neighbours.len()).filter(found).count() as u64;
        if let Some(negotiation) = self.negotiation {
            negotiation.finish(done);
        }
    }

    /// Which client knows how to reach the grandmaster for this one.
    const fn asker(&self, client: u32) -> usize {
        if self.routed { 0 } else { client as usize }
    }
}
