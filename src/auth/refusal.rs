//! Why a message is not accepted.

use std::fmt;

use super::associations::KeyName;

/// Why a message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No AUTHENTICATION TLV: not signed.
    Unsigned,
    /// The AUTHENTICATION TLV is not one that can be checked: a wrong length, more than one, another TLV
    /// behind it, or fields that no association here has.
    Malformed,
    /// Signed with a key that the file does not hold.
    UnknownKey(KeyName),
    /// Signed with a key that the file held before it was read again.
    OldKey(KeyName),
    /// The ICV is not the message's: changed on the way, or another key under the same name.
    BadIcv(KeyName),
    /// Signed right, but seen before, or out of its sender's sequence.
    Replayed(KeyName),
}

impl Refusal {
    /// The word used in logs, metrics and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed => "bad-authentication",
            Self::UnknownKey(_) => "unknown-key",
            Self::OldKey(_) => "old-key",
            Self::BadIcv(_) => "bad-icv",
            Self::Replayed(_) => "replayed",
        }
    }

    /// The key that the message names; `None` if it names none.
    #[must_use]
    pub const fn key(self) -> Option<KeyName> {
        match self {
            Self::Unsigned | Self::Malformed => None,
            Self::UnknownKey(name)
            | Self::OldKey(name)
            | Self::BadIcv(name)
            | Self::Replayed(name) => Some(name),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key() {
            Some(name) => write!(f, "{} ({name})", self.label()),
            None => f.pad(self.label()),
        }
    }
}
