//! At full load one process takes the place of another, again and again: nothing is lost but what nobody can save.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::TempDir;

use crate::proxy::{Proxy, command};
use crate::segments::Line;
use crate::table::Row;
use crate::traffic::Traffic;

const CLIENTS: u32 = 100;
/// One after the other.
const TIMES: usize = 5;
/// A fifth of a second of Syncs, and what a busy machine adds: no cold start is as fast.
const LONGEST_GAP: Duration = Duration::from_millis(1_500);

#[test]
fn another_process_takes_over_at_full_load() {
    in_sandbox!({
        let line = Line::new();
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = ["--control", socket.to_str().unwrap()];
        let mut running = Proxy::start(&line.gateway, &socket);
        let traffic = Traffic::of(&line, CLIENTS, Duration::from_millis(100));
        traffic.in_sync(Instant::now() + Duration::from_secs(1));
        let begin = Instant::now();
        let mut open = 0;
        let cost = traffic.through(|| {
            for _ in 0..TIMES {
                let process = running.id().to_string();
                let mut next = command(&socket);
                next.args(["--take-over", &process]);
                let next = Proxy::launch(&line.gateway, &mut next);
                next.wait_for("confined:");
                open = open.max(
                    (traffic.stations().requests.iter().rev())
                        .take(CLIENTS as usize)
                        .filter(|request| request.answered.is_none())
                        .count(),
                );
                let old = std::mem::replace(&mut running, next).end();
                assert_eq!(old.status.code(), Some(0), "{:#?}", old.log);
                assert_eq!(old.totals.0, "", "the other one counts on");
                let said = |what: &str| old.log.iter().any(|line| line.contains(what));
                assert!(said("another process has taken over"), "{:#?}", old.log);
                let taken = format!("taking over from process {process} (ptpproxy ");
                assert_eq!(running.logged(&taken), 1, "{:#?}", running.log());
                assert_eq!(running.logged(&format!("{CLIENTS} clients")), 1);
                assert_eq!(running.logged("WARN"), 0, "{:#?}", running.log());
                sleep(Duration::from_millis(137));
            }
        });
        let gap = {
            let stations = traffic.stations();
            let complete: Vec<_> = (stations.served.iter().map(|served| served.complete))
                .filter(|&at| at >= begin)
                .collect();
            complete.windows(2).map(|pair| pair[1] - pair[0]).max()
        };
        let gap = gap.unwrap();
        traffic.end_right();
        let lost = cost.lost_during;
        assert!(
            lost <= TIMES * open,
            "{lost} lost, at most {open} open at once"
        );
        assert_eq!(cost.lost_after, 0);
        assert!(gap < LONGEST_GAP, "{gap:?} without a Sync");
        let ended = running.stop();
        let totals = &ended.totals;
        assert_eq!(totals.dropped_for("stale"), 0, "{}", totals.0);
        // What each of them counted.
        let asked = totals.forwarded("down", "delay_req");
        let answered = totals.forwarded("up", "delay_resp");
        assert!(answered + 60 > asked && answered > 1_000, "{}", totals.0);
        println!("{TIMES} times: {lost} lost of {answered}, {gap:?} without a Sync at most");
        Row {
            fault: "another process takes over at 1000 requests/s, five times (`--take-over`)",
            log: "another process has taken over",
            counter: "",
            recovery: Some(cost.recovery),
            lost: format!("{lost}, {}", cost.lost_after),
        }
        .settle();
    });
}
