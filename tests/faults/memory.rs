//! No memory is left for frames that are held.

use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::Station;

use crate::proxy::Proxy;
use crate::segments::Line;
use crate::table::Row;
use crate::traffic::Traffic;

#[test]
fn the_memory_for_held_frames_is_used_up() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(
            &line.gateway,
            &[
                "--hold-frames",
                "16",
                "--jitter",
                "90ms",
                "--jitter-share",
                "off",
                "--syntonize",
                "off",
            ],
        );
        let traffic = Traffic::start(&line);
        let cost = traffic.through(|| {
            // New clients' first requests wait for the kernel's filter, more than there is room for.
            for round in 0..10_u32 {
                for client in 0..40 {
                    let who = Station::client(1000 + round * 40 + client);
                    if let Some(below) = &mut traffic.stations().below {
                        below.flood(1, Kind::DelayReq, who);
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        traffic.in_sync(Instant::now());
        traffic.end_right();
        let log = "dropping (hold-full)";
        proxy.wait_for(log);
        let totals = proxy.stop().totals;
        assert!(
            totals.dropped("down", "delay_req", "hold-full") > 0,
            "{}",
            totals.0
        );
        Row::of("no memory for held frames", log, "hold-full", cost).settle();
    });
}
