//! Signatures (16.14): what a message's signature shows before anything else is looked at, and what is signed again as
//! it leaves.

use crate::Side;
use crate::auth::{KeyChanges, Refusal, SecurityAssociations, Verified, Verifier};
use crate::core::refused_senders::RefusedSenders;
use crate::core::settings::{Authenticated, Settings};
use crate::core::signature::Signature;
use crate::core::table::Secret;
use crate::core::verdict::{Arrival, Edit};
use crate::reason::Reason;
use crate::telemetry::RefusedSender;
use crate::time::Instant;
use crate::wire::{Frame, Layout, MessageType};

/// The keys, and what was seen of those who sign.
pub(crate) struct Signatures {
    verifier: Option<Verifier>,
    refused: RefusedSenders,
}

impl Signatures {
    /// Without keys.
    pub(crate) fn new() -> Self {
        Self {
            verifier: None,
            refused: RefusedSenders::new(),
        }
    }

    /// Goes on with these keys. The first time all memory is reserved; later, what waits is signed with the keys that it
    /// came with.
    pub(crate) fn set_keys(
        &mut self,
        keys: SecurityAssociations,
        settings: &Settings,
        secret: Secret,
        now: Instant,
    ) -> KeyChanges {
        // A request waits once, and so does its answer.
        let linger = 2 * settings.max_hold + settings.tx_timestamp_timeout;
        match &mut self.verifier {
            Some(verifier) => verifier.reload(keys, now, linger),
            None => {
                let changes = KeyChanges {
                    added: keys.names().collect(),
                    ..KeyChanges::default()
                };
                let senders = settings.max_clients as usize;
                self.verifier = Some(Verifier::new(keys, senders, (secret.0, secret.1)));
                changes
            }
        }
    }

    /// Whether there are keys.
    pub(crate) const fn has_keys(&self) -> bool {
        self.verifier.is_some()
    }

    /// Lets time pass: replaced keys are erased when nothing that came with them can wait any more.
    pub(crate) fn advance(&mut self, now: Instant) {
        if let Some(verifier) = &mut self.verifier {
            verifier.expire(now);
        }
    }

    /// Senders that gave their row away while they were active; see [`Verifier::forgotten_senders`].
    pub(crate) fn forgotten_senders(&self) -> u64 {
        self.verifier
            .as_ref()
            .map_or(0, Verifier::forgotten_senders)
    }

    /// Whose messages are refused, and how many of them.
    pub(crate) fn refused_senders(&self) -> &[RefusedSender] {
        self.refused.rows()
    }

    /// A message is dropped for its signature, or for want of one. Who has no key at all is nobody whose share matters.
    #[cold]
    pub(crate) fn refused(&mut self, reason: Reason, frame: &Frame<'_>, arrival: &Arrival) {
        if reason != Reason::Unsigned {
            let sender = frame.port_identity();
            (self.refused).refuse(arrival.side, sender, reason, arrival.now);
        }
    }

    /// A message was verified.
    pub(crate) fn verified(&mut self, frame: &Frame<'_>, side: Side) {
        self.refused.verify(side, frame.port_identity());
    }

    /// What a message's signature shows. To be asked once of each message, and before it has any effect.
    ///
    /// # Errors
    /// The message is to be dropped, for this reason.
    #[inline]
    pub(crate) fn check(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        settings: &Settings,
    ) -> Result<Signature, Reason> {
        // Most messages, where nobody has keys.
        let required = settings.require_authentication.of(arrival.side);
        if self.verifier.is_none() && !required && !frame.authenticated() {
            return Ok(Signature::None);
        }
        self.check_signed(frame, arrival, settings)
    }

