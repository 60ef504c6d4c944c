//! What has to be known of unicast: the open requests of simple PTP, and which addresses are this machine's.

use std::net::IpAddr;

use crate::core::simple::SimpleRequests;

/// See the module.
pub(crate) struct Unicast {
    simple: SimpleRequests,
    /// Sorted; `None` until somebody says.
    own: Option<Vec<IpAddr>>,
}

impl Unicast {
    pub(crate) fn new() -> Self {
        Self {
            simple: SimpleRequests::new(),
            own: None,
        }
    }

    /// The open requests of simple PTP.
    pub(crate) const fn simple(&self) -> &SimpleRequests {
        &self.simple
    }

    /// The same, to note one.
    pub(crate) const fn simple_mut(&mut self) -> &mut SimpleRequests {
        &mut self.simple
    }

    /// These are the addresses of this machine.
    pub(crate) fn set_own(&mut self, mut addresses: Vec<IpAddr>) {
        addresses.sort_unstable();
        self.own = Some(addresses);
    }

    /// Whether an address is this machine's; each may be as long as nobody said.
    pub(crate) fn may_be_own(&self, ip: IpAddr) -> bool {
        (self.own.as_ref()).is_none_or(|own| own.binary_search(&ip).is_ok())
    }
}
