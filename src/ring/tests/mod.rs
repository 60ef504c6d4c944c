//! Rings, interfaces and timestamps on a real kernel, in namespaces of their own.

mod handed;
mod links;
pub(super) mod net;
mod port;
mod rings;
mod rx;
mod stamps_kept;
mod tx;
mod tx_trouble;
