//! Very many clients on a simulated link: the real engine, a virtual clock, and nothing kept that would
//! take more memory than the forwarder itself.
//!
//! Each client asks once a second, all of them spread over it in an order that is far from that of their
//! rows in the tables. A grandmaster sends Sync and Follow_Up and answers. Each answer must come, once, and
//! with the hold taken out to the nanosecond.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "simulated quantities are far from the bounds of their types"
)]

mod port;
mod schedule;
mod stations;

use std::time::Duration;

use ptpproxy::core::Settings;
use ptpproxy::engine::Engine;
use ptpproxy::reason::Reason;

use crate::counting;
use crate::sim::Now;
use port::LeanPort;
use schedule::{REST, SECOND, START, TURN};
use stations::{Clients, Master};

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Delay_Req sent by the clients.
    pub asked: u64,
    /// Of them, answered.
    pub answered: u64,
    /// Answers that came twice, or to nobody.
    pub astray: u64,
    /// The largest error of a corrected answer, in nanoseconds.
    pub worst_error_ns: u64,
    /// Clients that the forwarder knew at the end.
    pub clients: usize,
    /// Memory of the forwarder: what the engine with its tables has allocated, in octets. 0 where the
    /// program does not count ([`counting::Counting`]).
    pub memory: usize,
    /// Allocations while it ran after the first second.
    pub allocations: usize,
    /// What was dropped, by reason.
    pub drops: Vec<(Reason, u64)>,
}

/// Runs `clients` at 1 Hz for that many seconds of virtual time.
#[must_use]
pub fn run(clients: u32, seconds: u16) -> Outcome {
    let now = Now::new(START);
    let held_at_once = clients / 25;
    let settings = Settings {
        max_clients: clients,
        hold_frames: held_at_once.clamp(8192, 1 << 20),
        grid: Duration::from_nanos(TURN),
        ..Settings::default()
    };
    let ports = [LeanPort::new(&now), LeanPort::new(&now)];
    let before = counting::live();
    let [up, down] = ports;
    let mut engine = Engine::new(
        up,
        down,
        now.clone(),
        settings.validated().expect("they fit"),
    );
    let mut stations = Clients::new(clients, START);
    let own = stations.memory();
    let mut master = Master::new(START);
    let mut outcome = Outcome {
        asked: 0,
        answered: 0,
        astray: 0,
        worst_error_ns: 0,
        clients: 0,
        memory: 0,
        allocations: 0,
        drops: Vec::new(),
    };
    let end = START + u64::from(seconds) * SECOND;
    let mut calls = 0;
    let mut at = START;
    while at < end + REST {
        at += TURN;
        if at == START + SECOND {
            calls = counting::calls();
        }
        stations.ask(at.min(end), engine.down_mut());
        master.tell(at, engine.up_mut());
        now.set(now.get().max(at));
        engine.turn();
        // A turn reads a bounded number.
        while engine.up_mut().waits() || engine.down_mut().waits() {
            engine.turn();
        }
        while engine.core_mut().next_event().is_some() {}
        master.answer(engine.up_mut());
        stations.hear(engine.down_mut());
    }
    outcome.allocations = counting::calls() - calls;
    outcome.memory = counting::live().saturating_sub(before + own);
    outcome.asked = stations.asked;
    outcome.answered = stations.answered;
    outcome.astray = stations.astray;
    outcome.worst_error_ns = stations.worst_error_ns;
    outcome.clients = engine.core().clients();
    outcome.drops = Reason::ALL
        .iter()
        .map(|&reason| (reason, engine.counters().dropped_for(reason)))
        .filter(|&(_, count)| count > 0)
        .collect();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_clients_are_all_answered() {
        let outcome = run(10_000, 4);
        assert_eq!(outcome.asked, 40_000);
        assert_eq!(outcome.answered, 40_000, "{outcome:?}");
        assert_eq!(outcome.astray, 0);
        assert_eq!(outcome.clients, 10_000);
        assert!(outcome.worst_error_ns <= 2, "{outcome:?}");
    }
}
