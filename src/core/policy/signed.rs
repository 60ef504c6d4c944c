//! Signatures: keys in, which messages count as signed, and what leaves signed.

use crate::Side;
use crate::auth::{KeyChanges, KeyName, SecurityAssociations};
use crate::core::event::Event;
use crate::core::policy::Forwarder;
use crate::core::signature::Signature;
use crate::core::verdict::{Arrival, Edit};
use crate::reason::Reason;
use crate::telemetry::RefusedSender;
use crate::time::Instant;
use crate::wire::{Authentication, Frame, Layout};

impl Forwarder {
    /// Goes on with these keys: messages that are signed are verified from now on, and signed again where they change.
    ///
    /// What waits is signed with the keys that it came with. The first time memory for what is seen of each sender is
    /// reserved, by `max_clients`; there is no way back to a forwarder without keys.
    pub fn set_keys(&mut self, keys: SecurityAssociations, now: Instant) -> KeyChanges {
        let (settings, secret) = (&self.settings, self.secret);
        self.signatures.set_keys(keys, settings, secret, now)
    }

    /// Senders of signed messages that were forgotten while they were active, for want of memory: what they sent could
    /// be replayed once.
    #[must_use]
    pub fn forgotten_senders(&self) -> u64 {
        self.signatures.forgotten_senders()
    }

    /// Whose messages are refused for their signature: the ports with the most such messages, and how many of each were
    /// verified since the first.
    #[must_use]
    pub fn refused_senders(&self) -> &[RefusedSender] {
        self.signatures.refused_senders()
    }

    /// Makes the edit of a frame that is forwarded at once by this side, and signs it again if it must be; puts its addresses
    /// right where all share one, or where it is routed.
    ///
    /// # Errors
    /// The frame must not be sent, for this reason.
    pub fn edit(
        &mut self,
        to: Side,
        edit: &Edit,
        bytes: &mut [u8],
        layout: Layout,
    ) -> Result<(), Reason> {
        let macs = self.next_macs(edit, bytes, to)?;
        let signed = self.finish(to, (edit, layout), macs, bytes)?;
        self.account.finished(signed, macs.is_some());
        Ok(())
    }

    /// Whose messages are dropped for their signature: for status, and once in a while for the log.
    #[cold]
    pub(super) fn tell_refusal(&mut self, reason: Reason, frame: &Frame<'_>, arrival: &Arrival) {
        self.signatures.refused(reason, frame, arrival);
        self.account.tell_drop(reason, arrival.now, || {
            let name = |signed: Authentication<'_>| KeyName {
                spp: signed.spp(),
                id: signed.key_id(),
            };
            Event::Refused {
                reason,
                from: (arrival.side, frame.port_identity()),
                key: frame.authentication().ok().map(name),
            }
        });
    }

    /// What the signature of a message shows. Before a client, a master or any memory is touched: who has no key has no
    /// effect.
    pub(super) fn vouch(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Signature, Reason> {
        let signature = self.signatures.check(frame, arrival, &self.settings)?;
        if signature.verified().is_some() {
            self.account.verified();
            self.account
                .senders_forgotten(self.signatures.forgotten_senders());
            self.signatures.verified(frame, arrival.side);
        }
        Ok(signature)
    }
}
