//! The networks of the tests: namespaces and the cables between them.
#![expect(
    clippy::new_without_default,
    reason = "a network is made of namespaces, and that may fail"
)]

use ptpproxy::Side;
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

/// Two gateways between the same two networks, each network two switches and a trunk between them: the first gateway and
/// one host are at the first switch, the second gateway and another host at the second.
pub struct Switched {
    /// Upstream, at each switch.
    pub masters: [Namespace; 2],
    /// Downstream, at each switch.
    pub clients: [Namespace; 2],
    /// Where the two gateways run.
    pub gateways: [Namespace; 2],
    switches: [Namespace; 2],
}

/// The port of a network's first switch toward its second.
const TRUNK: &str = "trunk0";

impl Switched {
    /// Makes the namespaces, cables and switches.
    pub fn new() -> Self {
        let made = |names: [&str; 2]| names.map(|name| Namespace::new(name).unwrap());
        let network = Self {
            masters: made(["master0", "master1"]),
            clients: made(["clients0", "clients1"]),
            gateways: made(["one", "two"]),
            switches: made(["above", "below"]),
        };
        let [above, below] = &network.switches;
        for (switches, hosts, port) in [
            (above, &network.masters, UP),
            (below, &network.clients, DOWN),
        ] {
            veth(switches, TRUNK, switches, "trunk1").unwrap();
            for (n, (host, gateway)) in hosts.iter().zip(&network.gateways).enumerate() {
                let [end, gate, trunk] = ["end", "gate", "trunk"].map(|name| format!("{name}{n}"));
                veth(host, END, switches, &end).unwrap();
                veth(switches, &gate, gateway, port).unwrap();
                let ports = [&*end, &gate, &trunk];
                switches.bridge(&format!("switch{n}"), &ports).unwrap();
            }
            // Without a querier a switch floods multicast anyway.
            let _ = switches.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
        }
        network
    }

    fn switches(&self, side: Side) -> &Namespace {
        let [above, below] = &self.switches;
        match side {
            Side::Up => above,
            Side::Down => below,
        }
    }

    /// Cuts one of the two networks in two, or makes it whole.
    pub fn cut(&self, side: Side, cut: bool) {
        self.switches(side).set_up(TRUNK, !cut).unwrap();
    }

    /// Pulls a gateway's cable at the switch, or plugs it in again.
    pub fn unplug(&self, gateway: usize, side: Side, unplugged: bool) {
        let port = format!("gate{gateway}");
        self.switches(side).set_up(&port, !unplugged).unwrap();
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
