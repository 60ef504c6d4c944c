//! Unicast PTP between two subnets: the gateway is the router that both sides send to.
//!
//! Which way an address is comes from the kernel's routes; who has the next hop's address is asked for by questions of
//! our own. A message that may pass has its MAC addresses and its TTL rewritten as it leaves; until then it is the
//! message that came, for the policy as for any other.
//!
//! | file | one idea |
//! |---|---|
//! | `routes` | the kernel's routes: where an address leads |
//! | `hops` | who has the next hop's address |
//! | `waiting` | messages for a next hop that was asked for |

mod hops;
mod routes;
mod waiting;

use std::net::IpAddr;

use crate::Side;
use crate::core::table::Secret;
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::telemetry::HopState;
use crate::time::Instant;
use crate::wire::{Address, Frame, Mac, Neighbour, Probe, Said};

pub(crate) use hops::Hop;
use hops::{Hops, Known};
use routes::is_martian;
pub use routes::{Route, RouteTable, Way};
use waiting::Waiting;

/// A message without a next hop waits for no longer than the questions take: then it is dropped.
const LONGEST_NS: u64 = 2_000_000_000;
/// Bounds of the table of next hops.
const LEAST: u32 = 256;
const MOST: u32 = 65_536;
/// Masters and routers beside the clients.
const BESIDE: u32 = 64;

/// Next hops that the table holds with this many clients.
pub(crate) fn capacity(max_clients: u32) -> u32 {
    max_clients.saturating_add(BESIDE).clamp(LEAST, MOST)
}

/// The next hops of a message and of an answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) to: Hop,
    pub(crate) back: Hop,
}

/// See the module.
pub(crate) struct Routed {
    table: RouteTable,
    /// Changes with this machine's own addresses.
    version: u64,
    hops: Hops,
    waiting: Waiting,
    /// A message may wait no longer.
    news: bool,
}

impl Routed {
    /// Without a route. All memory is reserved here, but for the routes.
    pub(crate) fn new(max_clients: u32, secret: Secret) -> Self {
        Self {
            table: RouteTable::default(),
            version: 0,
            hops: Hops::new(capacity(max_clients), secret),
            waiting: Waiting::new(),
            news: false,
        }
    }

    /// Goes on with these routes.
    pub(crate) fn set_routes(&mut self, table: RouteTable) {
        if !table.own().eq(self.table.own()) {
            self.version += 1;
        }
        self.table = table;
        self.news = true;
    }

    /// This machine's own addresses on both sides, and what changes with them.
    pub(crate) fn own(&self) -> (u64, impl Iterator<Item = IpAddr>) {
        (self.version, self.table.own())
    }

    /// What others may see.
    pub(crate) fn state(&self) -> HopState {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let (known, asked) = self.hops.counts();
        HopState {
            routes: count(self.table.len()),
            known: count(known),
            asked: count(asked),
            waiting: count(self.waiting.len()),
        }
    }

    /// Which way a message goes that has our MAC address and another's IP address, and which way its answer.
    ///
    /// # Errors
    /// A router would not forward it, or not between these two sides.
    pub(crate) fn ways(&self, frame: &Frame<'_>, side: Side) -> Result<Ways, Reason> {
        // A tag makes it another network's, for the kernel as well.
        if frame.lane().vlans() != [None; 2] {
            return Err(Reason::Routed);
        }
        let source = ip(frame.source()).ok_or(Reason::ToHost)?;
        let destination = ip(frame.destination()).ok_or(Reason::ToHost)?;
        if is_martian(source) || is_martian(destination) {
            return Err(Reason::Martian);
        }
        if frame.has_ip_options() {
            return Err(Reason::IpOptions);
        }
        if frame.hops_left() <= 1 {
            return Err(Reason::Ttl);
        }
        let to = match self.table.find(destination) {
            Some(Way::Out(to, gateway)) if to == side.other() => Hop {
                side: to,
                ip: gateway.unwrap_or(destination),
            },
            Some(Way::Broadcast) => return Err(Reason::Martian),
            _ => return Err(Reason::NoRoute),
        };
        match self.table.find(source) {
            Some(Way::Out(from, gateway)) if from == side => {
                let ip = gateway.unwrap_or(source);
                let back = Hop { side, ip };
                Ok(Ways { to, back })
            }
            Some(Way::Broadcast) => Err(Reason::Martian),
            _ => Err(Reason::ReversePath),
        }
    }

