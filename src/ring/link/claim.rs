//! Which interfaces a gateway holds, so that no second one joins the same two networks on this machine.
//!
//! The record is the kernel's own list of packet sockets (sock_diag(7), `packet_diag`). A gateway has one or more
//! sockets on each of its interfaces that receive nothing. They are bound to a protocol of their own, and their options
//! say whose they are. Such a socket takes CAP_NET_RAW, belongs to this network namespace, and is gone with its process,
//! however that ends. Nobody else can take the place, as they could that of a file, and none is left behind.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator,
};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};

use super::interface::Interface;
use super::{netlink, pair};
use crate::ring::os::{setup::failed, sys};
use crate::{PerPort, PerSide, Side};

/// Local Experimental EtherType 2 (IEEE 802): nothing of it is sent or received.
const PROTOCOL: u16 = 0x88B6;
/// Marks the value that says which side and domain a socket claims.
const MARK: u32 = 0x0507 << 16;
/// Domains that are claimed one by one; a longer list is claimed as all.
const DOMAINS: usize = 8;
/// Two that start together back off by different times, this often at most.
const TRIES: u32 = 6;

/// A gateway's claim of its interfaces, for as long as it lives.
#[derive(Debug)]
pub struct Claim {
    _sockets: Vec<OwnedFd>,
}

/// One socket of a claim, as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claimed {
    /// The process that claims.
    process: u32,
    /// Its interface's index.
    index: u32,
    /// Which of its sides that is.
    side: Side,
    /// The domain that it passes; `None` is all.
    domain: Option<u8>,
}

impl Claim {
    /// Claims the interfaces for these domains (none is all), beside one process that may have them as well: the one that is
    /// taken over from.
    ///
    /// # Errors
    /// Another gateway joins the same two networks, in this order or crosswise, on these interfaces or on ones that carry
    /// the same frames: one line that names its process. Or the sockets cannot be made.
    pub fn take(
        interfaces: &PerPort<&Interface>,
        domains: &[u8],
        beside: Option<u32>,
    ) -> Result<Self> {
        let mut attempt = 1;
        loop {
            // First the own claim, then the look: of two that start together at least one sees the other.
            let sockets = open(interfaces, domains)?;
            let links = netlink::read().context("reading the network interfaces by netlink")?;
            let listed = match list() {
                Ok(mut listed) => {
                    listed.retain(|claim| Some(claim.process) != beside);
                    listed
                }
                Err(error) => {
                    let remedy = match error.raw_os_error() {
                        Some(libc::ENOENT) => " (load the kernel module af_packet_diag)",
                        _ => "",
                    };
                    log::warn!(
                        "cannot tell whether another gateway runs on these interfaces: {error}{remedy}"
                    );
                    return Ok(Self { _sockets: sockets });
                }
            };
            let own = std::process::id();
            let up = interfaces.up;
            let found = interfaces.downs.iter().find_map(|down| {
                let pair = PerSide { up, down };
                Some((conflict(&links, pair, domains, &listed, own)?, down))
            });
            let Some((holder, down)) = found else {
                return Ok(Self { _sockets: sockets });
            };
            drop(sockets);
            if attempt == TRIES {
                bail!(
                    "process {holder} is a gateway between these networks already ({} and {}): stop it first, or give both \
                     separate --domain lists",
                    up.name,
                    down.name
                );
            }
            thread::sleep(Duration::from_millis(u64::from(
                5 * attempt * (1 + own % 7),
            )));
            attempt += 1;
        }
    }
}

/// The processes of gateways that join the same two networks as these interfaces, in this order or crosswise.
///
/// # Errors
/// The system's: a kernel without `packet_diag`.
pub fn gateways(interfaces: PerSide<&Interface>) -> io::Result<Vec<u32>> {
    let links = netlink::read()?;
    let mut found: Vec<u32> = Vec::new();
    let mut claims = list()?;
    while let Some(process) = conflict(&links, interfaces, &[], &claims, std::process::id()) {
        found.push(process);
        claims.retain(|claim| claim.process != process);
    }
    Ok(found)
}

/// A gateway in this network namespace, by its claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub process: u32,
    /// Its interfaces, as they are called now; `None` of one that is gone.
    pub interfaces: PerSide<Option<String>>,
}

