//! Several forwarders, one for each port downstream, behind one upstream port: which of them a message from upstream is
//! for.
//!
//! What goes to a group is for each port. What is for one client goes to the port that this one asked from, and to no
//! other. Each forwarder knows its own clients only; so no frame goes from one port downstream to another, and what happens
//! on one disturbs no other.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::core::clients::{ClientKey, OpenKey};
use crate::core::open_management::ManagementKey;
use crate::core::policy::Forwarder;
use crate::core::policy::response::open_place;
use crate::core::settings::{Settings, ValidSettings};
use crate::core::state::{Reader as StateReader, StateError};
use crate::core::stations::Stations;
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::Instant;
use crate::wire::{ClockIdentity, Frame, MessageType, PortIdentity};

/// Which forwarders a message from upstream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Each of them.
    All,
    /// This one; or it is to count that the message is for nobody.
    Of(u8),
    /// No port downstream is known to have the station that it is addressed to.
    Nobody,
}

/// What a forwarder knows of a message for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// It awaits this answer.
    Awaits,
    /// Its client is ours: it was silent for this long.
    Knows(Duration),
}

/// Which of these forwarders a message from upstream is for.
///
/// A Delay_Req is nobody's. But each notes it, so that none takes a copy of it that comes from downstream for a new
/// request.
pub fn whose(all: &mut [Forwarder], frame: &Frame<'_>, now: Instant) -> Whose {
    let for_all = match frame.message_type() {
        MessageType::Sync | MessageType::FollowUp | MessageType::Announce => frame.is_multicast(),
        MessageType::Signaling => {
            (frame.target_port()).is_some_and(|target| target.clock == ClockIdentity::ALL)
        }
        MessageType::Management => {
            (frame.target_port()).is_some_and(|target| target == PortIdentity::ALL)
        }
        _ => false,
    };
    if for_all {
        return Whose::All;
    }
    let mut best: Option<(Claim, u8)> = None;
    let mut twice = false;
    for (number, forwarder) in (0..=u8::MAX).zip(&mut *all) {
        let Some(claim) = forwarder.claim(frame, now) else {
            continue;
        };
        twice |= claim == Claim::Awaits && best.is_some_and(|(other, _)| other == Claim::Awaits);
        if best.is_none_or(|(other, _)| claim < other) {
            best = Some((claim, number));
        }
    }
    // What is for nobody here has its own reason by the policy; but a master's unicast names no client.
    let names_nobody = matches!(
        frame.message_type(),
        MessageType::Sync | MessageType::FollowUp | MessageType::Announce
    );
    if names_nobody && best.is_none() {
        return Whose::Nobody;
    }
    let of = best.map_or(0, |(_, number)| number);
    if twice {
        all.iter_mut()
            .for_each(|forwarder| forwarder.is_asked_twice(frame, now));
    }
    if frame.message_type() == MessageType::DelayReq {
        let others = (0..=u8::MAX).zip(all).filter(|(number, _)| *number != of);
        others.for_each(|(_, forwarder)| forwarder.overhears(frame, now));
    }
    Whose::Of(of)
}

impl Forwarder {
    /// Forwarders for so many ports downstream, behind one upstream port. They share `max_rate`, and each has its part of
    /// `max_clients` and `hold_frames`: so what fills one port takes no room of another.
    #[must_use]
    pub fn several(settings: &ValidSettings, ports: u8) -> Vec<Self> {
        let settings = Settings::from(settings.clone()).of_one_port(ports);
        let make = |number: u8| {
            let mut seeds = SmallRng::seed_from_u64(settings.seed);
            let seed = match number {
                0 => settings.seed,
                _ => (0..number).fold(0, |_, _| seeds.random()),
            };
            Self::with_random(settings.clone(), SmallRng::seed_from_u64(seed))
        };
        let mut all: Vec<Self> = (0..ports.max(1)).map(make).collect();
        Self::join(&mut all);
        all
    }

    /// Each of them goes on where one was that wrote what comes next: as [`restore`](Self::restore) of one alone.
    ///
    /// # Errors
    /// As there.
    pub fn restore_all(
        all: &mut [Self],
        from: &mut StateReader<'_>,
        now: Instant,
    ) -> Result<(), StateError> {
        for one in &mut *all {
            one.restore(from, now)?;
        }
        Self::join(all);
        Ok(())
    }

