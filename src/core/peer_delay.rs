//! Clients that ask for peer delay, which is not forwarded: each is told in the log once.

use std::time::Duration;

use crate::core::clients::ClientKey;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::time::Instant;
use crate::wire::{Lane, PortIdentity};

/// So many are told, and are forgotten after this long: so that made-up ones do not keep real ones from the
/// log for ever.
const MOST: usize = 32;
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Who was told.
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
}

impl Forwarder {
    pub(super) fn tell_peer_delay(&mut self, who: PortIdentity, lane: Lane, now: Instant) {
        if now.since(self.peer_delay.since) > FORGOTTEN {
            self.peer_delay.who.clear();
        }
        if self.peer_delay.who.is_empty() {
            self.peer_delay.since = now;
        }
        let key = ClientKey {
            identity: who,
            lane,
        };
        if self.peer_delay.who.len() < MOST
            && !self.peer_delay.who.contains(&who)
            && self.clients.find(&key).is_none()
        {
            self.peer_delay.who.push(who);
            self.tell(Event::PeerDelayClient(who));
        }
    }
}
