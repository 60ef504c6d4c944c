//! Which masters and grandmasters may pass, and what their Syncs tell of their rate.

use crate::core::event::Event;
use crate::core::masters::{Change, MasterKey, Masters};
use crate::core::policy::Forwarder;
use crate::core::settings::Settings;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{ClockIdentity, Frame, PortIdentity};

impl Forwarder {
    /// The row of the sender, if its grandmaster may pass.
    pub(super) fn allowed_master(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
    ) -> Result<u32, Reason> {
        allowed_master(&mut self.masters, &self.settings, frame, now)
    }

    pub(super) fn grandmaster_allowed(&self, grandmaster: ClockIdentity) -> bool {
        grandmaster_allowed(&self.settings, grandmaster)
    }

    /// The rate of a master over that of the local clock, by which residences are scaled.
    pub(super) fn ratio(&self, master: u32) -> f64 {
        if self.settings.syntonize {
            let (ratio, clock) = self.masters.ratio(master);
            self.flights.ratio_to_reference(ratio, clock)
        } else {
            1.0
        }
    }

    /// A Sync gave a point for the rate of its master: it left at `master_ns`, corrections of the path added, and
    /// arrived at `rx`.
    pub(super) fn syntonize(
        &mut self,
        master: u32,
        master_ns: Option<i64>,
        rx: Stamp,
        sender: PortIdentity,
    ) {
        let point = master_ns.zip(self.flights.for_rates(rx));
        let Some(observed) = point.and_then(|(ns, rx)| self.masters.observe(master, ns, rx)) else {
            return;
        };
        if let Some(ns) = observed.deviation_ns {
            self.account.sync_deviation(ns);
        }
        match observed.change {
            Change::None => {}
            Change::Known => self.tell(Event::RateKnown {
                sender,
                ppm: observed.ppm,
            }),
            Change::Lost => self.tell(Event::RateLost { sender }),
        }
    }
}

/// See [`Forwarder::allowed_master`].
pub(super) fn allowed_master(
    masters: &mut Masters,
    settings: &Settings,
    frame: &Frame<'_>,
    now: Instant,
) -> Result<u32, Reason> {
    let row = masters
        .heard(MasterKey::of(frame), frame.is_multicast(), now)
        .map_err(|_| Reason::TooManyMasters)?;
    if !settings.grandmasters.is_empty() {
        let grandmaster = masters.grandmaster(row).ok_or(Reason::Unannounced)?;
        if !grandmaster_allowed(settings, grandmaster) {
            return Err(Reason::Grandmaster);
        }
    }
    Ok(row)
}

fn grandmaster_allowed(settings: &Settings, grandmaster: ClockIdentity) -> bool {
    let list = &settings.grandmasters;
    list.is_empty() || list.contains(&grandmaster)
}
