//! The process is killed at full load, and another one takes its place.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;

use crate::proxy::Proxy;
use crate::segments::Line;
use crate::table::Row;
use crate::traffic::Traffic;

#[test]
fn the_process_is_killed_and_started_again() {
    in_sandbox!({
        let line = Line::new();
        let mut first = Some(Proxy::start(&line.gateway, &[]));
        let traffic = Traffic::of(&line, 100, Duration::from_millis(100));
        traffic.in_sync(Instant::now() + Duration::from_secs(1));
        let mut second = None;
        let mut killed = None;
        let mut open = 0;
        let cost = traffic.through(|| {
            {
                let stations = traffic.stations();
                let since = Instant::now() - Duration::from_secs(1);
                let recent = stations.requests.iter().filter(|r| r.sent >= since);
                open = recent.filter(|request| request.answered.is_none()).count();
                killed = Some(Instant::now());
                let _ = first.take().unwrap().stop_by(libc::SIGKILL);
            }
            second = Some(Proxy::start(&line.gateway, &[]));
        });
        sleep(Duration::from_millis(100));
        let killed = killed.unwrap();
        let (before, down) = {
            let stations = traffic.stations();
            let lost: Vec<_> = stations
                .requests
                .iter()
                .filter(|request| request.answered.is_none())
                .filter(|request| request.sent + Duration::from_secs(1) >= killed)
                .collect();
            let before = lost.iter().filter(|r| r.sent <= killed).count();
            (before, lost.len() - before)
        };
        traffic.end_right();
        assert!(before <= open, "{before} lost of {open} that were open");
        let ended = second.unwrap().stop();
        assert_eq!(ended.totals.dropped_for("stale"), 0, "{}", ended.totals.0);
        println!("{open} open when it was killed, {before} of them lost; {down} while none ran");
        Row {
            fault: "process killed (SIGKILL) at 1000 requests/s and restarted",
            log: "forwarding: up up0 <-> down down0",
            counter: "",
            recovery: Some(cost.recovery),
            lost: format!("{before} of {open} open, {down} until it forwards again"),
        }
        .settle();
    });
}
