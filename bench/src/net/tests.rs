//! Real networks, made and used.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Namespace, Veth, veth};
use crate::in_sandbox;

const A_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
const B_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xb];

fn pair() -> (Namespace, Namespace) {
    (Namespace::new("a").unwrap(), Namespace::new("b").unwrap())
}

#[test]
fn a_cable_has_the_ends_it_was_asked_for() {
    in_sandbox!({
        let (a, b) = pair();
        Veth::new(&a, "x", &b, "y")
            .mtu(9000)
            .macs(A_MAC, B_MAC)
            .create()
            .unwrap();
        let (x, y) = (a.link("x").unwrap(), b.link("y").unwrap());
        assert_eq!((x.mac, x.mtu, x.up), (A_MAC, 9000, true));
        assert_eq!((y.mac, y.mtu, y.up), (B_MAC, 9000, true));
        assert!(
            a.link("y").is_err(),
            "each end is in its own namespace only"
        );
        let error = format!("{:#}", veth(&a, "x", &b, "z").unwrap_err());
        assert!(
            error.contains("a:x to b:z") && error.contains("exists"),
            "{error}"
        );
        a.delete("x").unwrap();
        assert!(b.link("y").is_err(), "the other end goes with it");
    });
}

#[test]
fn addresses_work_at_once_in_both_families() {
    in_sandbox!({
        let (a, b) = pair();
        veth(&a, "x", &b, "y").unwrap();
        a.add_address("x", [10, 0, 0, 1], 24).unwrap();
        b.add_address("y", [10, 0, 0, 2], 24).unwrap();
        a.add_address("x", [0xfd00, 0, 0, 0, 0, 0, 0, 1], 64)
            .unwrap();
        b.add_address("y", [0xfd00, 0, 0, 0, 0, 0, 0, 2], 64)
            .unwrap();
        for address in ["10.0.0.2:5000", "[fd00::2]:5000"] {
            let listener = b.run(|| TcpListener::bind(address)).unwrap().unwrap();
            let patience = Duration::from_secs(3);
            let address = listener.local_addr().unwrap();
            a.run(|| TcpStream::connect_timeout(&address, patience))
                .unwrap()
                .unwrap();
            assert!(
                TcpStream::connect_timeout(&address, patience).is_err(),
                "only from inside"
            );
        }
    });
}

#[test]
fn multicast_follows_its_route_and_stops_with_the_link() {
    in_sandbox!({
        let (a, b) = pair();
        veth(&a, "x", &b, "y").unwrap();
        a.add_address("x", [10, 0, 0, 1], 24).unwrap();
        b.add_address("y", [10, 0, 0, 2], 24).unwrap();
        let sender = a.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
        let group = ("224.0.1.129", 319);
        assert_eq!(
            sender.send_to(b"?", group).unwrap_err().kind(),
            ErrorKind::NetworkUnreachable
        );
        a.add_route("x", [224, 0, 0, 0], 4).unwrap();
        let receiver = b.run(|| UdpSocket::bind("0.0.0.0:319")).unwrap().unwrap();
        receiver
            .join_multicast_v4(&[224, 0, 1, 129].into(), &[10, 0, 0, 2].into())
            .unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mut bytes = [0; 8];
        sender.send_to(b"one", group).unwrap();
        assert_eq!(receiver.recv(&mut bytes).unwrap(), 3);
        b.set_up("y", false).unwrap();
        let _ = sender.send_to(b"two", group);
        assert!(receiver.recv(&mut bytes).is_err(), "the cable is pulled");
    });
}

