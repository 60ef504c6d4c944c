//! Two gateways and a real keepalived: whatever fails, one of them serves, and no time is wrong.
//!
//! `PTPPROXY_FAILOVERS=20` has each fault happen so often, at another phase each time; without it once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use testkit::pair::Pair;

use crate::host::{ETHERNET, Host};
use crate::parallel::true_enough;
use crate::proxy::{DOWN, UP};
use crate::segments::END;
use crate::strict_client::StrictClient;

const CLIENTS: u16 = 8;
/// Between two Syncs.
const INTERVAL: Duration = Duration::from_micros(62_500);
/// Before the fault.
const BEFORE: Duration = Duration::from_millis(1_200);
/// After it, or after its end.
const AFTER: Duration = Duration::from_secs(4);
/// Requests are answered by then.
const ANSWERED: Duration = Duration::from_millis(300);
/// keepalived looks each second, and waits a second for an answer; then there is the busy machine.
const LONGEST_GAP: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL.
    Killed,
    /// SIGSTOP, and SIGCONT after this time.
    Stopped(Duration),
    /// The link toward the grandmaster is down.
    LinkUp,
    /// The link toward the clients is down.
    LinkDown,
    /// By hand, first the one and then the other.
    Ordered,
}

/// What the clients saw of it.
#[derive(Default)]
struct Seen {
    client: StrictClient,
    /// When Syncs arrived.
    syncs: Vec<Instant>,
    asked: u16,
    sequence: u16,
}

#[test]
fn the_other_one_serves_when_one_is_killed() {
    in_sandbox!({ fails(Fault::Killed) });
}

#[test]
fn one_that_is_stopped_and_goes_on_does_no_harm() {
    in_sandbox!({ fails(Fault::Stopped(Duration::from_secs(5))) });
}

#[test]
fn one_without_a_link_upstream_is_replaced() {
    in_sandbox!({ fails(Fault::LinkUp) });
}

#[test]
fn one_without_a_link_downstream_is_replaced() {
    in_sandbox!({ fails(Fault::LinkDown) });
}

#[test]
fn one_that_is_told_to_takes_over_within_an_interval() {
    in_sandbox!({ fails(Fault::Ordered) });
}

fn fails(fault: Fault) {
    let times = std::env::var("PTPPROXY_FAILOVERS").map_or(1, |text| text.parse().unwrap());
    let (mut gaps, mut lost) = (Vec::new(), Vec::new());
    for n in 0..times {
        let phase = INTERVAL * (n * 618 % 1000) / 1000;
        let Some((gap, requests)) = fails_once(fault, phase) else {
            return;
        };
        gaps.push(gap);
        lost.push(requests);
    }
    gaps.sort_unstable();
    let p50 = gaps[gaps.len() / 2];
    println!("{fault:?}: gap in Sync p50 {p50:?} of {gaps:?}, requests lost {lost:?}");
}

