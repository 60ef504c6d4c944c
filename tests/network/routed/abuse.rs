//! What no router would forward goes no further and has its reason, and floods harm nobody: over IPv4 and IPv6, in two
//! subnets and in one.

use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy::ring::TxRing;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::neighbour::Talk;
use ptpproxy_lab::lab::shape::{Network, Shape};

use super::subnets::{EVENT, GENERAL, ONE_V6, Plan, Subnets, V4, V6, answer, request};
use crate::segments::END;
use crate::tap::Tap;

/// What stands between the IP header and UDP.
#[derive(Clone, Copy)]
enum More {
    Nothing,
    /// Options of IPv4.
    Options(&'static [u8]),
    /// Flags and offset of an IPv4 fragment.
    Fragment(u16),
    /// An extension header of IPv6: its number, and all of it but the next header's.
    Extension(u8, [u8; 7]),
}

/// A whole frame with a request in it, to the gateway's own MAC.
#[derive(Clone, Copy)]
struct Abuse {
    from: IpAddr,
    to: IpAddr,
    hops: u8,
    more: More,
}

fn sum(words: &[u8]) -> u32 {
    let pairs = words.chunks(2);
    pairs
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum()
}

fn checksum(sum: u32) -> [u8; 2] {
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let folded = (folded & 0xFFFF) + (folded >> 16);
    (!u16::try_from(folded).unwrap()).to_be_bytes()
}

impl Abuse {
    const fn of(plan: Plan) -> Self {
        Self {
            from: plan.client,
            to: plan.master,
            hops: 64,
            more: More::Nothing,
        }
    }

    const fn from(self, from: IpAddr) -> Self {
        Self { from, ..self }
    }

    const fn to(self, to: IpAddr) -> Self {
        Self { to, ..self }
    }

    const fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    const fn with(self, more: More) -> Self {
        Self { more, ..self }
    }

