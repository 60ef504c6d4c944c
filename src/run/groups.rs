//! Multicast groups that follow what the core knows: those in which neighbour discovery looks for masters downstream and
//! for clients upstream, so that switches that snoop on MLD send it our way.

use std::time::Duration;

use log::debug;

use super::outside::Outside;
use crate::core::Forwarder;
use crate::ring::{Interface, LinkChange};
use crate::time::Instant;
use crate::wire::Mac;
use crate::{PerSide, Side};

/// They are followed at most this often: each costs a system call.
const EVERY: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct SoughtGroups {
    /// The versions of what was followed.
    versions: PerSide<Option<u64>>,
    last: Instant,
    macs: PerSide<Mac>,
}

impl SoughtGroups {
    pub(super) fn new(interfaces: PerSide<&Interface>) -> Self {
        Self {
            versions: PerSide::default(),
            last: Instant::default(),
            macs: interfaces.map(|interface| Mac(interface.mac)),
        }
    }

    /// Our own hardware addresses.
    pub(super) const fn macs(&self) -> PerSide<Mac> {
        self.macs
    }

    /// What became of an interface: our own hardware addresses, if they are others now.
    pub(super) fn link(&mut self, side: Side, change: &LinkChange) -> Option<PerSide<Mac>> {
        let now = match change {
            LinkChange::Gone => return None,
            LinkChange::Changed(now) | LinkChange::Renamed(now) => now,
            LinkChange::Recreated(now) => {
                // Its memberships went with the old one.
                self.versions[side] = None;
                now
            }
        };
        let mac = Mac(now.mac);
        (std::mem::replace(&mut self.macs[side], mac) != mac).then_some(self.macs)
    }

    /// When to follow.
    pub(super) fn due(&self, core: &Forwarder) -> Option<Instant> {
        let behind = |side| core.neighbours_sought(side) != self.versions[side];
        Side::BOTH
            .into_iter()
            .any(behind)
            .then(|| self.last + EVERY)
    }

    /// Joins and leaves what has changed.
    pub(super) fn follow(&mut self, core: &Forwarder, outside: &mut impl Outside, now: Instant) {
        if self.due(core).is_none_or(|due| now < due) {
            return;
        }
        self.last = now;
        for side in Side::BOTH {
            let version = core.neighbours_sought(side);
            if version == self.versions[side] {
                continue;
            }
            let mut wanted = Vec::new();
            core.neighbours_to_seek(side, &mut wanted);
            match outside.seek(side, &wanted) {
                Ok(true) => self.versions[side] = version,
                // The rest in a moment.
                Ok(false) => {}
                Err(error) => {
                    debug!("{}: groups of neighbours not joined: {error}", side.label());
                    self.versions[side] = version;
                }
            }
        }
    }
}
