//! Tells when our interfaces change: netlink's link notifications.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::interface::Interface;
use super::links::{self, LinkNews};

/// A watch over some interfaces. The descriptor is readable when there is news of any interface.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    watches: Vec<Watch>,
}

/// What happened to a watched interface; `which` is its place in the list given to [`Monitor::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// Up, down, link lost or found, another MTU or address.
    Changed {
        /// Which one.
        which: usize,
        /// How it is now.
        now: Interface,
    },
    /// It has another name; rings stay bound to it.
    Renamed {
        /// Which one.
        which: usize,
        /// How it is now.
        now: Interface,
    },
    /// It was deleted, or moved to another namespace.
    Gone {
        /// Which one.
        which: usize,
    },
    /// After it was gone, there is one of its name again: rings want to be bound to it.
    Recreated {
        /// Which one.
        which: usize,
        /// How it is now.
        now: Interface,
    },
}

impl Monitor {
    /// Watches these interfaces, from how they are described here. Call [`Self::changes`] once at the
    /// start: it tells what happened between that description and this call.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open(interfaces: &[&Interface]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let group = u32::try_from(libc::RTMGRP_LINK).unwrap_or(1);
        socket.bind(&SocketAddr::new(0, group))?;
        socket.set_non_blocking(true)?;
        let mut watches: Vec<Watch> = interfaces.iter().map(|link| Watch::new(link)).collect();
        for watch in &mut watches {
            watch.stale = true;
        }
        Ok(Self { socket, watches })
    }

    /// Reports the changes since the last call. Never waits.
    ///
    /// # Errors
    /// The system's, when the interfaces could not be read.
    pub fn changes(&mut self, sink: &mut dyn FnMut(LinkChange)) -> io::Result<()> {
        let mut again = self.watches.iter().any(|watch| watch.stale);
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => {
                    links::each(&bytes, &mut |news| tell(&mut self.watches, &news, sink))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel dropped notifications: look for ourselves.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => again = true,
                Err(error) => return Err(error),
            }
        }
        if again {
            resync(&mut self.watches, links::read()?, sink);
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
}

fn tell(watches: &mut [Watch], news: &LinkNews, sink: &mut dyn FnMut(LinkChange)) {
    for (which, watch) in watches.iter_mut().enumerate() {
        match news {
            LinkNews::Is(now) if !watch.gone && now.index == watch.last.index => {
                if *now == watch.last {
                    continue;
                }
                let renamed = now.name != watch.last.name;
                watch.last = now.clone();
                let now = now.clone();
                sink(if renamed {
                    LinkChange::Renamed { which, now }
                } else {
                    LinkChange::Changed { which, now }
                });
            }
            LinkNews::Is(now) if watch.gone && now.name == watch.last.name => {
                watch.gone = false;
                watch.last = now.clone();
                sink(LinkChange::Recreated {
                    which,
                    now: now.clone(),
                });
            }
            LinkNews::Gone(index) if !watch.gone && *index == watch.last.index => {
                watch.gone = true;
                sink(LinkChange::Gone { which });
            }
            _ => {}
        }
    }
}

fn resync(watches: &mut [Watch], links: Vec<Interface>, sink: &mut dyn FnMut(LinkChange)) {
    for watch in watches.iter_mut() {
        watch.stale = false;
    }
    let lost: Vec<u32> = watches
        .iter()
        .map(|watch| watch.last.index)
        .filter(|index| links.iter().all(|link| link.index != *index))
        .collect();
    for index in lost {
        tell(watches, &LinkNews::Gone(index), sink);
    }
    for link in links {
        tell(watches, &LinkNews::Is(link), sink);
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::Kind;
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
            kind: Kind::Physical,
            master: None,
            parent: None,
        }
    }

    fn tell_all(watches: &mut [Watch], news: &[LinkNews]) -> Vec<LinkChange> {
        let mut changes = Vec::new();
        for news in news {
            tell(watches, news, &mut |change| changes.push(change));
        }
        changes
    }

    #[test]
    fn only_real_changes_of_watched_interfaces_are_told() {
        let mut watches = [Watch::new(&link(2, "eth0")), Watch::new(&link(3, "eth1"))];
        let down = Interface {
            running: false,
            ..link(3, "eth1")
        };
        let changes = tell_all(
            &mut watches,
            &[
                LinkNews::Is(link(2, "eth0")),
                LinkNews::Is(link(9, "eth9")),
                LinkNews::Is(down.clone()),
                LinkNews::Is(down.clone()),
                LinkNews::Gone(9),
                LinkNews::Is(link(2, "wan")),
            ],
        );
        assert_eq!(
            changes,
            [
                LinkChange::Changed {
                    which: 1,
                    now: down
                },
                LinkChange::Renamed {
                    which: 0,
                    now: link(2, "wan")
                },
            ]
        );
    }

    #[test]
    fn deleted_and_made_again() {
        let mut watches = [Watch::new(&link(2, "eth0"))];
        let changes = tell_all(
            &mut watches,
            &[
                LinkNews::Gone(2),
                LinkNews::Gone(2),
                LinkNews::Is(link(2, "other")),
                LinkNews::Is(link(7, "eth0")),
                LinkNews::Is(link(7, "eth0")),
            ],
        );
        assert_eq!(
            changes,
            [
                LinkChange::Gone { which: 0 },
                LinkChange::Recreated {
                    which: 0,
                    now: link(7, "eth0")
                },
            ]
        );
    }

    #[test]
    fn lost_notifications_are_made_up_for() {
        let mut watches = [Watch::new(&link(2, "eth0")), Watch::new(&link(3, "eth1"))];
        let mut changes = Vec::new();
        resync(
            &mut watches,
            vec![link(8, "eth0"), link(3, "eth1")],
            &mut |change| changes.push(change),
        );
        assert_eq!(
            changes,
            [
                LinkChange::Gone { which: 0 },
                LinkChange::Recreated {
                    which: 0,
                    now: link(8, "eth0")
                },
            ]
        );
    }
}
