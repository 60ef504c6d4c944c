//! Two subnets and the router between them, or one subnet cut in two, with the sockets of a master and a client.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::net::Namespace;

use crate::proxy::{DOWN, Proxy, UP};
use crate::segments::{END, Line};

/// A gateway that has just started waits for an Announce for 3 s.
const LISTENING: Duration = Duration::from_millis(3300);
pub(super) const EVENT: u16 = 319;
pub(super) const GENERAL: u16 = 320;

/// The addresses.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) master: IpAddr,
    pub(super) client: IpAddr,
    /// The router's, up and down; without it all is one subnet.
    pub(super) routers: Option<[IpAddr; 2]>,
    prefix: u8,
}

const fn v4(net: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, net, host))
}

const fn v6(net: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xFD00, 0, 0, net, 0, 0, 0, host))
}

pub(super) const V4: Plan = Plan {
    master: v4(1, 1),
    client: v4(2, 2),
    routers: Some([v4(1, 254), v4(2, 254)]),
    prefix: 24,
};
pub(super) const V6: Plan = Plan {
    master: v6(1, 1),
    client: v6(2, 2),
    routers: Some([v6(1, 0xFE), v6(2, 0xFE)]),
    prefix: 64,
};
pub(super) const ONE_V6: Plan = Plan {
    master: v6(1, 1),
    client: v6(1, 2),
    routers: None,
    prefix: 64,
};

/// See the module.
pub(super) struct Subnets {
    pub(super) line: Line,
    pub(super) plan: Plan,
    pub(super) master: UdpSocket,
    client: [UdpSocket; 2],
}

impl Subnets {
    pub(super) fn new(plan: Plan, forwarding: bool) -> Self {
        let line = Line::new();
        let routers = plan.routers.map_or([None; 2], |both| both.map(Some));
        for (end, ip, port, router) in [
            (&line.grandmaster, plan.master, UP, routers[0]),
            (&line.clients, plan.client, DOWN, routers[1]),
        ] {
            end.add_address(END, ip, plan.prefix).unwrap();
            if let Some(router) = router {
                line.gateway.add_address(port, router, plan.prefix).unwrap();
                end.add_default_route(END, router).unwrap();
            }
        }
        forwards(&line, forwarding);
        let any = match plan.master {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = |home: &Namespace, port| {
            let open = || -> io::Result<UdpSocket> {
                let socket = UdpSocket::bind((any, port))?;
                socket.set_read_timeout(Some(Duration::from_millis(300)))?;
                Ok(socket)
            };
            home.run(open).unwrap().unwrap()
        };
        let master = socket(&line.grandmaster, EVENT);
        let client = [EVENT, GENERAL].map(|port| socket(&line.clients, port));
        Self {
            line,
            plan,
            master,
            client,
        }
    }

    /// Whether the kernel of the gateway forwards, from now on.
    pub(super) fn forwards(&self, forwarding: bool) {
        forwards(&self.line, forwarding);
    }

    /// The program, with these options, when it has listened for others.
    pub(super) fn start(&self, options: &[&str]) -> Proxy {
        let master = self.plan.master.to_string();
        let more = ["--unicast-master", &master, "--jitter", "4ms"];
        let proxy = Proxy::start(&self.line.gateway, &[options, &more].concat());
        sleep(LISTENING);
        proxy
    }

    /// The router has other addresses on both sides, and both ends go by them.
    pub(super) fn change_router(&self) {
        let Some(before) = self.plan.routers else {
            return;
        };
        let ends = [&self.line.grandmaster, &self.line.clients];
        for ((end, port), before) in ends.into_iter().zip([UP, DOWN]).zip(before) {
            let now = match before {
                IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() - 1)),
                IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() - 1)),
            };
            let (router, prefix) = (&self.line.gateway, self.plan.prefix);
            router.add_address(port, now, prefix).unwrap();
            // Of the last address of a subnet its others are promoted.
            let promote = format!("net/ipv4/conf/{port}/promote_secondaries");
            router.sysctl(&promote, "1").unwrap();
            router.remove_address(port, before, prefix).unwrap();
            end.remove_default_route(END, before).unwrap();
            end.add_default_route(END, now).unwrap();
            end.flush_neighbours(END).unwrap();
        }
    }

    /// A ring to send whole frames from the client's end, and the MAC addresses there: the gateway's, and its own.
    pub(super) fn below(&self) -> (TxRing<()>, [[u8; 6]; 2]) {
        let open = || {
            let interface = Interface::lookup(END)?;
            TxRing::open(&interface, &TxOptions::default())
        };
        let below = &self.line.clients;
        let ring = below.run(open).unwrap().unwrap();
        let gateway = self.line.gateway.link(DOWN).unwrap().mac;
        (ring, [gateway, below.link(END).unwrap().mac])
    }

    /// A client's request.
    fn asks(&self, sequence: u16) {
        let to = SocketAddr::new(self.plan.master, EVENT);
        self.client[0].send_to(&request(sequence), to).unwrap();
    }

    /// Answers the next request, if one comes within some time; its sequenceId.
    fn answers(&self) -> Option<u16> {
        let mut bytes = [0; 200];
        let (len, from) = self.master.recv_from(&mut bytes).ok()?;
        assert_eq!((len, from.ip()), (44, self.plan.client));
        let to = SocketAddr::new(from.ip(), GENERAL);
        self.master.send_to(&answer(&bytes[..44]), to).unwrap();
        Some(u16::from_be_bytes([bytes[30], bytes[31]]))
    }

    /// The sequenceId and the correction, in nanoseconds, of each answer that came.
    fn answered(&self) -> Vec<(u16, i64)> {
        let mut heard = Vec::new();
        let mut bytes = [0; 200];
        while let Ok((len, from)) = self.client[1].recv_from(&mut bytes) {
            assert_eq!((len, from.ip()), (54, self.plan.master));
            let correction = i64::from_be_bytes(bytes[8..16].try_into().unwrap());
            let sequence = u16::from_be_bytes([bytes[30], bytes[31]]);
            heard.push((sequence, correction >> 16));
        }
        heard
    }

    /// Requests of these sequenceIds; how many of them came to the master and how many answers came back, each once.
    pub(super) fn exchange(&self, sequences: std::ops::Range<u16>) -> (usize, Vec<i64>) {
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

fn forwards(line: &Line, forwarding: bool) {
    let forwarding = if forwarding { "1" } else { "0" };
    for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
        line.gateway.sysctl(key, forwarding).unwrap();
    }
}

/// A Delay_Req, and the Delay_Resp to it.
pub(super) fn request(sequence: u16) -> [u8; 44] {
    let mut bytes = [0; 44];
    bytes[..5].copy_from_slice(&[1, 2, 0, 44, 0]);
    bytes[20..30].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, 7, 0, 1]);
    bytes[30..32].copy_from_slice(&sequence.to_be_bytes());
    bytes[32..34].copy_from_slice(&[1, 0x7F]);
    bytes
}

pub(super) fn answer(request: &[u8]) -> [u8; 54] {
    let mut bytes = [0; 54];
    bytes[..44].copy_from_slice(request);
    bytes[..4].copy_from_slice(&[9, 2, 0, 54]);
    bytes[20..30].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, 1, 0, 1]);
    bytes[32] = 3;
    bytes[44..].copy_from_slice(&request[20..30]);
    bytes
}
