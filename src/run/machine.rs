//! The machine around the loop, by system calls.

use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context as _, Result};
use log::{info, warn};
use mio::Token;

use super::hand_over::Beside;
use super::outside::Outside;
use super::pacer::Wait;
use super::reload::{Order, Orders};
use super::routes::RouteNews;
use super::signals::Signals;
use super::waiter::{self, Waiter};
use super::wake::{Wake, Wakes};
use crate::core::RouteTable;
use crate::ring::{
    ClockSetWatch, GroupMembership, Interface, KeeperNews, LinkChange, Monitor, NotJoined,
    SilentPorts, SolicitedGroups, Stamping, own_addresses,
};
use crate::time::Instant;
use crate::{PerPort, PortId, Side};

/// What the machine keeps open for the loop. Dropped, it gives the interfaces their former settings back.
pub(super) struct Machine {
    waiter: Waiter,
    watches: Watches,
    links: Links,
    stamping: Stamping,
    routes: Option<RouteNews>,
}

/// What is watched and joined of the interfaces, beside the rings.
pub(super) struct Links {
    monitor: Monitor,
    groups: PerPort<GroupMembership>,
    sought: PerPort<SolicitedGroups>,
}

/// What is watched from before the first port is open.
pub(super) struct Watches {
    signals: Signals,
    clock_set: ClockSetWatch,
    orders: Orders,
}

impl Watches {
    pub(super) const fn new(signals: Signals, clock_set: ClockSetWatch, orders: Orders) -> Self {
        Self {
            signals,
            clock_set,
            orders,
        }
    }
}

impl Links {
    /// Watches the interfaces, and joins their PTP groups.
    pub(super) fn join(interfaces: PerPort<&Interface>) -> Result<Self> {
        let joined = interfaces.clone().map(GroupMembership::join);
        let missing = interfaces.iter().zip(joined.iter());
        let missing =
            missing.map(|((_, interface), (_, joined))| (interface.name.as_str(), &joined.1));
        for (warns, line) in lines(missing) {
            match warns {
                true => warn!("{line}"),
                false => info!("{line}"),
            }
        }
        Ok(Self {
            groups: joined.map(|(groups, _)| groups),
            sought: interfaces.clone().map(SolicitedGroups::new),
            monitor: Monitor::open(interfaces).context("watching the links")?,
        })
    }
}

impl Machine {
    /// Watches everything, the receive rings with it.
    pub(super) fn new(
        watches: Watches,
        links: Links,
        receive: Vec<RawFd>,
        stamping: Stamping,
        routes: Option<RouteNews>,
    ) -> io::Result<Self> {
        // The transmit sockets are not watched: waking a sleeper between a frame's transmit timestamp and its
        // arrival would add to what every cable shows. Late timestamps are found by polling.
        let waiter = Waiter::new(receive)?;
        let machine = Self {
            waiter,
            watches,
            links,
            stamping,
            routes,
        };
        for (place, wake) in Wake::ALL.into_iter().enumerate() {
            if let Some(descriptor) = machine.descriptor(wake) {
                machine.waiter.watch(descriptor, Token(place))?;
            }
        }
        Ok(machine)
    }

    /// What another process needs of it.
    pub(super) fn beside<'a>(
        &'a self,
        metrics: Option<&'a TcpListener>,
        silent: Option<&'a SilentPorts>,
    ) -> Beside<'a> {
        Beside {
            clock_set: &self.watches.clock_set,
            metrics,
            groups: self.links.groups.iter().map(|(_, groups)| groups).collect(),
            silent,
        }
    }

    /// Who takes timestamps, and why.
    pub(super) const fn stamping(&self) -> &Stamping {
        &self.stamping
    }

    fn descriptor(&self, wake: Wake) -> Option<RawFd> {
        Some(match wake {
            Wake::Stop => self.watches.signals.as_raw_fd(),
            Wake::ClockSet => self.watches.clock_set.as_raw_fd(),
            Wake::Links => self.links.monitor.as_raw_fd(),
            Wake::Orders => self.watches.orders.as_raw_fd(),
            Wake::Routes => self.routes.as_ref()?.as_raw_fd(),
            Wake::Keeper => return self.stamping.keeper_descriptor(),
        })
    }
}

