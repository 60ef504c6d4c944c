//! Reports when our interfaces change: netlink's link notifications.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::interface::Interface;
use super::netlink::{self, LinkNews};
use crate::{PerPort, PortId};

/// A watch over our interfaces. The descriptor is readable when there is news of any interface or IP address.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    watches: PerPort<Watch>,
}

/// Links, and IP addresses: of these the descriptor tells, and who reads it looks at them anew.
const GROUPS: u32 =
    (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR).cast_unsigned();

/// What happened to a watched interface; with how it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// Up, down, link lost or found, another MTU or address.
    Changed(Interface),
    /// It has another name; rings stay bound to it.
    Renamed(Interface),
    /// It was deleted, or moved to another namespace.
    Gone,
    /// After it was gone, there is one of its name again: rings must be bound to it.
    Recreated(Interface),
}

impl Monitor {
    /// Watches these interfaces, from how they are described here. Call [`Self::changes`] once at the
    /// start: it reports what happened between that description and this call.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open(interfaces: PerPort<&Interface>) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        socket.set_non_blocking(true)?;
        let watches = interfaces.map(|interface| Watch {
            stale: true,
            ..Watch::new(interface)
        });
        Ok(Self { socket, watches })
    }

    /// Reports the changes since the last call, each with the port of its interface. Never waits.
    ///
    /// # Errors
    /// The system's, when the interfaces could not be read.
    pub fn changes(&mut self, sink: &mut dyn FnMut(PortId, LinkChange)) -> io::Result<()> {
        let mut again = self.watches.iter().any(|(_, watch)| watch.stale);
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => {
                    netlink::each(&bytes, &mut |news| report(&mut self.watches, &news, sink));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel dropped notifications: look for ourselves.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => again = true,
                Err(error) => return Err(error),
            }
        }
        if again {
            resync(&mut self.watches, netlink::read()?, sink);
        }
        Ok(())
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[derive(Debug)]
struct Watch {
    last: Interface,
    gone: bool,
    /// To be compared with the kernel's list at the next call.
    stale: bool,
}

impl Watch {
    fn new(link: &Interface) -> Self {
        Self {
            last: link.clone(),
            gone: false,
            stale: false,
        }
    }
    /// What the news means for this one.
    fn change(&mut self, news: &LinkNews) -> Option<LinkChange> {
        match news {
            LinkNews::Is(now) if !self.gone && now.index == self.last.index => {
                if *now == self.last {
                    return None;
                }
                let renamed = now.name != self.last.name;
                self.last = now.clone();
                Some(if renamed {
                    LinkChange::Renamed(now.clone())
                } else {
                    LinkChange::Changed(now.clone())
                })
            }
            LinkNews::Is(now) if self.gone && now.name == self.last.name => {
                self.gone = false;
                self.last = now.clone();
                Some(LinkChange::Recreated(now.clone()))
            }
            LinkNews::Gone(index) if !self.gone && *index == self.last.index => {
                self.gone = true;
                Some(LinkChange::Gone)
            }
            _ => None,
        }
    }
}

fn report(watches: &mut PerPort<Watch>, news: &LinkNews, sink: &mut dyn FnMut(PortId, LinkChange)) {
    for (port, watch) in watches.iter_mut() {
        if let Some(change) = watch.change(news) {
            sink(port, change);
        }
    }
}

fn resync(
    watches: &mut PerPort<Watch>,
    links: Vec<Interface>,
    sink: &mut dyn FnMut(PortId, LinkChange),
) {
    for (port, watch) in watches.iter_mut() {
        watch.stale = false;
        let lost = LinkNews::Gone(watch.last.index);
        if links.iter().all(|link| link.index != watch.last.index)
            && let Some(change) = watch.change(&lost)
        {
            sink(port, change);
        }
    }
    for link in links {
        report(watches, &LinkNews::Is(link), sink);
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::LinkKind;
    use super::*;

    fn link(index: u32, name: &str) -> Interface {
        Interface {
            name: name.into(),
            index,
            mac: [0; 6],
            mtu: 1500,
            up: true,
            running: true,
            loopback: false,
            hardware_type: 1,
            kind: LinkKind::Physical,
            master: None,
            parent: None,
        }
    }

    fn watches() -> PerPort<Watch> {
        crate::PerSide {
            up: Watch::new(&link(2, "eth0")),
            down: Watch::new(&link(3, "eth1")),
        }
        .into()
    }

    fn reports(news: &[LinkNews]) -> Vec<(PortId, LinkChange)> {
        let mut watches = watches();
        let mut changes = Vec::new();
        for news in news {
            let mut sink = |side, change| changes.push((side, change));
            report(&mut watches, news, &mut sink);
        }
        changes
    }

    #[test]
    fn only_real_changes_of_watched_interfaces_are_reported() {
        let down = Interface {
            running: false,
            ..link(3, "eth1")
        };
        let changes = reports(&[
            LinkNews::Is(link(2, "eth0")),
            LinkNews::Is(link(9, "eth9")),
            LinkNews::Is(down.clone()),
            LinkNews::Is(down.clone()),
            LinkNews::Gone(9),
            LinkNews::Is(link(2, "wan")),
        ]);
        assert_eq!(
            changes,
            [
                (PortId::Down(0), LinkChange::Changed(down)),
                (PortId::Up, LinkChange::Renamed(link(2, "wan"))),
            ]
        );
    }

    #[test]
    fn deleted_and_made_again() {
        let changes = reports(&[
            LinkNews::Gone(2),
            LinkNews::Gone(2),
            LinkNews::Is(link(2, "other")),
            LinkNews::Is(link(7, "eth0")),
            LinkNews::Is(link(7, "eth0")),
        ]);
        assert_eq!(
            changes,
            [
                (PortId::Up, LinkChange::Gone),
                (PortId::Up, LinkChange::Recreated(link(7, "eth0"))),
            ]
        );
    }

    #[test]
    fn lost_notifications_are_made_up_for() {
        let mut changes = Vec::new();
        resync(
            &mut watches(),
            vec![link(8, "eth0"), link(3, "eth1")],
            &mut |side, change| changes.push((side, change)),
        );
        assert_eq!(
            changes,
            [
                (PortId::Up, LinkChange::Gone),
                (PortId::Up, LinkChange::Recreated(link(8, "eth0"))),
            ]
        );
    }
}
