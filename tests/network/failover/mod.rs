//! Two gateways and a real keepalived by the shipped samples, learning switches on both sides: whatever fails, each part of
//! the network that hears the grandmaster is served, and no time is wrong.
//!
//! Each fault hits whichever of the two forwards. `PTPPROXY_FAILOVERS=20` has each happen so often, at another phase of the
//! Sync interval each time; without it twice. Each prints a row of the table in `tests/README.md`.

mod clients;
mod traffic;
mod witness;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ptpproxy::Side::{Down, Up};
use ptpproxy_lab::in_sandbox;
use testkit::pair::Pair;

use traffic::{CLIENTS, INTERVAL, Judged, Traffic};
use witness::Witness;

/// Before the fault.
const BEFORE: Duration = Duration::from_millis(700);
/// After it, and after its end.
const AFTER: Duration = Duration::from_millis(1_800);
/// A gateway that is stopped goes on after this time.
const STOPPED: Duration = Duration::from_secs(5);
/// By then a gateway that hears no grandmaster is replaced by one that does.
const DEAF: Duration = Duration::from_secs(7);
/// Whatever happens: keepalived looks each second, and waits for two failures; then there is the busy machine.
const LONGEST_GAP: Duration = Duration::from_secs(7);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    Stopped,
    LinkUp,
    LinkDown,
    LinkBoth,
    /// The clients' network in two.
    PartitionDown,
    /// The one that forwards is in another part than the grandmaster.
    PartitionUp,
    StartedTogether,
    /// By hand, first the one and then the other.
    Ordered,
}

impl Fault {
    const fn label(self) -> &'static str {
        match self {
            Self::Killed => "SIGKILL",
            Self::Stopped => "SIGSTOP, SIGCONT after 5 s",
            Self::LinkUp => "link upstream",
            Self::LinkDown => "link downstream",
            Self::LinkBoth => "both links",
            Self::PartitionDown => "the clients' network in two, and whole again",
            Self::PartitionUp => "the grandmaster's network in two, and whole again",
            Self::StartedTogether => "both started at once",
            Self::Ordered => "`ptpproxy standby`, `ptpproxy activate`",
        }
    }
}

#[test]
fn the_other_one_serves_when_one_is_killed() {
    in_sandbox!({ fails(Fault::Killed) });
}