impl Outside for Machine {
    fn wait(
        &mut self,
        wait: Wait,
        started: Instant,
        now: Instant,
        wakes: &mut Wakes,
    ) -> io::Result<()> {
        let happened = |token| note(token, wakes);
        match wait {
            Wait::No => {}
            Wait::Frame(due) => self.waiter.wait_for_frame(due, now, happened)?,
            Wait::Sweep(interval) => waiter::sweep(interval, now.since(started)),
            Wait::Until(due) => self.waiter.wait_until(due, now, happened)?,
            Wait::Exactly(due, frames) => {
                self.waiter.wait_exactly(due, frames, now, happened)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, wakes: &mut Wakes) -> io::Result<()> {
        self.waiter.look(|token| note(token, wakes))
    }

    fn clock_was_set(&mut self) -> bool {
        self.watches.clock_set.was_set()
    }

    fn link_changes(&mut self, sink: &mut dyn FnMut(PortId, &LinkChange)) -> io::Result<()> {
        let Links {
            monitor,
            groups,
            sought,
        } = &mut self.links;
        monitor.changes(&mut |port, change| {
            sink(port, &change);
            // Memberships ended with the old one.
            if let LinkChange::Recreated(interface) = &change {
                groups[port] = join(interface);
                sought[port] = SolicitedGroups::new(interface);
            }
        })
    }

    fn put_stamping_right(&mut self) {
        self.stamping.put_right();
    }

    fn keeper_news(&mut self) -> Option<KeeperNews> {
        self.stamping.keeper_news()
    }

    fn follow_stamping(&mut self, side: Side, now: &Interface) -> Result<(), String> {
        self.stamping.follow(side, now)
    }

    fn own_addresses(&self) -> io::Result<Vec<IpAddr>> {
        own_addresses()
    }

    fn seek(&mut self, port: PortId, addresses: &[Ipv6Addr]) -> io::Result<bool> {
        self.links.sought[port].follow(addresses)
    }

    fn routes(&mut self) -> Option<RouteTable> {
        self.routes.as_ref()?.last()
    }

    fn has_orders(&self) -> bool {
        self.watches.orders.are_waiting()
    }

    fn next_order(&mut self) -> Option<Order> {
        self.watches.orders.next()
    }
}

/// The token of a [`Wake`] is its place in [`Wake::ALL`].
fn note(token: Token, wakes: &mut Wakes) {
    if let Some(&wake) = Wake::ALL.get(token.0) {
        wakes.note(wake);
    }
}

/// Joins again, on an interface that has come back.
fn join(interface: &Interface) -> GroupMembership {
    let (groups, missing) = GroupMembership::join(interface);
    for one in missing.iter().filter(|one| !one.is_absent()) {
        warn!("{}: {one}", interface.name);
    }
    groups
}

/// What is said at the start about groups that were not joined, and whether it is a warning: one line for what holds on
/// several interfaces.
fn lines<'a>(missing: impl Iterator<Item = (&'a str, &'a Vec<NotJoined>)>) -> Vec<(bool, String)> {
    let mut all: Vec<(bool, String, Vec<&str>)> = Vec::new();
    for (name, missing) in missing {
        for one in missing {
            let text = one.to_string();
            match all.iter_mut().find(|(_, known, _)| *known == text) {
                Some((.., names)) => names.push(name),
                None => all.push((!one.is_absent(), text, vec![name])),
            }
        }
    }
    let lines = all.into_iter().map(|(warns, text, names)| match warns {
        false => (false, text),
        true => (true, format!("{}: {text}", names.join(" and "))),
    });
    lines.collect()
}
