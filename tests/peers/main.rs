//! Real ptp4l at both ends of the real program: clients lock, stay locked, and believe what the
//! grandmaster says.
//!
//! Each test runs in a sandbox of its own, without root. Without ptp4l they are skipped, unless
//! `PTPPROXY_REQUIRE_PEERS=1`.

mod matrix;
mod neighbours;
mod ptpd;
mod robust;
mod routed;
mod shared;
mod signed;
mod starts;
mod statime;

use std::ffi::OsString;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    self, GRANDMASTER_ADDRESS, Gateway, Program, Rig, Role, Sample, Servo, StateChange, Transport,
    selected_master,
};

const CLIENT: Role = Role::Client(Servo::Lock);

/// `ptpproxy` with these options more.
fn ptpproxy(arguments: &[&str]) -> Gateway {
    Gateway::Ptpproxy {
        binary: env!("CARGO_BIN_EXE_ptpproxy").into(),
        arguments: arguments.iter().map(OsString::from).collect(),
    }
}

#[test]
fn a_client_locks_over_ethernet() {
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Ethernet, CLIENT) });
}

#[test]
fn a_client_locks_over_udp4() {
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp4, CLIENT) });
}

#[test]
fn a_client_locks_over_udp6() {
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp6, CLIENT) });
}

#[test]
fn a_client_that_negotiates_unicast_locks() {
    let role = Role::UnicastClient(Servo::Lock, GRANDMASTER_ADDRESS.into());
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp4, role) });
}

#[test]
fn a_hybrid_client_locks() {
    let role = Role::HybridClient(Servo::Lock);
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp4, role) });
}

/// The rig itself: the same through the kernel's bridge, which carries everything.
#[test]
fn every_kind_of_client_locks_through_a_bridge() {
    in_sandbox!({
        locks(&Gateway::Bridge, Transport::Udp6, CLIENT);
        locks(
            &Gateway::Bridge,
            Transport::Udp4,
            Role::HybridClient(Servo::Lock),
        );
        let unicast = Role::UnicastClient(Servo::Lock, GRANDMASTER_ADDRESS.into());
        locks(&Gateway::Bridge, Transport::Udp4, unicast);
    });
}

/// The rig itself: no time reaches the client but through the gateway.
#[test]
fn without_a_forwarder_nothing_arrives() {
    in_sandbox!({
        let Some((_rig, _grandmaster, mut client)) =
            start(&Gateway::Nothing, Transport::Ethernet, CLIENT)
        else {
            return;
        };
        let found = client.wait_for("sample", Duration::from_secs(4), Sample::parse);
        assert!(
            found.is_err(),
            "a sample came through a gateway that forwards nothing"
        );
        let master = client
            .lines_from(0)
            .iter()
            .find(|line| line.contains("foreign"))
            .cloned();
        assert_eq!(master, None);
    });
}

/// A grandmaster and a client that runs; `None`, and a line that says so, without ptp4l.
fn start(gateway: &Gateway, transport: Transport, role: Role) -> Option<(Rig, Program, Program)> {
    if ptp4l::find().is_none() {
        skip("ptp4l is not installed (Debian: linuxptp)");
        return None;
    }
    let rig = Rig::new(gateway, transport).unwrap();
    let grandmaster = rig.start_grandmaster().unwrap();
    let client = rig.start_client(role).unwrap();
    Some((rig, grandmaster, client))
}

/// The client reaches SLAVE, stays there, and what it measures is the cable and not the gateway.
fn locks(gateway: &Gateway, transport: Transport, role: Role) {
    let Some((_rig, grandmaster, mut client)) = start(gateway, transport, role) else {
        return;
    };
    client.wait_until_slave().unwrap();
    let locked_at = client.line_count();
    std::thread::sleep(Duration::from_secs(6));
    let lines = client.lines_from(locked_at);

    let changes: Vec<_> = lines
        .iter()
        .filter_map(|line| StateChange::parse(line))
        .collect();
    assert_eq!(changes, [], "it stays SLAVE");
    let samples: Vec<_> = lines
        .iter()
        .filter_map(|line| Sample::parse(line))
        .collect();
    assert!(
        samples.len() > 60,
        "16 samples a second, not {} in 6 s",
        samples.len()
    );
    let delay = median(samples.iter().map(|sample| sample.path_delay_ns));
    assert!((1..1_000_000).contains(&delay), "path delay {delay} ns");
    let offset = median(samples.iter().map(|sample| sample.offset_ns));
    assert!(offset.abs() < 200_000, "offset {offset} ns");

    let own = grandmaster
        .lines_from(0)
        .iter()
        .find_map(|l| selected_master(l).map(str::to_owned));
    let seen = client
        .lines_from(0)
        .iter()
        .rev()
        .find_map(|l| selected_master(l).map(str::to_owned));
    assert!(
        own.is_some() && own == seen,
        "the client's master is {seen:?}, not {own:?}"
    );
    println!(
        "{role:?} over {}: {} samples, offset {offset} ns, path delay {delay} ns",
        transport.label(),
        samples.len()
    );
}

fn median(values: impl Iterator<Item = i64>) -> i64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
