//! What a snapshot says of an interface and its rings.

use super::counts::PortCounts;
use super::words::{Put, Take, Words, record};
use crate::side::{MOST_DOWNS, PerPort};
use crate::time::Instant;
use crate::wire::Mac;

record! {
    /// What became of the Delay_Req of the clients behind an interface, since the start.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Asked {
        /// Forwarded.
        pub requests: u64,
        /// Answered.
        pub answered: u64,
        /// Not answered in time.
        pub unanswered: u64,
        /// When the last of them, or of negotiation, was forwarded; to the time between two publications.
        pub last: Option<Instant>,
        /// As many were forwarded until then.
        pub messages: u64,
    }
}

record! {
    /// One of the interfaces.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct PortState {
        /// Its name now.
        pub name: String,
        /// Its MAC address.
        pub mac: Mac,
        /// Its MTU in bytes.
        pub mtu: u32,
        /// It exists.
        pub present: bool,
        /// Set up by its administrator.
        pub up: bool,
        /// With a working link as well.
        pub running: bool,
        /// Clients in the table of this port; none upstream.
        pub clients: u32,
        /// What became of their requests.
        pub asked: Asked,
        /// Event messages that left by it: Delay_Req upstream, Sync downstream.
        pub events: u64,
        /// What is counted here.
        pub counts: PortCounts,
    }
}

/// That upstream, how many there are downstream, and those.
impl Words for PerPort<PortState> {
    const WORDS: usize = PortState::WORDS * (1 + MOST_DOWNS) + 1;

    fn write(&self, out: &mut impl Put) {
        let downs = self.downs.get(..MOST_DOWNS).unwrap_or(&self.downs);
        self.up.write(out);
        (downs.len() as u64).write(out);
        downs.iter().for_each(|down| down.write(out));
    }

    fn read(words: &mut Take<'_>) -> Self {
        let up = PortState::read(words);
        let downs = words.word().min(MOST_DOWNS as u64);
        Self {
            up,
            downs: (0..downs).map(|_| PortState::read(words)).collect(),
        }
    }
}
