//! Unicast clients on a real network: nothing is static, both ends find each other through the gateway by ARP and
//! neighbour discovery, and do so again after what happens to networks.

use std::net::IpAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy::control::reply::Status;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    self, Ends, GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6, Gateway, INTERFACE, Program, Rig,
    Role, Sample, Servo, TempDir, Transport,
};

use super::{CLIENT, locks, ptpproxy};

const HYBRID: Role = Role::HybridClient(Servo::Measure);
/// A client measures again within this time.
const PATIENCE: Duration = Duration::from_secs(30);

fn unicast(master: impl Into<IpAddr>) -> Role {
    Role::UnicastClient(Servo::Lock, master.into())
}

#[test]
fn hybrid_clients_lock_over_udp6() {
    let role = Role::HybridClient(Servo::Lock);
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp6, role) });
}

#[test]
fn clients_that_negotiate_unicast_lock_over_udp6() {
    let role = unicast(GRANDMASTER_ADDRESS_V6);
    in_sandbox!({ locks(&ptpproxy(&[]), Transport::Udp6, role) });
}

/// Without the relay, nothing else would let them find each other: the tests above show something.
#[test]
fn without_the_relay_nobody_finds_the_master() {
    in_sandbox!({
        let Some((_rig, _master, client)) = start(&["--neighbours", "off"], "", HYBRID) else {
            return;
        };
        let more = samples_within(&client, Duration::from_secs(8));
        assert_eq!(more, 0);
    });
}

/// A rig with a master and a client of this kind over UDP/IPv4; `None`, and a line that says so, without ptp4l.
fn start(arguments: &[&str], more: &str, role: Role) -> Option<(Rig, Program, Program)> {
    let ends = Ends {
        more: more.to_owned(),
        ..Ends::default()
    };
    let (rig, master) = with_master(&ptpproxy(arguments), Transport::Udp4, ends)?;
    let client = rig.start_client(role).unwrap();
    Some((rig, master, client))
}

/// A rig of strict hosts, which drop what comes from where they would not send to, and its master.
pub(super) fn with_master(
    gateway: &Gateway,
    transport: Transport,
    ends: Ends,
) -> Option<(Rig, Program)> {
    if ptp4l::find().is_none() {
        skip("ptp4l is not installed (Debian: linuxptp)");
        return None;
    }
    let rig = Rig::with(gateway, transport, ends).unwrap();
    for end in [&rig.client, &rig.grandmaster] {
        for name in ["all", INTERFACE] {
            let rp_filter = format!("net/ipv4/conf/{name}/rp_filter");
            end.sysctl(&rp_filter, "1").unwrap();
        }
    }
    let master = rig.start_grandmaster().unwrap();
    Some((rig, master))
}

/// Waits until the client has measured something from now on.
pub(super) fn measures(client: &Program, what: &str) {
    let from = client.line_count();
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let lines = client.lines_from(from);
        if lines.iter().any(|line| Sample::parse(line).is_some()) {
            println!("{what}: measured after {:?}", started.elapsed());
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{what}: nothing measured; {:#?}", client.lines_from(0));
}

pub(super) fn samples_within(client: &Program, time: Duration) -> usize {
    let from = client.line_count();
    sleep(time);
    let lines = client.lines_from(from);
    lines.iter().filter_map(|line| Sample::parse(line)).count()
}

#[test]
fn a_master_that_restarts_is_found() {
    in_sandbox!({
        let Some((rig, master, client)) = start(&[], "", HYBRID) else {
            return;
        };
        measures(&client, "at first");
        drop(master);
        let _master = rig.start_grandmaster().unwrap();
        measures(&client, "the master restarted");
    });
}

#[test]
fn flushed_caches_are_filled_again() {
    in_sandbox!({
        let Some((rig, _master, client)) = start(&[], "", HYBRID) else {
            return;
        };
        measures(&client, "at first");
        for _ in 0..3 {
            rig.client.flush_neighbours(INTERFACE).unwrap();
            rig.grandmaster.flush_neighbours(INTERFACE).unwrap();
            let samples = samples_within(&client, Duration::from_secs(5));
            // Sixteen a second, but for a second of each five.
            assert!(samples > 40, "{samples} in 5 s");
        }
    });
}

pub(super) fn status(socket: &Path) -> Status {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .args(["status", "--json", "--socket"])
        .arg(socket)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// It is silent until somebody asks: within five seconds a warning names its address and the option; with that it serves.
#[test]
fn a_silent_master_is_named_and_served_when_it_is_listed() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let name = socket.to_str().unwrap().to_owned();
        let silent = "inhibit_multicast_service 1\n";
        let master = GRANDMASTER_ADDRESS.to_string();
        let role = unicast(GRANDMASTER_ADDRESS);
        let control = ["--control", name.as_str()];
        let Some((rig, grandmaster, client)) = start(&control, silent, role) else {
            return;
        };
        let started = Instant::now();
        let text = loop {
            let warnings = status(&socket).warnings;
            if let Some(found) = warnings.iter().find(|one| one.code == "unknown-master") {
                break found.text.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(5), "{warnings:?}");
            sleep(Duration::from_millis(100));
        };
        let option = format!("--unicast-master {master}");
        assert!(text.contains(&option), "{text}");
        drop((client, grandmaster, rig));

        let listed = [&control[..], &["--unicast-master", &master]].concat();
        let Some((_rig, _grandmaster, mut client)) = start(&listed, silent, role) else {
            return;
        };
        client.wait_until_slave().unwrap();
        assert_eq!(status(&socket).counts.answered.min(1), 1);
    });
}

/// Who only listens to multicast asks for nobody: nothing is relayed, and nothing is warned of.
#[test]
fn multicast_clients_need_none_of_it() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let control = ["--control", socket.to_str().unwrap()];
        let Some((_rig, _master, mut client)) = start(&control, "", CLIENT) else {
            return;
        };
        client.wait_until_slave().unwrap();
        let status = status(&socket);
        let codes: Vec<_> = status.warnings.iter().map(|one| &one.code).collect();
        assert!(
            !codes
                .iter()
                .any(|code| code.contains("neighbour") || *code == "unknown-master")
        );
    });
}

/// Its card is replaced, say, and its kernel announces the new address: the client goes on there, half a second later.
#[test]
fn a_master_whose_mac_changes_is_found() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let control = ["--control", socket.to_str().unwrap()];
        let Some((rig, _master, client)) = start(&control, "", HYBRID) else {
            return;
        };
        measures(&client, "at first");
        // Without it the client's kernel would go on with the old address for up to a minute, as on any cable.
        let notify = format!("net/ipv4/conf/{INTERFACE}/arp_notify");
        rig.grandmaster.sysctl(&notify, "1").unwrap();
        rig.grandmaster
            .set_mac(INTERFACE, [2, 0, 0, 0, 0, 0x77])
            .unwrap();
        // What was under way is answered still.
        sleep(Duration::from_secs(1));
        let before = status(&socket).counts.answered;
        let started = Instant::now();
        loop {
            let answered = status(&socket).counts.answered - before;
            if answered >= 30 {
                println!("answered again after {:?}", started.elapsed());
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{answered} answered since");
            sleep(Duration::from_millis(200));
        }
    });
}
