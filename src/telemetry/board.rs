//! What is shared between the loop and its readers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::changes::Changes;
use super::client_view::ClientView;
use super::counters::Counters;
use super::grants::GRANTED;
use super::measures::Measures;
use super::record::Record;
use super::slots::ClientSlots;
use super::state::State;
use super::trace::Trace;
use super::words::{Take, Words};
use crate::side::numbers;
use crate::time::Instant;

/// What hardly changes while the gateway runs.
#[derive(Clone, Debug)]
pub struct Info {
    /// Interface toward the grandmaster, as it was named on the command line.
    pub up: String,
    /// Interfaces toward the clients.
    pub downs: Vec<String>,
    /// Which timestamps are taken, and why.
    pub stamps: String,
    /// When the gateway started.
    pub started: SystemTime,
}

/// What the gateway shows: written by the loop, read by whoever holds it.
#[derive(Debug)]
pub struct Board {
    info: Info,
    /// Which timestamps are taken now; changed once in a while.
    stamps: Mutex<String>,
    record: Record,
    /// Of each port downstream.
    clients: Vec<Arc<ClientSlots>>,
    trace: Arc<Trace>,
    changes: Changes,
}

impl Board {
    /// A board on which nothing was published yet, with the rows of each forwarder's clients
    /// ([`crate::core::Forwarder::client_slots`]).
    #[must_use]
    pub fn new(info: Info, clients: Vec<Arc<ClientSlots>>) -> Self {
        Self {
            stamps: Mutex::new(info.stamps.clone()),
            info,
            record: Record::new(Counters::WORDS + Measures::WORDS + State::WORDS),
            clients,
            trace: Arc::default(),
            changes: Changes::default(),
        }
    }

    /// What never changes, and which timestamps are taken now.
    #[must_use]
    pub fn info(&self) -> Info {
        let stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        Info {
            stamps: stamps.clone(),
            ..self.info.clone()
        }
    }

    /// From now on these timestamps are taken.
    pub fn set_stamps(&self, stamps: String) {
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
    }

    /// The clients in the tables now, each with the number of its port downstream.
    pub fn clients(&self) -> impl Iterator<Item = (u8, ClientView)> {
        let ports = numbers().zip(&self.clients);
        ports.flat_map(|(port, slots)| slots.iter().map(move |client| (port, client)))
    }

    /// How many clients of all ports are granted each message type of [`GRANTED`] now.
    #[must_use]
    pub fn grants(&self, now: Instant) -> [u32; GRANTED.len()] {
        let mut clients = [0; GRANTED.len()];
        for slots in &self.clients {
            let of_port = clients.iter_mut().zip(slots.grants(now));
            of_port.for_each(|(sum, count)| *sum += count);
        }
        clients
    }

    /// Each message's steps, for whoever watches.
    #[must_use]
    pub const fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    /// Whether anything changed, for a reader that sleeps meanwhile.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Publishes. Only the loop may call this; it takes some microseconds, no lock and no memory.
    pub fn publish(&self, counters: &Counters, measures: &Measures, state: &State) {
        self.record.publish(|page| {
            counters.write(page);
            measures.write(page);
            state.write(page);
        });
    }

    /// A whole copy of what was published last; `None` if the loop was stopped in the middle of it.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let mut words = Vec::new();
        let number = self.record.read(&mut words)?;
        let mut words = Take(words.iter());
        Some(Snapshot {
            number,
            counters: Counters::read(&mut words),
            measures: Measures::read(&mut words),
            state: State::read(&mut words),
        })
    }
}

/// A copy of the board at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How often was published before; zero means that nothing was yet.
    pub number: u64,
    /// Counts since the start.
    pub counters: Counters,
    /// What was measured since the start.
    pub measures: Measures,
    /// The state at that moment.
    pub state: State,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::side::Side;
    use crate::telemetry::Kind;
    use crate::time::Instant;

    #[test]
    fn a_snapshot_is_what_was_published() {
        let info = Info {
            up: "eth0".into(),
            downs: vec!["eth1".into()],
            stamps: "software".into(),
            started: SystemTime::UNIX_EPOCH,
        };
        let board = Board::new(info, vec![Arc::new(ClientSlots::new(1))]);
        assert_eq!(board.snapshot().map(|snapshot| snapshot.number), Some(0));
        let mut counters = Counters::default();
        let mut expected = 0;
        for (n, &reason) in (1_u64..).zip(Reason::ALL) {
            for kind in Kind::all() {
                counters.drop(Side::Down, kind, reason);
                expected += 1;
            }
            counters.answered = n;
        }
        counters.forward(Side::Up, Kind::Malformed);
        let mut measures = Measures::default();
        measures.response.add(77_000);
        let state = State {
            at: Instant::from_nanos(5),
            clients: 3,
            ..State::default()
        };
        board.publish(&counters, &measures, &state);
        let snapshot = board.snapshot().expect("nobody writes");
        assert_eq!(snapshot.number, 1);
        assert_eq!(snapshot.counters, counters);
        assert_eq!((snapshot.measures, snapshot.state), (measures, state));
        let dropped: u64 = Reason::ALL
            .iter()
            .map(|&reason| snapshot.counters.dropped_for(reason))
            .sum();
        assert_eq!(dropped, expected);
    }
}
