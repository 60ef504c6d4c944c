//! The forwarding path allocates nothing: exchanges, signed messages, and readers of what it does, counted.

mod allocations;
mod exchanges;
mod network;
mod readers;
mod signed;
