//! Unicast PTP between two subnets (see `core::routed`): which messages are routed, and how they leave.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::event::Event;
use crate::core::neighbours::Place;
use crate::core::policy::Forwarder;
use crate::core::routed::{Hop, RouteTable, ip};
use crate::core::verdict::{Arrival, Edit};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Frame, Layout, Mac, MessageType, PortIdentity, Probe, rewrite, set_macs};

/// An address that is no master's is named again after this time.
const TELL_AGAIN_NS: u64 = 10_000_000_000;

impl Forwarder {
    /// The kernel's routes, for unicast between two subnets. Nothing is routed before.
    pub fn set_routes(&mut self, table: RouteTable) {
        if let Some(routed) = self.unicast.routed_mut() {
            routed.set_routes(table);
        }
    }

    /// Whether a message with our own MAC is routed, and to whom. `None`: as [`Forwarder::for_host`] says.
    pub(super) fn way(&self, frame: &Frame<'_>, side: Side) -> Result<Hop, Reason> {
        let own = self.for_host(frame);
        let Some(routed) = self.unicast.routed().filter(|_| own == Reason::Routed) else {
            return Err(own);
        };
        let ways = routed.ways(frame, side)?;
        match self.is_for_one_of_ours(frame, side) {
            true => Ok(ways.to),
            false => Err(Reason::RoutedForeign),
        }
    }

    /// Whether a message with our own MAC may pass. One that stands by asks nobody, and decides as if all answered.
    pub(super) fn may_route(&self, frame: &Frame<'_>, side: Side) -> Result<(), Reason> {
        let hop = self.way(frame, side)?;
        if self.paths.stands_by() {
            return Ok(());
        }
        let routed = self.unicast.routed().ok_or(Reason::Routed)?;
        routed.can_send(hop)
    }

    /// From downstream a master's, from upstream a client's.
    fn is_for_one_of_ours(&self, frame: &Frame<'_>, side: Side) -> bool {
        let (Some(ip), Some(neighbours)) = (ip(frame.destination()), self.unicast.neighbours())
        else {
            return false;
        };
        let place = Place::new(frame.lane(), ip);
        match side {
            Side::Down => neighbours.is_master(place),
            Side::Up => neighbours.is_client(place) || self.is_named_client(frame),
        }
    }

    /// Whether the client that a message names has the address that it goes to.
    fn is_named_client(&self, frame: &Frame<'_>) -> bool {
        let named = |identity: PortIdentity| {
            let lane = frame.lane();
            let row = self.clients.find(&ClientKey { identity, lane })?;
            self.clients.who(row)
        };
        (frame.requesting_port().or_else(|| frame.target_port()))
            .and_then(named)
            .is_some_and(|(.., address)| address == frame.destination())
    }

    /// Whether a message with our own MAC waits until its next hop is known: then it was copied, and comes again by
    /// [`Forwarder::next_routed`]. To be asked before [`Forwarder::frame`].
    #[cold]
    pub fn waits_for_hop(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> bool {
        if self.unicast.routed().is_none() || frame.group_mac().is_some() {
            return false;
        }
        match self.way(frame, arrival.side) {
            Ok(_) if self.paths.stands_by() => false,
            Ok(hop) => {
                let routed = self.unicast.routed_mut();
                routed.is_some_and(|routed| routed.waits(frame, arrival, hop))
            }
            Err(Reason::RoutedForeign) if arrival.side == Side::Down => {
                self.master_not_listed(frame, arrival.now);
                false
            }
            Err(_) => false,
        }
    }

    /// Somebody downstream wants a master that nobody knows.
    fn master_not_listed(&mut self, frame: &Frame<'_>, now: Instant) {
        let asks = matches!(
            frame.message_type(),
            MessageType::DelayReq | MessageType::Signaling
        );
        let told = self.unicast.unknown();
        let lately = told.is_some_and(|(_, at)| now < at.plus_nanos(TELL_AGAIN_NS));
        if let (Some(address), Some(asker)) = (ip(frame.destination()), ip(frame.source()))
            && asks
            && !lately
        {
            self.unicast.set_unknown(address, now);
            (self.account).tell(Event::UnknownMaster { address, asker }, now);
        }
    }

    /// Whether [`Forwarder::next_question`] or [`Forwarder::next_routed`] has something.
    #[must_use]
    pub fn has_routed(&self) -> bool {
        let routed = self.unicast.routed();
        routed.is_some_and(|routed| routed.has_work())
    }

    /// The next question for a next hop: the side that it leaves by, and our hardware address there.
    pub fn next_question(&mut self) -> Option<(Side, Probe, Mac)> {
        let macs = self.unicast.macs()?;
        let (side, probe) = self.unicast.routed_mut()?.next_question()?;
        self.account.neighbour_asked();
        Some((side, probe, macs[side]))
    }

    /// The next message that waits no longer for its next hop, copied to `out`: how it arrived, and its length. It is to
    /// be handed to [`Forwarder::frame`].
    pub fn next_routed(&mut self, out: &mut [u8], now: Instant) -> Option<(Arrival, usize)> {
        self.unicast.routed_mut()?.next_message(out, now)
    }

    /// A client's message was let through that will be answered.
    pub(super) fn will_be_answered(&mut self, frame: &Frame<'_>, now: Instant) {
        if !self.paths.stands_by()
            && let Some(routed) = self.unicast.routed_mut()
            && let Ok(ways) = routed.ways(frame, Side::Down)
        {
            routed.will_answer(ways.back, now);
        }
    }

    /// To whom a message that is routed leaves by this side, and as whom; `None` of any other.
    ///
    /// # Errors
    /// Its next hop is gone, or its route.
    #[inline]
    pub(super) fn next_macs(
        &self,
        edit: &Edit,
        bytes: &[u8],
        side: Side,
    ) -> Result<Option<Macs>, Reason> {
        match edit.readdress {
            false => Ok(None),
            true => self.macs_of(bytes, side),
        }
    }

    #[cold]
    fn macs_of(&self, bytes: &[u8], side: Side) -> Result<Option<Macs>, Reason> {
        // It came to the address that all share: its client's is put in its place.
        if self.unicast.is_shared() {
            return Ok(None);
        }
        let frame = Frame::parse(bytes)?;
        if frame.is_multicast() {
            return Ok(None);
        }
        let destination = ip(frame.destination()).ok_or(Reason::ToHost)?;
        let (Some(routed), Some(own)) = (self.unicast.routed(), self.unicast.macs()) else {
            return Err(Reason::Routed);
        };
        let to = routed.mac(destination, side)?;
        Ok(Some(Macs {
            from: own[side],
            to,
        }))
    }
}

/// The MAC addresses that a message leaves with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Macs {
    from: Mac,
    to: Mac,
}

/// Makes it one hop more. Its TTL is known to allow that.
#[cold]
pub(super) fn rewrite_hop(bytes: &mut [u8], layout: Layout, macs: Macs) {
    if rewrite::count_hop(bytes, layout) {
        set_macs(bytes, macs.from, macs.to);
    }
}
