//! What the core costs, by the number of clients: time, allocations, and cache misses where the
//! machine counts them.
//!
//! `cargo bench --package ptpproxy-lab --bench core`. Clients are visited in random order.

mod cache;
mod network;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use ptpproxy::Side;
use ptpproxy::wire::{Frame, MessageType, edit};
use ptpproxy_lab::counting::{self, Counting};
use ptpproxy_lab::sim::{Station, Template, Way};

use network::Network;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENTS: [u32; 4] = [10, 1_000, 100_000, 1_000_000];
/// Operations whose allocations and cache misses are counted.
const COUNTED: u64 = 20_000;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    println!("cache misses: {}", cache::availability());
    parse(&mut criterion);
    correct(&mut criterion);
    for clients in CLIENTS {
        decide(&mut criterion, clients);
        queue(&mut criterion, clients);
    }
    criterion.final_summary();
}

/// Times an operation, and counts what it allocates.
fn measure(criterion: &mut Criterion, name: &str, size: Option<u32>, mut operation: impl FnMut()) {
    let mut group = criterion.benchmark_group(name);
    let id = size.map_or_else(
        || BenchmarkId::from_parameter("-"),
        BenchmarkId::from_parameter,
    );
    group.bench_function(id, |bencher| bencher.iter(&mut operation));
    group.finish();
    let before = counting::calls();
    let misses = cache::count(|| {
        for _ in 0..COUNTED {
            operation();
        }
    });
    let allocations = counting::calls() - before;
    let size = size.map_or_else(String::new, |size| format!("/{size}"));
    let misses = misses.map_or_else(String::new, |misses| {
        #[expect(clippy::cast_precision_loss, reason = "a mean to be read")]
        let mean = misses as f64 / COUNTED as f64;
        format!(", {mean:.2} cache misses per operation")
    });
    println!("{name}{size}: {allocations} allocations in {COUNTED} operations{misses}\n");
    assert_eq!(allocations, 0, "{name}{size} allocates");
}

fn parse(criterion: &mut Criterion) {
    for way in Way::ALL {
        let request = Template::new(MessageType::DelayReq, way, 0, Station::client(7), None);
        let name = format!("parse/{:?}", way.transport);
        measure(criterion, &name, None, || {
            let _ = black_box(Frame::parse(black_box(&request.bytes)));
        });
    }
}

fn correct(criterion: &mut Criterion) {
    for way in Way::ALL {
        let master = Station::master(0);
        let answer = Template::new(MessageType::DelayResp, way, 0, master, None);
        let mut bytes = answer.bytes.clone();
        let Ok(frame) = Frame::parse(&answer.bytes) else {
            unreachable!("a whole frame");
        };
        let layout = frame.layout();
        let name = format!("correct/{:?}", way.transport);
        measure(criterion, &name, None, || {
            edit::add_correction(black_box(&mut bytes), layout, black_box(0x1234_5678));
        });
    }
}

fn decide(criterion: &mut Criterion, clients: u32) {
    let mut network = Network::new(clients, false);
    let size = Some(clients);
    measure(criterion, "decide foreign Delay_Resp", size, || {
        network.foreign(Side::Up, MessageType::DelayResp);
    });
    measure(criterion, "decide foreign Delay_Req", size, || {
        network.foreign(Side::Up, MessageType::DelayReq);
    });
    measure(criterion, "decide Delay_Req from below", size, || {
        network.ask();
    });
    // The request, its stamp, its answer, and time for the core's own work in between.
    measure(criterion, "exchange", size, || network.exchange());
    network.assert_all_answered();
}

fn queue(criterion: &mut Criterion, clients: u32) {
    let mut network = Network::new(clients, true);
    let name = "hold and depart";
    measure(criterion, name, Some(clients), || network.hold_one());
    // Three of four wait on average; of few clients it may be fewer at one moment.
    assert!(network.waiting() > clients as usize / 4);
}