    /// The same, where messages are signed or have to be.
    #[inline(never)]
    fn check_signed(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        settings: &Settings,
    ) -> Result<Signature, Reason> {
        let side = arrival.side;
        let required = settings.require_authentication.of(side);
        if goes_no_further(frame.message_type(), side) {
            // It may still be a sign of a second path. Who must sign, and does not, gives none.
            return Ok(if required && !self.is_verified(frame, arrival) {
                Signature::Refused
            } else {
                Signature::None
            });
        }
        let sealed = frame.layout().is_sealed();
        let Some(verifier) = &mut self.verifier else {
            return match (frame.authenticated(), settings.authenticated) {
                // Set without keys: nothing can be verified, and nothing passes.
                (signed, _) if required => Err(if signed {
                    Reason::UnknownKey
                } else {
                    Reason::Unsigned
                }),
                (false, _) => Ok(Signature::None),
                (true, Authenticated::Drop) => Err(Reason::Authenticated),
                (true, Authenticated::Mutable) if !sealed => Ok(Signature::Mutable),
                (true, Authenticated::Mutable | Authenticated::Pass) => Ok(Signature::Fixed),
            };
        };
        let verified = match verifier.verify(frame, side, arrival.now) {
            Ok(verified) => Some(verified),
            Err(Refusal::Unsigned) if !required => None,
            Err(refusal) => return Err(reason(refusal)),
        };
        match (verified, settings.authenticated) {
            // An IP authentication header: nobody here has its key.
            (_, Authenticated::Drop) if sealed => Err(Reason::Authenticated),
            (_, _) if sealed => Ok(Signature::Fixed),
            (Some(verified), _) => Ok(Signature::Verified(verified)),
            (None, _) => Ok(Signature::None),
        }
    }

    /// Whether it is signed as it should be.
    fn is_verified(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> bool {
        let verifier = self.verifier.as_mut();
        verifier.is_some_and(|verifier| verifier.verify(frame, arrival.side, arrival.now).is_ok())
    }

    /// Makes an edit in a frame of this layout, and signs it again if that is needed. Whether it was signed.
    ///
    /// # Errors
    /// Its key is gone: it must not be sent.
    pub(crate) fn edit(
        &self,
        edit: &Edit,
        bytes: &mut [u8],
        layout: Layout,
    ) -> Result<bool, Reason> {
        edit.apply(bytes, layout);
        let Some((verified, verifier)) = edit.verified.zip(self.verifier.as_ref()) else {
            return Ok(false);
        };
        let corrected = edit.correction != 0 && !verifier.leaves_correction(verified);
        if !edit.set_two_step && !corrected {
            return Ok(false);
        }
        verifier
            .sign(bytes, layout, verified)
            .map(|()| true)
            .map_err(|_| Reason::OldKey)
    }

    /// Signs a Follow_Up that was made for a verified Sync, which the first `len` bytes hold; there is room for more
    /// behind them. Returns its length then, and by what it is signed after a later edit.
    ///
    /// # Errors
    /// The key is gone: it must not be sent.
    pub(crate) fn sign_made(
        &self,
        bytes: &mut [u8],
        len: usize,
        sync: Verified,
    ) -> Result<(usize, Verified), Reason> {
        let verifier = self.verifier.as_ref().ok_or(Reason::OldKey)?;
        let (len, _, made) = verifier
            .sign_made(bytes, len, sync)
            .map_err(|_| Reason::OldKey)?;
        Ok((len, made))
    }
}

/// Whether messages of this type are never forwarded from this side, whoever signed them.
const fn goes_no_further(message_type: MessageType, side: Side) -> bool {
    match message_type {
        MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp => true,
        MessageType::DelayReq => matches!(side, Side::Up),
        MessageType::Sync
        | MessageType::FollowUp
        | MessageType::Announce
        | MessageType::DelayResp => matches!(side, Side::Down),
        MessageType::Signaling | MessageType::Management => false,
    }
}

/// Why a message that was refused is dropped.
const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Unsigned => Reason::Unsigned,
        Refusal::Malformed => Reason::BadAuthentication,
        Refusal::UnknownKey(_) => Reason::UnknownKey,
        Refusal::OldKey(_) => Reason::OldKey,
        Refusal::BadIcv(_) => Reason::BadIcv,
        Refusal::Replayed(_) => Reason::Replayed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::KeyName;

    #[test]
    fn a_refusal_has_one_word_everywhere() {
        let name = KeyName { spp: 1, id: 2 };
        for refusal in [
            Refusal::Unsigned,
            Refusal::Malformed,
            Refusal::UnknownKey(name),
            Refusal::OldKey(name),
            Refusal::BadIcv(name),
            Refusal::Replayed(name),
        ] {
            assert_eq!(reason(refusal).label(), refusal.label());
        }
    }
}
