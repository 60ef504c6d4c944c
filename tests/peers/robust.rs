//! What happens to networks while unicast clients run, in one subnet and in two: the master restarts, its hardware address
//! changes and nobody says so, caches are flushed, switches forward multicast only to who has asked for it. And what a
//! running gateway shows of them.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy::control::reply::ClientList;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{
    Ends, GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6, Gateway, INTERFACE, Role, Servo, TempDir,
    Transport,
};

use super::neighbours::{measures, samples_within, status, with_master};
use super::ptpproxy;
use super::routed::router;

const HYBRID: Role = Role::HybridClient(Servo::Measure);
/// A kernel believes in a neighbour for up to 45 s, and then asks it for some seconds whether it is still there.
pub(super) const FORGETS: Duration = Duration::from_secs(90);
/// A switch floods until it has heard all answers to its first question.
pub(super) const FLOODS: Duration = Duration::from_secs(12);

fn negotiating(transport: Transport) -> Role {
    let master = match transport {
        Transport::Udp6 => IpAddr::V6(GRANDMASTER_ADDRESS_V6),
        _ => IpAddr::V4(GRANDMASTER_ADDRESS),
    };
    Role::UnicastClient(Servo::Measure, master)
}

/// A gateway in one subnet, and a router between two; each with its control socket at this path.
pub(super) fn places(socket: &Path) -> [(&'static str, Gateway); 2] {
    let control = ["--control", socket.to_str().unwrap()];
    let routed = [&control[..], &["--routed"]].concat();
    [
        ("one subnet", ptpproxy(&control)),
        ("two subnets", router(&routed)),
    ]
}

/// Nothing of this is of one subnet, of one transport or of one kind of client only.
fn in_both(transport: Transport, ends: &Ends, test: impl Fn(&str, &Path, Gateway, Ends)) {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("gateway.sock");
    for (place, gateway) in places(&socket) {
        let place = format!("{place}, {}", transport.label());
        test(&place, &socket, gateway, ends.clone());
    }
}

#[test]
fn a_master_that_restarts_serves_negotiating_clients_again() {
    let transport = Transport::Udp6;
    in_sandbox!({
        in_both(transport, &Ends::default(), |place, _, gateway, ends| {
            let Some((rig, master)) = with_master(&gateway, transport, ends) else {
                return;
            };
            let client = rig.start_client(negotiating(transport)).unwrap();
            measures(&client, place);
            drop(master);
            let _master = rig.start_grandmaster().unwrap();
            measures(&client, &format!("{place}, the master restarted"));
        });
    });
}

/// Nothing tells anybody: each end, and the gateway between two subnets, finds out when the old address does not answer.
#[test]
fn a_master_whose_mac_changes_without_a_word_is_found() {
    let transport = Transport::Udp4;
    in_sandbox!({
        in_both(
            transport,
            &Ends::default(),
            |place, socket, gateway, ends| {
                let Some((rig, _master)) = with_master(&gateway, transport, ends) else {
                    return;
                };
                let client = rig.start_client(HYBRID).unwrap();
                measures(&client, place);
                let mac = [2, 0, 0, 0, 0, 0x77];
                rig.grandmaster.set_mac(INTERFACE, mac).unwrap();
                // What was under way is answered still.
                sleep(Duration::from_secs(1));
                let before = status(socket).counts.answered;
                let started = Instant::now();
                loop {
                    let answered = status(socket).counts.answered - before;
                    if answered >= 30 {
                        println!("{place}: answered again after {:?}", started.elapsed());
                        return;
                    }
                    assert!(
                        started.elapsed() < FORGETS,
                        "{place}: {answered} answered since"
                    );
                    sleep(Duration::from_millis(500));
                }
            },
        );
    });
}

/// Whoever is asked for by IPv6 is asked in a group of its own: a switch passes that only to who has joined it, and the
/// gateway stands between the two.
#[test]
fn switches_that_snoop_pass_what_clients_need() {
    let transport = Transport::Udp6;
    let ends = Ends {
        switched: true,
        ..Ends::default()
    };
    in_sandbox!({
        in_both(transport, &ends, |place, _, gateway, ends| {
            let Some((rig, _master)) = with_master(&gateway, transport, ends) else {
                return;
            };
            let client = rig.start_client(HYBRID).unwrap();
            measures(&client, place);
            sleep(FLOODS);
            rig.client.flush_neighbours(INTERFACE).unwrap();
            rig.grandmaster.flush_neighbours(INTERFACE).unwrap();
            let samples = samples_within(&client, Duration::from_secs(5));
            // Sixteen a second, but for a second or two.
            assert!(samples > 40, "{place}: {samples} in 5 s");
        });
    });
}

/// What the control socket of a gateway says of its clients.
fn clients(socket: &Path) -> ClientList {
    let output = Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .args(["clients", "--json", "--socket"])
        .arg(socket)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn grants_neighbours_and_next_hops_are_shown() {
    let transport = Transport::Udp4;
    in_sandbox!({
        in_both(
            transport,
            &Ends::default(),
            |place, socket, gateway, ends| {
                let Some((rig, _master)) = with_master(&gateway, transport, ends) else {
                    return;
                };
                // It asks for Sync and Delay_Resp when it is SLAVE.
                let role = Role::UnicastClient(Servo::Lock, IpAddr::V4(GRANDMASTER_ADDRESS));
                let mut client = rig.start_client(role).unwrap();
                client.wait_until_slave().unwrap();
                let started = Instant::now();
                let status = loop {
                    let status = status(socket);
                    let granted = status.grants.iter();
                    let granted: Vec<_> = granted
                        .map(|one| (one.message.as_str(), one.clients))
                        .collect();
                    if granted == [("announce", 1), ("sync", 1), ("delay_resp", 1)] {
                        break status;
                    }
                    let waited = started.elapsed();
                    assert!(waited < Duration::from_secs(20), "{place}: {granted:?}");
                    sleep(Duration::from_millis(200));
                };
                let list = clients(socket);
                let [only] = &list.clients[..] else {
                    panic!("{list:?}");
                };
                // It asks for 10 s.
                assert_eq!(only.grants.len(), 3, "{only:?}");
                assert!(
                    only.grants
                        .iter()
                        .all(|grant| (1..=10).contains(&grant.left_s))
                );
                match status.routed {
                    None => assert!(status.neighbours.settled >= 2, "{:?}", status.neighbours),
                    Some(routed) => {
                        assert!(routed.known == 2 && routed.routes >= 2, "{routed:?}");
                    }
                }
            },
        );
    });
}
