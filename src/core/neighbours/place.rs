//! An address, where it counts: each VLAN has its own.

use std::net::IpAddr;

use crate::core::table::Key;
use crate::wire::Lane;

/// An address, where it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(super) lane: Lane,
    pub(super) ip: IpAddr,
}

impl Place {
    pub(crate) const fn new(lane: Lane, ip: IpAddr) -> Self {
        Self { lane, ip }
    }
}

impl Key for Place {
    fn words(&self) -> [u64; 3] {
        let bits = match self.ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "split in halves")]
        let halves = [(bits >> 64) as u64, bits as u64];
        [halves[0], halves[1], u64::from(self.lane.bits())]
    }
}