    /// What forwarders behind one upstream port have in common.
    fn join(all: &mut [Self]) {
        let Some((first, others)) = all
            .split_first_mut()
            .filter(|(_, others)| !others.is_empty())
        else {
            return;
        };
        for other in others {
            other.hold.share_pace(&mut first.hold);
            other.know_stations();
        }
        first.know_stations();
    }

    /// A message from upstream is for nobody downstream.
    pub fn is_for_nobody(&mut self, frame: &Frame<'_>, arrival: &Arrival) {
        let (side, kind) = (arrival.side, Kind::Message(frame.message_type()));
        self.account.received(side, kind);
        self.account.dropped(side, kind, Reason::NotOurClient);
        if self.tap.is_on() {
            self.tell_verdict(frame, arrival, &Verdict::Drop(Reason::NotOurClient));
        }
    }

    fn know_stations(&mut self) {
        let stations = Stations::new(self.settings.max_clients, self.secret);
        self.unicast.know_stations(stations);
    }

    /// What is known here of a message from upstream that is for one client.
    fn claim(&mut self, frame: &Frame<'_>, now: Instant) -> Option<Claim> {
        match frame.message_type() {
            MessageType::DelayResp => self.claim_answer(frame, now),
            MessageType::DelayReq => self.knows(frame.port_identity(), frame, now),
            MessageType::Sync | MessageType::FollowUp | MessageType::Announce => {
                let stations = self.unicast.stations()?;
                let silent = stations.silent(frame.destination(), frame.lane(), now);
                silent.map(Claim::Knows)
            }
            MessageType::Signaling => {
                let target = frame.target_port()?;
                match target.port {
                    PortIdentity::EVERY_PORT => (self.clients)
                        .knows_clock(target.clock, frame.lane())
                        .then_some(Claim::Knows(Duration::ZERO)),
                    _ => self.knows(target, frame, now),
                }
            }
            MessageType::Management => {
                let key = ManagementKey {
                    station: frame.target_port()?,
                    sequence_id: frame.sequence_id(),
                    domain: frame.domain(),
                    lane: frame.lane(),
                };
                (self.management.is_open(&key, now)).then_some(Claim::Awaits)
            }
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp => {
                None
            }
        }
    }

    fn claim_answer(&mut self, frame: &Frame<'_>, now: Instant) -> Option<Claim> {
        let identity = frame.requesting_port()?;
        let lane = frame.lane();
        let row = self.clients.find(&ClientKey { identity, lane })?;
        let client = self.clients.row(row).ok()?;
        Some(match open_place(frame, &client, self.secret, now) {
            Some(_) => Claim::Awaits,
            None => Claim::Knows(client.silent(now)),
        })
    }

    fn knows(&mut self, identity: PortIdentity, frame: &Frame<'_>, now: Instant) -> Option<Claim> {
        let lane = frame.lane();
        let row = self.clients.find(&ClientKey { identity, lane })?;
        let client = self.clients.row(row).ok()?;
        Some(Claim::Knows(client.silent(now)))
    }

    /// A client of the same name has an open request of the same sequenceId on another port: nobody can tell whose answer
    /// this is, nor any that follows.
    fn is_asked_twice(&mut self, frame: &Frame<'_>, now: Instant) {
        let (Some(identity), lane) = (frame.requesting_port(), frame.lane()) else {
            return;
        };
        let secret = self.secret;
        if let Some(row) = self.clients.find(&ClientKey { identity, lane })
            && let Ok(mut client) = self.clients.row(row)
            && let Some(place) = open_place(frame, &client, secret, now)
        {
            client.request_mut(place).copied();
        }
    }

    /// A Delay_Req from upstream that another forwarder deals with.
    fn overhears(&mut self, frame: &Frame<'_>, now: Instant) {
        let (identity, lane) = (frame.port_identity(), frame.lane());
        let key = ClientKey { identity, lane };
        let sequence_id = frame.sequence_id();
        match self.clients.find(&key) {
            Some(row) => {
                let open = OpenKey {
                    sequence_id,
                    domain: frame.domain(),
                    sdo: frame.major_sdo_id(),
                    unicast_to: self.unicast_to(frame),
                };
                if let Ok(mut client) = self.clients.row(row) {
                    client.seen_above(sequence_id, now);
                    if let Some(place) = client.find_open(open, now) {
                        client.request_mut(place).copied();
                    }
                }
            }
            None => self.clients.stranger_above(key, sequence_id, now),
        }
    }
}
