//! Network interfaces as the kernel describes them, by netlink (sysfs may show another namespace).

use anyhow::{Result, bail};

use crate::ring::os::bindings::ARPHRD_ETHER;

/// One network interface (rtnetlink(7), RTM_NEWLINK).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index: the kernel's own name for it, never used twice in a row.
    pub index: u32,
    /// Its Ethernet address; zeroes if it has none.
    pub mac: [u8; 6],
    /// Largest payload of a frame, in bytes.
    pub mtu: u32,
    /// Set up by its administrator (IFF_UP).
    pub up: bool,
    /// With a working link as well (IFF_RUNNING).
    pub running: bool,
    /// The loopback interface (IFF_LOOPBACK).
    pub loopback: bool,
    /// ARPHRD_*: 1 is Ethernet.
    pub hardware_type: u16,
    /// What drives it.
    pub kind: LinkKind,
    /// Index of the bridge, bond or team it is a port of.
    pub master: Option<u32>,
    /// Index of the interface in this namespace that it sits on (IFLA_LINK; not of veth, where it names
    /// the peer, nor of tunnels, whose frames travel inside others).
    pub parent: Option<u32>,
}

/// What kind of device an interface is (IFLA_INFO_KIND).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A network card or whatever names no kind.
    Physical,
    /// Link aggregation.
    Bond,
    /// Link aggregation by the team driver.
    Team,
    /// A software bridge.
    Bridge,
    /// An 802.1Q or 802.1ad child.
    Vlan {
        /// TPID (0x8100 or 0x88A8).
        protocol: u16,
        /// VLAN identifier.
        id: u16,
    },
    /// A port of a switch chip.
    Dsa,
    /// One end of a virtual cable.
    Veth,
    /// A tap or tun device.
    Tun,
    /// A routing domain (layer 3).
    Vrf,
    /// A second address on its parent: macvlan or macvtap.
    Macvlan,
    /// Any other, by the kernel's word.
    Other(String),
}

impl Interface {
    /// Why PTP frames cannot be forwarded on it, if so: loopback, or no Ethernet.
    ///
    /// # Errors
    /// One line that names the interface, the reason and the remedy.
    pub fn require_ethernet(&self) -> Result<()> {
        let name = &self.name;
        if self.loopback {
            bail!("{name} is the loopback interface: choose an Ethernet interface");
        }
        if self.hardware_type != ARPHRD_ETHER {
            bail!(
                "{name} is not an Ethernet interface (hardware type {}): choose a network card, bond, \
                 bridge, VLAN, veth or tap",
                self.hardware_type
            );
        }
        if self.kind == LinkKind::Vrf {
            bail!("{name} is a routing domain (vrf): choose one of the interfaces in it");
        }
        Ok(())
    }
}

impl LinkKind {
    /// In a word, for people.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Physical => "network card",
            Self::Bond => "bond",
            Self::Team => "team",
            Self::Bridge => "bridge",
            Self::Vlan { .. } => "VLAN",
            Self::Dsa => "switch port",
            Self::Veth => "veth",
            Self::Tun => "tap",
            Self::Vrf => "vrf",
            Self::Macvlan => "macvlan",
            Self::Other(word) => word,
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "bond" => Self::Bond,
            "team" => Self::Team,
            "bridge" => Self::Bridge,
            "dsa" => Self::Dsa,
            "veth" => Self::Veth,
            "tun" => Self::Tun,
            "vrf" => Self::Vrf,
            "macvlan" | "macvtap" => Self::Macvlan,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether IFLA_LINK names a device whose frames are also this one's.
    pub(super) fn sits_on_link(&self) -> bool {
        match self {
            Self::Veth | Self::Bridge | Self::Bond | Self::Team => false,
            Self::Other(word) => !matches!(
                word.as_str(),
                "netkit"
                    | "vxcan"
                    | "vxlan"
                    | "geneve"
                    | "gretap"
                    | "ip6gretap"
                    | "erspan"
                    | "ip6erspan"
            ),
            _ => true,
        }
    }
}
