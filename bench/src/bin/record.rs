//! Records what a real ptp4l grandmaster and its client say to each other, by each transport: prints
//! each frame once per kind as hexadecimal digits, for the seeds of the fuzz targets
//! (`cargo run -p ptpproxy-lab --bin record > tests/testkit/src/targets/peers.txt`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, RxOptions, RxRing};
use ptpproxy::wire::Frame;
use ptpproxy_lab::net::Sandbox;
use ptpproxy_lab::ptp4l::{GRANDMASTER_ADDRESS, Gateway, Rig, Role, Servo, Transport};

/// Frames of one kind that are kept.
const EACH: u32 = 3;

fn main() -> anyhow::Result<()> {
    let _sandbox = Sandbox::enter()?;
    println!("# frames of ptp4l, by each transport, multicast, hybrid and unicast");
    let unicast = Role::UnicastClient(Servo::Measure, GRANDMASTER_ADDRESS.into());
    let hybrid = Role::HybridClient(Servo::Measure);
    for (transport, role) in [
        (Transport::Ethernet, Role::Client(Servo::Measure)),
        (Transport::Udp4, Role::Client(Servo::Measure)),
        (Transport::Udp4, hybrid),
        (Transport::Udp4, unicast),
        (Transport::Udp6, Role::Client(Servo::Measure)),
    ] {
        let rig = Rig::new(&Gateway::Bridge, transport)?;
        // The bridge's ports see both directions, each the one that comes in.
        let mut rings = rig.gateway.run(|| -> anyhow::Result<_> {
            let open = |name| {
                let all = [libc::sock_filter {
                    code: 6,
                    jt: 0,
                    jf: 0,
                    k: u32::MAX,
                }];
                RxRing::open(&Interface::lookup(name)?, &all, &RxOptions::default())
            };
            Ok([open("gm0")?, open("cl0")?])
        })??;
        let _grandmaster = rig.start_grandmaster()?;
        let _client = rig.start_client(role)?;
        let mut seen: HashMap<(u8, usize), u32> = HashMap::new();
        let end = Instant::now() + Duration::from_secs(8);
        while Instant::now() < end {
            for (side, ring) in rings.iter_mut().enumerate() {
                while let Some(received) = ring.receive() {
                    let Ok(frame) = Frame::parse(received.bytes) else {
                        continue;
                    };
                    let count = seen.entry((frame.message_type() as u8, side)).or_default();
                    *count += 1;
                    if *count <= EACH {
                        let hex: String =
                            received.bytes.iter().map(|b| format!("{b:02x}")).collect();
                        println!("{hex}");
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}
