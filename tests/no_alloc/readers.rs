//! What others read of the loop costs it no allocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ptpproxy::engine::Clock as _;
use ptpproxy::telemetry::{Board, Info, SHOWN_MASTERS, State, Trace, Wanted};

use crate::allocations;
use crate::network::{CLIENTS, Network};

/// The loop's side of the board, as the program does it.
struct Publisher {
    board: Arc<Board>,
    state: State,
}

impl Publisher {
    fn new(network: &Network) -> Self {
        let info = Info {
            up: "up".into(),
            downs: vec!["down".into()],
            stamps: "simulated".into(),
            started: std::time::SystemTime::now(),
        };
        Self {
            board: Arc::new(Board::new(info, vec![network.engine.core().client_slots()])),
            state: State {
                masters: Vec::with_capacity(SHOWN_MASTERS),
                ..State::default()
            },
        }
    }

    fn publish(&mut self, network: &Network) {
        let core = network.engine.core();
        self.state.at = network.now.now();
        self.state.clients = u32::try_from(core.clients()).expect("few");
        self.state.masters.clear();
        let (_, masters) = core.master_states(self.state.at);
        self.state.masters.extend(masters.take(SHOWN_MASTERS));
        self.board
            .publish(core.counters(), core.measures(), &self.state);
    }
}

/// Reads all that is published, again and again; how often, and that it never made nonsense of it.
fn read(board: &Board, stop: &AtomicBool) -> u64 {
    let (mut reads, mut last) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let snapshot = board.snapshot().expect("the loop goes on");
        assert!(snapshot.number >= last, "never back");
        last = snapshot.number;
        let measures = &snapshot.measures;
        assert_eq!(measures.residence.count(), snapshot.counters.measured);
        assert_eq!(measures.residence.sum_ns(), snapshot.counters.residence_ns);
        assert_eq!(measures.response.count(), snapshot.counters.answered);
        let clients = board.clients().count();
        assert!(clients <= CLIENTS as usize);
        reads += 1;
    }
    reads
}

#[test]
fn publishing_to_readers_allocates_nothing() {
    let mut network = Network::new();
    let mut publisher = Publisher::new(&network);
    for ms in 0..5_000 {
        network.step(ms);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (board, stop) = (Arc::clone(&publisher.board), Arc::clone(&stop));
        move || read(&board, &stop)
    });
    let before = allocations::so_far();
    for ms in 5_000..10_000 {
        network.step(ms);
        publisher.publish(&network);
    }
    let after = allocations::so_far();
    stop.store(true, Ordering::Relaxed);
    let reads = reader.join().expect("the reader");
    assert_eq!(
        after - before,
        0,
        "allocations of the loop while {reads} reads"
    );
    assert!(reads > 10, "{reads}");
    let snapshot = publisher.board.snapshot().expect("published");
    assert_eq!(&snapshot.counters, network.engine.counters());
    assert_eq!(publisher.board.clients().count(), CLIENTS as usize);
    for (_, client) in publisher.board.clients() {
        assert!(client.requests > 70 && client.unanswered == 0, "{client:?}");
        assert!(client.answered + 1 >= client.requests, "{client:?}");
        let ms = client.interval.expect("known").as_millis();
        assert!((124..=126).contains(&ms), "{client:?}");
        assert!(client.mean_hold <= client.mean_residence, "{client:?}");
    }
}

/// Nor does the loop while somebody watches each message, whether that reader keeps up or not.
#[test]
fn being_watched_allocates_nothing() {
    let mut network = Network::new();
    for ms in 0..5_000 {
        network.step(ms);
    }
    let trace = Arc::new(Trace::default());
    trace.want(Some(Wanted {
        exchanges: true,
        frames: true,
    }));
    let before = allocations::so_far();
    network.engine.core_mut().watch(Some(Arc::clone(&trace)));
    for ms in 5_000..10_000 {
        network.step(ms);
    }
    let after = allocations::so_far();
    assert_eq!(after - before, 0, "allocations");
    let mut words = Vec::new();
    let taken = std::iter::from_fn(|| trace.take(&mut words)).count() as u64;
    // Of each exchange: request, departure, answer.
    let exchanges = 5 * 8 * u64::from(CLIENTS);
    assert!(
        taken > 1000 && taken + trace.lost() > 3 * exchanges - 300,
        "{taken}"
    );
    assert!(trace.lost() > 0, "nobody read");
    network.engine.core_mut().watch(None);
    network.step(10_000);
    assert!(trace.take(&mut words).is_none());
}
