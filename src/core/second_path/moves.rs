//! What a gateway sends of its own when it takes over: at once the last Announce of each master, by which the other gateway
//! notices it; then, one at a time, a frame in the name of each other master and of each client, so that switches look for
//! them here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// The pause after each that only moves an address.
const PAUSE: Duration = Duration::from_millis(1);

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Moves {
    /// Nothing is left to do.
    #[default]
    Done,
    /// With this one of the masters, the latest first; then with the clients, or not.
    Master {
        nth: usize,
        clients: bool,
        at: Instant,
    },
    /// With the client in this row, or the next one behind it.
    Client { row: u32, at: Instant },
}

impl Moves {
    /// When the next is due.
    pub(crate) const fn due(self) -> Option<Instant> {
        match self {
            Self::Done => None,
            Self::Master { at, .. } | Self::Client { at, .. } => Some(at),
        }
    }

    /// All masters are done.
    pub(crate) const fn to_clients(self) -> Self {
        match self {
            Self::Master {
                clients: true, at, ..
            } => Self::Client { row: 0, at },
            _ => Self::Done,
        }
    }

    /// This one is done; only what moves an address is followed by a pause.
    pub(crate) fn next(self, now: Instant, moved: bool) -> Self {
        let at = if moved { now + PAUSE } else { now };
        match self {
            Self::Done => Self::Done,
            Self::Master { nth, clients, .. } => Self::Master {
                nth: nth + 1,
                clients,
                at,
            },
            Self::Client { row, .. } => Self::Client { row: row + 1, at },
        }
    }
}
