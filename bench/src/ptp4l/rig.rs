//! Three namespaces in a row, with something in the middle.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::config::{Ptp4l, Role};
use super::program::{PATIENCE, Program, TempDir};
use crate::net::{Namespace, veth};
use crate::network::Network as Transport;

/// The interface of the grandmaster, and that of the client.
pub const INTERFACE: &str = "eth0";
/// The grandmaster's IPv4 address.
pub const GRANDMASTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The client's IPv4 address.
pub const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// The grandmaster's IPv6 address.
pub const GRANDMASTER_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
/// The client's IPv6 address.
pub const CLIENT_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// The client's addresses where the gateway is a router between two subnets.
pub const ROUTED_CLIENT: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 0, 1, 2),
    Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 2),
);
/// The router's own addresses, toward the grandmaster and toward the client.
const ROUTER: [(Ipv4Addr, Ipv6Addr); 2] = [
    (
        Ipv4Addr::new(10, 0, 0, 254),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe),
    ),
    (
        Ipv4Addr::new(10, 0, 1, 254),
        Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 0xfe),
    ),
];
/// The gateway's IPv4 address, where it has one.
pub const GATEWAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// The gateway's IPv6 address, where it has one.
pub const GATEWAY_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 3);

/// The gateway's interface toward the grandmaster, and that toward the client.
const UP: &str = "gm0";
const DOWN: &str = "cl0";
/// Between two gateways in a row: the first one's downstream end, and the second one's upstream end.
const BETWEEN: [&str; 2] = ["mid0", "mid1"];

/// What stands between the grandmaster and the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// Nothing: one cable.
    Direct,
    /// A gateway that forwards nothing.
    Nothing,
    /// The kernel's bridge.
    Bridge,
    /// ptp4l as an end-to-end transparent clock.
    Ptp4lTc,
    /// `BINARY --up gm0 --down cl0 ARGUMENTS`.
    Ptpproxy {
        /// The program.
        binary: PathBuf,
        /// More of its options.
        arguments: Vec<OsString>,
    },
    /// The same on a router: the client is in another subnet, and the kernel forwards.
    Router {
        /// The program.
        binary: PathBuf,
        /// More of its options.
        arguments: Vec<OsString>,
    },
    /// Two of them in a row, with the same options.
    TwoPtpproxies {
        /// The program.
        binary: PathBuf,
        /// More of the options of both.
        arguments: Vec<OsString>,
    },
}

/// What the programs of a rig are, where they are not the installed ptp4l as it comes.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// The ptp4l of both ends, and of a transparent clock; `None` is the installed one.
    pub ptp4l: Option<PathBuf>,
    /// More lines of its configuration.
    pub more: String,
    /// Between the gateway and each end is a switch that snoops: multicast goes only to who has asked for the group.
    pub switched: bool,
    /// The gateway has [`GATEWAY_ADDRESS`] and [`GATEWAY_ADDRESS_V6`] on its interface upstream.
    pub addressed: bool,
}

/// A grandmaster's, a gateway's and a client's namespace, joined and addressed, and the gateway's
/// program running.
#[derive(Debug)]
pub struct Rig {
    /// The gateway's program, if it is one. (Before the namespaces, so that it ends first.)
    pub program: Option<Program>,
    /// The second of two gateways in a row: the one next to the client.
    pub second: Option<Program>,
    /// Where the grandmaster is to run, on [`INTERFACE`].
    pub grandmaster: Namespace,
    /// Where the gateway runs, on `gm0` and `cl0`.
    pub gateway: Namespace,
    /// Where the client is to run, on [`INTERFACE`].
    pub client: Namespace,
    /// logSyncInterval of the grandmaster: `-4`, 16 a second, if nobody changes it.
    pub log_sync_interval: i8,
    /// What runs at both ends.
    pub ends: Ends,
    transport: Transport,
    folder: TempDir,
    /// Keeps the switches alive.
    switches: Vec<Namespace>,
}

impl Rig {
    /// Builds the network and starts the gateway.
    ///
    /// # Errors
    /// Outside of a [`Sandbox`](crate::net::Sandbox), or when the gateway's program does not start.
    pub fn new(gateway: &Gateway, transport: Transport) -> Result<Self> {
        Self::with(gateway, transport, Ends::default())
    }

