//! What the loop asks of the machine beside its ports and its clock.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use super::pacer::Wait;
use super::reload::Order;
use super::wake::{Wake, Wakes};
use crate::core::RouteTable;
use crate::ring::{Interface, KeeperNews, LinkChange};
use crate::time::Instant;
use crate::{PortId, Side};

/// The machine around the loop: sleeping, and what can happen beside frames. Real in
/// [`Machine`](super::machine::Machine), scripted in tests.
pub(super) trait Outside {
    /// Waits as decided, after a turn that began at `started` and ended at `now`; notes what happens meanwhile.
    ///
    /// # Errors
    /// The system's: the loop cannot go on.
    fn wait(
        &mut self,
        wait: Wait,
        started: Instant,
        now: Instant,
        wakes: &mut Wakes,
    ) -> io::Result<()>;

    /// Notes what has happened, without waiting.
    ///
    /// # Errors
    /// The system's: the loop cannot go on.
    fn look(&mut self, wakes: &mut Wakes) -> io::Result<()>;

    /// After [`Wake::ClockSet`]: whether the clock was set since the last call.
    fn clock_was_set(&mut self) -> bool;

    /// After [`Wake::Links`]: what became of the interfaces.
    ///
    /// # Errors
    /// The system's: interfaces could not be read.
    fn link_changes(&mut self, sink: &mut dyn FnMut(PortId, &LinkChange)) -> io::Result<()>;

    /// Has the interfaces' hardware timestamps switched on again, unless they are. That they were not is in the news.
    fn put_stamping_right(&mut self);

    /// After [`Wake::Keeper`]: what else is new of the process that keeps hardware timestamps on.
    fn keeper_news(&mut self) -> Option<KeeperNews>;

    /// An interface was made anew or has another name.
    ///
    /// # Errors
    /// In words: another hardware clock takes its timestamps.
    fn follow_stamping(&mut self, side: Side, now: &Interface) -> Result<(), String>;

    /// After [`Wake::Links`]: the IP addresses of this machine.
    ///
    /// # Errors
    /// The system's: they could not be read.
    fn own_addresses(&self) -> io::Result<Vec<IpAddr>>;

    /// Has neighbour discovery for these addresses, and for no others, come in on a port. False when a part of it is left
    /// for another call.
    ///
    /// # Errors
    /// The system's.
    fn seek(&mut self, port: PortId, addresses: &[Ipv6Addr]) -> io::Result<bool>;

    /// After [`Wake::Routes`]: the routes that are in force now.
    fn routes(&mut self) -> Option<RouteTable>;

    /// After [`Wake::Orders`]: the next new settings.
    /// Whether orders wait, as far as it can be told without a system call.
    fn has_orders(&self) -> bool;

    /// After [`Wake::Orders`]: the next one.
    fn next_order(&mut self) -> Option<Order>;
}

/// What is dealt with before anything has happened: interfaces may have changed since they were opened.
pub(super) fn at_start() -> Wakes {
    let mut wakes = Wakes::default();
    wakes.note(Wake::Links);
    wakes.note(Wake::Orders);
    wakes.note(Wake::Routes);
    wakes
}
