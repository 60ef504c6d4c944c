//! Unicast PTP between two subnets through the real program: nothing goes twice, whatever the kernel does, and what no
//! router would forward goes no further.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::Namespace;

use crate::proxy::{DOWN, Proxy, UP, program};
use crate::segments::{END, Line};

const MASTER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const ROUTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 1, 254), Ipv4Addr::new(10, 0, 2, 254)];
/// A gateway that has just started waits for an Announce for 3 s.
const LISTENING: Duration = Duration::from_millis(3300);
const EVENT: u16 = 319;
const GENERAL: u16 = 320;
const OPTIONS: [&str; 4] = ["--unicast-master", "10.0.1.1", "--jitter", "4ms"];

/// Two subnets, and the sockets of a master and a client.
struct Subnets {
    line: Line,
    master: UdpSocket,
    client: [UdpSocket; 2],
}

impl Subnets {
    fn new(forwarding: bool) -> Self {
        let line = Line::new();
        for (end, ip, port, router) in [
            (&line.grandmaster, MASTER, UP, ROUTERS[0]),
            (&line.clients, CLIENT, DOWN, ROUTERS[1]),
        ] {
            end.add_address(END, ip, 24).unwrap();
            line.gateway.add_address(port, router, 24).unwrap();
            end.add_default_route(END, router).unwrap();
        }
        let forwarding = if forwarding { "1" } else { "0" };
        line.gateway
            .sysctl("net/ipv4/ip_forward", forwarding)
            .unwrap();
        let socket = |home: &Namespace, port| {
            let open = || -> io::Result<UdpSocket> {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
                socket.set_read_timeout(Some(Duration::from_millis(300)))?;
                Ok(socket)
            };
            home.run(open).unwrap().unwrap()
        };
        let master = socket(&line.grandmaster, EVENT);
        let client = [EVENT, GENERAL].map(|port| socket(&line.clients, port));
        Self {
            line,
            master,
            client,
        }
    }

    /// A client's request.
    fn asks(&self, sequence: u16) {
        let to = SocketAddr::new(IpAddr::V4(MASTER), EVENT);
        self.client[0].send_to(&request(sequence), to).unwrap();
    }

    /// Answers the next request, if one comes within some time; its sequenceId.
    fn answers(&self) -> Option<u16> {
        let mut bytes = [0; 200];
        let (len, from) = self.master.recv_from(&mut bytes).ok()?;
        assert_eq!((len, from.ip()), (44, IpAddr::V4(CLIENT)));
        let to = SocketAddr::new(from.ip(), GENERAL);
        self.master.send_to(&answer(&bytes[..44]), to).unwrap();
        Some(u16::from_be_bytes([bytes[30], bytes[31]]))
    }

    /// The sequenceId and the correction, in nanoseconds, of each answer that came.
    fn answered(&self) -> Vec<(u16, i64)> {
        let mut heard = Vec::new();
        let mut bytes = [0; 200];
        while let Ok((len, from)) = self.client[1].recv_from(&mut bytes) {
            assert_eq!((len, from.ip()), (54, IpAddr::V4(MASTER)));
            let correction = i64::from_be_bytes(bytes[8..16].try_into().unwrap());
            let sequence = u16::from_be_bytes([bytes[30], bytes[31]]);
            heard.push((sequence, correction >> 16));
        }
        heard
    }

    /// Requests of these sequenceIds; how many of them came to the master and how many answers came back, each once.
    fn exchange(&self, sequences: std::ops::Range<u16>) -> (usize, Vec<i64>) {
        let mut heard = Vec::new();
        for sequence in sequences {
            self.asks(sequence);
            heard.extend(self.answers());
        }
        // Whatever came twice.
        heard.extend(std::iter::from_fn(|| self.answers()));
        let all = heard.len();
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard.len(), all, "a request came twice: {heard:?}");
        let (mut sequences, corrections): (Vec<_>, Vec<_>) = self.answered().into_iter().unzip();
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), corrections.len(), "an answer came twice");
        (all, corrections)
    }
}

/// A Delay_Req, and the Delay_Resp to it.
fn request(sequence: u16) -> [u8; 44] {
    let mut bytes = [0; 44];
    bytes[..5].copy_from_slice(&[1, 2, 0, 44, 0]);
    bytes[20..30].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, 7, 0, 1]);
    bytes[30..32].copy_from_slice(&sequence.to_be_bytes());
    bytes[32..34].copy_from_slice(&[1, 0x7F]);
    bytes
}

