//! The forwarder on real interfaces: opens the ports, runs the engine, prints and logs.
//!
//! | file | one idea |
//! |---|---|
//! | `gateway` | from the start to the end: the order of the start |
//! | `ports` | interfaces waited for, rings opened |
//! | `memory` | how much a gateway takes, and whether it is there |
//! | `confine` | capabilities and system calls given up |
//! | `threads` | what runs beside the loop |
//! | `forwarding` | the loop; generic over ports, clock and machine |
//! | `decide`, `pacer` | what it does next, as a value |
//! | `outside`, `machine`, `waiter`, `aim` | waiting and news: what the loop asks for, and how the system does it |
//! | `wake`, `signals` | why it wakes |
//! | `cores` | several forwarders, and what they are together |
//! | `port`, `loop_engine` | ports and engine as the loop sees them |
//! | `stamping` | who timestamps: hardware only while it delivers |
//! | `hardware_clocks` | hardware clocks read beside the steady one |
//! | `filters` | the kernel's filters follow the clients |
//! | `groups` | the multicast groups of neighbours that are looked for |
//! | `sharing` | this machine's addresses, which everything carries upstream |
//! | `reload` | settings read again |
//! | `hand_over` | another process takes its place, or it takes that of another |
//! | `routes`, `guard` | the kernel's routes read again; what keeps it from following them |
//! | `publisher`, `lap`, `log_events`, `link_log`, `notify`, `totals` | what it shows: board, summary, log, service manager, totals |
//! | `lateness` | whether the loop runs when it is to |

mod aim;
pub mod confine;
mod cores;
mod decide;
mod filters;
mod forwarding;
mod gateway;
mod groups;
mod guard;
mod hand_over;
mod hardware_clocks;
mod lap;
mod lateness;
mod link_log;
mod log_events;
mod loop_engine;
mod machine;
mod memory;
mod notify;
mod outside;
mod pacer;
mod port;
mod ports;
mod publisher;
mod reload;
mod routes;
mod sharing;
mod signals;
mod stamping;
mod threads;
mod totals;
mod waiter;
mod wake;

#[cfg(test)]
mod tests;

pub use gateway::Gateway;
pub use guard::guard;
pub use reload::{ReloadReport, Reloader};

/// Forwards until the process is asked to stop.
///
/// # Errors
/// One line on what could not be set up, with the remedy.
pub fn run(options: &crate::options::RunOptions) -> anyhow::Result<()> {
    let Some(mut gateway) = Gateway::open(options)? else {
        return totals::print_none();
    };
    gateway.confine()?;
    while gateway.turn()? {}
    gateway.finish()
}
