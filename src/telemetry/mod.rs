//! What the running gateway shows: the loop publishes, readers copy.
//!
//! The loop writes plain atomics with relaxed stores and never waits; whoever reads copies them and looks
//! at a sequence number to see whether the copy is whole. So reading adds no lock, no allocation and no
//! system call to the loop, however often it is done: only the control thread, which sleeps in a silence, is woken by
//! the first change after it.
//!
//! | file | one idea |
//! |---|---|
//! | `board` | what is shared: one published record, and a slot for each client |
//! | `changes` | wakes the reader that sleeps while nothing changes |
//! | `record` | words under a sequence number |
//! | `words` | values as words and back: one description of a record yields its fields, writer and reader |
//! | `state` | what a snapshot says: how the loop waits, filter, limits, ports and masters |
//! | `port_state` | of an interface and its rings |
//! | `master_state` | of a master upstream |
//! | `refused_sender` | of a sender whose messages are refused for their signature |
//! | `outage` | why the gateway serves nobody, out of a snapshot |
//! | `slots` | one client's row, written as its exchanges happen |
//! | `client_view` | what a reader sees of one client |
//! | `counters` | frames counted by side, type and what became of them, and what else is counted |
//! | `grants` | until when each client is granted unicast messages |
//! | `due` | whether somebody waits for Sync |
//! | `trace` | each message's steps, for whoever watches |
//! | `histogram` | fixed buckets for spans of time |
#![forbid(unsafe_code)]

mod board;
mod changes;
mod client_view;
mod counters;
mod counts;
mod due;
mod grants;
mod histogram;
mod master_state;
mod measures;
mod outage;
mod port_state;
mod record;
mod refused_sender;
mod role;
mod slots;
mod state;
mod trace;
mod words;

pub use board::{Board, Info, Snapshot};
pub use changes::Changes;
pub use client_view::{ClientMode, ClientView};
pub use counters::{Counters, Kind};
pub use counts::{Count, Counts, PortCounts};
pub use due::SyncDue;
pub use grants::{GRANTED, Grants};
pub use histogram::{Histogram, Spread};
pub use master_state::MasterState;
pub use measures::{Measure, Measures, Spreads};
pub use outage::{LinkFault, Outage, Silence, outages};
pub use port_state::{Asked, PortState};
pub use refused_sender::{RefusedSender, SHOWN_REFUSED};
pub use role::{By, Orderer, Role, RoleState};
pub use slots::ClientSlots;
pub(crate) use slots::{Slot, Tenant, mean};
pub use state::{
    FilterKind, FilterState, HopState, Late, Limits, Mode, NeighbourState, SHOWN_MASTERS, State,
    UnknownAddress,
};
pub use trace::{Step, Trace, Wanted, What};
pub(crate) use words::{from_words, to_words};
