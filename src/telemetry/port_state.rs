//! What a snapshot says of an interface and its rings.

use super::counts::PortCounts;
use super::words::record;
use crate::wire::Mac;

record! {
    /// One of the two interfaces.
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
        /// What is counted here.
        pub counts: PortCounts,
    }
}
