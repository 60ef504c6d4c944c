//! Follow_Up from upstream, after its Sync or before it.

use crate::core::hold::General;
use crate::core::policy::Forwarder;
use crate::core::syncs::{SyncKey, SyncProgress};
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::time::Stamp;
use crate::wire::Frame;

impl Forwarder {
    pub(super) fn follow_up(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        let master = self.allowed_master(frame, arrival.now)?;
        let key = self.sync_key(frame);
        let row = self.syncs.find(&key, arrival.now);
        if arrival.signature.is_fixed() {
            return self.authenticated_follow_up(arrival, row);
        }
        let Some(row) = row else {
            return self.follow_up_first(frame, arrival, key, master);
        };
        let sync = self.syncs.get_mut(row).ok_or(Reason::NoSync)?;
        let (progress, rx) = (sync.progress(), sync.rx());
        let spoiled = progress == SyncProgress::SecondPath;
        let or_spoiled = |reason| if spoiled { Reason::SecondPath } else { reason };
        let continues = arrival.signature.continues(sync.association());
        continues.map_err(or_spoiled)?;
        if !sync.follow() {
            return Err(or_spoiled(Reason::Duplicate));
        }
        // Of a Sync that went two ways, too: both came from upstream.
        self.rate_point(frame, master, rx);
        match progress {
            SyncProgress::Departed(ns) => {
                let sync = self.syncs.of(row);
                self.send_corrected(frame, arrival, sync, (master, ns))
            }
            SyncProgress::InFlight(slot) => {
                let kept = self
                    .hold
                    .keep_general(frame, arrival, General::follow_up(master))
                    .ok_or(Reason::HoldFull)?;
                if let Err(reason) = self.flights.wait_alone(slot, kept) {
                    self.hold.release(kept);
                    return Err(reason);
                }
                Ok(Verdict::Wait)
            }
            SyncProgress::Untouched => Ok(arrival.forward()),
            SyncProgress::FollowUpFirst(_) => Err(Reason::Duplicate),
            SyncProgress::Lost => Err(Reason::NoSync),
            SyncProgress::ClockStep => Err(Reason::ClockStep),
            SyncProgress::SecondPath => Err(Reason::SecondPath),
        }
    }

    /// A Follow_Up whose integrity check an edit would break: it passes untouched, as its Sync did.
    fn authenticated_follow_up(
        &mut self,
        arrival: &Arrived<'_>,
        row: Option<u32>,
    ) -> Result<Verdict, Reason> {
        let sync = row.and_then(|row| self.syncs.get_mut(row));
        match sync.map(|sync| sync.progress()) {
            Some(SyncProgress::SecondPath) => Err(Reason::SecondPath),
            Some(SyncProgress::Lost) => Err(Reason::NoSync),
            Some(SyncProgress::ClockStep) => Err(Reason::ClockStep),
            _ => {
                self.account.passes_untouched();
                Ok(arrival.forward())
            }
        }
    }

    /// A Follow_Up that came before its Sync waits for it.
    fn follow_up_first(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        key: SyncKey,
        master: u32,
    ) -> Result<Verdict, Reason> {
        if !self.syncs.may_wait() {
            return Err(Reason::HoldFull);
        }
        let kept = self
            .hold
            .keep_general(frame, arrival, General::follow_up(master))
            .ok_or(Reason::HoldFull)?;
        let until = (arrival.now, arrival.now + self.settings.max_hold);
        let said = (origin(frame), arrival.signature.association());
        let (waits, orphan) = self.syncs.follow_up_first(key, kept, said, until);
        if let Some(frame) = orphan {
            self.drop_kept(frame, Reason::NoSync);
        }
        if waits {
            Ok(Verdict::Wait)
        } else {
            self.hold.release(kept);
            Err(Reason::HoldFull)
        }
    }

    /// A two-step pair is complete: it gives a point for the rate.
    fn rate_point(&mut self, follow_up: &Frame<'_>, master: u32, rx: Option<(Stamp, i64)>) {
        let Some((rx, sync_correction_ns)) = rx else {
            return;
        };
        let master_ns = origin(follow_up).and_then(|origin| origin.checked_add(sync_correction_ns));
        self.syntonize(master, master_ns, rx, follow_up.port_identity());
    }
}

/// When a Sync departed by its Follow_Up, corrections of the path added.
fn origin(follow_up: &Frame<'_>) -> Option<i64> {
    let time = follow_up.timestamp()?.as_nanos()?;
    time.checked_add(follow_up.correction() >> 16)
}
