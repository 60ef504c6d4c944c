//! Exchanges of simple PTP (SPTP): a Delay_Req is answered by a Sync and an Announce (see `core::simple`).
//!
//! The Announce repeats the correctionField of the request: the residence of the request goes there, measured as for a
//! Delay_Resp. Nothing follows the Sync: its own correctionField gets its residence, estimated when it is sent. The
//! request is not held: a client waits for its answers for a moment only.

use crate::core::clients::OpenKey;
use crate::core::policy::Forwarder;
use crate::core::policy::unicast::fold;
use crate::core::refs::ClientRef;
use crate::time::Instant;
use crate::wire::{Address, Frame};

impl Forwarder {
    /// A client's request of simple PTP is on its way.
    pub(super) fn asked_simply(&mut self, frame: &Frame<'_>, client: ClientRef) {
        let hash = self.simple_hash(frame, frame.source(), frame.destination());
        self.unicast.simple_mut().asked(hash, client);
    }

    /// The row of the client whose open request of simple PTP this Sync or Announce answers.
    pub(super) fn answers_simply(&mut self, frame: &Frame<'_>, now: Instant) -> Option<u32> {
        if !self.unicast.simple().any() || frame.is_multicast() {
            return None;
        }
        let hash = self.simple_hash(frame, frame.destination(), frame.source());
        let client = self.clients.same(self.unicast.simple().who(hash)?)?;
        let key = OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            unicast_to: fold(self.secret, frame.source()),
        };
        client.find_open(key, now).map(|_| client.of().row)
    }

    fn simple_hash(&self, frame: &Frame<'_>, client: Address, server: Address) -> u64 {
        let folds = [client, server].map(|address| u64::from(fold(self.secret, address)));
        self.secret.hash([
            folds[0] << 32 | folds[1],
            u64::from(frame.lane().bits()),
            u64::from(frame.sequence_id()) << 16
                | u64::from(frame.domain()) << 8
                | u64::from(frame.major_sdo_id()),
        ])
    }
}
