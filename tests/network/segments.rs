//! The networks of these tests.

use ptpproxy_lab::net::{Namespace, veth};

use crate::host::Host;
use crate::proxy::{DOWN, UP};
use ptpproxy_lab::lab::shape::Shape;

/// The one interface of whoever is at an end.
pub(crate) const END: &str = "eth0";

/// `grandmaster:eth0 --- up0:gateway:down0 --- eth0:clients`
pub(crate) struct Line {
    pub(crate) grandmaster: Namespace,
    pub(crate) gateway: Namespace,
    pub(crate) clients: Namespace,
}

impl Line {
    pub(crate) fn new() -> Self {
        let line = Self {
            grandmaster: Namespace::new("grandmaster").unwrap(),
            gateway: Namespace::new("gateway").unwrap(),
            clients: Namespace::new("clients").unwrap(),
        };
        line.cable_above();
        line.cable_below();
        line
    }

    pub(crate) fn cable_above(&self) {
        veth(&self.grandmaster, END, &self.gateway, UP).unwrap();
    }

    pub(crate) fn cable_below(&self) {
        veth(&self.gateway, DOWN, &self.clients, END).unwrap();
    }

    /// A host at each end: the grandmaster's, and the clients'.
    pub(crate) fn hosts(&self, shape: Shape) -> (Host, Host) {
        (
            Host::open(&self.grandmaster, END, shape),
            Host::open(&self.clients, END, shape),
        )
    }
}

/// Two gateways between the same two segments, each a bridge.
pub(crate) struct Parallel {
    pub(crate) grandmaster: Namespace,
    pub(crate) clients: Namespace,
    pub(crate) gateways: [Namespace; 2],
    _segments: [Namespace; 2],
}

impl Parallel {
    pub(crate) fn new() -> Self {
        let grandmaster = Namespace::new("grandmaster").unwrap();
        let clients = Namespace::new("clients").unwrap();
        let gateways = ["one", "two"].map(|name| Namespace::new(name).unwrap());
        let above = Namespace::new("above").unwrap();
        let below = Namespace::new("below").unwrap();
        for (segment, end, port) in [(&above, &grandmaster, UP), (&below, &clients, DOWN)] {
            veth(end, END, segment, "end").unwrap();
            veth(segment, "one", &gateways[0], port).unwrap();
            veth(segment, "two", &gateways[1], port).unwrap();
            segment.bridge("segment", &["end", "one", "two"]).unwrap();
            // Without a querier the bridge floods multicast anyway.
            let _ = segment.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
        }
        Self {
            grandmaster,
            clients,
            gateways,
            _segments: [above, below],
        }
    }
}
