//! Interfaces: what they are, which two may be joined, when they change, and what makes the network send PTP
//! their way.
//!
//! | file | one idea |
//! |---|---|
//! | `interface` | one interface, and whether PTP can be forwarded on it |
//! | `netlink` | the kernel's list of them |
//! | `pair` | which two never see the same frame |
//! | `claim` | who joins which two, so that no second gateway does |
//! | `addresses` | the IP addresses of this machine |
//! | `monitor` | what happened to ours |
//! | `routes` | which addresses they lead to |
//! | `guard`, `nft` | what keeps the kernel from routing what we route |
//! | `groups` | multicast groups and link-layer memberships |

mod addresses;
mod claim;
pub(super) mod groups;
mod guard;
mod interface;
mod monitor;
mod netlink;
mod nft;
mod pair;
mod pattern;
mod routes;

pub use addresses::{interface_addresses, own_addresses};
pub use claim::{Claim, Holder, gateways, holders};
pub use groups::{GroupMembership, NotJoined, SolicitedGroups};
pub use guard::RouteGuard;
pub use interface::{Interface, LinkKind};
pub use monitor::{LinkChange, Monitor};
pub(super) use netlink::{parent_of, ports_of};
pub(super) use pair::carriers_of;
pub use pair::{check_pair, check_ports, meant};
pub use pattern::is_pattern;
pub use routes::RouteMonitor;
