//! The networks of the tests: namespaces and the cables between them.
#![expect(
    clippy::new_without_default,
    reason = "a network is made of namespaces, and that may fail"
)]

use ptpproxy_lab::net::{Namespace, veth};

use crate::host::Host;
use crate::proxy::{DOWN, UP};
use ptpproxy_lab::lab::shape::Shape;

/// The one interface of whoever is at an end.
pub const END: &str = "eth0";

/// `grandmaster:eth0 --- up0:gateway:down0 --- eth0:clients`
pub struct Line {
    /// The grandmaster's end.
    pub grandmaster: Namespace,
    /// Where the gateway runs.
    pub gateway: Namespace,
    /// The clients' end.
    pub clients: Namespace,
}

impl Line {
    /// Makes the namespaces and both cables.
    pub fn new() -> Self {
        let line = Self {
            grandmaster: Namespace::new("grandmaster").unwrap(),
            gateway: Namespace::new("gateway").unwrap(),
            clients: Namespace::new("clients").unwrap(),
        };
        line.cable_above();
        line.cable_below();
        line
    }

    /// Makes the cable toward the grandmaster, anew if it was deleted.
    pub fn cable_above(&self) {
        veth(&self.grandmaster, END, &self.gateway, UP).unwrap();
    }

    /// Makes the cable toward the clients, anew if it was deleted.
    pub fn cable_below(&self) {
        veth(&self.gateway, DOWN, &self.clients, END).unwrap();
    }

    /// A host at each end: the grandmaster's, and the clients'.
    pub fn hosts(&self, shape: Shape) -> (Host, Host) {
        (
            Host::open(&self.grandmaster, END, shape),
            Host::open(&self.clients, END, shape),
        )
    }
}

/// Two gateways between the same two segments, each a bridge.
pub struct Parallel {
    /// The grandmaster's end.
    pub grandmaster: Namespace,
    /// The clients' end.
    pub clients: Namespace,
    /// Where the two gateways run.
    pub gateways: [Namespace; 2],
    _segments: [Namespace; 2],
}

impl Parallel {
    /// Makes the namespaces, cables and segments.
    pub fn new() -> Self {
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
