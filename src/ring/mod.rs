//! AF_PACKET rings, stamps, timers and interfaces: the only room with `unsafe`.
//!
//! * [`RxRing`] and [`TxRing`] are the rings, [`PacketPort`] both of one interface;
//! * [`Interface`] tells what an interface is;
//! * [`SystemClock`] reads the clocks.

mod bindings;
mod clock;
mod error_queue;
mod groups;
mod interface;
mod links;
mod map;
mod port;
mod rx;
mod rx_slots;
mod setup;
mod stamp_budget;
mod stamp_ids;
mod stamps;
mod sys;
#[cfg(test)]
mod test_net;
#[cfg(test)]
mod tests_veth;
mod tx;
mod tx_slots;

pub use clock::{ClockSample, SystemClock};
pub use interface::{Interface, Kind};
pub use port::PacketPort;
pub use rx::{RxOptions, RxRing};
pub use setup::require_kernel;
pub use stamps::StampSource;
pub use tx::{Done, TxOptions, TxRing, TxStats};
