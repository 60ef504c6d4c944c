//! Unicast clients in another subnet than their master: the gateway is the router of both, nothing is static, and the
//! kernel forwards whatever it may.

use std::ffi::OsString;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{
    Ends, GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6, Gateway, INTERFACE, Program, Rig, Role,
    Sample, Servo, Transport,
};

use super::median;
use super::neighbours::with_master;

/// A client is SLAVE within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long each measures.
const TIME: Duration = Duration::from_secs(6);

pub(super) fn router(arguments: &[&str]) -> Gateway {
    Gateway::Router {
        binary: env!("CARGO_BIN_EXE_ptpproxy").into(),
        arguments: arguments.iter().map(OsString::from).collect(),
    }
}

/// Two subnets and a master.
fn start(arguments: &[&str], transport: Transport, more: &str) -> Option<(Rig, Program)> {
    let ends = Ends {
        more: more.to_owned(),
        ..Ends::default()
    };
    with_master(&router(arguments), transport, ends)
}

/// Waits until a client is SLAVE; the medians of offset and path delay that it measures then, in nanoseconds.
fn measure(rig: &Rig, role: Role) -> (i64, i64) {
    let started = Instant::now();
    let mut client = rig.start_client(role).unwrap();
    client.wait_until_slave().unwrap();
    let locked = started.elapsed();
    assert!(locked < PATIENCE, "{role:?}: SLAVE after {locked:?}");
    let from = client.line_count();
    sleep(TIME);
    let lines = client.lines_from(from);
    let samples: Vec<_> = lines
        .iter()
        .filter_map(|line| Sample::parse(line))
        .collect();
    assert!(samples.len() > 60, "{role:?}: {} samples", samples.len());
    let offset = median(samples.iter().map(|sample| sample.offset_ns));
    let delay = median(samples.iter().map(|sample| sample.path_delay_ns));
    println!("{role:?}: SLAVE after {locked:?}, offset {offset} ns, path delay {delay} ns");
    (offset, delay)
}

/// What a held request waits for is milliseconds, and what is left of it in the path delay is no more than the cables
/// differ between two runs.
fn as_multicast(transport: Transport, roles: &[Role]) {
    let Some((rig, _master)) = start(&["--routed"], transport, "") else {
        return;
    };
    let (_, multicast) = measure(&rig, Role::Client(Servo::Lock));
    for role in roles {
        let (offset, delay) = measure(&rig, *role);
        assert!(offset.abs() < 200_000, "{role:?}: offset {offset} ns");
        let apart = (delay - multicast).abs();
        assert!(
            apart < 20_000,
            "{role:?}: {delay} ns, multicast {multicast} ns"
        );
    }
}

#[test]
fn clients_in_another_subnet_measure_what_multicast_clients_do_over_udp4() {
    let unicast = Role::UnicastClient(Servo::Lock, IpAddr::V4(GRANDMASTER_ADDRESS));
    let roles = [Role::HybridClient(Servo::Lock), unicast];
    in_sandbox!({ as_multicast(Transport::Udp4, &roles) });
}

#[test]
fn clients_in_another_subnet_measure_what_multicast_clients_do_over_udp6() {
    let unicast = Role::UnicastClient(Servo::Lock, IpAddr::V6(GRANDMASTER_ADDRESS_V6));
    let roles = [Role::HybridClient(Servo::Lock), unicast];
    in_sandbox!({ as_multicast(Transport::Udp6, &roles) });
}

/// It is silent until somebody asks, and listed. Both ends forget each other's hardware addresses.
#[test]
fn a_silent_master_that_is_listed_serves_while_caches_are_flushed() {
    in_sandbox!({
        let master = GRANDMASTER_ADDRESS.to_string();
        let arguments = ["--routed", "--unicast-master", &master];
        let silent = "inhibit_multicast_service 1\n";
        let Some((rig, _master)) = start(&arguments, Transport::Udp4, silent) else {
            return;
        };
        let role = Role::UnicastClient(Servo::Lock, IpAddr::V4(GRANDMASTER_ADDRESS));
        let mut client = rig.start_client(role).unwrap();
        client.wait_until_slave().unwrap();
        for _ in 0..2 {
            rig.client.flush_neighbours(INTERFACE).unwrap();
            rig.grandmaster.flush_neighbours(INTERFACE).unwrap();
            let from = client.line_count();
            sleep(Duration::from_secs(5));
            let lines = client.lines_from(from);
            let samples = lines.iter().filter_map(|line| Sample::parse(line)).count();
            // Sixteen a second, but for a second of each five.
            assert!(samples > 40, "{samples} in 5 s");
        }
    });
}
