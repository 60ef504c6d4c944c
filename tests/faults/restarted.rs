//! A thousand clients, and a gateway that is restarted by its service manager, or taken over from, while all of them ask.
//!
//! What is asserted: no time is wrong; nothing leaves that is older than `--max-hold`; whatever is lost was open when the
//! next process forwarded its first request, and no more than was open then; the gap between two Syncs.
//! `PTPPROXY_RESTARTS=20` has each happen so often, with eight requests a second of each client instead of two.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::retry;
use ptpproxy_lab::ptp4l::TempDir;
use testkit::booted::{Booted, GATEWAY_UNIT, can_boot, put_gateway};

use crate::proxy::{DOWN, Proxy, UP, command};
use crate::segments::Line;
use crate::stations::Request;
use crate::traffic::Traffic;

const CLIENTS: u32 = 1_000;
/// The default of `--max-hold`, and what a busy machine adds between the last look at the clock and the frame's departure.
const OLDEST_NS: i64 = 100_000_000 + 20_000_000;
/// What is shipped keeps 300 ms on a quiet machine. A cold start is slower than any of the two: it waits for an Announce,
/// and for clients.
const LONGEST_GAP: Duration = match cfg!(debug_assertions) {
    true => Duration::from_millis(1_000),
    false => Duration::from_millis(300),
};
/// An answer that has not come by then does not come any more.
const NO_MORE: Duration = Duration::from_millis(400);
/// What one says that goes on where another was.
const TAKEN_OVER: &str = "taking over from process ";

/// How often, and how many milliseconds between two requests of a client.
fn rounds() -> (usize, u64) {
    match std::env::var("PTPPROXY_RESTARTS") {
        Ok(times) => (times.parse().unwrap(), 125),
        Err(_) => (2, 500),
    }
}

/// What one round cost.
#[derive(Debug)]
struct Cost {
    sent: usize,
    /// Requests without an answer when the next process forwarded its first one.
    open: usize,
    lost: usize,
    /// Of these, sent after that.
    lost_after: usize,
    sync_gap: Duration,
    silence: Duration,
}

/// The longest silence, and its end.
fn longest(mut times: Vec<Instant>) -> (Duration, Instant) {
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| (pair[1] - pair[0], pair[1]));
    gaps.max().expect("two moments")
}

/// Lets it happen, and counts.
fn through(traffic: &Traffic, cause: impl FnOnce()) -> Cost {
    traffic.in_sync(Instant::now());
    let begin = Instant::now();
    cause();
    traffic.in_sync(Instant::now());
    let end = Instant::now();
    sleep(NO_MORE);
    let stations = traffic.stations();
    let since = |at: &Instant| begin - NO_MORE <= *at && *at <= end;
    // The first request that the next process forwards ends the longest silence.
    let (silence, first) = longest(stations.asked.iter().copied().filter(since).collect());
    let complete = stations.served.iter().map(|served| served.complete);
    let (sync_gap, _) = longest(complete.filter(since).collect());
    let sent: Vec<&Request> = (stations.requests.iter())
        .filter(|request| since(&request.sent))
        .collect();
    let count = |fit: &dyn Fn(&Request) -> bool| sent.iter().filter(|one| fit(one)).count();
    Cost {
        sent: sent.len(),
        open: count(&|one| one.sent <= first && one.answered.is_none_or(|at| at >= first)),
        lost: count(&|one| one.answered.is_none()),
        lost_after: count(&|one| one.sent > first && one.answered.is_none()),
        sync_gap,
        silence,
    }
}

