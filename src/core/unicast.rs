//! What has to be known of unicast: the open requests of simple PTP, which addresses are this machine's, which of them all
//! clients share, who has which address on either side, and what is routed between them.

use std::net::IpAddr;

use crate::PerSide;
use crate::core::neighbours::{self, Neighbours};
use crate::core::routed::Routed;
use crate::core::settings::Settings;
use crate::core::simple::SimpleRequests;
use crate::core::source::SourceAddresses;
use crate::core::stations::Stations;
use crate::core::table::Secret;
use crate::time::Instant;
use crate::wire::rewrite::End;
use crate::wire::{Lane, Mac};

/// See the module.
pub(crate) struct Unicast {
    simple: SimpleRequests,
    /// Sorted; `None` until somebody says.
    own: Option<Vec<IpAddr>>,
    /// `None` if they are to find each other without us.
    neighbours: Option<Neighbours>,
    /// `None` if nothing is routed.
    routed: Option<Box<Routed>>,
    /// This machine's, on either side; `None` until somebody says.
    macs: Option<PerSide<Mac>>,
    /// The last address upstream that was asked for in vain, and when that was told.
    unknown: Option<(IpAddr, Instant)>,
    /// What leaves upstream carries these; `None`: those of the clients.
    source: Option<SourceAddresses>,
    /// Those that unicast goes to; `None` where this forwarder is the only one.
    stations: Option<Stations>,
}

impl Unicast {
    pub(crate) fn new(settings: &Settings, secret: Secret) -> Self {
        let neighbours = settings.relays_neighbours().then(|| {
            let capacity = neighbours::capacity(settings.max_clients);
            Neighbours::new(capacity, &settings.unicast_masters, secret)
        });
        Self {
            simple: SimpleRequests::new(),
            own: None,
            neighbours,
            routed: (settings.routed).then(|| Box::new(Routed::new(settings.max_clients, secret))),
            macs: None,
            unknown: None,
            source: None,
            stations: None,
        }
    }

    /// From now on what leaves upstream carries these addresses.
    pub(crate) fn share(&mut self, source: SourceAddresses) {
        self.source = Some(source);
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.answer_alone();
        }
    }

    /// From now on it is known which addresses unicast goes to.
    pub(crate) fn know_stations(&mut self, stations: Stations) {
        self.stations = Some(stations);
    }

    /// Those addresses, if that is to be known.
    pub(crate) const fn stations(&self) -> Option<&Stations> {
        self.stations.as_ref()
    }

    /// The same, to note one.
    pub(crate) const fn stations_mut(&mut self) -> Option<&mut Stations> {
        self.stations.as_mut()
    }

    /// Whether all clients share the gateway's addresses upstream.
    pub(crate) const fn is_shared(&self) -> bool {
        self.source.is_some()
    }

    /// The sender of what leaves upstream in a lane, where all share one.
    pub(crate) fn shared(&self, lane: Lane) -> Option<End> {
        self.source.as_ref()?.end(lane, self.macs?.up)
    }

    /// When a message of a neighbour that waits is to be decided on again.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.neighbours.as_ref()?.next_due()
    }

    /// Who has which address, if that is relayed.
    pub(crate) const fn neighbours(&self) -> Option<&Neighbours> {
        self.neighbours.as_ref()
    }

    /// The addresses of this machine, sorted, if they are known; and who has which other.
    pub(crate) fn own(&mut self) -> Option<(&[IpAddr], &mut Neighbours)> {
        Some((self.own.as_deref()?, self.neighbours.as_mut()?))
    }

    /// The same, to note or to decide.
    pub(crate) const fn neighbours_mut(&mut self) -> Option<&mut Neighbours> {
        self.neighbours.as_mut()
    }

    /// What is routed between two subnets, if anything is.
    pub(crate) fn routed(&self) -> Option<&Routed> {
        self.routed.as_deref()
    }

    /// The same, to note or to ask.
    pub(crate) fn routed_mut(&mut self) -> Option<&mut Routed> {
        self.routed.as_deref_mut()
    }

    /// These are this machine's hardware addresses.
    pub(crate) const fn set_macs(&mut self, macs: PerSide<Mac>) {
        self.macs = Some(macs);
    }

    /// See [`Self::set_macs`].
    pub(crate) const fn macs(&self) -> Option<PerSide<Mac>> {
        self.macs
    }

    /// An address upstream is asked for in vain.
    pub(crate) const fn set_unknown(&mut self, ip: IpAddr, now: Instant) {
        self.unknown = Some((ip, now));
    }

    /// See [`Self::set_unknown`].
    pub(crate) const fn unknown(&self) -> Option<(IpAddr, Instant)> {
        self.unknown
    }

    /// The open requests of simple PTP.
    pub(crate) const fn simple(&self) -> &SimpleRequests {
        &self.simple
    }

    /// The same, to note one.
    pub(crate) const fn simple_mut(&mut self) -> &mut SimpleRequests {
        &mut self.simple
    }

    /// These are the addresses of this machine.
    pub(crate) fn set_own(&mut self, mut addresses: Vec<IpAddr>) {
        addresses.sort_unstable();
        self.own = Some(addresses);
    }

    /// The next address that all are to share and that this machine has lost, or has again (`true`).
    pub(crate) fn next_source_change(&mut self) -> Option<(IpAddr, bool)> {
        let own = self.own.as_deref()?;
        self.source.as_mut()?.next_change(own)
    }

    /// Whether an address is this machine's; each may be as long as nobody said.
    pub(crate) fn may_be_own(&self, ip: IpAddr) -> bool {
        (self.own.as_ref()).is_none_or(|own| own.binary_search(&ip).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Until somebody says which addresses are this machine's, each may be: nothing is taken for routed by mistake.
    #[test]
    fn each_address_may_be_our_own_until_they_are_known() {
        let ip = |last| IpAddr::from([10, 0, 0, last]);
        let mut unicast = Unicast::new(&Settings::default(), Secret(1, 2));
        let own = |unicast: &Unicast| [1, 2, 3].map(|last| unicast.may_be_own(ip(last)));
        assert_eq!(own(&unicast), [true; 3]);
        unicast.set_own(vec![ip(3), ip(1)]);
        assert_eq!(own(&unicast), [true, false, true]);
    }
}
