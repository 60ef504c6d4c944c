//! What others may see of the forwarder: settings, counts, measures, masters, and a row for each client.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::Side;
use crate::core::clients::ClientChange;
use crate::core::event::Event;
use crate::core::neighbours::{Neighbours, last_word};
use crate::core::policy::Forwarder;
use crate::core::routed::Routed;
use crate::core::settings::Settings;
use crate::telemetry::{
    ClientSlots, Counters, MasterState, Measures, NeighbourState, SyncDue, UnknownAddress,
};
use crate::time::Instant;
use crate::wire::PortIdentity;

impl Forwarder {
    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.account.counters()
    }

    /// What was measured since the start.
    #[must_use]
    pub const fn measures(&self) -> &Measures {
        self.account.measures()
    }

    /// The next change of state to be logged.
    pub fn next_event(&mut self) -> Option<Event> {
        self.account.next_event()
    }

    /// A change of state to be logged.
    pub(super) fn tell(&mut self, event: Event) {
        self.account.tell(event, self.present);
    }

    /// Whether a message came since the last call that cannot be corrected: its wait in the rings stays in the client's
    /// time.
    pub const fn take_untouched(&mut self) -> bool {
        self.account.take_untouched()
    }

    /// Clients in the table.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The identities of our clients.
    pub fn client_identities(&self) -> impl Iterator<Item = PortIdentity> {
        self.clients.identities()
    }

    /// What others may read of each client, while it is written.
    #[must_use]
    pub fn client_slots(&self) -> Arc<ClientSlots> {
        Arc::clone(self.clients.slots())
    }

    /// Changes whenever a client comes or goes.
    #[must_use]
    pub const fn clients_version(&self) -> u64 {
        self.clients.version()
    }

    /// From now on each client that comes or goes is reported by [`Forwarder::next_change`]; or no longer. Nobody comes
    /// or goes while too many changes were not taken.
    pub fn follow_changes(&mut self, follow: bool) {
        self.clients.follow_changes(follow);
    }

    /// The next client that came or went, and the version of the table ([`Forwarder::clients_version`]) with
    /// that change.
    pub fn next_change(&mut self) -> Option<(ClientChange, u64)> {
        self.clients.next_change()
    }

    /// Changes that [`Forwarder::next_change`] has yet to report.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.clients.changes()
    }

    /// Frames that wait, for their departure time, for a residence, or for what a question of ours brings.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hold.len() + self.unicast.neighbours().map_or(0, Neighbours::waiting)
    }

    /// The frames that wait, as they came.
    pub fn waiting_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.hold.iter()
    }

    /// Event messages that departed by a side without a TX timestamp in time.
    #[must_use]
    pub fn stamps_lost(&self, side: Side) -> u64 {
        self.flights.lost(side)
    }

    /// The masters upstream: sender, domain, and the rate ratio less one in parts per million if it is known.
    pub fn masters(&self) -> impl Iterator<Item = (PortIdentity, u8, Option<f64>)> {
        self.masters.rates()
    }

    /// Masters in the table, and what is known of each that was seen in the last minute.
    pub fn master_states(&self, now: Instant) -> (usize, impl Iterator<Item = MasterState>) {
        let allowed = |grandmaster| match grandmaster {
            Some(grandmaster) => self.grandmaster_allowed(grandmaster),
            None => self.settings.grandmasters.is_empty(),
        };
        (self.masters.len(), self.masters.states(now, allowed))
    }

    /// Whether somebody waits for Sync.
    #[must_use]
    pub fn sync_due(&self) -> SyncDue {
        self.masters.due()
    }

    /// What is known of neighbours and of next hops.
    #[must_use]
    pub fn neighbour_state(&self) -> NeighbourState {
        let counts = self.unicast.neighbours().map(Neighbours::counts);
        let [masters, addresses, settled] = counts.unwrap_or_default();
        let waiting = self.unicast.neighbours().map_or(0, Neighbours::waiting);
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        NeighbourState {
            relayed: counts.is_some(),
            masters: count(masters),
            addresses: count(addresses),
            settled: count(settled),
            waiting: count(waiting),
            hops: self.unicast.routed().map(Routed::state),
            unknown: (self.unicast.unknown()).map(|(ip, at)| UnknownAddress { ip, at }),
        }
    }

    /// The addresses of masters for whose sake ARP and neighbour discovery pass, each in its last 32 bits; and what changes
    /// with them. `None` if they do not pass.
    pub fn neighbour_masters(&self) -> Option<(u64, impl Iterator<Item = u32>)> {
        let (version, words) = self.unicast.neighbours()?.master_words();
        // Answers to our own questions pass as well.
        let own = self.unicast.routed().map(Routed::own);
        let (more, own) = own.map_or((0, None), |(version, own)| (version, Some(own)));
        let own = own.into_iter().flatten().map(last_word);
        Some((version + more, own.chain(words)))
    }

    /// Changes with what [`Forwarder::neighbours_to_seek`] gives; `None` if nobody is sought.
    #[must_use]
    pub fn neighbours_sought(&self, side: Side) -> Option<u64> {
        let neighbours = self.unicast.neighbours()?;
        Some(match side {
            Side::Down => neighbours.master_words().0,
            Side::Up => neighbours.client_addresses().0,
        })
    }

    /// The addresses for which neighbour discovery is to come in on this side: of masters downstream, of clients upstream.
    pub fn neighbours_to_seek(&self, side: Side, sought: &mut Vec<Ipv6Addr>) {
        let v6 = |ip: IpAddr| match ip {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        };
        let Some(neighbours) = self.unicast.neighbours() else {
            return;
        };
        match side {
            Side::Down => sought.extend(neighbours.master_addresses().filter_map(v6)),
            Side::Up => sought.extend(neighbours.client_addresses().1.filter_map(v6)),
        }
    }

    /// A second path between the segments is known, and nobody expects it; nothing was announced yet since the start.
    #[must_use]
    pub fn path_state(&self) -> (bool, bool) {
        let known = self.paths.known() && !self.paths.stands_by();
        (known, self.paths.listening())
    }
}
