//! `--source gateway` with the real program, kernels as stations, and an independent dissector upstream: it sees one station.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::installed;
use crate::proxy::{Proxy, UP, command};
use crate::refusals::refused;
use crate::segments::{END, Line};
use crate::tap::Tap;

const MASTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const CLIENTS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 0, 0, 11),
    Ipv4Addr::new(10, 0, 0, 12),
    Ipv4Addr::new(10, 0, 0, 13),
];
const ROUNDS: u16 = 6;
const LEAST_PATIENCE: Duration = Duration::from_secs(15);

fn addressed() -> Line {
    let line = Line::new();
    line.grandmaster.add_address(END, MASTER, 24).unwrap();
    line.gateway.add_address(UP, GATEWAY, 24).unwrap();
    for client in CLIENTS {
        line.clients.add_address(END, client, 24).unwrap();
    }
    line
}

fn open(home: &Namespace, address: impl Into<SocketAddr> + Send) -> UdpSocket {
    let socket = home
        .run(|| UdpSocket::bind(address.into()))
        .unwrap()
        .unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    socket
}

/// A PTP header of version 2.1 and what follows it.
fn message(kind: u8, source: Station, sequence: u16, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(34 + rest.len()).unwrap().to_be_bytes();
    let mut bytes = vec![kind, 0x12, len[0], len[1]];
    bytes.resize(20, 0);
    bytes.extend(source.identity());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0x7F]);
    bytes.extend(rest);
    bytes
}

/// Answers each Delay_Req to whoever sent it, as a hybrid master does.
fn serve(event: &UdpSocket, general: &UdpSocket, stop: &AtomicBool) -> u64 {
    let mut served = 0;
    let mut bytes = [0; 200];
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, from)) = event.recv_from(&mut bytes) else {
            continue;
        };
        if len < 44 || bytes[0] & 0x0F != 1 {
            continue;
        }
        let sequence = u16::from_be_bytes([bytes[30], bytes[31]]);
        let rest = [&[0, 0, 0, 0, 0, 9, 0, 0, 0, 9][..], &bytes[20..30]].concat();
        let answer = message(9, Station::MASTER, sequence, &rest);
        general.send_to(&answer, (from.ip(), 320)).unwrap();
        served += 1;
    }
    served
}

/// Three clients, all with the same sequenceIds: each hears its own answers, and upstream there is one station.
#[test]
fn tshark_sees_only_the_gateways_addresses() {
    in_sandbox!({
        let Some(tshark) = installed::find("tshark", "tshark") else {
            return;
        };
        let line = addressed();
        let tap = Tap::open(&line.grandmaster, END);
        let arguments = ["--source", "gateway", "--unicast-master", "10.0.0.1"];
        let proxy = Proxy::start(&line.gateway, &arguments);
        let event = open(&line.grandmaster, (MASTER, 319));
        let general = open(&line.grandmaster, (MASTER, 320));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&event, &general, &stop));
            ask(&line);
            stop.store(true, Ordering::Relaxed);
        });
        let totals = proxy.stop().totals;
        assert_eq!(totals.dropped_for("neighbour-claimed"), 0, "{}", totals.0);

        let folder = TempDir::new().unwrap();
        let file = folder.path().join("above.pcap");
        tap.write(&file);
        let mac = line.gateway.link(UP).unwrap().mac;
        let [a, b, c, d, e, f] = mac;
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        let is = |of: &str, expected: &[&str]| {
            let seen = column(&tshark, &file, of);
            let expected: BTreeSet<_> = expected.iter().map(ToString::to_string).collect();
            assert!(seen.is_subset(&expected), "{of}: {seen:?}");
            seen
        };
        assert_eq!(is("eth.src", &[&mac]).len(), 1);
        assert_eq!(is("ip.src", &["10.0.0.3"]).len(), 1);
        is("arp.src.hw_mac", &[&mac]);
        is("arp.src.proto_ipv4", &["10.0.0.3", "0.0.0.0"]);
        // Neither the kernel nor a broken checksum shows.
        assert_eq!(column(&tshark, &file, "icmp.type"), BTreeSet::new());
        is("udp.checksum.status", &["1"]);
        is("ip.checksum.status", &["1"]);
    });
}

