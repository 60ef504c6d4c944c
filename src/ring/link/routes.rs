//! The kernel's routes, by netlink: of RTM_NEWROUTE only the attributes needed, so that no unknown one can fail.
//!
//! The tables main and local count. Rules that look into others (policy routing, VRF) are not followed.

use std::io;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::addresses::{self, ip};
use super::interface::Interface;
use super::netlink;
use crate::core::{Route, RouteTable, Way};
use crate::ring::os::bindings::RTA_VIA;
use crate::{PerSide, Side};

/// A machine with more routes than this (a full table of the Internet's) is not read to the end.
const MOST: usize = 65_536;
/// Routes come in crowds: they are read when this time has passed since the first.
const GATHER: Duration = Duration::from_millis(50);

/// Routes, addresses and links.
const GROUPS: u32 = (libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE)
    .cast_unsigned();

/// A watch over the routes that lead out of two interfaces.
#[derive(Debug)]
pub struct RouteMonitor {
    socket: Socket,
    interfaces: PerSide<Interface>,
}

impl RouteMonitor {
    /// Watches from now on.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open(interfaces: PerSide<&Interface>) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self {
            socket,
            interfaces: interfaces.map(Clone::clone),
        })
    }

    /// Waits until something may have changed.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self) -> io::Result<()> {
        loop {
            match self.socket.recv(&mut Vec::with_capacity(1 << 12), 0) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel dropped notifications.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => break,
                Err(error) => return Err(error),
            }
        }
        sleep(GATHER);
        loop {
            match self
                .socket
                .recv(&mut Vec::with_capacity(1 << 12), libc::MSG_DONTWAIT)
            {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted
                        || error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
    }

    /// The routes as they are now.
    ///
    /// # Errors
    /// The system's, or there are too many.
    pub fn read(&mut self) -> io::Result<RouteTable> {
        self.follow_interfaces()?;
        let indices = PerSide::from_fn(|side| self.interfaces[side].index);
        let mut own = PerSide::<Vec<IpAddr>>::default();
        addresses::each(&mut |index, ip| {
            if let Some(side) = side_of(indices, index) {
                own[side].push(ip);
            }
        })?;
        let mut routes = Vec::new();
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        netlink::dump_each(request, &mut |kind, payload| {
            if kind == libc::RTM_NEWROUTE && routes.len() <= MOST {
                routes.extend(route(payload, indices));
            }
        })?;
        if routes.len() > MOST {
            return Err(io::Error::other(format!("more than {MOST} routes")));
        }
        Ok(RouteTable::new(routes, own))
    }

    /// Interfaces may have another index, made anew under their name, or another name.
    fn follow_interfaces(&mut self) -> io::Result<()> {
        let links = netlink::read()?;
        for (_, watched) in self.interfaces.iter_mut() {
            let same = links.iter().find(|link| link.index == watched.index);
            let named = || links.iter().find(|link| link.name == watched.name);
            if let Some(now) = same.or_else(named) {
                *watched = now.clone();
            }
        }
        Ok(())
    }
}

fn side_of(indices: PerSide<u32>, index: u32) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| indices[*side] == index)
}

/// Bytes of struct rtmsg and struct rtnexthop.
const HEADER: usize = 12;
const NEXT_HOP: usize = 8;
/// `linux/rtnetlink.h`.
const RT_TABLE_MAIN: u32 = 254;
const RT_TABLE_LOCAL: u32 = 255;
const RTN_UNICAST: u8 = 1;
const RTN_BROADCAST: u8 = 3;
/// A cached one.
const RTM_F_CLONED: u32 = 0x200;
/// Its interface is gone.
const RTNH_F_DEAD: u32 = 1;

fn route(payload: &[u8], indices: PerSide<u32>) -> Option<Route> {
    let (header, attributes) = payload.split_first_chunk::<HEADER>()?;
    let [family, prefix, source, _, table, _, _, kind, f0, f1, f2, f3] = *header;
    let any = match i32::from(family) {
        libc::AF_INET => IpAddr::from([0; 4]),
        libc::AF_INET6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    // A route for some sources only is no route for all.
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    if source != 0 || flags & (RTM_F_CLONED | RTNH_F_DEAD) != 0 {
        return None;
    }
    let mut table = u32::from(table);
    let mut route = Route {
        network: any,
        prefix,
        metric: 0,
        way: Way::Elsewhere,
    };
    let mut hop = Hop::default();
    for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            libc::RTA_DST => route.network = ip(value)?,
            libc::RTA_PRIORITY => route.metric = number(value)?,
            libc::RTA_TABLE => table = number(value)?,
            libc::RTA_MULTIPATH => hop = first_of(value)?,
            kind => hop.take(kind, value),
        }
    }
    if table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL {
        return None;
    }
    route.way = match kind {
        RTN_BROADCAST => Way::Broadcast,
        RTN_UNICAST => (hop.index.and_then(|index| side_of(indices, index)))
            .map_or(Way::Elsewhere, |side| Way::Out(side, hop.gateway)),
        _ => Way::Elsewhere,
    };
    Some(route)
}

