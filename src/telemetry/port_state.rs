//! What a snapshot says of an interface and its rings.

use crate::telemetry::{Put, Take};
use crate::wire::Mac;

/// One of the two interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortState {
    /// Its name now.
    pub name: String,
    /// Its MAC address.
    pub mac: Mac,
    /// Its MTU in octets.
    pub mtu: u32,
    /// It exists.
    pub present: bool,
    /// Set up by its administrator.
    pub up: bool,
    /// With a working link as well.
    pub running: bool,
    /// Frames that passed the kernel's filter into the receive ring or found it full.
    pub ring_frames: u64,
    /// Frames lost because the receive ring was full.
    pub ring_drops: u64,
    /// Frames that the kernel did not take for sending.
    pub unsent: u64,
    /// Transmit stamps that never came or could not be trusted.
    pub stamps_lost: u64,
}

impl PortState {
    pub(super) const WORDS: usize = 9;

    pub(super) fn write(&self, out: &mut impl Put) {
        let [a, b, c, d, e, f] = self.mac.0;
        out.put_name(&self.name);
        out.put(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        out.put(u64::from(self.mtu));
        out.put(u64::from(self.present) | u64::from(self.up) << 1 | u64::from(self.running) << 2);
        out.put(self.ring_frames);
        out.put(self.ring_drops);
        out.put(self.unsent);
        out.put(self.stamps_lost);
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        let name = words.name();
        let [_, _, mac @ ..] = words.word().to_be_bytes();
        let mtu = words.u32();
        let flags = words.word();
        Self {
            name,
            mac: Mac(mac),
            mtu,
            present: flags & 1 != 0,
            up: flags & 2 != 0,
            running: flags & 4 != 0,
            ring_frames: words.word(),
            ring_drops: words.word(),
            unsent: words.word(),
            stamps_lost: words.word(),
        }
    }
}
