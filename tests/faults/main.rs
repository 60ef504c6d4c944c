//! Faults, one at a time, in front of the real program: it is back by itself, no time is wrong and
//! nothing goes out stale meanwhile.
//!
//! Each test makes one row of the table in `tests/README.md`: what the user sees, how long it takes until
//! the clients are in sync again, and how many exchanges were lost. The table is checked by each run;
//! `PTPPROXY_FAULT_TABLE=write cargo test --test faults -- --test-threads=1` writes it.
//!
//! What cannot be had on a real link (a clock that is set, a stamp that never comes) runs in the simulated
//! network, and its row says so.

mod killed;
mod links;
mod memory;
mod ptp4l;
mod queues;
mod restarted;
mod simulated;
mod stations;
mod stopped;
mod table;
mod taken_over;
mod traffic;

use testkit::{proxy, segments};