#[test]
fn one_that_is_stopped_and_goes_on_does_no_harm() {
    in_sandbox!({ fails(Fault::Stopped) });
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
fn one_without_both_links_is_replaced() {
    in_sandbox!({ fails(Fault::LinkBoth) });
}

#[test]
fn each_part_of_the_clients_network_is_served() {
    in_sandbox!({ fails(Fault::PartitionDown) });
}

#[test]
fn the_one_that_hears_the_grandmaster_serves() {
    in_sandbox!({ fails(Fault::PartitionUp) });
}

#[test]
fn two_that_start_at_once_agree() {
    in_sandbox!({ fails(Fault::StartedTogether) });
}

#[test]
fn one_that_is_told_to_takes_over_within_an_interval() {
    in_sandbox!({ fails(Fault::Ordered) });
}

/// What a fault cost.
#[derive(Debug)]
struct Cost {
    gap: Duration,
    lost: usize,
}

fn fails(fault: Fault) {
    let times = std::env::var("PTPPROXY_FAILOVERS").map_or(2, |text| text.parse().unwrap());
    let Some(mut pair) = Pair::start(&[]) else {
        return;
    };
    let Some(witness) = Witness::start(&pair.network) else {
        return;
    };
    let mut traffic = Traffic::open(&pair.network);
    let mut active = traffic.until_decided(&pair);
    let mut costs = Vec::new();
    for n in 0..times {
        let phase = INTERVAL * (n * 618 % 1000) / 1000;
        costs.push(once(fault, phase, active, &mut pair, &mut traffic));
        active = traffic.until_decided(&pair);
    }
    let judged = traffic.judge(witness);
    println!("{}", row(fault, costs, &judged));
    if judged.wrong > 0 {
        println!("{:#?}", pair.logs());
    }
    assert_eq!(judged.wrong, 0, "wrong times");
    for member in &mut pair.members {
        member.stop();
    }
}

/// A row of the table.
fn row(fault: Fault, mut costs: Vec<Cost>, judged: &Judged) -> String {
    let rounds = costs.len();
    costs.sort_by_key(|cost| cost.gap);
    let (p50, max) = (costs[(rounds - 1) / 2].gap, costs[rounds - 1].gap);
    costs.sort_by_key(|cost| cost.lost);
    let (lost, most) = (costs[(rounds - 1) / 2].lost, costs[rounds - 1].lost);
    format!(
        "| {} | {rounds} | {} ms, {} ms | {lost}, {most} | {} | {} |",
        fault.label(),
        p50.as_millis(),
        max.as_millis(),
        judged.wrong,
        judged.late_on_a_cable
    )
}

fn once(
    fault: Fault,
    phase: Duration,
    active: usize,
    pair: &mut Pair,
    traffic: &mut Traffic,
) -> Cost {
    let other = 1 - active;
    traffic.master = match fault {
        Fault::PartitionUp => other,
        _ => 0,
    };
    traffic.settle();
    let before = traffic.lost();
    traffic.run(BEFORE);
    let standby = pair.members[other].status().expect("an answer");
    assert!(standby.role.other, "{:?}", standby.role);
    let known = standby.clients.known;
    assert_eq!(known, u32::from(CLIENTS), "it learns the clients");
    traffic.run(phase + INTERVAL);

    let mut mark = traffic.mark();
    match fault {
        Fault::Killed => pair.members[active].kill(),
        Fault::Stopped => pair.members[active].signal(libc::SIGSTOP),
        Fault::LinkUp => pair.network.unplug(active, Up, true),
        Fault::LinkDown => pair.network.unplug(active, Down, true),
        Fault::LinkBoth => [Up, Down].map(|side| pair.network.unplug(active, side, true))[0],
        Fault::PartitionDown => pair.network.cut(Down, true),
        Fault::PartitionUp => pair.network.cut(Up, true),
        Fault::StartedTogether => {
            pair.members.iter_mut().for_each(|member| member.kill());
            traffic.run(BEFORE);
            traffic.meanwhile(|| [0, 1].map(|which| pair.restart(which)));
            mark = traffic.mark();
        }
        Fault::Ordered => {
            let sockets = [active, other].map(|which| pair.members[which].socket());
            let [from, to] = sockets;
            traffic.meanwhile(|| order(&from, "standby"));
            mark = traffic.mark();
            traffic.meanwhile(|| order(&to, "activate"));
        }
    }
    traffic.run(match fault {
        Fault::Stopped => STOPPED,
        Fault::PartitionUp => DEAF,
        _ => AFTER,
    });
    match fault {
        Fault::Killed => traffic.meanwhile(|| pair.restart(active)),
        Fault::Stopped => pair.members[active].signal(libc::SIGCONT),
        Fault::LinkUp => pair.network.unplug(active, Up, false),
        Fault::LinkDown => pair.network.unplug(active, Down, false),
        Fault::LinkBoth => [Up, Down].map(|side| pair.network.unplug(active, side, false))[0],
        Fault::PartitionDown => {
            let roles = traffic.meanwhile(|| pair.roles());
            assert_eq!(roles, ["active"; 2], "each serves its part");
            pair.network.cut(Down, false);
        }
        Fault::PartitionUp => pair.network.cut(Up, false),
        Fault::StartedTogether | Fault::Ordered => {}
    }
    let served = traffic.served();
    traffic.run(AFTER);
    let after = [0, 1].map(|at| traffic.served()[at] - served[at]);
    let logs = pair.logs();
    assert!(
        after.iter().all(|&syncs| syncs >= 8),
        "{after:?}: {logs:#?}"
    );
    let gap = match fault {
        Fault::Ordered => traffic.until_first(&mark),
        _ => traffic.gap(&mark),
    };
    assert!(gap < LONGEST_GAP, "{gap:?} without a Sync");
    traffic.settle();
    let lost = traffic.lost() - before;
    if !matches!(fault, Fault::PartitionDown | Fault::StartedTogether) {
        let now = pair.members[other].status().expect("an answer");
        assert_eq!(now.role.role, "active", "{logs:#?}");
        let by = match fault {
            Fault::Ordered => "tests (uid 0)",
            _ => "keepalived (uid 0)",
        };
        assert_eq!(now.role.by, by);
        assert!(now.counts.addresses_moved >= u64::from(known));
    }
    Cost { gap, lost }
}

fn order(socket: &Path, role: &str) {
    let mut command = Command::new(crate::proxy::program());
    command.args([role, "--by", "tests", "--socket"]);
    let begin = Instant::now();
    let said = command.arg(socket).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    println!("{role} took {:?}", begin.elapsed());
}
