//! Sync and Follow_Up from above, in either order; a one-step Sync becomes two-step.

use crate::Side;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::from_down::{forward, fresh_stamp};
use crate::core::in_flight::Owner;
use crate::core::residence;
use crate::core::store::{FrameRef, Purpose, Waiting};
use crate::core::syncs::{Sync, SyncKey, SyncProgress};
use crate::core::syntonizer::Change;
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{Frame, PortIdentity, edit};

/// A Follow_Up that we make: 44 octets of PTP, and the headers and tags of its Sync.
const LARGEST_FOLLOW_UP: usize = 512;

impl Forwarder {
    pub(super) fn sync(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let master = self.allowed_master(frame, now)?;
        if self.second_path.listening() {
            return Err(Reason::Unannounced);
        }
        if let Some(row) = self.masters.get_mut(master) {
            row.sync_arrived(arrival.at);
        }
        let key = self.sync_key(frame);
        let before = self
            .syncs
            .find(&key, now)
            .and_then(|row| self.syncs.get_mut(row).map(|sync| (row, sync.progress)));
        let mut waiter = match before {
            None => None,
            Some((_, SyncProgress::FollowUpFirst(frame))) => Some(frame),
            Some((_, SyncProgress::SecondPath)) => return Err(Reason::SecondPath),
            Some(_) => return Err(Reason::Duplicate),
        };
        let rx = match fresh_stamp(arrival, self.holds.stale_after_ns) {
            Ok(rx) => rx,
            Err(reason) => {
                // Its Follow_Up must not pass either.
                self.enter_sync(key, before, now, SyncProgress::Lost, None);
                return Err(reason);
            }
        };
        let correction_ns = frame.correction() >> 16;
        let authenticated = frame.authenticated();
        let mut change = Edit {
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        };
        if (authenticated || !frame.two_step())
            && let Some(kept) = waiter.take()
        {
            // A Follow_Up came before a Sync that has none, or whose exchange goes untouched.
            self.discard(kept, Reason::NoSync);
        }
        if !frame.two_step() {
            let origin = frame.timestamp().and_then(|time| time.as_nanos());
            let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
            self.syntonize(master, master_ns, rx, key.sender);
            if authenticated {
                // Goes untouched.
            } else if self.converts(rx) {
                waiter = Some(
                    self.make_follow_up(frame, arrival, master)
                        .ok_or(Reason::HoldFull)?,
                );
                change.set_two_step = true;
            } else {
                change.rewrite = Some(master);
            }
        }
        if authenticated {
            self.passes_untouched();
        }
        let entry = self
            .enter_sync(
                key,
                before,
                now,
                SyncProgress::Lost,
                Some((rx, correction_ns)),
            )
            .ok_or(Reason::InFlightFull)?;
        let owner = Owner::Sync {
            entry,
            generation: self.syncs.generation(entry),
        };
        let Some((token, slot)) = self.launch(rx, owner, Side::Down, waiter, now, None) else {
            if let Some(frame) = waiter {
                self.discard(frame, Reason::InFlightFull);
            }
            return Err(Reason::InFlightFull);
        };
        if let Some(sync) = self.syncs.get_mut(entry) {
            sync.progress = if authenticated || change.rewrite.is_some() {
                SyncProgress::Untouched
            } else {
                SyncProgress::InFlight(slot)
            };
            // A Follow_Up of our making is the only one that may follow.
            sync.followed = waiter.is_some();
            let origin = sync.origin_ns.take();
            if frame.two_step() {
                let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
                self.syntonize(master, master_ns, rx, key.sender);
            }
        }
        Ok(Verdict::Forward(change, Some(token)))
    }

    /// Writes what is known of a Sync into its entry, new or not.
    fn enter_sync(
        &mut self,
        key: SyncKey,
        before: Option<(u32, SyncProgress)>,
        now: Instant,
        progress: SyncProgress,
        rx: Option<(Stamp, i64)>,
    ) -> Option<u32> {
        if let Some((row, before)) = before {
            if progress == SyncProgress::Lost
                && rx.is_none()
                && let SyncProgress::FollowUpFirst(frame) = before
            {
                self.discard(frame, Reason::NoSync);
            }
            let sync = self.syncs.get_mut(row)?;
            sync.progress = progress;
            sync.rx = rx;
            return Some(row);
        }
        let sync = Sync {
            since: now,
            progress,
            rx,
            origin_ns: None,
            followed: false,
        };
        let (row, orphan) = self.syncs.insert(key, sync);
        if let Some(frame) = orphan {
            self.discard(frame, Reason::NoSync);
        }
        row
    }

    /// Makes the Follow_Up of a one-step Sync; it waits for the Sync's stamp.
    fn make_follow_up(
        &mut self,
        sync: &Frame<'_>,
        arrival: &Arrival,
        master: u32,
    ) -> Option<FrameRef> {
        let mut made = [0_u8; LARGEST_FOLLOW_UP];
        let len = edit::follow_up(sync, &mut made)?;
        let bytes = made.get(..len)?;
        let layout = Frame::parse(bytes).ok()?.layout();
        let waiting = Waiting {
            len: u16::try_from(len).ok()?,
            egress: arrival.side.other(),
            layout,
            edit: Edit::default(),
            purpose: Purpose::General { master },
            behind: None,
        };
        let frame = self
            .store
            .keep_with(len, waiting, |cell| cell.copy_from_slice(bytes))?;
        self.counters.follow_ups_made += 1;
        Some(frame)
    }

