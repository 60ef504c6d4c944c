//! Why the gateway serves nobody: decided here, for status, the log and `/healthz` alike.

use std::time::Duration;

use super::master_state::MasterState;
use super::port_state::PortState;
use super::state::State;
use crate::side::PortId;
use crate::time::Instant;

/// A master that starts together with the gateway says nothing for longer: a ptp4l with its defaults listens for 6 to 8 s
/// first.
const FIRST_MASTER: Duration = Duration::from_secs(10);

/// A reason for which no client can get time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage<'a> {
    /// Frames cannot pass this interface.
    Link {
        /// Which of them.
        port: PortId,
        /// Its name.
        name: &'a str,
        /// Why.
        fault: LinkFault,
    },
    /// Sync is [due](super::SyncDue), but none comes from a master that may pass, within its
    /// [patience](MasterState::patience).
    NoSync(Silence),
}

/// Why frames cannot pass an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// There is no such interface any more.
    Gone,
    /// Its administrator has not set it up.
    Down,
    /// It is up but has no link.
    NoLink,
}

/// What is seen in place of Syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing: the last Sync came this long ago, within the last minute.
    For(Duration),
    /// Nothing within the last minute.
    Nothing,
    /// Masters that `--grandmaster` does not list.
    NoneListed,
    /// Announce only.
    NeverSent,
}

/// All such reasons at `now`, which may be later than the state: a loop to which nothing happens publishes
/// nothing.
#[must_use]
pub fn outages(state: &State, now: Instant) -> Vec<Outage<'_>> {
    let links = state.ports.iter().filter_map(|(id, port)| {
        Some(Outage::Link {
            port: id,
            name: &port.name,
            fault: port.fault()?,
        })
    });
    links
        .chain(silence(state, now).map(Outage::NoSync))
        .collect()
}

fn silence(state: &State, now: Instant) -> Option<Silence> {
    let due = state.due.since(now)?;
    if state.due.too_soon(now) || state.masters.iter().any(|master| master.gives_time(now)) {
        return None;
    }
    let passing = || state.masters.iter().filter(|master| master.allowed);
    let last = passing().filter_map(|master| master.last_sync).max();
    let patience = match last {
        // Who is first to ask for long gets its Sync in a moment.
        Some(last) if last < due => MasterState::UNKNOWN_PATIENCE,
        Some(_) => Duration::ZERO,
        None => state.due.grace(),
    };
    if now.since(due) <= patience {
        return None;
    }
    Some(match last {
        Some(last) => Silence::For(now.since(last)),
        None if state.masters.is_empty() => Silence::Nothing,
        None if passing().next().is_none() => Silence::NoneListed,
        None => Silence::NeverSent,
    })
}

impl State {
    /// Whether Sync is not due, and none comes: no multicast stream was seen and no client has a grant of unicast Sync.
    #[must_use]
    pub fn nobody_asks(&self, now: Instant) -> bool {
        self.due.since(now).is_none() && !self.masters.iter().any(|master| master.gives_time(now))
    }

    /// Whether no master was seen since the start, and it is time that one was.
    #[must_use]
    pub fn no_master_yet(&self, now: Instant) -> bool {
        let patience = self.due.grace().max(FIRST_MASTER);
        let waited = now.since(self.due.started) >= patience;
        self.masters_known == 0 && self.masters.is_empty() && waited
    }
}

impl PortState {
    /// Why frames cannot pass; `None` if they can.
    #[must_use]
    pub const fn fault(&self) -> Option<LinkFault> {
        if !self.present {
            Some(LinkFault::Gone)
        } else if !self.up {
            Some(LinkFault::Down)
        } else if !self.running {
            Some(LinkFault::NoLink)
        } else {
            None
        }
    }

    /// Frames can pass.
    #[must_use]
    pub const fn works(&self) -> bool {
        self.fault().is_none()
    }
}

impl MasterState {
    /// A Sync is overdue after this, as long as their interval is not known.
    pub(super) const UNKNOWN_PATIENCE: Duration = Duration::from_secs(6);

    /// A Sync is overdue after the larger of three intervals and two seconds; after 6 s while the interval is unknown.
    #[must_use]
    pub fn patience(&self) -> Duration {
        if self.sync_interval.is_zero() {
            return Self::UNKNOWN_PATIENCE;
        }
        (self.sync_interval * 3).max(Duration::from_secs(2))
    }

    /// Whether its Syncs come.
    #[must_use]
    pub fn syncs(&self, now: Instant) -> bool {
        self.last_sync
            .is_some_and(|last| now.since(last) <= self.patience())
    }

    /// Whether clients may follow it: its Syncs come, and it is allowed.
    #[must_use]
    pub fn gives_time(&self, now: Instant) -> bool {
        self.allowed && self.syncs(now)
    }
}