fn answer(request: &[u8]) -> [u8; 54] {
    let mut bytes = [0; 54];
    bytes[..44].copy_from_slice(request);
    bytes[..4].copy_from_slice(&[9, 2, 0, 54]);
    bytes[20..30].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, 1, 0, 1]);
    bytes[32] = 3;
    bytes[44..].copy_from_slice(&request[20..30]);
    bytes
}

#[test]
fn nothing_is_forwarded_twice_whether_the_kernel_forwards_or_not() {
    in_sandbox!({
        for forwarding in [true, false] {
            let subnets = Subnets::new(forwarding);
            let options = [&["--routed"][..], &OPTIONS].concat();
            let proxy = Proxy::start(&subnets.line.gateway, &options);
            sleep(LISTENING);
            let (asked, corrections) = subnets.exchange(1..21);
            assert_eq!((asked, corrections.len()), (20, 20), "{forwarding}");
            // Each was held for up to 4 ms, and all of it is taken out.
            assert!(
                corrections
                    .iter()
                    .all(|ns| (1_000..1_000_000_000).contains(ns))
            );
            assert!(
                corrections.iter().any(|ns| *ns > 500_000),
                "{corrections:?}"
            );
            // Killed, it leaves no table: what the kernel forwards then goes once, uncorrected.
            proxy.stop_by(libc::SIGKILL);
            let (asked, corrections) = subnets.exchange(21..31);
            let expected = if forwarding { 10 } else { 0 };
            assert_eq!((asked, corrections.len()), (expected, expected));
            assert!(corrections.iter().all(|ns| *ns == 0));
        }
    });
}

/// The permanent table: a gateway that was killed lets nothing past its policy.
#[test]
fn a_guarded_gateway_that_was_killed_lets_nothing_past() {
    in_sandbox!({
        let subnets = Subnets::new(true);
        let guard = |more: &[&str]| {
            let mut command = Command::new(program());
            command
                .args(["guard", "--up", UP, "--down", DOWN])
                .args(more);
            let mut process = subnets.line.gateway.spawn(&mut command).unwrap();
            assert!(process.wait().unwrap().success());
        };
        guard(&[]);
        // Again, as each start of the service does.
        guard(&[]);
        let options = [&["--routed", "guarded"][..], &OPTIONS].concat();
        let proxy = Proxy::start(&subnets.line.gateway, &options);
        sleep(LISTENING);
        let (asked, corrections) = subnets.exchange(1..11);
        assert_eq!((asked, corrections.len()), (10, 10));
        proxy.stop_by(libc::SIGKILL);
        assert_eq!(subnets.exchange(11..21), (0, Vec::new()));
        guard(&["--remove"]);
        assert_eq!(subnets.exchange(21..26).0, 5);
    });
}

/// Without the right to make a table it does not start, and says in one line what would do.
#[test]
fn without_a_guard_it_does_not_start() {
    in_sandbox!({
        let subnets = Subnets::new(true);
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]);
        command.arg(program());
        command.args(["--up", UP, "--down", DOWN, "--control", "off", "--routed"]);
        let proxy = Proxy::launch(&subnets.line.gateway, &mut command);
        let ended = proxy.end();
        assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
        let [line] = &ended.log[..] else {
            panic!("one line: {:#?}", ended.log);
        };
        for words in [
            "--routed",
            "ptpproxy guard --up up0 --down down0",
            "CAP_NET_ADMIN",
        ] {
            assert!(line.contains(words), "{line}");
        }
    });
}

/// A whole frame to the gateway's own MAC.
struct Abuse {
    from: [u8; 4],
    to: [u8; 4],
    ttl: u8,
    options: &'static [u8],
    fragment: u16,
}

impl Abuse {
    const NONE: Self = Self {
        from: CLIENT.octets(),
        to: MASTER.octets(),
        ttl: 64,
        options: &[],
        fragment: 0,
    };

