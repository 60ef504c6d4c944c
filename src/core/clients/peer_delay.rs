//! Clients that ask for peer delay, which is not forwarded: each is logged once.

use std::time::Duration;

use crate::time::Instant;
use crate::wire::PortIdentity;

/// At most 32 peer-delay clients are logged per day, so that spoofed ones cannot fill the log.
const MOST: usize = 32;
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Who was logged.
pub(super) struct ToldPeerDelay {
    who: Vec<PortIdentity>,
    /// When the first of them was.
    since: Instant,
}

impl ToldPeerDelay {
    pub(super) fn new() -> Self {
        Self {
            who: Vec::with_capacity(MOST),
            since: Instant::default(),
        }
    }

    /// Somebody asks. Whether that is worth a line in the log: not if it was, nor for who is our client anyway.
    pub(super) fn asks(
        &mut self,
        who: PortIdentity,
        now: Instant,
        is_client: impl FnOnce() -> bool,
    ) -> bool {
        if now.since(self.since) > FORGOTTEN {
            self.who.clear();
        }
        if self.who.is_empty() {
            self.since = now;
        }
        let worth = self.who.len() < MOST && !self.who.contains(&who) && !is_client();
        if worth {
            self.who.push(who);
        }
        worth
    }
}
