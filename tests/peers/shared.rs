//! `--source gateway`: clients behind the gateway's own addresses lock, and so does a ptp4l of the gateway itself, whose
//! answers come to the same address.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{self, Ends, Ptp4l, Rig, Role, Sample, Servo, TempDir, Transport};

use super::neighbours::status;
use super::ptpproxy;

fn rig(arguments: &[&str], transport: Transport) -> Option<Rig> {
    if ptp4l::find().is_none() {
        skip("ptp4l is not installed (Debian: linuxptp)");
        return None;
    }
    let ends = Ends {
        addressed: true,
        ..Ends::default()
    };
    let arguments = [&["--source", "gateway"], arguments].concat();
    Some(Rig::with(&ptpproxy(&arguments), transport, ends).unwrap())
}

#[test]
fn clients_and_a_ptp4l_of_the_gateway_lock_behind_one_address() {
    in_sandbox!({
        for transport in [Transport::Udp4, Transport::Udp6] {
            let folder = TempDir::new().unwrap();
            let socket = folder.path().join("gateway.sock");
            let control = ["--control", socket.to_str().unwrap()];
            let Some(rig) = rig(&control, transport) else {
                return;
            };
            let _grandmaster = rig.start_grandmaster().unwrap();
            let role = Role::HybridClient(Servo::Lock);
            let interfaces = &["gm0"];
            let beside = Ptp4l {
                role,
                transport,
                interfaces,
                log_sync_interval: -4,
                program: None,
                more: "",
            };
            let beside = beside.start(&rig.gateway, &folder).unwrap();
            let below = rig.start_client(role).unwrap();
            for mut client in [beside, below] {
                client.wait_until_slave().unwrap();
                let from = client.line_count();
                sleep(Duration::from_secs(2));
                let lines = client.lines_from(from);
                let samples: Vec<_> = (lines.iter())
                    .filter_map(|line| Sample::parse(line))
                    .collect();
                assert!(samples.len() > 20, "{transport:?}: {lines:?}");
            }
            let status = status(&socket);
            assert!(status.counts.answered > 20, "{transport:?}");
            let codes: Vec<_> = status.warnings.iter().map(|one| &one.code).collect();
            assert!(
                !codes.iter().any(|code| *code == "drops"),
                "{:?}",
                status.warnings
            );
        }
    });
}

/// What a negotiating client asks for names no client: it is refused by name, and nobody is disturbed.
#[test]
fn negotiated_unicast_is_refused_with_its_reason() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let control = ["--control", socket.to_str().unwrap()];
        let Some(rig) = rig(&control, Transport::Udp4) else {
            return;
        };
        let _grandmaster = rig.start_grandmaster().unwrap();
        let role = Role::UnicastClient(Servo::Measure, ptp4l::GRANDMASTER_ADDRESS.into());
        let _client = rig.start_client(role).unwrap();
        let started = Instant::now();
        loop {
            let status = status(&socket);
            let text = serde_json::to_string(&status).unwrap();
            if text.contains("shared-address") {
                // It may still ask as one that hears multicast; but nothing is negotiated through the gateway.
                let (mut heard, mut passed) = (0, 0);
                for frames in status
                    .frames
                    .iter()
                    .filter(|one| one.message == "signaling")
                {
                    heard += frames.received;
                    passed += frames.forwarded;
                }
                assert!(heard > 0, "{text}");
                assert_eq!((passed, status.grants.len()), (0, 0), "{text}");
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{text}");
            sleep(Duration::from_millis(200));
        }
    });
}
