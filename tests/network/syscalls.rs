//! Under load the program makes no system call per frame, and without load hardly any.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::{ETHERNET, Host};
use crate::installed;
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::Line;

const CLIENTS: u16 = 500;
const ROUNDS: u16 = 8;

/// How many system calls the program makes, by name, while `work` is done; and what that returns.
fn count<R>(
    strace: &Path,
    gateway: &Namespace,
    proxy: &Proxy,
    work: impl FnOnce() -> R,
) -> (u64, String, R) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("calls");
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-U", "name,calls", "-p"]);
    command.arg(proxy.id().to_string()).arg("-o").arg(&file);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut tracer = gateway.spawn(&mut command).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !traced(proxy.id()) {
        assert!(
            std::time::Instant::now() < deadline,
            "strace does not attach"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let result = work();
    tracer.signal(libc::SIGINT).unwrap();
    let _ = tracer.wait();
    let table = std::fs::read_to_string(&file).unwrap();
    let calls = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, calls) = (words.next()?, words.next()?);
            (name != "total").then(|| calls.parse::<u64>().ok())?
        })
        .sum();
    (calls, table, result)
}

pub(crate) fn traced(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .unwrap()
        .lines()
        .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

#[test]
fn a_loaded_gateway_makes_no_system_call_per_frame() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--jitter", "20ms"]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        // Everybody is known before it counts.
        play(&mut above, &mut below, 0);
        let (calls, table, frames) = count(&strace, &line.gateway, &proxy, || {
            (1..=ROUNDS)
                .map(|round| play(&mut above, &mut below, round))
                .sum::<u64>()
        });
        let totals = proxy.stop().totals;
        assert_eq!(frames, u64::from(2 * CLIENTS * ROUNDS), "{}", totals.0);
        println!("{calls} system calls for {frames} frames:\n{table}");
        assert!(calls * 4 < frames, "{calls} for {frames} frames:\n{table}");
    });
}

#[test]
fn an_idle_gateway_sleeps() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        play(&mut above, &mut below, 0);
        std::thread::sleep(Duration::from_millis(300));
        let seconds = 3;
        let (calls, table, ()) = count(&strace, &line.gateway, &proxy, || {
            std::thread::sleep(Duration::from_secs(seconds));
        });
        println!("{calls} system calls in {seconds} idle seconds:\n{table}");
        assert!(calls < 10 * seconds, "{calls} in {seconds} s:\n{table}");
    });
}

/// A Sync, a request of each client, all at once, and the answers, as many at once as arrived. Returns
/// how many of them were forwarded.
fn play(above: &mut Host, below: &mut Host, round: u16) -> u64 {
    let request = below.template(Kind::DelayReq, Station::client(0));
    for client in 0..CLIENTS {
        below.queue(&request, |draft| {
            draft.source(Station::client(client)).sequence(round)
        });
    }
    below.flush();
    let answer = above.template(Kind::DelayResp, Station::MASTER);
    let (mut asked, mut answered) = (0, 0);
    let end = std::time::Instant::now() + Duration::from_millis(400);
    while std::time::Instant::now() < end {
        while let Some(message) = above.receive() {
            if message.kind == Kind::DelayReq
                && message.source.is_some_and(|from| from.role == Role::Client)
                && let Some(client) = message.source
            {
                asked += 1;
                above.queue(&answer, |draft| {
                    let draft = draft.sequence(message.sequence).timestamp(message.at);
                    draft.requesting(client.identity())
                });
            }
        }
        above.flush();
        while let Some(message) = below.receive() {
            answered += u64::from(message.kind == Kind::DelayResp);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    asked + answered
}