/// The longest gap between two Syncs, and how many requests found no answer.
fn fails_once(fault: Fault, phase: Duration) -> Option<(Duration, usize)> {
    let mut pair = Pair::start(&[])?;
    let mut above = Host::open(&pair.network.grandmaster, END, ETHERNET);
    let mut below = Host::open(&pair.network.clients, END, ETHERNET);
    let mut seen = Seen::default();
    play(&mut seen, &mut above, &mut below, BEFORE + phase);
    let served = seen.client.sync_residuals.len();
    assert!(served >= 8, "only {served} Syncs before the fault");
    let standby = pair.members[1].status().expect("an answer");
    assert!(
        standby.role.other && standby.role.pair,
        "{:?}",
        standby.role
    );
    assert_eq!(standby.warnings, [], "in standby nothing is wrong");
    assert_eq!(standby.clients.known, u32::from(CLIENTS));
    assert!(standby.frames.iter().all(|frames| frames.forwarded == 0));

    let gateways = &pair.network.gateways;
    let mut from = seen.syncs.len().saturating_sub(1);
    match fault {
        Fault::Killed => pair.members[0].kill(),
        Fault::Stopped(_) => pair.members[0].signal(libc::SIGSTOP),
        Fault::LinkUp => gateways[0].set_up(UP, false).unwrap(),
        Fault::LinkDown => gateways[0].set_up(DOWN, false).unwrap(),
        Fault::Ordered => {
            order(&pair, 0, "standby");
            order(&pair, 1, "activate");
            from = seen.syncs.len();
            seen.syncs.push(Instant::now());
        }
    }
    if let Fault::Stopped(time) = fault {
        play(&mut seen, &mut above, &mut below, time);
        pair.members[0].signal(libc::SIGCONT);
    }
    let resumed = seen.client.sync_residuals.len();
    play(&mut seen, &mut above, &mut below, AFTER);
    let after = seen.client.sync_residuals.len() - resumed;
    play(&mut seen, &mut above, &mut below, Duration::ZERO);

    assert!(
        after >= 8,
        "only {after} Syncs in {AFTER:?} after {fault:?}"
    );
    true_enough("Sync", &seen.client.sync_residuals);
    true_enough("Delay_Req", &seen.client.request_residuals);
    let gaps = seen.syncs[from..].windows(2).map(|pair| pair[1] - pair[0]);
    let gap = gaps.max().unwrap();
    assert!(gap < LONGEST_GAP, "{gap:?} without a Sync");
    let lost = usize::from(seen.asked) - seen.client.request_residuals.len();
    let first = match fault {
        Fault::Killed => "",
        _ => "standby",
    };
    pair.wait_for_roles([first, "active"]);
    let active = pair.members[1].status().expect("an answer");
    let by = match fault {
        Fault::Ordered => "tests (uid 0)",
        _ => "keepalived (uid 0)",
    };
    assert_eq!(active.role.by, by);
    // One that was stopped forwards until it is told; that both did is remembered for ten seconds.
    let both = matches!(fault, Fault::Stopped(_));
    assert!(both || !active.second_path);
    assert!(!active.role.other);
    assert!(active.counts.addresses_moved >= u64::from(CLIENTS));
    let proxy = pair.members[1].proxy.as_ref().unwrap();
    assert_eq!(proxy.logged("active: forwarding from now on"), 1);
    for member in &mut pair.members {
        member.stop();
    }
    Some((gap, lost))
}

fn order(pair: &Pair, which: usize, role: &str) {
    let mut command = std::process::Command::new(crate::proxy::program());
    let socket = pair.members[which].socket();
    let command = command
        .args([role, "--by", "tests", "--socket"])
        .arg(socket);
    let begin = Instant::now();
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    println!(
        "{role} took {:?}: {}",
        begin.elapsed(),
        String::from_utf8_lossy(&said.stdout).trim()
    );
}

/// A grandmaster and some clients, for a while; then what is still to come is waited for.
fn play(seen: &mut Seen, above: &mut Host, below: &mut Host, length: Duration) {
    let start = Instant::now();
    let (mut next_sync, mut next_request) = (start, start + INTERVAL / 3);
    let mut later: VecDeque<crate::host::Message> = VecDeque::new();
    let wait = match length.is_zero() {
        true => ANSWERED,
        false => length,
    };
    while start.elapsed() < wait {
        let now = Instant::now();
        if !length.is_zero() && now >= next_sync {
            let sequence = seen.sequence;
            seen.sequence += 1;
            if sequence.is_multiple_of(4) {
                above.announce(sequence);
            }
            let origin = above.sync(sequence);
            above.follow_up(sequence, origin);
            next_sync += INTERVAL;
        }
        if !length.is_zero() && now >= next_request {
            let (client, sequence) = (seen.asked % CLIENTS, seen.asked / CLIENTS);
            let departed = below.request(client, sequence);
            seen.client.asked(client, sequence, departed);
            seen.asked += 1;
            next_request += INTERVAL * 2 / u32::from(CLIENTS);
        }
        while let Some(message) = above.receive() {
            if message.kind == Kind::DelayReq {
                later.push_back(message);
            }
        }
        while let Some(request) = later.pop_front() {
            above.answer(&request);
        }
        while let Some(message) = below.receive() {
            if message.kind == Kind::Sync {
                seen.syncs.push(Instant::now());
            }
            seen.client.hears(&message);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}
