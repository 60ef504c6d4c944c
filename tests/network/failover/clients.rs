//! Real ptp4l behind the pair, a client at each switch: each stays SLAVE while one gateway is killed, and while the other one
//! is killed in turn, so that the first serves again. The grandmaster goes on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::{Namespace, skip};
use ptpproxy_lab::network::Network;
use ptpproxy_lab::ptp4l::{Program, Ptp4l, Role, Sample, Servo, StateChange, TempDir, find};
use testkit::pair::Pair;

use crate::segments::END;

const MASTER: [u8; 4] = [10, 9, 0, 1];
/// Each second an Announce: after three seconds without one a client gives up. And one that the machine lets run late does
/// not take that for a clock that jumped.
const MORE: &str = "logAnnounceInterval 0\nsanity_freq_limit 0\n";
/// The grandmaster is one by then.
const PATIENCE: Duration = Duration::from_secs(30);
/// A sample is no further off: all clocks are one, and an uncorrected hold is tens of milliseconds.
const WRONG_NS: i64 = 3_000_000;

#[test]
fn multicast_clients_stay_slave() {
    in_sandbox!({ stay_slave(Network::Ethernet, Role::Client(Servo::Lock)) });
}

#[test]
fn hybrid_clients_stay_slave() {
    in_sandbox!({ stay_slave(Network::Udp4, Role::HybridClient(Servo::Lock)) });
}

#[test]
fn clients_that_negotiate_unicast_stay_slave() {
    let role = Role::UnicastClient(Servo::Lock, MASTER.into());
    in_sandbox!({ stay_slave(Network::Udp4, role) });
}

fn start(home: &Namespace, role: Role, transport: Network, folder: &TempDir) -> Program {
    let ptp4l = Ptp4l {
        role,
        transport,
        interfaces: &[END],
        log_sync_interval: -4,
        program: None,
        more: MORE,
    };
    ptp4l.start(home, folder).unwrap()
}

fn stay_slave(transport: Network, role: Role) {
    if find().is_none() {
        skip("ptp4l is not installed (Debian: linuxptp)");
        return;
    }
    let Some(mut pair) = Pair::start(&[]) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let network = &pair.network;
    let homes = [
        &network.masters[0],
        &network.clients[0],
        &network.clients[1],
    ];
    for (home, last) in homes.into_iter().zip([1, 11, 12]) {
        home.add_address(END, [10, 9, 0, last], 24).unwrap();
        home.add_route(END, [224, 0, 0, 0], 4).unwrap();
    }
    let mut master = start(homes[0], Role::Grandmaster, transport, &folder);
    let is_one = "assuming the grand master role";
    master.wait_for_words(is_one, PATIENCE).unwrap();
    let mut clients = [1, 2].map(|n| start(homes[n], role, transport, &folder));
    for client in &mut clients {
        client.wait_until_slave().unwrap();
    }
    let mut active = pair.wait_for_active();
    let from = clients.each_ref().map(Program::line_count);
    for round in 0..2 {
        sleep(Duration::from_secs(2));
        pair.members[active].kill();
        let killed = Instant::now();
        sleep(Duration::from_secs(4));
        measured(&clients, round);
        let serves = pair.members[1 - active].status().expect("an answer");
        let answered = serves.clients.answered_percent;
        assert!(
            answered.is_some_and(|percent| percent > 90.0),
            "{answered:?}"
        );
        pair.restart(active);
        let now = pair.wait_for_active();
        assert_eq!(
            now,
            1 - active,
            "it is served by the other one: {:#?}",
            pair.logs()
        );
        active = now;
        println!(
            "{role:?}, round {round}: {:?} after the end",
            killed.elapsed()
        );
    }
    for (client, from) in clients.iter().zip(from) {
        let lines = client.lines_from(from);
        let changes: Vec<_> = lines
            .iter()
            .filter(|line| StateChange::parse(line).is_some())
            .collect();
        assert!(changes.is_empty(), "{changes:#?} in {lines:#?}");
        let samples = lines.iter().filter_map(|line| Sample::parse(line));
        let offsets: Vec<_> = samples.map(|sample| sample.offset_ns).collect();
        let worst = offsets.iter().map(|ns| ns.abs()).max().unwrap();
        println!("{} samples, at most {worst} ns off", offsets.len());
        assert!(worst < WRONG_NS, "{offsets:?}");
    }
    for member in &mut pair.members {
        member.stop();
    }
}

/// Both take the time from Syncs, and still ask for the path's delay.
fn measured(clients: &[Program; 2], round: u32) {
    let from = clients.each_ref().map(Program::line_count);
    sleep(Duration::from_secs(1));
    for (client, from) in clients.iter().zip(from) {
        let lines = client.lines_from(from);
        let samples = lines.iter().filter_map(|line| Sample::parse(line)).count();
        // Sixteen a second.
        assert!(samples >= 8, "round {round}: {samples} samples: {lines:#?}");
    }
}
