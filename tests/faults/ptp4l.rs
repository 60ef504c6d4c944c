//! Real ptp4l at both ends: one of them is started again.

use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{self, Gateway, Program, Rig, Role, Sample, Servo, Transport};

use crate::table::Row;

const PATIENCE: Duration = Duration::from_secs(30);

fn rig() -> Option<(Rig, Program)> {
    if ptp4l::find().is_none() {
        skip("ptp4l is not installed (Debian: linuxptp)");
        return None;
    }
    let gateway = Gateway::Ptpproxy {
        binary: env!("CARGO_BIN_EXE_ptpproxy").into(),
        arguments: Vec::new(),
    };
    let rig = Rig::new(&gateway, Transport::Ethernet).unwrap();
    let grandmaster = rig.start_grandmaster().unwrap();
    Some((rig, grandmaster))
}

fn start_client(rig: &Rig) -> Program {
    let mut client = rig.start_client(Role::Client(Servo::Lock)).unwrap();
    client.wait_until_slave().unwrap();
    client
}

/// Totals of the gateway: lines of standard output at its end.
fn end(rig: &mut Rig) -> Vec<String> {
    let mut program = rig.program.take().unwrap();
    assert!(program.stop(Duration::from_secs(5)).unwrap().success());
    std::thread::sleep(Duration::from_millis(50));
    program.lines_from(0)
}

fn counted(lines: &[String], name: &str) -> u64 {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("counts")?.trim().strip_prefix(name))
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

#[test]
fn the_grandmaster_restarts() {
    in_sandbox!({
        let Some((mut rig, mut grandmaster)) = rig() else {
            return;
        };
        let client = start_client(&rig);
        assert!(grandmaster.stop(Duration::from_secs(5)).is_ok());
        // Until the client gives it up.
        std::thread::sleep(Duration::from_secs(2));
        let _grandmaster = rig.start_grandmaster().unwrap();
        let back = Instant::now();
        let seen = client.line_count();
        let deadline = back + PATIENCE;
        let good =
            |line: &String| Sample::parse(line).is_some_and(|s| s.offset_ns.abs() < 1_000_000);
        while !client.lines_from(seen).iter().any(good) {
            assert!(Instant::now() < deadline, "{:#?}", client.lines_from(seen));
            std::thread::sleep(Duration::from_millis(10));
        }
        let recovery = back.elapsed();
        drop(client);
        let lines = end(&mut rig);
        let unanswered = counted(&lines, "unanswered");
        assert!(
            lines.iter().any(|line| line.contains("announced by")),
            "{lines:#?}"
        );
        Row {
            fault: "grandmaster restarts (ptp4l)",
            log: "",
            counter: "unanswered",
            recovery: Some(recovery),
            lost: format!("{unanswered} in all"),
        }
        .settle();
    });
}

#[test]
fn the_client_restarts() {
    in_sandbox!({
        let Some((mut rig, _grandmaster)) = rig() else {
            return;
        };
        let mut client = start_client(&rig);
        assert!(client.stop(Duration::from_secs(5)).is_ok());
        let start = Instant::now();
        let again = start_client(&rig);
        let recovery = start.elapsed();
        std::thread::sleep(Duration::from_secs(1));
        drop(again);
        let lines = end(&mut rig);
        let unanswered = counted(&lines, "unanswered");
        // What was under way when it ended, twice.
        assert!(unanswered <= 4, "{unanswered}: {lines:#?}");
        Row {
            fault: "client restarts (ptp4l)",
            log: "",
            counter: "",
            recovery: Some(recovery),
            lost: format!("{unanswered} in all"),
        }
        .settle();
    });
}
