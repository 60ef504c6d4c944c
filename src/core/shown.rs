//! What others may see of the forwarder: settings, counts, measures, masters, and a row for each client.

use std::sync::Arc;
use std::time::Duration;

use crate::core::forwarder::Forwarder;
use crate::core::in_flight::Flight;
use crate::core::settings::Settings;
use crate::telemetry::Counters;
use crate::telemetry::{ClientSlots, MasterState, Measures};
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::PortIdentity;

/// A master that was silent for longer is not shown.
const SHOWN: Duration = Duration::from_secs(60);

impl Forwarder {
    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Clients in the table.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The identities of our clients.
    pub fn client_identities(&self) -> impl Iterator<Item = PortIdentity> {
        self.clients.iter().map(|(_, key, _)| key.identity)
    }

    /// Changes whenever a client comes or goes.
    #[must_use]
    pub const fn clients_version(&self) -> u64 {
        self.clients.version()
    }

    /// Frames that wait for their moment or for a stamp.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.store.len()
    }

    /// The frames that wait, as they came.
    pub fn waiting_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.store.iter()
    }

    /// Masters heard: sender, domain, and the rate ratio less one in parts per million if it is known.
    pub fn masters(&self) -> impl Iterator<Item = (PortIdentity, u8, Option<f64>)> {
        self.masters.iter().map(|(_, key, master)| {
            let syntonizer = &master.syntonizer;
            let ppm = syntonizer.known().then(|| (syntonizer.ratio() - 1.0) * 1e6);
            (key.sender, key.domain, ppm)
        })
    }

    /// What was measured since the start.
    #[must_use]
    pub const fn measures(&self) -> &Measures {
        &self.measures
    }

    /// What others may read of each client, while it is written.
    #[must_use]
    pub fn client_slots(&self) -> Arc<ClientSlots> {
        Arc::clone(self.clients.slots())
    }

    /// Masters in the table, and of each that was heard in the last minute what is known.
    pub fn master_states(&self, now: Instant) -> (usize, impl Iterator<Item = MasterState>) {
        let heard = self.masters.iter().filter_map(move |(_, key, master)| {
            let syntonizer = &master.syntonizer;
            let recent = now.since(master.last_seen) < SHOWN;
            recent.then(|| MasterState {
                sender: key.sender,
                domain: key.domain,
                sdo: key.sdo,
                lane: key.lane,
                announced: master.announced,
                allowed: match &master.announced {
                    Some(announced) => self.grandmaster_allowed(announced.grandmaster),
                    None => self.settings.grandmasters.is_empty(),
                },
                last_seen: master.last_seen,
                last_sync: Some(master.last_sync).filter(|&at| at != Instant::default()),
                sync_interval: Duration::from_micros(u64::from(master.sync_interval_us)),
                rate_ppm: syntonizer.known().then(|| (syntonizer.ratio() - 1.0) * 1e6),
                variation_ns: syntonizer.known().then(|| syntonizer.spread_ns()),
            })
        });
        (self.masters.len(), heard)
    }

    /// A second path between the segments is known; nothing was announced yet since the start.
    #[must_use]
    pub fn path_state(&self) -> (bool, bool) {
        (self.second_path.known(), self.second_path.listening())
    }

    /// Counts and measures a Delay_Req whose residence is known.
    pub(super) fn departed(&mut self, flight: &Flight, row: u32, ns: u32) {
        self.counters.measured += 1;
        self.counters.residence_ns += u64::from(ns);
        self.measures.residence.add(u64::from(ns));
        if let (Some(drawn), Some(departure)) = (flight.drawn, departure(flight.rx, ns)) {
            let late = departure.since(drawn.due).as_nanos();
            self.measures
                .hold_error
                .add(u64::try_from(late).unwrap_or(u64::MAX));
        }
        if let Some(slot) = self.clients.slots().slot(row) {
            slot.departed(flight.drawn.map_or(0, |drawn| drawn.hold_ns), ns);
        }
    }
}

/// When a message departed that came at `rx` and stayed for `ns`, if that is known by the steady clock.
pub(super) fn departure(rx: Stamp, ns: u32) -> Option<Instant> {
    let arrived = u64::try_from(rx.as_nanos()).ok()?;
    (rx.clock() == ClockId::Steady).then(|| Instant::from_nanos(arrived).plus_nanos(u64::from(ns)))
}
