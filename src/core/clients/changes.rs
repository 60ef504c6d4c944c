//! Who came and went, for who follows that one by one.

use std::collections::VecDeque;

use crate::wire::PortIdentity;

/// A client came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientChange {
    /// Who.
    pub identity: PortIdentity,
    /// It came; else it went. The same identity may come again on another lane.
    pub came: bool,
}

/// At most 4096 changes are kept. No client comes or goes while that many are.
pub(super) const CHANGES: usize = 4096;

/// The version of the client table, and the changes that nobody has taken yet.
#[derive(Default)]
pub(super) struct Changes {
    /// Grows by one with each change.
    version: u64,
    followed: Option<VecDeque<ClientChange>>,
}

impl Changes {
    /// From now on changes are kept until they are taken; or no longer.
    pub(super) fn follow(&mut self, follow: bool) {
        self.followed = follow.then(|| VecDeque::with_capacity(CHANGES));
    }

    /// The version of the table.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// The version of a table that another process had. Nobody follows it yet.
    pub(super) const fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// Changes that nobody has taken yet.
    pub(super) fn len(&self) -> usize {
        self.followed.as_ref().map_or(0, VecDeque::len)
    }

    /// Whether one more can be kept.
    pub(super) fn have_room(&self) -> bool {
        self.len() < CHANGES
    }

    /// A client came or went.
    pub(super) fn add(&mut self, identity: PortIdentity, came: bool) {
        self.version += 1;
        if let Some(changes) = &mut self.followed {
            changes.push_back(ClientChange { identity, came });
        }
    }

    /// The next change, and the version of the table after it.
    pub(super) fn next(&mut self) -> Option<(ClientChange, u64)> {
        let changes = self.followed.as_mut()?;
        let change = changes.pop_front()?;
        Some((change, self.version - changes.len() as u64))
    }
}
