//! The real program on real interfaces, in namespaces of its own.
//!
//! Each test runs in a sandbox, without root. What needs a peer that is not installed (tshark, strace,
//! tmux, ptp4l) is skipped, unless `PTPPROXY_REQUIRE_PEERS=1`.

mod confined;
mod control;
mod doctor;
mod downs;
mod ending;
mod failover;
mod fleet;
mod links;
mod nobody_served;
mod orders;
mod parallel;
mod reasons;
mod refusals;
mod reload;
mod rights;
mod routed;
mod second_gateway;
mod shared;
mod signed;
mod simple;
mod strict_client;
mod syscalls;
mod taken_over;
mod to_host;
mod top;
mod tshark;
mod warned;
mod watch;

use testkit::{host, installed, proxy, segments, tap};
