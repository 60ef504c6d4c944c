//! AF_PACKET rings, stamps, timers and interfaces: the only room with `unsafe`.
//!
//! * [`RxRing`] and [`TxRing`] are the rings, [`PacketPort`] both of one interface;
//! * [`Interface`] tells what an interface is, [`check_pair`] whether two may be joined, [`Monitor`] when
//!   they change, [`GroupMembership`] makes the network send PTP their way;
//! * [`ClientMap`] is the kernel's own table of our clients, [`MapFilter`] the filter that asks it;
//! * [`Stamping`] chooses who stamps;
//! * [`SystemClock`], [`Timer`] and [`ClockSetWatch`] are time, [`process`] the process itself.
//!
//! Inside: `map` is the memory shared with the kernel, `rx_slots` and `tx_slots` walk it, `stamp_ids`
//! matches stamps to frames, `stamp_budget` keeps the error queue from overflowing, `error_queue` reads it,
//! `prefetch` asks for memory ahead, `sys` wraps system calls.

mod bindings;
mod client_map;
mod clock;
mod error_queue;
mod groups;
mod hardware;
mod interface;
mod links;
mod map;
mod monitor;
mod pair;
mod port;

pub mod process;
mod rx;
mod rx_slots;
mod setup;
mod stamp_budget;
mod stamp_ids;
mod stamps;
mod sys;
mod timer;
mod tx;
mod tx_report;
mod tx_slots;
mod warm;

#[cfg(test)]
mod test_net;
#[cfg(test)]
mod test_rings;
#[cfg(test)]
mod tests_links;
#[cfg(test)]
mod tests_rx;
#[cfg(test)]
mod tests_tx;

pub use client_map::{ClientMap, MapFilter};
pub use clock::SystemClock;
pub use groups::GroupMembership;
pub use hardware::{HardwareInfo, Stamping, Timestamping, choose};
pub use interface::{Interface, Kind};
pub use monitor::{LinkChange, Monitor};
pub use pair::check_pair;
pub use port::PacketPort;
pub use rx::{RxOptions, RxRing};
pub use setup::require_kernel;
pub use stamps::StampSource;
#[cfg(test)]
pub(crate) use sys::{attach_filter, detach_filter};
pub use timer::{ClockSetWatch, Timer};
pub use tx::{TxOptions, TxRing};
pub use tx_report::{Done, TxStats};
