//! statime as a client, where it is installed (`cargo install --locked statime-linux`; `PTPPROXY_STATIME` names another):
//! multicast, which is all it knows, over each transport, in one subnet and in two.
//!
//! `cargo test --test peers -- --ignored statime --nocapture`

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{Ends, INTERFACE, Program, TempDir, Transport};
use testkit::installed::find;

use super::median;
use super::neighbours::{status, with_master};
use super::robust::places;

/// It is a slave, and has measured often enough, within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// It makes its clockIdentity of an address that is not locally administered: one for documentation
/// (00-00-5E-00-53-xx, RFC 9542).
const MAC: [u8; 6] = [0, 0, 0x5E, 0, 0x53, 0x0A];
/// Path delays, and offsets, that it measures before it is judged.
const MEASURED: usize = 20;

/// Its configuration: a clock of its own, so that it steers none. (It ends with `slave-only` and no master yet.)
fn config(transport: Transport) -> String {
    let mode = match transport {
        Transport::Ethernet => "ethernet",
        Transport::Udp4 => "ipv4",
        Transport::Udp6 => "ipv6",
    };
    format!(
        "loglevel = \"info\"\npriority1 = 255\nvirtual-system-clock = true\n\n\
         [[port]]\ninterface = \"{INTERFACE}\"\nnetwork-mode = \"{mode}\"\nhardware-clock = \"none\"\ndelay-interval = -3\n"
    )
}

/// What a line of its log says it measured: nanoseconds of this field.
fn measured(line: &str, field: &str) -> Option<i64> {
    let (_, fields) = line.split_once("Measurement {")?;
    let (_, value) = fields.split_once(&format!(" {field}: Some(Duration {{ inner: "))?;
    let (whole, _) = value.split_once(['.', ' '])?;
    whole.parse().ok()
}

#[test]
#[ignore = "needs statime, on demand: see the file"]
fn statime_is_served_over_each_transport() {
    in_sandbox!({
        let named = std::env::var_os("PTPPROXY_STATIME").map(PathBuf::from);
        let Some(statime) = named.or_else(|| find("statime", "none; cargo install statime-linux"))
        else {
            return;
        };
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        for transport in [Transport::Ethernet, Transport::Udp4, Transport::Udp6] {
            for (place, gateway) in places(&socket) {
                let what = format!("statime, {}, {place}", transport.label());
                let Some((rig, _master)) = with_master(&gateway, transport, Ends::default()) else {
                    return;
                };
                rig.client.set_mac(INTERFACE, MAC).unwrap();
                let file = folder.path().join("statime.toml");
                fs::write(&file, config(transport)).unwrap();
                let mut command = Command::new(&statime);
                command.arg("-c").arg(&file);
                let started = Instant::now();
                let client = Program::start(&rig.client, &mut command).unwrap();
                let values = |field| -> Vec<i64> {
                    let lines = client.lines_from(0);
                    lines
                        .iter()
                        .filter_map(|line| measured(line, field))
                        .collect()
                };
                while values("delay").len() < MEASURED || values("offset").len() < MEASURED {
                    let log = client.lines_from(0);
                    assert!(started.elapsed() < PATIENCE, "{what}: {log:#?}");
                    sleep(Duration::from_millis(200));
                }
                let [offset, delay] =
                    ["offset", "delay"].map(|field| median(values(field).into_iter()));
                let elapsed = started.elapsed();
                println!(
                    "{what}: served within {elapsed:?}, offset {offset} ns, path delay {delay} ns"
                );
                let log = client.lines_from(0);
                let mut states = log
                    .iter()
                    .filter(|line| line.contains("new state for port"));
                let last = states.next_back().expect("it has a state");
                assert!(last.contains("-> Slave"), "{what}: {last}");
                assert!((1..1_000_000).contains(&delay), "{what}: {delay} ns");
                assert!(offset.abs() < 200_000, "{what}: {offset} ns");
                assert!(status(&socket).counts.answered > 0, "{what}");
            }
        }
    });
}
