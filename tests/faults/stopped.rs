//! The process stands still for a while.

use std::thread::sleep;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;

use crate::proxy::Proxy;
use crate::segments::Line;
use crate::table::Row;
use crate::traffic::Traffic;

#[test]
fn the_process_is_stopped_for_two_seconds() {
    in_sandbox!({
        let line = Line::new();
        let mut proxy = Proxy::start(
            &line.gateway,
            &["--jitter", "90ms", "--jitter-share", "off"],
        );
        let traffic = Traffic::start(&line);
        let cost = traffic.through(|| {
            proxy.signal(libc::SIGSTOP);
            sleep(Duration::from_secs(2));
            proxy.signal(libc::SIGCONT);
        });
        // That nothing came late is among what was right.
        traffic.end_right();
        let log = "dropping (stale)";
        proxy.wait_for(log);
        let totals = proxy.stop().totals;
        assert!(totals.dropped("up", "sync", "stale") > 0, "{}", totals.0);
        assert!(
            totals.dropped("down", "delay_req", "stale") > 0,
            "{}",
            totals.0
        );
        // Four clients, sixteen requests a second each, for two seconds, and what was open.
        assert!(cost.lost_during > 90, "{cost:?}");
        Row::of("process stopped for 2 s (SIGSTOP)", log, "stale", cost).settle();
    });
}
