//! The gateway's own traffic: what is addressed to it stays, and a ptp4l of its own works beside.

use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::{Kind, Template};
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    self, Gateway, Program, Ptp4l, Rig, Role, Sample, Servo, TempDir, Transport,
};

use crate::host::ETHERNET;
use crate::proxy::{DOWN, PATIENCE, Proxy, UP};
use crate::segments::{END, Line};
use crate::tap::Tap;

const UDP4: Shape = Shape {
    network: Network::Udp4,
    ..ETHERNET
};

#[test]
fn what_is_addressed_to_the_gateway_is_not_forwarded() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--jitter", "off"]);
        let (mut above, _below) = line.hosts(ETHERNET);
        above.introduce();
        let open = || {
            let interface = Interface::lookup(END)?;
            TxRing::<()>::open(&interface, &TxOptions::default())
        };
        let mut ring = line.clients.run(open).unwrap().unwrap();
        let request = Template::new(ETHERNET, Kind::DelayReq, Station::client(1));
        let gateway = line.gateway.link(DOWN).unwrap().mac;
        let grandmaster = line.grandmaster.link(END).unwrap().mac;
        for (sequence, mac) in [
            (1, gateway),
            (2, grandmaster),
            (3, gateway),
            (4, grandmaster),
        ] {
            let slot = ring.slot().unwrap();
            let len = request.draft(slot).unwrap().sequence(sequence).finish();
            slot[..6].copy_from_slice(&mac);
            ring.commit(len, None);
            let _ = ring.kick();
        }
        let heard = above.listen(Duration::from_millis(300));
        let sequences: Vec<_> = heard.iter().map(|message| message.sequence).collect();
        assert_eq!(sequences, [2, 4]);
        let totals = proxy.stop().totals;
        assert_eq!(
            totals.dropped("down", "delay_req", "to-host"),
            2,
            "{}",
            totals.0
        );
    });
}

/// As bridges and access points send it that convert multicast to unicast: the gateway's MAC in the place of the group's.
#[test]
fn a_group_by_ip_with_the_gateways_mac_goes_on() {
    const GROUP: [u8; 6] = [0x01, 0, 0x5E, 0, 0x01, 0x81];
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--jitter", "off"]);
        let (mut above, _below) = line.hosts(UDP4);
        above.introduce();
        for (from, port, to, kind) in [
            (&line.clients, DOWN, &line.grandmaster, Kind::DelayReq),
            (&line.grandmaster, UP, &line.clients, Kind::Announce),
        ] {
            let mut tap = Tap::open(to, END);
            let open = || {
                let interface = Interface::lookup(END)?;
                TxRing::<()>::open(&interface, &TxOptions::default())
            };
            let mut ring = from.run(open).unwrap().unwrap();
            let template = Template::new(UDP4, kind, Station::client(1));
            let slot = ring.slot().unwrap();
            let len = template.draft(slot).unwrap().sequence(77).finish();
            assert_eq!(slot[..6], GROUP);
            let mut sent = slot[..len].to_vec();
            slot[..6].copy_from_slice(&line.gateway.link(port).unwrap().mac);
            ring.commit(len, None);
            let _ = ring.kick();
            // Nothing else of it has changed.
            sent.resize(sent.len().max(60), 0);
            let deadline = Instant::now() + PATIENCE;
            while tap.receive().is_none_or(|frame| frame != sent) {
                assert!(Instant::now() < deadline, "{kind:?} does not arrive");
            }
        }
        let totals = proxy.stop().totals;
        assert_eq!(totals.dropped_for("to-host"), 0, "{}", totals.0);
    });
}

/// A client on the gateway itself, on the grandmaster's side, and one below, through the forwarder.
#[test]
fn a_ptp4l_on_the_gateway_works_beside() {
    in_sandbox!({
        if ptp4l::find().is_none() {
            return skip("ptp4l is not installed (Debian: linuxptp)");
        }
        for transport in [Transport::Ethernet, Transport::Udp4] {
            let ours = Gateway::Ptpproxy {
                binary: env!("CARGO_BIN_EXE_ptpproxy").into(),
                arguments: Vec::new(),
            };
            let rig = Rig::new(&ours, transport).unwrap();
            rig.gateway.add_address("gm0", [10, 0, 0, 3], 24).unwrap();
            rig.gateway.add_route("gm0", [224, 0, 0, 0], 4).unwrap();
            let _grandmaster = rig.start_grandmaster().unwrap();
            let folder = TempDir::new().unwrap();
            let role = Role::Client(Servo::Lock);
            let interfaces = &["gm0"];
            let beside = Ptp4l {
                role,
                transport,
                interfaces,
                log_sync_interval: -4,
                program: None,
                more: "",
            }
            .start(&rig.gateway, &folder)
            .unwrap();
            let below = rig.start_client(role).unwrap();
            for mut client in [beside, below] {
                locks(&mut client);
            }
        }
    });
}

fn locks(client: &mut Program) {
    client.wait_until_slave().unwrap();
    let from = client.line_count();
    std::thread::sleep(Duration::from_millis(700));
    let lines = client.lines_from(from);
    let samples: Vec<_> = lines
        .iter()
        .filter_map(|line| Sample::parse(line))
        .collect();
    assert!(samples.len() > 4, "{lines:?}");
    let mut offsets: Vec<_> = samples
        .iter()
        .map(|sample| sample.offset_ns.abs())
        .collect();
    offsets.sort_unstable();
    assert!(offsets[offsets.len() / 2] < 300_000, "{offsets:?}");
}
