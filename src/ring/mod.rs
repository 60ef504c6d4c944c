//! AF_PACKET rings, timestamps, clocks and interfaces: the only room of the product with `unsafe`.
//!
//! | room | what it is for |
//! |---|---|
//! | `rx`, `tx` | the rings; [`PacketPort`] is both of one interface |
//! | `handed` | rings that pass from one process to another |
//! | `link` | interfaces: what they are, whether two may be joined, when they change |
//! | `stamps` | who takes timestamps |
//! | `os` | clocks, sleeping, the process, system calls |
//! | `map`, `again` | memory shared with the kernel, and that of a ring that another process opened |
//! | `client_map` | the kernel's own table of our clients, and the filter that asks it |

mod again;
mod client_map;
mod handed;
mod link;
mod map;
mod os;
mod port;
mod rx;
mod stamps;
mod tx;

#[cfg(test)]
mod tests;

pub use client_map::{ClientMap, MapFilter};
pub use handed::{HandedPort, PortSockets};
pub use link::{
    Claim, GroupMembership, Holder, Interface, LinkChange, LinkKind, Monitor, NotJoined,
    RouteGuard, RouteMonitor, SolicitedGroups, check_pair, check_ports, gateways, holders,
    interface_addresses, is_pattern, meant, own_addresses,
};
pub use os::setup::{kernel_version, needs, require_kernel};
#[cfg(test)]
pub(crate) use os::sys::{attach_filter, detach_filter};
pub use os::{ClockSetWatch, Polled, SilentPorts, SystemClock, passed, process};
pub use port::PacketPort;
pub use rx::{RxOptions, RxRing};
pub use stamps::{
    HardwareClock, HardwareInfo, KeeperNews, StampSource, Stamping, Timestamping, choose,
};
pub use tx::{Done, TxOptions, TxRing, TxStats};