/// Each client asks until it has its answers.
fn ask(line: &Line) {
    let sockets = CLIENTS.map(|client| {
        let pair = [319, 320].map(|port| open(&line.clients, (client, port)));
        (Station::client(u32::from(client.octets()[3])), pair)
    });
    let started = Instant::now();
    for round in 1..=ROUNDS {
        let mut missing: BTreeSet<usize> = (0..sockets.len()).collect();
        let mut sequence = round * 100;
        while !missing.is_empty() {
            assert!(started.elapsed() < LEAST_PATIENCE, "{round}: {missing:?}");
            sequence += 1;
            for (station, [event, _]) in &sockets {
                let request = message(1, *station, sequence, &[0; 10]);
                event.send_to(&request, (MASTER, 319)).unwrap();
            }
            std::thread::sleep(Duration::from_millis(50));
            for (index, (station, [_, general])) in sockets.iter().enumerate() {
                let mut bytes = [0; 200];
                while let Ok((len, from)) = general.recv_from(&mut bytes) {
                    assert_eq!(from.ip(), MASTER, "the master's own address");
                    assert_eq!(len, 54);
                    assert_eq!(bytes[44..54], station.identity(), "another's answer");
                    missing.remove(&index);
                }
            }
        }
    }
}

/// The values of a field in a capture.
fn column(tshark: &Path, file: &Path, field: &str) -> BTreeSet<String> {
    let mut command = Command::new(tshark);
    command
        .arg("-r")
        .arg(file)
        .args(["-T", "fields", "-e", field]);
    for preference in ["udp.check_checksum:TRUE", "ip.check_checksum:TRUE"] {
        command.args(["-o", preference]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// One line says what to do.
#[test]
fn without_an_address_it_does_not_start() {
    in_sandbox!({
        let line = Line::new();
        for (arguments, expected) in [
            (
                &["--source", "gateway"][..],
                "--source gateway: up0 has no IP address: give it one",
            ),
            (
                &["--source", "gateway", "--source-address", "192.0.2.7"],
                "--source-address 192.0.2.7: not an address of up0",
            ),
        ] {
            let error = refused(&line.gateway, &mut command(arguments));
            assert!(error.starts_with(expected), "{error}");
        }
    });
}

/// The hardware address of whoever is up to no good.
const EVIL: [u8; 6] = [0x02, 0, 0, 0, 0, 0x66];

fn arp(mac: [u8; 6], operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut frame = [
        &[0xFF; 6][..],
        &mac,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
        &mac,
        &sender,
        &[0; 6],
        &target,
    ]
    .concat();
    frame.resize(60, 0);
    frame
}

/// Sends these from the interface of a namespace, over and over, until told to stop; how many that were.
fn flood(home: &Namespace, frames: &[Vec<u8>], stop: &AtomicBool) -> usize {
    let open = || {
        let interface = Interface::lookup(END)?;
        TxRing::<()>::open(&interface, &TxOptions::default())
    };
    let mut ring = home.run(open).unwrap().unwrap();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        for frame in frames {
            let Some(slot) = ring.slot() else { break };
            slot[..frame.len()].copy_from_slice(frame);
            ring.commit(frame.len(), None);
            sent += 1;
        }
        let _ = ring.kick();
        std::thread::sleep(Duration::from_millis(10));
    }
    sent
}

/// From either side somebody claims the addresses of others, asks in the name of hundreds, and sends what is broken: own
/// clients are answered all the while, nobody is told a wrong address, and less goes out than came in.
#[test]
fn floods_and_forgeries_harm_nobody() {
    in_sandbox!({
        for source in ["client", "gateway"] {
            let line = addressed();
            let arguments = ["--unicast-master", "10.0.0.1", "--source", source];
            let proxy = Proxy::start(&line.gateway, &arguments);
            let event = open(&line.grandmaster, (MASTER, 319));
            let general = open(&line.grandmaster, (MASTER, 320));
            let stop = AtomicBool::new(false);
            let end = AtomicBool::new(false);
            let [master, first, second] = [MASTER, CLIENTS[0], CLIENTS[1]].map(|ip| ip.octets());
            let mut from_below = vec![
                arp(EVIL, 2, master, first),
                arp(EVIL, 1, master, master),
                arp(EVIL, 1, second, master),
                arp(EVIL, 2, first, master),
                // Not what it came from; cut.
                [&arp(EVIL, 1, first, master)[..22], &[9; 38]].concat(),
                arp(EVIL, 1, first, master)[..30].to_vec(),
            ];
            for last in 0..200 {
                let mac = [0x02, 0, 0, 0, 1, last];
                from_below.push(arp(mac, 1, [10, 0, 1, last], master));
            }
            let from_above = [
                arp(EVIL, 2, first, master),
                arp(EVIL, 1, second, second),
                arp(EVIL, 2, master, first),
            ];
            let (mut above, mut below) = (None, None);
            let sent = std::thread::scope(|scope| {
                scope.spawn(|| serve(&event, &general, &end));
                ask(&line);
                above = Some(Tap::open(&line.grandmaster, END));
                below = Some(Tap::open(&line.clients, END));
                let up = scope.spawn(|| flood(&line.clients, &from_below, &stop));
                let down = scope.spawn(|| flood(&line.grandmaster, &from_above, &stop));
                ask(&line);
                stop.store(true, Ordering::Relaxed);
                let sent = up.join().unwrap();
                down.join().unwrap();
                // It was a flood that passed: what others were answered shows below.
                ask(&line);
                end.store(true, Ordering::Relaxed);
                sent
            });
            let totals = proxy.stop().totals;
            let (mut above, mut below) = (above.unwrap(), below.unwrap());
            let mut passed = 0;
            while let Some(frame) = above.receive() {
                let is_arp = frame[12..14] == [8, 6];
                passed += usize::from(is_arp);
                assert!(!is_arp || frame[22..28] != EVIL, "{source}: {frame:02x?}");
            }
            while let Some(frame) = below.receive() {
                let is_arp = frame[12..14] == [8, 6];
                assert!(!is_arp || frame[22..28] != EVIL, "{source}: {frame:02x?}");
            }
            assert!(passed <= sent / 10, "{source}: {passed} of {sent}");
            for reason in ["neighbour-claimed", "neighbour-bad", "neighbour-rate"] {
                assert!(
                    totals.dropped_for(reason) > 0,
                    "{source} {reason}: {}",
                    totals.0
                );
            }
        }
    });
}

/// Its address goes away while it runs: nothing leaves in its name, since no answer would find back, and it is said why. As
/// it returns, clients are served again.
#[test]
fn an_address_that_goes_away_is_named_and_not_used() {
    in_sandbox!({
        let line = addressed();
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let arguments = ["--source", "gateway", "--control", socket.to_str().unwrap()];
        let arguments = [&arguments[..], &["--unicast-master", "10.0.0.1"]].concat();
        let proxy = Proxy::start(&line.gateway, &arguments);
        let event = open(&line.grandmaster, (MASTER, 319));
        let general = open(&line.grandmaster, (MASTER, 320));
        let stop = AtomicBool::new(false);
        let served = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = serve(&event, &general, &stop);
                served.fetch_add(before, Ordering::Relaxed);
            });
            ask(&line);
            line.gateway.remove_address(UP, GATEWAY, 24).unwrap();
            proxy.wait_for("10.0.0.3 is gone from this machine");
            let mut above = Tap::open(&line.grandmaster, END);
            let client = open(&line.clients, (CLIENTS[0], 319));
            for sequence in 900..920 {
                let request = message(1, Station::client(77), sequence, &[0; 10]);
                client.send_to(&request, (MASTER, 319)).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            while let Some(frame) = above.receive() {
                let to_ptp = frame[12..14] == [8, 0] && frame[36] == 1;
                assert!(!to_ptp, "{frame:02x?}");
            }
            drop(client);
            line.gateway.add_address(UP, GATEWAY, 24).unwrap();
            proxy.wait_for("10.0.0.3 is this machine's again");
            ask(&line);
            stop.store(true, Ordering::Relaxed);
        });
        let totals = proxy.stop().totals;
        let dropped = totals.dropped("down", "delay_req", "no-source-address");
        assert!(dropped >= 10, "{dropped}\n{}", totals.0);
        assert!(served.into_inner() > 0);
    });
}