    fn bytes(&self, macs: [[u8; 6]; 2], sequence: u16) -> Vec<u8> {
        let message = request(sequence);
        let len = u16::try_from(8 + message.len()).unwrap();
        let port = EVENT.to_be_bytes();
        let mut udp = [&port[..], &port, &len.to_be_bytes(), &[0, 0], &message].concat();
        let (ethertype, ip) = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                ([0x08, 0x00], self.v4(from.octets(), to.octets(), len))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let (from, to) = (from.octets(), to.octets());
                let pseudo = sum(&from) + sum(&to) + u32::from(len) + 17 + sum(&udp);
                udp[6..8].copy_from_slice(&checksum(pseudo));
                ([0x86, 0xDD], self.v6(from, to, len))
            }
            _ => unreachable!("one IP version"),
        };
        [&macs[0][..], &macs[1], &ethertype, &ip, &udp].concat()
    }

    fn v4(&self, from: [u8; 4], to: [u8; 4], len: u16) -> Vec<u8> {
        let (options, fragment) = match self.more {
            More::Options(options) => (options, 0),
            More::Fragment(fragment) => (&[][..], fragment),
            _ => (&[][..], 0),
        };
        let header_len = 20 + options.len();
        let total = u16::try_from(header_len).unwrap() + len;
        let mut ip = vec![0x40 | u8::try_from(header_len / 4).unwrap(), 0];
        ip.extend(total.to_be_bytes());
        ip.extend([0, 1]);
        ip.extend(fragment.to_be_bytes());
        ip.extend([self.hops, 17, 0, 0]);
        ip.extend(from);
        ip.extend(to);
        ip.extend(options);
        let sum = checksum(sum(&ip));
        ip[10..12].copy_from_slice(&sum);
        ip
    }

    fn v6(&self, from: [u8; 16], to: [u8; 16], len: u16) -> Vec<u8> {
        let (next, extension) = match self.more {
            More::Extension(next, rest) => (next, [&[17][..], &rest].concat()),
            _ => (17, Vec::new()),
        };
        let len = len + u16::try_from(extension.len()).unwrap();
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend(len.to_be_bytes());
        ip.extend([next, self.hops]);
        ip.extend(from);
        ip.extend(to);
        ip.extend(extension);
        ip
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A later fragment has no ports: the kernel's filter lets none in.
const FILTERED: &str = "";

/// Each with the reason for which it goes no further. The last ones are of either IP version.
fn abuses(plan: Plan) -> Vec<(&'static str, Abuse)> {
    const SOURCE_ROUTE: &[u8] = &[0x83, 7, 4, 10, 0, 1, 9, 0];
    const RECORD_ROUTE: &[u8] = &[7, 3, 4, 0];
    // PadN of four bytes: of no harm, but no hop of a PTP network has any.
    const PADDING: [u8; 7] = [0, 1, 4, 0, 0, 0, 0];
    let plain = Abuse::of(plan);
    let mut abuses = if plan.master.is_ipv4() {
        vec![
            ("ip-options", plain.with(More::Options(SOURCE_ROUTE))),
            ("ip-options", plain.with(More::Options(RECORD_ROUTE))),
            ("fragment", plain.with(More::Fragment(0x2000))),
            (FILTERED, plain.with(More::Fragment(0x2010))),
            ("martian", plain.to(ip("169.254.1.1"))),
            ("martian", plain.to(ip("10.0.1.255"))),
            ("martian", plain.from(ip("127.0.0.1"))),
            ("no-route", plain.to(ip("10.0.2.77"))),
            ("no-route", plain.to(ip("192.0.2.1"))),
            ("reverse-path", plain.from(ip("10.0.1.9"))),
            ("routed-foreign", plain.to(ip("10.0.1.9"))),
        ]
    } else {
        vec![
            // Hop-by-hop, routing (type 0, which RFC 5095 forbids) and destination options.
            ("ip-options", plain.with(More::Extension(0, PADDING))),
            ("ip-options", plain.with(More::Extension(43, [0; 7]))),
            ("ip-options", plain.with(More::Extension(60, PADDING))),
            // The first fragment of more, and one that is alone.
            (
                "fragment",
                plain.with(More::Extension(44, [0, 0, 1, 0, 0, 0, 9])),
            ),
            ("fragment", plain.with(More::Extension(44, [0; 7]))),
            (
                FILTERED,
                plain.with(More::Extension(44, [0, 1, 0, 0, 0, 0, 9])),
            ),
            ("martian", plain.to(ip("fe80::1"))),
            ("martian", plain.from(ip("fe80::2"))),
            ("martian", plain.from(ip("::1"))),
            ("martian", plain.to(ip("::ffff:10.0.1.1"))),
            ("no-route", plain.to(ip("fd00:0:0:2::77"))),
            ("no-route", plain.to(ip("2001:db8::1"))),
            ("reverse-path", plain.from(ip("fd00:0:0:1::9"))),
            ("routed-foreign", plain.to(ip("fd00:0:0:1::9"))),
        ]
    };
    let router = plan.routers.unwrap()[0];
    abuses.extend([
        ("ttl", plain.hops(1)),
        ("ttl", plain.hops(0)),
        ("to-host", plain.to(router)),
    ]);
    abuses
}

fn send(ring: &mut TxRing<()>, bytes: &[u8]) {
    let Some(slot) = ring.slot() else { return };
    slot[..bytes.len()].copy_from_slice(bytes);
    ring.commit(bytes.len(), None);
    let _ = ring.kick();
}

#[test]
fn what_no_router_forwards_goes_no_further_and_has_its_reason() {
    in_sandbox!({
        for plan in [V4, V6] {
            let subnets = Subnets::new(plan, true);
            let proxy = subnets.start(&["--routed"]);
            let (mut ring, macs) = subnets.below();
            let abuses = abuses(plan);
            for (sequence, (_, abuse)) in (100..).zip(&abuses) {
                send(&mut ring, &abuse.bytes(macs, sequence));
            }
            // Nothing of it arrived; the client among them is served as before.
            let (asked, corrections) = subnets.exchange(1..11);
            assert_eq!((asked, corrections.len()), (10, 10));
            // From upstream: a message to a station that is no client.
            let stranger = match plan.client {
                IpAddr::V4(_) => ip("10.0.2.99"),
                IpAddr::V6(_) => ip("fd00:0:0:2::99"),
            };
            let to = SocketAddr::new(stranger, GENERAL);
            subnets.master.send_to(&answer(&request(1)), to).unwrap();
            sleep(Duration::from_millis(200));
            let totals = proxy.stop().totals;
            for reason in [
                "ttl",
                "ip-options",
                "fragment",
                "martian",
                "no-route",
                "reverse-path",
                "to-host",
            ] {
                let expected = abuses.iter().filter(|(of, _)| *of == reason).count();
                let counted = usize::try_from(totals.dropped_for(reason)).unwrap();
                assert!(counted >= expected, "{reason}: {counted}\n{}", totals.0);
            }
            for (side, message) in [("down", "delay_req"), ("up", "delay_resp")] {
                let foreign = totals.dropped(side, message, "routed-foreign");
                assert_eq!(foreign, 1, "{side}\n{}", totals.0);
            }
        }
    });
}

/// Neighbour discovery by six thousand messages at once, from below: claims of the master's and of the client's address, made-up stations
/// that ask and announce themselves. The client is served all the while, nothing of it comes out upstream in another's
/// name, and no more than a thousand messages a second.
#[test]
fn a_flood_of_neighbour_discovery_harms_nobody() {
    const EVIL: [u8; 6] = [2, 0, 0, 0, 0, 0x66];
    const SHAPE: Shape = Shape {
        network: Network::Udp6,
        vlan: None,
    };
    in_sandbox!({
        let plan = ONE_V6;
        let subnets = Subnets::new(plan, false);
        let proxy = subnets.start(&[]);
        let (asked, corrections) = subnets.exchange(1..6);
        assert_eq!((asked, corrections.len()), (5, 5), "before");
        let (mut ring, _) = subnets.below();
        let mut above = Tap::open(&subnets.line.grandmaster, END);
        let mut talks = vec![
            Talk {
                to: None,
                wanted: None,
                ..Talk::ask(EVIL, plan.master, plan.client)
            },
            Talk::ask(EVIL, plan.client, plan.master),
            Talk::ask(EVIL, plan.master, plan.client).answer(EVIL),
        ];
        for number in 0..300_u16 {
            let [high, low] = number.to_be_bytes();
            let mac = [2, 0, 0, 1, high, low];
            let own = ip(&format!("fd00:0:0:1::1:{number:x}"));
            let ask = Talk::ask(mac, own, plan.master);
            // Whether anybody has it, as a station asks that has no address yet.
            let nobody = Talk {
                sender: None,
                wanted: Some(own),
                ..ask
            };
            talks.extend([ask, nobody]);
        }
        let mut sent = 0;
        let started = Instant::now();
        for round in 0..10_u16 {
            for _ in 0..10 {
                for talk in &talks {
                    let mut bytes = [0; 128];
                    let len = talk.write(&mut bytes, SHAPE).unwrap();
                    send(&mut ring, &bytes[..len]);
                    sent += 1;
                }
            }
            // In the midst of it.
            let from = 100 + round * 3;
            let (asked, corrections) = subnets.exchange(from..from + 3);
            if (asked, corrections.len()) != (3, 3) {
                let log = proxy.log();
                let totals = proxy.stop().totals;
                panic!(
                    "round {round}: {asked} of 3 requests arrived, {} answers; the receive ring lost {} frames\n{}\n{log:#?}",
                    corrections.len(),
                    totals.count("ring_drops_down"),
                    totals.0,
                );
            }
        }
        let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
        let totals = proxy.stop().totals;
        let mut passed = 0;
        while let Some(frame) = above.receive() {
            assert_ne!(frame[6..12], EVIL, "{frame:02x?}");
            let is_nd = frame[12..14] == [0x86, 0xDD] && frame[20] == 58;
            passed += usize::from(is_nd);
        }
        // A thousand a second, and as many at once.
        assert!(passed <= (seconds + 2) * 1000, "{passed} in {seconds} s");
        assert!(passed <= sent, "{passed} of {sent}");
        let claimed = totals.dropped_for("neighbour-claimed");
        assert!(claimed > 0, "{}", totals.0);
    });
}
