//! One of two gateways: whether it forwards, and whether the other may do so in its place.
//!
//! Who forwards is decided outside (VRRP); what is decided here is that nobody gets a wrong time whatever is decided there.
//! So a gateway of a pair looks at the time often. One that stood still may have been replaced meanwhile: it makes itself
//! known again before its next event message, as one that starts does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::telemetry::{By, Role, RoleState};
use crate::time::Instant;

/// One that forwards looks at the time this often.
const LOOKS: Duration = Duration::from_millis(50);
/// One that did not for so long stood still.
const STILL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Pair {
    state: RoleState,
    /// When it looked at the time last.
    looked: Option<Instant>,
}

impl Pair {
    pub(crate) const fn state(&self) -> RoleState {
        self.state
    }

    /// Whether it sends nothing.
    pub(crate) const fn stands_by(&self) -> bool {
        matches!(self.state.role, Role::Standby)
    }

    /// From now on it has this role. Whether that is another one than before.
    pub(crate) fn set(&mut self, role: Role, by: By, now: Instant) -> bool {
        let other = role != self.state.role;
        if other || !self.state.pair {
            self.state = RoleState {
                role,
                since: now,
                by,
                pair: true,
                other: false,
            };
        }
        self.looked = Some(now);
        other
    }

    /// Lets time pass: whether it stood still while it was to forward.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        let looked = self.looked.replace(now);
        self.looks() && looked.is_some_and(|looked| now.since(looked) > STILL)
    }

    /// When it looks at the time next.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.looked.filter(|_| self.looks()).map(|at| at + LOOKS)
    }

    const fn looks(&self) -> bool {
        self.state.pair && !self.stands_by()
    }
}