/// Where a route leads to.
#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    index: Option<u32>,
    gateway: Option<IpAddr>,
}

impl Hop {
    fn take(&mut self, kind: u16, value: &[u8]) {
        match kind {
            libc::RTA_OIF => self.index = number(value),
            libc::RTA_GATEWAY => self.gateway = ip(value),
            // Of the other IP version: its family comes first.
            RTA_VIA => self.gateway = value.get(2..).and_then(ip),
            _ => {}
        }
    }
}

/// The first of several next hops.
fn first_of(value: &[u8]) -> Option<Hop> {
    let (header, rest) = value.split_first_chunk::<NEXT_HOP>()?;
    let [l0, l1, _, _, i0, i1, i2, i3] = *header;
    let mut hop = Hop {
        index: Some(u32::from_ne_bytes([i0, i1, i2, i3])),
        gateway: None,
    };
    let len = usize::from(u16::from_ne_bytes([l0, l1])).checked_sub(NEXT_HOP)?;
    for attribute in NlasIterator::new(rest.get(..len)?).map_while(Result::ok) {
        hop.take(attribute.kind(), attribute.value());
    }
    Some(hop)
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|value| u32::from_ne_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INDICES: PerSide<u32> = PerSide { up: 7, down: 9 };

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(prefix: u8, kind: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let header = [2, prefix, 0, 0, 254, 0, 0, kind, 0, 0, 0, 0];
        [&header[..], &attributes.concat()].concat()
    }

    #[test]
    fn routes_are_read() {
        let via: IpAddr = "10.0.2.254".parse().unwrap();
        let network = attribute(libc::RTA_DST, &[10, 9, 0, 0]);
        let out = attribute(libc::RTA_OIF, &9_u32.to_ne_bytes());
        let gateway = attribute(libc::RTA_GATEWAY, &[10, 0, 2, 254]);
        let metric = attribute(libc::RTA_PRIORITY, &100_u32.to_ne_bytes());
        let by = message(
            16,
            RTN_UNICAST,
            &[network.clone(), out.clone(), gateway.clone(), metric],
        );
        let read = route(&by, INDICES).unwrap();
        let expected = Route {
            network: "10.9.0.0".parse().unwrap(),
            prefix: 16,
            metric: 100,
            way: Way::Out(Side::Down, Some(via)),
        };
        assert_eq!(read, expected);
        let way = |message: &[u8]| route(message, INDICES).map(|route| route.way);
        let plain = message(0, RTN_UNICAST, std::slice::from_ref(&out));
        assert_eq!(way(&plain), Some(Way::Out(Side::Down, None)));
        assert_eq!(
            way(&message(24, 6, std::slice::from_ref(&network))),
            Some(Way::Elsewhere),
            "blackhole"
        );
        assert_eq!(
            way(&message(32, 3, &[network.clone(), out.clone()])),
            Some(Way::Broadcast)
        );
        let other = attribute(libc::RTA_OIF, &3_u32.to_ne_bytes());
        assert_eq!(
            way(&message(24, RTN_UNICAST, &[other])),
            Some(Way::Elsewhere)
        );
        let table = attribute(libc::RTA_TABLE, &100_u32.to_ne_bytes());
        assert_eq!(
            way(&message(24, RTN_UNICAST, &[out, table])),
            None,
            "another table"
        );
        let mut hop = [16_u16.to_ne_bytes(), [0; 2]].concat();
        hop.extend(7_u32.to_ne_bytes());
        hop.extend(&gateway);
        let several = attribute(libc::RTA_MULTIPATH, &[hop.clone(), hop].concat());
        let several = message(16, RTN_UNICAST, &[network, several]);
        assert_eq!(way(&several), Some(Way::Out(Side::Up, Some(via))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = route(&bytes, INDICES);
        }
    }
}