#[test]
fn a_bridge_joins_and_neighbours_are_forgotten() {
    in_sandbox!({
        let (a, b) = pair();
        let switch = Namespace::new("switch").unwrap();
        veth(&a, "x", &switch, "p0").unwrap();
        veth(&b, "y", &switch, "p1").unwrap();
        switch.bridge("br0", &["p0", "p1"]).unwrap();
        a.add_address("x", [10, 0, 0, 1], 24).unwrap();
        b.add_address("y", [10, 0, 0, 2], 24).unwrap();
        let knows = || {
            let table = a.run(|| fs::read_to_string("/proc/thread-self/net/arp"));
            let table = table.unwrap().unwrap();
            // Flags 0x2: complete, and found by ARP.
            let found = |line: &str| line.starts_with("10.0.0.2 ") && line.contains(" 0x2 ");
            table.lines().any(found)
        };
        let receiver = b.run(|| UdpSocket::bind("10.0.0.2:7000")).unwrap().unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        let sender = a.run(|| UdpSocket::bind("10.0.0.1:0")).unwrap().unwrap();
        sender.send_to(b"hello", "10.0.0.2:7000").unwrap();
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 5);
        assert!(knows());
        a.flush_neighbours("x").unwrap();
        assert!(!knows());
        // Taken from the bridge, it is nobody's port.
        switch.enslave("p1", None).unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        sender.send_to(b"hello", "10.0.0.2:7000").unwrap();
        assert!(receiver.recv(&mut [0; 8]).is_err());
    });
}

#[test]
fn links_can_be_changed() {
    in_sandbox!({
        let (a, b) = pair();
        veth(&a, "x", &b, "y").unwrap();
        a.set_mac("x", A_MAC).unwrap();
        a.set_mtu("x", 1400).unwrap();
        a.rename("x", "up0").unwrap();
        let link = a.link("up0").unwrap();
        assert_eq!((link.mac, link.mtu, link.up), (A_MAC, 1400, true));
        a.macvlan("child", "up0").unwrap();
        assert!(a.link("child").unwrap().up);
        a.sysctl("net/ipv4/conf/up0/forwarding", "1").unwrap();
        assert!(a.sysctl("net/ipv4/conf/gone/forwarding", "1").is_err());
        let error = format!("{:#}", a.set_up("gone", true).unwrap_err());
        assert!(
            error.contains("no link gone in the network namespace a"),
            "{error}"
        );
    });
}

#[test]
fn programs_run_inside_without_the_right_to_set_clocks() {
    in_sandbox!({
        let (a, b) = pair();
        veth(&a, "only-here", &b, "y").unwrap();
        let mut cat = Command::new("cat");
        cat.args(["/proc/net/dev", "/proc/self/status"])
            .stdout(Stdio::piped());
        let mut child = a.spawn(&mut cat).unwrap();
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.contains("only-here:"), "{text}");
        let effective = text
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .unwrap();
        let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
        assert_eq!(effective >> 25 & 1, 0, "CAP_SYS_TIME is gone");
        assert_eq!(effective >> 12 & 1, 1, "CAP_NET_ADMIN is there");
    });
}

#[test]
fn programs_end_with_their_guard() {
    in_sandbox!({
        let a = Namespace::new("a").unwrap();
        let mut sleeper = a.spawn(Command::new("sleep").arg("60")).unwrap();
        let status = sleeper.stop(Duration::from_secs(5)).unwrap();
        assert_eq!(status.to_string(), "signal: 15 (SIGTERM)");
        assert!(sleeper.signal(libc::SIGSTOP).is_err(), "it is gone");

        let dropped = a.spawn(Command::new("sleep").arg("60")).unwrap();
        let path = format!("/proc/{}", dropped.id());
        drop(dropped);
        assert!(fs::metadata(path).is_err(), "killed and reaped");

        // The thread that starts a program takes it along.
        let orphan = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let child = a.spawn(Command::new("sleep").arg("60")).unwrap();
                    let id = child.id();
                    std::mem::forget(child);
                    id
                })
                .join()
                .unwrap()
        });
        let deadline = Instant::now() + Duration::from_secs(5);
        let state = || fs::read_to_string(format!("/proc/{orphan}/stat")).unwrap_or_default();
        while !state().contains(") Z") {
            assert!(Instant::now() < deadline, "{}", state());
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn the_namespace_we_are_in_is_one_too() {
    in_sandbox!({
        let here = Namespace::current().unwrap();
        let there = Namespace::new("there").unwrap();
        veth(&here, "x", &there, "y").unwrap();
        let links = || fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        assert!(links().contains("x:"));
        assert!(there.run(links).unwrap().contains("y:"));
    });
}
