//! What a gateway does for its network, since when, and by whose word.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::words::{Put, Take, Words, record};
use crate::time::Instant;

/// Whether a gateway forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It does.
    #[default]
    Active,
    /// It only learns: another gateway forwards.
    Standby,
}

impl Role {
    /// The word used in status and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }
}

impl Words for Role {
    const WORDS: usize = 1;

    fn write(&self, out: &mut impl Put) {
        (*self == Self::Standby).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        match bool::read(words) {
            true => Self::Standby,
            false => Self::Active,
        }
    }
}

/// Who gave the order, in a word of up to 15 letters, digits, dots, dashes and underscores; empty if nobody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orderer([u8; 16]);

impl Orderer {
    /// The longest word.
    pub const LONGEST: usize = 15;

    /// A word; `None` if it is too long or has other letters.
    #[must_use]
    pub fn new(word: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if word.len() > Self::LONGEST || !word.bytes().all(good) {
            return None;
        }
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(word.bytes()) {
            *to = from;
        }
        Some(Self(bytes))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&byte| byte == 0).unwrap_or(0);
        let word = self.0.get(..len).unwrap_or_default();
        std::str::from_utf8(word).unwrap_or_default()
    }
}

impl Words for Orderer {
    const WORDS: usize = 2;

    fn write(&self, out: &mut impl Put) {
        self.as_str().to_owned().write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        Self::new(&String::read(words)).unwrap_or_default()
    }
}

record! {
    /// By whose word a gateway has its role.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct By {
        /// The user that gave the order; `None` if it has the role since its start.
        pub user: Option<u32>,
        /// Who that was, as far as it said.
        pub name: Orderer,
    }
}

impl By {
    /// From the start on, by its settings.
    pub const START: Self = Self {
        user: None,
        name: Orderer([0; 16]),
    };
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.name.as_str()) {
            (None, _) => f.write_str("its start"),
            (Some(user), "") => write!(f, "uid {user}"),
            (Some(user), name) => write!(f, "{name} (uid {user})"),
        }
    }
}

record! {
    /// What a gateway does, and since when.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RoleState {
        /// Its role.
        pub role: Role,
        /// Since then.
        pub since: Instant,
        /// By whose word.
        pub by: By,
        /// It was started in standby, or its role was ordered: another gateway may take its place.
        pub pair: bool,
        /// In standby: another gateway was heard that forwards, within the last seconds.
        pub other: bool,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ordered_it_is_a_short_word() {
        let named = |word| Orderer::new(word).map(|name| name.as_str().to_owned());
        assert_eq!(named("keepalived"), Some("keepalived".into()));
        assert_eq!(named("fifteen-letters"), Some("fifteen-letters".into()));
        assert_eq!(named("sixteen--letters"), None);
        assert_eq!(named("two words"), None);
        assert_eq!(named("line\n"), None);
        let by = |user, name| By {
            user,
            name: Orderer::new(name).unwrap(),
        };
        assert_eq!(by(Some(0), "keepalived").to_string(), "keepalived (uid 0)");
        assert_eq!(by(Some(7), "").to_string(), "uid 7");
        assert_eq!(By::START.to_string(), "its start");
    }
}
