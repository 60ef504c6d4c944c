//! What a file of security associations says: keys by name, each with the rules of its association.

use std::fmt;

use super::key::Key;

/// The name of a key in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// securityParameterPointer: the association.
    pub spp: u8,
    /// keyID: the key in it, from 1 on.
    pub id: u32,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} of spp {}", self.id, self.spp)
    }
}

/// A key with the rules of its association.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: KeyName,
    pub(super) key: Key,
    /// How far a sequenceId may be ahead of the last one; 0 checks none.
    pub(super) seqid_window: u16,
    /// correctionField is not protected.
    pub(super) allow_mutable: bool,
}

/// Security associations, checked. No key of theirs is shown by anything.
#[derive(Clone, Debug, Default)]
pub struct SecurityAssociations {
    /// By name.
    entries: Box<[Entry]>,
}

impl SecurityAssociations {
    /// The most keys that a file may hold: a slot is named by 16 bits.
    pub(super) const MOST_KEYS: usize = 4096;

    /// Of entries whose names differ, [`Self::MOST_KEYS`] at most.
    pub(super) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by_key(|entry| entry.name);
        Self {
            entries: entries.into_boxed_slice(),
        }
    }

    /// The names of all keys, in order.
    pub fn names(&self) -> impl Iterator<Item = KeyName> {
        self.entries.iter().map(|entry| entry.name)
    }

    /// How many keys and associations there are, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut spps: Vec<u8> = self.names().map(|name| name.spp).collect();
        spps.dedup();
        let counted = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            many => format!("{many} {what}s"),
        };
        let keys = counted(self.entries.len(), "key");
        format!("{keys} in {}", counted(spps.len(), "security association"))
    }

    /// The spp of each association that leaves correctionField unprotected (`allow_mutable 1`), in order.
    #[must_use]
    pub fn mutable(&self) -> Vec<u8> {
        let mutable = self.entries.iter().filter(|entry| entry.allow_mutable);
        let mut spps: Vec<u8> = mutable.map(|entry| entry.name.spp).collect();
        spps.dedup();
        spps
    }

    pub(super) fn find(&self, name: KeyName) -> Option<(u16, &Entry)> {
        let slot = (self.entries)
            .binary_search_by_key(&name, |entry| entry.name)
            .ok()?;
        Some((u16::try_from(slot).ok()?, &self.entries[slot]))
    }

    pub(super) fn slot(&self, slot: u16) -> Option<&Entry> {
        self.entries.get(usize::from(slot))
    }
}
