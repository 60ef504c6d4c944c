//! Starts beside a master with the intervals of an untouched ptp4l (Announce each 2 s, Sync each second): nothing is wrong,
//! so nothing is said; and its death is reported in time.
//!
//! `PTPPROXY_STARTS=30` starts so often, six at a time; without it each of six once.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ptpproxy::control::reply::Status;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{self, Program, TempDir};
use testkit::proxy::{Proxy, program};
use testkit::segments::{END, Line};

/// At a time.
const LINES: u64 = 6;
/// A new ptp4l takes 6 s to become the master, and is watched after that for as long.
const WATCHED: Duration = Duration::from_secs(14);
/// Three Sync intervals, and the time between two looks.
const REPORTED: Duration = Duration::from_secs(4);

/// The codes of the warnings; `None` as long as nobody answers.
fn warnings(socket: &Path) -> Option<Vec<String>> {
    let mut command = Command::new(program());
    command.args(["status", "--json", "--socket"]).arg(socket);
    let output = command.output().unwrap();
    let status: Status = serde_json::from_slice(&output.stdout).ok()?;
    let codes = status.warnings.into_iter();
    Some(codes.map(|warning| warning.code).collect())
}

fn master(line: &Line, folder: &TempDir) -> Program {
    let file = folder.path().join("master.cfg");
    let uds = folder.path().join("uds");
    let text = format!(
        "[global]\ntime_stamping software\nnetwork_transport L2\nfree_running 1\nuse_syslog 0\n\
         verbose 1\ntx_timestamp_timeout 50\nuds_address {}\n[{END}]\n",
        uds.display()
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(ptp4l::find().unwrap());
    command.arg("-f").arg(file);
    Program::start(&line.grandmaster, &mut command).unwrap()
}

/// One start, so long before or after the master's; and its end, so long after that.
fn start_and_end(phase: Duration, until_end: Duration) {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("gateway.sock");
    let line = Line::new();
    // The kernel says that a new cable has a link after up to a second.
    std::thread::sleep(Duration::from_millis(1_500));
    let mut master = master(&line, &folder);
    std::thread::sleep(phase);
    let proxy = Proxy::start(&line.gateway, &["--control", socket.to_str().unwrap()]);
    let begin = Instant::now();
    while begin.elapsed() < WATCHED.saturating_sub(phase) + until_end {
        let warnings = warnings(&socket).unwrap_or_default();
        assert_eq!(
            warnings,
            [] as [&str; 0],
            "started {phase:?} after the master"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let alarms = |proxy: &Proxy| proxy.logged("WARN") + proxy.logged("over: ");
    assert_eq!(alarms(&proxy), 0, "{:#?}", proxy.log());
    master.signal(libc::SIGKILL).unwrap();
    let killed = Instant::now();
    while warnings(&socket).is_none_or(|codes| codes != ["no-sync"]) {
        assert!(killed.elapsed() < REPORTED, "{:?}", warnings(&socket));
        std::thread::sleep(Duration::from_millis(50));
    }
    println!(
        "started {phase:?} after the master, its end shown after {:?}",
        killed.elapsed()
    );
    proxy.wait_for("no Sync for");
    proxy.stop();
}

#[test]
fn starts_are_quiet_and_a_dead_master_is_reported() {
    in_sandbox!({
        if ptp4l::find().is_none() {
            return skip("ptp4l is not installed (Debian: linuxptp)");
        }
        let starts = std::env::var("PTPPROXY_STARTS").map_or(LINES, |text| text.parse().unwrap());
        for round in 0..starts.div_ceil(LINES) {
            std::thread::scope(|scope| {
                for n in 0..LINES {
                    // Any phase of both, spread evenly: multiples of a golden section.
                    let step = (round * LINES + n) * 618;
                    let phase = Duration::from_millis(step * 8 % 8_000);
                    let until_end = Duration::from_millis(step % 1_000);
                    scope.spawn(move || start_and_end(phase, until_end));
                }
            });
        }
    });
}
