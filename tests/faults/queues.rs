//! Queues that do not take what they are given: in the kernel's transmit path, and our receive ring.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::net::{Namespace, skip};

use crate::proxy::{Proxy, UP};
use crate::segments::Line;
use crate::table::Row;
use crate::traffic::Traffic;

/// Runs tc (Debian: iproute2). False, and a line that says so, without it.
fn tc(home: &Namespace, arguments: &str) -> bool {
    let mut command = Command::new("tc");
    command
        .args(arguments.split_whitespace())
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stderr(Stdio::piped());
    let Ok(mut process) = home.spawn(&mut command) else {
        skip("tc is not installed (Debian: iproute2)");
        return false;
    };
    let status = process.wait().unwrap();
    if !status.success() {
        skip(&format!(
            "tc {arguments}: {status}: no such queueing discipline in this kernel"
        ));
    }
    status.success()
}

/// A token bucket that lets through less than comes.
fn throttled(
    fault: &'static str,
    options: &[&str],
    bucket: &str,
    log: &'static str,
    counter: &'static str,
) {
    let line = Line::new();
    // It is tried before, so that a kernel without it skips the test.
    if !tc(&line.gateway, &format!("qdisc add dev {UP} root {bucket}")) {
        return;
    }
    assert!(tc(&line.gateway, &format!("qdisc del dev {UP} root")));
    let proxy = Proxy::start(&line.gateway, options);
    let traffic = Traffic::of(&line, 40, Duration::from_millis(100));
    let cost = traffic.through(|| {
        traffic.stations().queue_behind = true;
        assert!(tc(
            &line.gateway,
            &format!("qdisc add dev {UP} root {bucket}")
        ));
        sleep(Duration::from_secs(1));
        // What it holds goes with it.
        assert!(tc(&line.gateway, &format!("qdisc del dev {UP} root")));
    });
    // Late, perhaps, but never wrong.
    traffic.end_right();
    if !log.is_empty() {
        proxy.wait_for(log);
    }
    let ended = proxy.stop();
    let counted = ended.totals.dropped_for(counter) + ended.totals.count(counter);
    assert!(counted > 0, "{counter}: {}", ended.totals.0);
    println!("{}", ended.totals.0);
    Row::of(fault, log, counter, cost).settle();
}

#[test]
fn a_queue_holds_frames_back() {
    in_sandbox!({
        throttled(
            "queueing discipline holds frames back: transmit ring full",
            &["--ring-frames", "64"],
            "tbf rate 16kbit burst 1600 limit 1000000",
            "dropping (tx-full)",
            "tx-full",
        );
    });
}

#[test]
fn a_queue_drops_frames() {
    in_sandbox!({
        throttled(
            "queueing discipline drops frames, and their timestamps with them",
            &[],
            "tbf rate 16kbit burst 1600 limit 1600",
            "transmit timestamps missing or late",
            "estimated",
        );
    });
}

#[test]
fn the_receive_ring_overruns() {
    in_sandbox!({
        let line = Line::new();
        let mut proxy = Proxy::start(&line.gateway, &["--ring-frames", "64"]);
        let traffic = Traffic::start(&line);
        let cost = traffic.through(|| {
            proxy.signal(libc::SIGSTOP);
            if let Some(below) = &mut traffic.stations().below {
                below.flood(4000, Kind::Announce, Station::new(Role::Rogue, 1));
            }
            sleep(Duration::from_millis(20));
            proxy.signal(libc::SIGCONT);
        });
        let log = "frames lost while the forwarding loop ran late";
        proxy.wait_for(log);
        traffic.end_right();
        let totals = proxy.stop().totals;
        assert!(totals.count("ring_drops_down") > 1000, "{}", totals.0);
        Row::of("receive ring overrun", log, "ring_drops_down", cost).settle();
    });
}
