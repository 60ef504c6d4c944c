//! What is known of one message's signature, and what that lets it do.

use crate::auth::Verified;
use crate::reason::Reason;

/// What is known of a message's signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signature {
    /// It has none, or none that counts.
    #[default]
    None,
    /// Any edit would break it: the message passes as it came.
    Fixed,
    /// Not verified; by `--authenticated mutable` it leaves correctionField out, so that one may change.
    Mutable,
    /// Verified; what is edited is signed again.
    Verified(Verified),
    /// It should have been verified, and was not. Such a message goes no further, and has no effect.
    Refused,
}

impl Signature {
    /// Whether the message may not change.
    pub(crate) fn is_fixed(self) -> bool {
        self == Self::Fixed
    }

    /// Whether nothing but correctionField may change.
    pub(crate) fn is_mutable(self) -> bool {
        self == Self::Mutable
    }

    /// Whether the message must not have any effect.
    pub(crate) fn is_refused(self) -> bool {
        self == Self::Refused
    }

    /// By what it is signed again.
    pub(crate) const fn verified(self) -> Option<Verified> {
        match self {
            Self::Verified(verified) => Some(verified),
            _ => None,
        }
    }

    /// The association that signed it.
    pub(crate) fn association(self) -> Option<u8> {
        self.verified().map(Verified::spp)
    }

    /// Whether it may go on what `first` began: nobody of another association may, and nobody without a signature.
    ///
    /// # Errors
    /// It may not, for this reason.
    pub(crate) fn continues(self, first: Option<u8>) -> Result<(), Reason> {
        match (first, self.association()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Reason::Unsigned),
            (Some(first), Some(own)) if first == own => Ok(()),
            _ => Err(Reason::BadAuthentication),
        }
    }
}