/// What must hold of each round, and of all that left.
fn judge(traffic: Traffic, costs: &[Cost]) {
    let mut gaps: Vec<_> = costs.iter().map(|cost| cost.sync_gap).collect();
    gaps.sort_unstable();
    let (p50, max) = (gaps[(gaps.len() - 1) / 2], gaps[gaps.len() - 1]);
    println!(
        "Sync gap of {} rounds: {p50:?} (p50), {max:?} (max)",
        gaps.len()
    );
    let oldest_ns = traffic.stations().oldest_ns;
    for cost in costs {
        let Cost { sent, silence, .. } = cost;
        let (lost, open) = (cost.lost, cost.open);
        println!(
            "{sent} requests, {lost} lost of {open} open, nothing forwarded for {silence:?}: {cost:?}"
        );
    }
    println!("oldest: {} us", oldest_ns / 1_000);
    traffic.end_right();
    assert!(oldest_ns <= OLDEST_NS, "{oldest_ns} ns on its way");
    for cost in costs {
        // So whatever is lost was open then.
        assert_eq!(cost.lost_after, 0, "{cost:?}");
        assert!(cost.sync_gap < LONGEST_GAP, "{cost:?}");
    }
}

#[test]
fn a_thousand_clients_when_another_process_takes_over() {
    in_sandbox!({
        let (times, every) = rounds();
        let line = Line::new();
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = ["--control", socket.to_str().unwrap()];
        let mut running = Proxy::start(&line.gateway, &socket);
        let traffic = Traffic::of(&line, CLIENTS, Duration::from_millis(every));
        traffic.in_sync(Instant::now() + Duration::from_secs(1));
        let mut costs = Vec::new();
        for _ in 0..times {
            let cost = through(&traffic, || {
                let mut next = command(&socket);
                next.args(["--take-over", &running.id().to_string()]);
                let next = Proxy::launch(&line.gateway, &mut next);
                next.wait_for("confined:");
                let old = std::mem::replace(&mut running, next).end();
                assert_eq!(old.status.code(), Some(0), "{:#?}", old.log);
            });
            costs.push(cost);
            assert_eq!(running.logged(TAKEN_OVER), 1, "{:#?}", running.log());
        }
        judge(traffic, &costs);
        running.stop();
    });
}

#[test]
fn a_thousand_clients_when_the_service_is_restarted() {
    if !can_boot() {
        return;
    }
    let name = "a_thousand_clients_when_the_service_is_restarted";
    let passed = retry(name, || Ok(catch_unwind(restarted).is_ok()));
    assert!(passed.unwrap());
}

/// How long each step of the last restart took, as the service manager saw it.
fn steps(booted: &Booted<'_>) -> String {
    let [stop, gone, start, run, ready] = [
        "ActiveExit",
        "InactiveEnter",
        "InactiveExit",
        "ExecMainStart",
        "ActiveEnter",
    ]
    .map(|step| {
        let microseconds = booted.show(&format!("{step}TimestampMonotonic"));
        Duration::from_micros(microseconds.parse().unwrap_or(0))
    });
    format!(
        "to its end {:?}, to the next start {:?}, to a process {:?}, to ready {:?}",
        gone.saturating_sub(stop),
        start.saturating_sub(gone),
        run.saturating_sub(start),
        ready.saturating_sub(run)
    )
}

fn restarted() {
    let (times, every) = rounds();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("restarted");
    put_gateway(&folder, &format!("up = \"{UP}\"\ndown = \"{DOWN}\"\n"));
    let line = Line::new();
    let booted = Booted::new(&line.gateway, GATEWAY_UNIT, Some(&folder));
    booted.wait_until("ActiveState", |state| state == "active");
    let traffic = Traffic::of(&line, CLIENTS, Duration::from_millis(every));
    traffic.in_sync(Instant::now() + Duration::from_secs(1));
    let mut costs = Vec::new();
    for round in 1..=times {
        costs.push(through(&traffic, || {
            let restarted = booted.systemctl(&["restart", GATEWAY_UNIT]);
            assert!(restarted.status.success(), "{}", booted.log());
        }));
        assert_eq!(booted.log().matches(TAKEN_OVER).count(), round);
        println!("{}", steps(&booted));
    }
    assert!(!booted.log().contains("cold start"), "{}", booted.log());
    judge(traffic, &costs);
    assert_eq!(booted.show("NFileDescriptorStore"), "0");
    drop(booted);
    fs::remove_dir_all(&folder).unwrap();
}