    /// The same with other programs at its ends.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(gateway: &Gateway, transport: Transport, ends: Ends) -> Result<Self> {
        let mut rig = Self {
            program: None,
            second: None,
            grandmaster: Namespace::new("grandmaster")?,
            gateway: Namespace::new("gateway")?,
            client: Namespace::new("client")?,
            log_sync_interval: -4,
            ends,
            transport,
            folder: TempDir::new()?,
            switches: Vec::new(),
        };
        if *gateway == Gateway::Direct {
            veth(&rig.grandmaster, INTERFACE, &rig.client, INTERFACE)?;
        } else {
            for (end, port) in [(&rig.grandmaster, UP), (&rig.client, DOWN)] {
                if rig.ends.switched {
                    rig.switches.push(switch(end, &rig.gateway, port)?);
                } else {
                    veth(end, INTERFACE, &rig.gateway, port)?;
                }
            }
        }
        match gateway {
            Gateway::Router { .. } => rig.address_two_subnets()?,
            _ => address_ends(&rig.grandmaster, &rig.client)?,
        }
        if rig.ends.addressed {
            rig.gateway.add_address(UP, GATEWAY_ADDRESS, 24)?;
            rig.gateway.add_address(UP, GATEWAY_ADDRESS_V6, 64)?;
            rig.gateway.add_route(UP, [224, 0, 0, 0], 4)?;
        }
        if let Gateway::TwoPtpproxies { binary, arguments } = gateway {
            let [above, below] = BETWEEN;
            veth(&rig.gateway, above, &rig.gateway, below)?;
            rig.program = Some(rig.start_ptpproxy(binary, [UP, above], arguments)?);
            rig.second = Some(rig.start_ptpproxy(binary, [below, DOWN], arguments)?);
        } else {
            rig.program = rig.start_gateway(gateway)?;
        }
        Ok(rig)
    }

    /// Starts a ptp4l as the grandmaster, and waits until it is.
    ///
    /// # Errors
    /// When ptp4l is not installed, cannot be started or ends.
    pub fn start_grandmaster(&self) -> Result<Program> {
        let mut program = self
            .ptp4l(Role::Grandmaster, &[INTERFACE])
            .start(&self.grandmaster, &self.folder)?;
        program.wait_for_words("assuming the grand master role", PATIENCE)?;
        Ok(program)
    }

    /// Starts a ptp4l of this role in the client's place.
    ///
    /// # Errors
    /// When ptp4l is not installed or cannot be started.
    pub fn start_client(&self, role: Role) -> Result<Program> {
        self.ptp4l(role, &[INTERFACE])
            .start(&self.client, &self.folder)
    }

    fn ptp4l<'a>(&'a self, role: Role, interfaces: &'a [&'a str]) -> Ptp4l<'a> {
        Ptp4l {
            role,
            transport: self.transport,
            interfaces,
            log_sync_interval: self.log_sync_interval,
            program: self.ends.ptp4l.as_deref(),
            more: &self.ends.more,
        }
    }

    fn start_gateway(&self, gateway: &Gateway) -> Result<Option<Program>> {
        let patience = Duration::from_secs(5);
        match gateway {
            Gateway::Direct | Gateway::Nothing | Gateway::TwoPtpproxies { .. } => Ok(None),
            Gateway::Bridge => self.gateway.bridge("br0", &[UP, DOWN]).map(|()| None),
            Gateway::Ptp4lTc => {
                for (last, interface) in [(0xfd, UP), (0xfe, DOWN)] {
                    self.gateway.add_address(interface, [10, 0, 0, last], 32)?;
                    let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into());
                    self.gateway.add_address(interface, address, 128)?;
                }
                let clock = self.ptp4l(Role::TransparentClock, &[UP, DOWN]);
                let mut program = clock.start(&self.gateway, &self.folder)?;
                program.wait_for_words("port 2", patience)?;
                Ok(Some(program))
            }
            Gateway::Ptpproxy { binary, arguments } | Gateway::Router { binary, arguments } => {
                self.start_ptpproxy(binary, [UP, DOWN], arguments).map(Some)
            }
        }
    }

    /// One subnet on each side of a kernel that forwards between them.
    fn address_two_subnets(&self) -> Result<()> {
        let master = (GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6);
        for (end, (v4, v6), port, router) in [
            (&self.grandmaster, master, UP, ROUTER[0]),
            (&self.client, ROUTED_CLIENT, DOWN, ROUTER[1]),
        ] {
            for (here, name, (v4, v6)) in
                [(end, INTERFACE, (v4, v6)), (&self.gateway, port, router)]
            {
                here.add_address(name, v4, 24)?;
                here.add_address(name, v6, 64)?;
            }
            end.add_route(INTERFACE, Ipv4Addr::new(224, 0, 0, 0), 4)?;
            end.add_default_route(INTERFACE, router.0)?;
            end.add_default_route(INTERFACE, router.1)?;
        }
        self.gateway.sysctl("net/ipv4/ip_forward", "1")?;
        self.gateway.sysctl("net/ipv6/conf/all/forwarding", "1")
    }

    fn start_ptpproxy(
        &self,
        binary: &Path,
        [up, down]: [&str; 2],
        arguments: &[OsString],
    ) -> Result<Program> {
        let mut command = Command::new(binary);
        command.args(["--up", up, "--down", down]).args(arguments);
        let mut program = Program::start(&self.gateway, &mut command)?;
        program.wait_for("first line", Duration::from_secs(5), |_| Some(()))?;
        Ok(program)
    }
}

/// A switch between an end and a port of the gateway.
fn switch(end: &Namespace, gateway: &Namespace, port: &str) -> Result<Namespace> {
    let switch = Namespace::new(&format!("switch-{port}"))?;
    veth(end, INTERFACE, &switch, "end")?;
    veth(gateway, port, &switch, "gateway")?;
    switch.snooping_bridge("switch0", &["end", "gateway"])?;
    Ok(switch)
}

/// Addresses and multicast routes. The ends find each other's hardware addresses by themselves, or not at all.
fn address_ends(grandmaster: &Namespace, client: &Namespace) -> Result<()> {
    for (here, v4, v6) in [
        (grandmaster, GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6),
        (client, CLIENT_ADDRESS, CLIENT_ADDRESS_V6),
    ] {
        here.add_address(INTERFACE, v4, 24)?;
        here.add_address(INTERFACE, v6, 64)?;
        here.add_route(INTERFACE, Ipv4Addr::new(224, 0, 0, 0), 4)?;
    }
    Ok(())
}