    /// Whether the next hop can be sent to.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn can_send(&self, hop: Hop) -> Result<(), Reason> {
        match self.hops.look(hop) {
            Known::Yes => Ok(()),
            Known::Soon | Known::No => Err(Reason::NoNeighbour),
        }
    }

    /// Whether a message waits for its next hop, and is kept until that answers. If it does not wait, it passes or is
    /// dropped at once ([`Self::can_send`]).
    pub(crate) fn waits(&mut self, frame: &Frame<'_>, arrival: &Arrival, hop: Hop) -> bool {
        match self.hops.want_for_message(hop, arrival.now) {
            Known::No => false,
            Known::Yes if !self.waiting.any_for(hop) => false,
            Known::Yes | Known::Soon => self.waiting.keep(frame.bytes(), arrival, hop),
        }
    }

    /// An answer will go there: it is asked once who has the address.
    pub(crate) fn will_answer(&mut self, hop: Hop, now: Instant) {
        let _ = self.hops.want(hop, 1, now);
    }

    /// The questions that are open stay without an answer; what waits for one waits no longer.
    pub(crate) fn ask_no_more(&mut self) {
        self.hops.ask_no_more();
        self.news = true;
    }

    /// ARP or neighbour discovery came in, from a station that has an address.
    pub(crate) fn hears(&mut self, message: &Neighbour<'_>, side: Side, now: Instant) {
        let Some(ip) = message.sender() else {
            return;
        };
        if message.lane().vlans() != [None; 2] {
            return;
        }
        let asked = match message.said() {
            Said::WhoHas(ip) => Some(ip),
            Said::IHave(ip) => ip,
        };
        let to_us = asked.is_some_and(|asked| self.table.own().any(|own| own == asked));
        self.news |= self
            .hops
            .hears(Hop { side, ip }, message.source(), to_us, now);
    }

    /// The MAC address that a message for this one leaves for, out by this side.
    ///
    /// # Errors
    /// Its route has changed, or its next hop is gone.
    pub(crate) fn mac(&self, destination: IpAddr, side: Side) -> Result<Mac, Reason> {
        let ip = match self.table.find(destination) {
            Some(Way::Out(to, gateway)) if to == side => gateway.unwrap_or(destination),
            _ => return Err(Reason::NoRoute),
        };
        let mac = self.hops.mac(Hop { side, ip });
        mac.ok_or(Reason::NoNeighbour)
    }

    // Time.

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.news |= self.hops.advance(now);
    }

    /// When there is something to do; `present` if there is now.
    pub(crate) fn next_due(&self, present: Instant) -> Option<Instant> {
        if self.has_work() {
            return Some(present);
        }
        self.hops.next_due()
    }

    /// Whether there is a question to be sent, or a message that may wait no longer.
    pub(crate) fn has_work(&self) -> bool {
        self.hops.has_questions() || self.news && !self.waiting.is_empty()
    }

    /// The next question, and the side that it leaves by.
    pub(crate) fn next_question(&mut self) -> Option<(Side, Probe)> {
        loop {
            let (hop, to) = self.hops.next_question()?;
            // Without an address of our own nobody could answer.
            if let Some(from) = self.table.own_for(hop.side, hop.ip) {
                return Some((hop.side, Probe::of(from, hop.ip, to)));
            }
        }
    }

    /// The next message that waits no longer, copied to `out`: how it arrived, and its length.
    pub(crate) fn next_message(
        &mut self,
        out: &mut [u8],
        now: Instant,
    ) -> Option<(Arrival, usize)> {
        let hops = &self.hops;
        let waits = |hop, arrival: &Arrival| {
            hops.look(hop) == Known::Soon && now < arrival.now.plus_nanos(LONGEST_NS)
        };
        let next = self.waiting.next(out, waits, now);
        self.news = next.is_some();
        next
    }

    /// The clock of the timestamps jumped.
    pub(crate) fn clock_stepped(&mut self) {
        self.waiting.clock_stepped();
    }
}

/// An IP address; `None` over Ethernet.
pub(crate) const fn ip(address: Address) -> Option<IpAddr> {
    match address {
        Address::Mac(_) => None,
        Address::V4(ip) => Some(IpAddr::V4(ip)),
        Address::V6(ip) => Some(IpAddr::V6(ip)),
    }
}
