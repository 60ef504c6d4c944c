//! Multicast groups that follow what the core knows: those in which neighbour discovery looks for masters downstream and
//! for clients upstream, so that switches that snoop on MLD send it our way.

use std::time::Duration;

use log::debug;

use super::outside::Outside;
use crate::core::Forwarder;
use crate::ring::{Interface, LinkChange};
use crate::time::Instant;
use crate::wire::Mac;
use crate::{PerPort, PerSide, PortId};

/// They are followed at most this often: each costs a system call.
const EVERY: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct SoughtGroups {
    /// The versions of what was followed.
    versions: PerPort<Option<u64>>,
    last: Instant,
    macs: PerPort<Mac>,
}

impl SoughtGroups {
    pub(super) fn new(interfaces: &PerPort<&Interface>) -> Self {
        Self {
            versions: interfaces.as_ref().map(|_| None),
            last: Instant::default(),
            macs: interfaces.as_ref().map(|interface| Mac(interface.mac)),
        }
    }

    /// Tells each forwarder our own hardware addresses.
    pub(super) fn tell_macs(&self, cores: &mut [Forwarder]) {
        for (core, down) in cores.iter_mut().zip(&self.macs.downs) {
            core.set_own_macs(PerSide {
                up: self.macs.up,
                down: *down,
            });
        }
    }

    /// What became of an interface. Whether our own hardware addresses are others now.
    pub(super) fn link(&mut self, port: PortId, change: &LinkChange) -> bool {
        let now = match change {
            LinkChange::Gone => return false,
            LinkChange::Changed(now) | LinkChange::Renamed(now) => now,
            LinkChange::Recreated(now) => {
                // Its memberships went with the old one.
                self.versions[port] = None;
                now
            }
        };
        let mac = Mac(now.mac);
        std::mem::replace(&mut self.macs[port], mac) != mac
    }

    /// When to follow.
    pub(super) fn due(&self, cores: &[Forwarder]) -> Option<Instant> {
        (self.versions.iter())
            .any(|(port, version)| sought(cores, port) != *version)
            .then(|| self.last + EVERY)
    }

    /// Joins and leaves what has changed.
    pub(super) fn follow(&mut self, cores: &[Forwarder], outside: &mut impl Outside, now: Instant) {
        if self.due(cores).is_none_or(|due| now < due) {
            return;
        }
        self.last = now;
        for (port, followed) in self.versions.iter_mut() {
            let version = sought(cores, port);
            if version == *followed {
                continue;
            }
            let mut wanted = Vec::new();
            for core in of(cores, port) {
                core.neighbours_to_seek(port.side(), &mut wanted);
            }
            match outside.seek(port, &wanted) {
                Ok(true) => *followed = version,
                // The rest in a moment.
                Ok(false) => {}
                Err(error) => {
                    debug!("{}: groups of neighbours not joined: {error}", port.label());
                    *followed = version;
                }
            }
        }
    }
}

/// The forwarders that a port belongs to.
fn of(cores: &[Forwarder], port: PortId) -> &[Forwarder] {
    match port {
        PortId::Up => cores,
        PortId::Down(number) => cores
            .get(usize::from(number)..=usize::from(number))
            .unwrap_or_default(),
    }
}

/// What changes with the addresses that they look for on this port.
fn sought(cores: &[Forwarder], port: PortId) -> Option<u64> {
    let versions = of(cores, port).iter();
    versions
        .filter_map(|core| core.neighbours_sought(port.side()))
        .reduce(u64::wrapping_add)
}