    fn bytes(&self, macs: [[u8; 6]; 2], message: &[u8]) -> Vec<u8> {
        let words = |len: usize| u8::try_from(len / 4).unwrap();
        let udp_len = u16::try_from(8 + message.len()).unwrap();
        let header_len = 20 + self.options.len();
        let total = u16::try_from(header_len).unwrap() + udp_len;
        let mut ip = vec![0x40 | words(header_len), 0];
        ip.extend(total.to_be_bytes());
        ip.extend([0, 1]);
        ip.extend(self.fragment.to_be_bytes());
        ip.extend([self.ttl, 17, 0, 0]);
        ip.extend(self.from);
        ip.extend(self.to);
        ip.extend(self.options);
        let sum: u32 = ip
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        let folded = (sum & 0xFFFF) + (sum >> 16);
        let checksum = !u16::try_from((folded & 0xFFFF) + (folded >> 16)).unwrap();
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        let port = EVENT.to_be_bytes();
        let udp = [&port[..], &port, &udp_len.to_be_bytes(), &[0, 0]].concat();
        [&macs[0][..], &macs[1], &[8, 0], &ip, &udp, message].concat()
    }
}

#[test]
fn what_no_router_forwards_goes_no_further_and_has_its_reason() {
    const SOURCE_ROUTE: &[u8] = &[0x83, 7, 4, 10, 0, 1, 9, 0];
    in_sandbox!({
        let subnets = Subnets::new(true);
        let options = [&["--routed"][..], &OPTIONS].concat();
        let proxy = Proxy::start(&subnets.line.gateway, &options);
        sleep(LISTENING);
        let open = || {
            let interface = Interface::lookup(END)?;
            TxRing::<()>::open(&interface, &TxOptions::default())
        };
        let below = &subnets.line.clients;
        let mut ring = below.run(open).unwrap().unwrap();
        let own = below.link(END).unwrap().mac;
        let gateway = subnets.line.gateway.link(DOWN).unwrap().mac;
        let abuses = [
            (
                "ttl",
                Abuse {
                    ttl: 1,
                    ..Abuse::NONE
                },
            ),
            (
                "ttl",
                Abuse {
                    ttl: 0,
                    ..Abuse::NONE
                },
            ),
            (
                "ip-options",
                Abuse {
                    options: SOURCE_ROUTE,
                    ..Abuse::NONE
                },
            ),
            (
                "ip-options",
                Abuse {
                    options: &[7, 3, 4, 0],
                    ..Abuse::NONE
                },
            ),
            (
                "fragment",
                Abuse {
                    fragment: 0x2000,
                    ..Abuse::NONE
                },
            ),
            (
                "martian",
                Abuse {
                    to: [169, 254, 1, 1],
                    ..Abuse::NONE
                },
            ),
            (
                "martian",
                Abuse {
                    to: [10, 0, 1, 255],
                    ..Abuse::NONE
                },
            ),
            (
                "martian",
                Abuse {
                    from: [127, 0, 0, 1],
                    ..Abuse::NONE
                },
            ),
            (
                "no-route",
                Abuse {
                    to: [10, 0, 2, 77],
                    ..Abuse::NONE
                },
            ),
            (
                "no-route",
                Abuse {
                    to: [192, 0, 2, 1],
                    ..Abuse::NONE
                },
            ),
            (
                "reverse-path",
                Abuse {
                    from: [10, 0, 1, 9],
                    ..Abuse::NONE
                },
            ),
            (
                "routed-foreign",
                Abuse {
                    to: [10, 0, 1, 9],
                    ..Abuse::NONE
                },
            ),
            (
                "to-host",
                Abuse {
                    to: [10, 0, 1, 254],
                    ..Abuse::NONE
                },
            ),
        ];
        for (sequence, (_, abuse)) in (100..).zip(&abuses) {
            let bytes = abuse.bytes([gateway, own], &request(sequence));
            let slot = ring.slot().unwrap();
            slot[..bytes.len()].copy_from_slice(&bytes);
            ring.commit(bytes.len(), None);
            let _ = ring.kick();
        }
        // Nothing of it arrived; the client among them is served as before.
        let (asked, corrections) = subnets.exchange(1..11);
        assert_eq!((asked, corrections.len()), (10, 10));
        // From upstream: a message to a station that is no client.
        let to = SocketAddr::new([10, 0, 2, 99].into(), GENERAL);
        subnets.master.send_to(&answer(&request(1)), to).unwrap();
        let stop = Instant::now() + Duration::from_millis(200);
        while Instant::now() < stop {
            sleep(Duration::from_millis(20));
        }
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
        assert_eq!(
            totals.dropped("down", "delay_req", "routed-foreign"),
            1,
            "{}",
            totals.0
        );
        assert_eq!(
            totals.dropped("up", "delay_resp", "routed-foreign"),
            1,
            "{}",
            totals.0
        );
    });
}