    pub(super) fn follow_up(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let master = self.allowed_master(frame, now)?;
        let key = self.sync_key(frame);
        if frame.authenticated() {
            let sync = self.syncs.find(&key, now);
            return match sync
                .and_then(|row| self.syncs.get_mut(row))
                .map(|sync| sync.progress)
            {
                Some(SyncProgress::SecondPath) => Err(Reason::SecondPath),
                Some(SyncProgress::Lost) => Err(Reason::NoSync),
                Some(SyncProgress::ClockStep) => Err(Reason::ClockStep),
                _ => {
                    self.passes_untouched();
                    Ok(forward(arrival))
                }
            };
        }
        let Some(row) = self.syncs.find(&key, now) else {
            return self.follow_up_first(frame, arrival, key, master);
        };
        let Some(sync) = self.syncs.get_mut(row) else {
            return Err(Reason::NoSync);
        };
        if let SyncProgress::SecondPath = sync.progress {
            return Err(Reason::SecondPath);
        }
        if std::mem::replace(&mut sync.followed, true) {
            return Err(Reason::Duplicate);
        }
        let (progress, rx) = (sync.progress, sync.rx);
        self.rate_point(frame, master, rx);
        match progress {
            SyncProgress::Departed(ns) => {
                let correction = residence::scaled(ns, self.ratio(master));
                let owner = Owner::Sync {
                    entry: row,
                    generation: self.syncs.generation(row),
                };
                self.settled(frame, arrival, owner, (master, correction))
            }
            SyncProgress::InFlight(slot) => {
                let kept = self
                    .keep(frame, arrival, Purpose::General { master })
                    .ok_or(Reason::HoldFull)?;
                match self.in_flight.get_mut(slot) {
                    Some(flight) if flight.waiter.is_none() => flight.waiter = Some(kept),
                    _ => {
                        self.store.release(kept);
                        return Err(Reason::NoTxStamp);
                    }
                }
                Ok(Verdict::Wait)
            }
            SyncProgress::Untouched => Ok(forward(arrival)),
            SyncProgress::FollowUpFirst(_) => Err(Reason::Duplicate),
            SyncProgress::Lost => Err(Reason::NoSync),
            SyncProgress::ClockStep => Err(Reason::ClockStep),
            SyncProgress::SecondPath => Err(Reason::SecondPath),
        }
    }

    /// A Follow_Up that came before its Sync waits for it.
    fn follow_up_first(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        key: SyncKey,
        master: u32,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        if !self.syncs.may_wait() {
            return Err(Reason::HoldFull);
        }
        let kept = self
            .keep(frame, arrival, Purpose::General { master })
            .ok_or(Reason::HoldFull)?;
        let sync = Sync {
            since: now,
            progress: SyncProgress::FollowUpFirst(kept),
            rx: None,
            origin_ns: origin(frame),
            followed: true,
        };
        let (row, orphan) = self.syncs.insert(key, sync);
        if let Some(frame) = orphan {
            self.discard(frame, Reason::NoSync);
        }
        let Some(row) = row else {
            self.store.release(kept);
            return Err(Reason::HoldFull);
        };
        let deadline = now + self.settings.max_hold;
        self.syncs.wait_until(row, deadline);
        Ok(Verdict::Wait)
    }

    /// A two-step pair is complete: it gives a point for the rate.
    fn rate_point(&mut self, follow_up: &Frame<'_>, master: u32, rx: Option<(Stamp, i64)>) {
        let Some((rx, sync_correction_ns)) = rx else {
            return;
        };
        let master_ns = origin(follow_up).and_then(|origin| origin.checked_add(sync_correction_ns));
        self.syntonize(master, master_ns, rx, follow_up.port_identity());
    }

    /// A Sync gave a point for the rate of its master.
    fn syntonize(&mut self, master: u32, master_ns: Option<i64>, rx: Stamp, sender: PortIdentity) {
        let Some(master_ns) = master_ns else {
            return;
        };
        let Some(row) = self.masters.get_mut(master) else {
            return;
        };
        let change = row.syntonizer.observe(master_ns, rx);
        if let Some(ns) = row.syntonizer.deviation_ns() {
            self.measures.sync_variation.add(ns);
        }
        match change {
            Change::None => {}
            Change::Known => {
                let ppm = (row.syntonizer.ratio() - 1.0) * 1e6;
                self.tell(Event::RateKnown { sender, ppm });
            }
            Change::Lost => self.tell(Event::RateLost { sender }),
        }
    }
}

/// When a Sync departed by its Follow_Up, corrections of the path added.
fn origin(follow_up: &Frame<'_>) -> Option<i64> {
    let time = follow_up.timestamp()?.as_nanos()?;
    time.checked_add(follow_up.correction() >> 16)
}