/// Every gateway that runs in this network namespace.
///
/// # Errors
/// The system's: a kernel without `packet_diag`.
pub fn holders() -> io::Result<Vec<Holder>> {
    let links = netlink::read()?;
    let mut holders: Vec<Holder> = Vec::new();
    for claim in list()? {
        let link = links.iter().find(|link| link.index == claim.index);
        let name = link.map(|link| link.name.clone());
        let known = (holders.iter_mut()).find(|holder| holder.process == claim.process);
        match known {
            // One socket for each domain, and several interfaces downstream: each is named once.
            Some(holder) => match (&mut holder.interfaces[claim.side], name) {
                (Some(known), Some(name)) => {
                    if known.split(',').all(|one| one != name) {
                        *known = format!("{known},{name}");
                    }
                }
                (known, name) => *known = name.or(known.take()),
            },
            None => {
                let mut interfaces = PerSide::default();
                interfaces[claim.side] = name;
                holders.push(Holder {
                    process: claim.process,
                    interfaces,
                });
            }
        }
    }
    Ok(holders)
}

/// All claims in this network namespace.
///
/// # Errors
/// The system's: a kernel without `packet_diag`.
fn list() -> io::Result<Vec<Claimed>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.send(&request(), 0)?;
    let mut claims = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while let Ok(message) = NetlinkBuffer::new_checked(&rest) {
            match message.message_type() {
                NLMSG_DONE => return Ok(claims),
                NLMSG_ERROR => {
                    let code = message
                        .payload()
                        .first_chunk()
                        .map_or(0, |code| i32::from_ne_bytes(*code));
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                _ => claims.extend(claimed(message.payload())),
            }
            // Messages are aligned to four bytes.
            let length = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// The process of another gateway that joins the same networks for a domain that ours passes too.
fn conflict(
    links: &[Interface],
    ours: PerSide<&Interface>,
    domains: &[u8],
    claims: &[Claimed],
    own: u32,
) -> Option<u32> {
    let shared = |claim: &&Claimed| {
        claim.process != own
            && claim
                .domain
                .is_none_or(|domain| domains.is_empty() || domains.contains(&domain))
    };
    let meets = |claim: &Claimed, ours: &Interface| {
        claim.index == ours.index
            || (links.iter().find(|link| link.index == claim.index))
                .is_some_and(|theirs| pair::relation(links, theirs, ours).is_some())
    };
    let theirs: Vec<&Claimed> = claims.iter().filter(shared).collect();
    let (ups, downs): (Vec<_>, Vec<_>) = theirs
        .iter()
        .copied()
        .partition(|claim| claim.side == Side::Up);
    let joins = |one: &Interface, other: &Interface| {
        (ups.iter().filter(|up| meets(up, one)))
            .find(|up| {
                downs
                    .iter()
                    .any(|down| down.process == up.process && meets(down, other))
            })
            .map(|up| up.process)
    };
    joins(ours.up, ours.down).or_else(|| joins(ours.down, ours.up))
}

/// The sockets that say it.
fn open(interfaces: &PerPort<&Interface>, domains: &[u8]) -> Result<Vec<OwnedFd>> {
    let one_by_one = (1..=DOMAINS).contains(&domains.len());
    let domains: Vec<Option<u8>> = match one_by_one {
        true => domains.iter().copied().map(Some).collect(),
        false => vec![None],
    };
    let mut sockets = Vec::new();
    for (port, interface) in interfaces.iter() {
        for &domain in &domains {
            let socket = claim_socket(interface.index, port.side(), domain)
                .map_err(|error| failed(&interface.name, "claiming the interface", &error))?;
            sockets.push(socket);
        }
    }
    Ok(sockets)
}

fn claim_socket(index: u32, side: Side, domain: Option<u8>) -> io::Result<OwnedFd> {
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0)?;
    let nothing = libc::sock_filter {
        code: 0x06, // BPF_RET | BPF_K
        jt: 0,
        jf: 0,
        k: 0,
    };
    sys::attach_filter(socket.as_fd(), &[nothing])?;
    for (option, value) in [
        // Without a ring both are numbers that only a listing shows.
        (libc::PACKET_RESERVE, encode(side, domain)),
        (libc::PACKET_COPY_THRESH, std::process::id()),
    ] {
        sys::set_option(socket.as_fd(), libc::SOL_PACKET, option, &value)?;
    }
    sys::bind_packet(socket.as_fd(), index, PROTOCOL)?;
    Ok(socket)
}

fn encode(side: Side, domain: Option<u8>) -> u32 {
    let side = match side {
        Side::Up => 0,
        Side::Down => 1 << 9,
    };
    MARK | side | domain.map_or(0, |domain| 1 + u32::from(domain))
}

fn decode(value: u32) -> Option<(Side, Option<u8>)> {
    if value & !0x3FF != MARK {
        return None;
    }
    let side = if value & 1 << 9 == 0 {
        Side::Up
    } else {
        Side::Down
    };
    let domain = match value & 0x1FF {
        0 => None,
        domain => Some(u8::try_from(domain - 1).ok()?),
    };
    Some((side, domain))
}

/// SOCK_DIAG_BY_FAMILY with `struct packet_diag_req` (linux/packet_diag.h).
fn request() -> Vec<u8> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const PACKET_SHOW_INFO: u32 = 1;
    const HEADER: u32 = 16;
    const REQUEST: u32 = 20;
    let mut bytes = Vec::new();
    bytes.extend((HEADER + REQUEST).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.extend([0; 8]);
    // sdiag_family, sdiag_protocol, pad, pdiag_ino, pdiag_show, pdiag_cookie.
    bytes.extend([17, 0, 0, 0]);
    bytes.extend([0; 4]);
    bytes.extend(PACKET_SHOW_INFO.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// `struct packet_diag_msg` and its PACKET_DIAG_INFO, if it is a claim.
fn claimed(message: &[u8]) -> Option<Claimed> {
    const PACKET_DIAG_INFO: u16 = 0;
    const MESSAGE: usize = 16;
    let protocol = u16::from_ne_bytes(*message.get(2..)?.first_chunk()?);
    if protocol != PROTOCOL {
        return None;
    }
    let info = NlasIterator::new(message.get(MESSAGE..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == PACKET_DIAG_INFO)?;
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_ne_bytes(
            *info.value().get(4 * at..)?.first_chunk()?,
        ))
    };
    let (side, domain) = decode(word(2)?)?;
    Some(Claimed {
        process: word(3)?,
        index: word(0)?,
        side,
        domain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::link::interface::LinkKind;
    use crate::ring::tests::net::{in_namespace, on_veth, run, veth};

    #[test]
    fn side_and_domain_are_kept_in_one_number() {
        for side in Side::BOTH {
            for domain in [None, Some(0), Some(44), Some(255)] {
                assert_eq!(decode(encode(side, domain)), Some((side, domain)));
            }
        }
        assert_eq!(decode(0), None);
        assert_eq!(decode(MARK | 0x1FF), None, "no such domain");
    }

    fn link(index: u32, name: &str, parent: Option<u32>) -> Interface {
        Interface {
            name: name.into(),
            index,
            mac: [2, 0, 0, 0, 0, 1],
            mtu: 1500,
            up: true,
            running: true,
            loopback: false,
            hardware_type: 1,
            kind: LinkKind::Macvlan,
            master: None,
            parent,
        }
    }

    #[test]
    fn two_may_share_one_network_but_not_both() {
        let links = [
            link(1, "a", None),
            link(2, "b", None),
            link(3, "c", None),
            link(4, "on-b", Some(2)),
        ];
        let claim = |index, side, domain| Claimed {
            process: 7,
            index,
            side,
            domain,
        };
        let other =
            |up, down, domain| [claim(up, Side::Up, domain), claim(down, Side::Down, domain)];
        let ours = PerSide {
            up: &links[0],
            down: &links[1],
        };
        for (domains, other, expected) in [
            (&[][..], other(1, 2, None), true),
            (&[], other(2, 1, None), true),
            (&[], other(1, 4, None), true),
            (&[], other(4, 1, None), true),
            (&[], other(1, 3, None), false),
            (&[], other(3, 2, None), false),
            (&[], other(2, 3, None), false),
            (&[24], other(1, 2, None), true),
            (&[24], other(1, 2, Some(24)), true),
            (&[24], other(1, 2, Some(25)), false),
            (&[], other(1, 2, Some(25)), true),
        ] {
            let found = conflict(&links, ours, domains, &other, 9);
            assert_eq!(found, expected.then_some(7), "{domains:?} {other:?}");
            assert_eq!(conflict(&links, ours, domains, &other, 7), None, "its own");
        }
    }

    on_veth! {
        fn a_claim_is_seen_and_ends_with_its_sockets() {
            let (up, _far) = veth("up0", "gm0");
            let (down, _far) = veth("down0", "cl0");
            let ours = PerSide { up: &up, down: &down };
            let claim = Claim::take(&ours.into(), &[3], None).unwrap();
            let process = std::process::id();
            let expected = |side: Side, index| Claimed { process, index, side, domain: Some(3) };
            let mut listed = list().unwrap();
            listed.sort_by_key(|claim| claim.index);
            assert_eq!(listed, [expected(Side::Up, up.index), expected(Side::Down, down.index)]);
            // Another process would be refused, also over a child of an interface, and not in another domain.
            run("ip link add link down0 name mac0 type macvlan");
            let child = Interface::lookup("mac0").unwrap();
            let links = netlink::read().unwrap();
            let over = PerSide { up: &up, down: &child };
            assert_eq!(conflict(&links, over, &[], &listed, process + 1), Some(process));
            assert_eq!(conflict(&links, over, &[4], &listed, process + 1), None);
            let interfaces = PerSide { up: Some("up0".into()), down: Some("down0".into()) };
            assert_eq!(holders().unwrap(), [Holder { process, interfaces }]);
            drop(claim);
            assert_eq!(list().unwrap(), []);
        }
    }
}
