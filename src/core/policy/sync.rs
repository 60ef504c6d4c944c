//! Sync from upstream; a one-step Sync becomes two-step.

use crate::Side;
use crate::core::hold::{FrameRef, WaitingSync};
use crate::core::policy::Forwarder;
use crate::core::refs::Owner;
use crate::core::settings::OneStep;
use crate::core::signature::Signature;
use crate::core::syncs::{SyncKey, SyncProgress};
use crate::core::verdict::{Arrived, Edit, Token, Verdict};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Frame, edit};

/// A Follow_Up that we make: 44 bytes of PTP, and the headers and tags of its Sync.
const LARGEST_FOLLOW_UP: usize = 512;

/// A Sync that is in flight, or has a slot there.
struct Launched {
    /// `None` if it waits for its turn.
    token: Option<Token>,
    slot: u32,
    /// The origin of a Follow_Up that came first.
    origin: Option<i64>,
}

/// How a Sync passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// Signed, and it may not change: as it came, and so does its Follow_Up.
    Untouched,
    /// Its residence goes into its Follow_Up.
    TwoStep,
    /// One-step, it becomes two-step: we make its Follow_Up.
    Converted,
    /// One-step, its residence is estimated and goes into itself.
    Rewritten,
}

impl Passage {
    /// Whether what it waits here can be taken out again.
    const fn may_wait(self) -> bool {
        matches!(self, Self::TwoStep | Self::Converted)
    }
}

impl Forwarder {
    pub(super) fn sync(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let master = self.allowed_master(frame, now)?;
        if !self.paths.is_introduced() {
            return Err(Reason::Unannounced);
        }
        let key = self.sync_key(frame);
        self.masters
            .sync_arrived(master, arrival.at, key.unicast_to);
        let before = self.syncs.find(&key, now);
        let mut follow_up = self.early_follow_up(before, arrival.signature)?;
        let rx = self.rx_of_sync(key, before, arrival)?;
        let correction_ns = frame.correction() >> 16;
        let simple = self.answers_simply(frame, now).is_some();
        let passage = self.passage(frame, arrival.signature, rx, simple)?;
        if self.paths.listening() && !passage.may_wait() {
            return Err(Reason::Unannounced);
        }
        if passage != Passage::TwoStep
            && let Some(kept) = follow_up.take()
        {
            // A Follow_Up came before a Sync that has none, or whose exchange goes untouched.
            self.drop_kept(kept, Reason::NoSync);
        }
        // That of simple PTP says when the request arrived.
        if !frame.two_step() && !simple {
            let origin = frame.timestamp().and_then(|time| time.as_nanos());
            let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
            self.syntonize(master, master_ns, rx, key.sender);
        }
        match passage {
            Passage::Converted => follow_up = Some(self.make_follow_up(frame, arrival, master)?),
            Passage::Untouched => self.account.passes_untouched(),
            Passage::TwoStep | Passage::Rewritten => {}
        }
        let row = self
            .enter_sync(key, before, Some((rx, correction_ns)), arrival)
            .ok_or(Reason::InFlightFull)?;
        let waits = self.waits_for_its_turn(passage, now);
        let launched = self.launch_sync(row, passage, (rx, waits), follow_up, now)?;
        if frame.two_step() {
            let origin = launched.origin;
            let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
            self.syntonize(master, master_ns, rx, key.sender);
        }
        let change = Edit {
            set_two_step: passage == Passage::Converted,
            rewrite: (passage == Passage::Rewritten).then_some(master),
            ..arrival.plain_edit()
        };
        match launched.token {
            Some(token) => Ok(Verdict::Forward(change, Some(token))),
            None => self.keep_sync(frame, arrival, change, launched.slot),
        }
    }

    /// Whether a Sync waits until one more TX timestamp may be awaited: some cards timestamp few frames at a time.
    fn waits_for_its_turn(&self, passage: Passage, now: Instant) -> bool {
        passage != Passage::Rewritten
            && (self.paths.listening()
                || self.hold.turns_wait().down
                || !self.flights.has_room(Side::Down, now))
    }

    /// A Sync that has a slot among those in flight waits for its turn; if too many do, it goes at once.
    fn keep_sync(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        change: Edit,
        slot: u32,
    ) -> Result<Verdict, Reason> {
        let holds = self.settings.holds();
        let waiting = WaitingSync {
            slot,
            stale_at: arrival.at.plus_nanos(holds.stale_after_ns),
            end: arrival.at.plus_nanos(holds.max_hold_ns),
        };
        if self.hold.keep_sync(frame, change, waiting).is_some() {
            return Ok(Verdict::Wait);
        }
        if self.paths.listening() {
            if let Some(flight) = self.flights.land_reserved(slot) {
                self.settle(&flight, Err(Reason::HoldFull));
            }
            return Err(Reason::HoldFull);
        }
        let token = self.flights.board(slot, (arrival.now, &*self.settings));
        Ok(Verdict::Forward(
            change,
            Some(token.ok_or(Reason::InFlightFull)?),
        ))
    }

    /// The RX timestamp of a Sync.
    fn rx_of_sync(
        &mut self,
        key: SyncKey,
        before: Option<u32>,
        arrival: &Arrived<'_>,
    ) -> Result<Stamp, Reason> {
        let rx = arrival.fresh_stamp(self.settings.holds().stale_after_ns);
        let rx = rx.and_then(|rx| self.flights.trusted(arrival.side, rx));
        if rx.is_err() {
            // Its Follow_Up must not pass either.
            self.enter_sync(key, before, None, arrival);
        }
        rx
    }

    /// The Follow_Up that came before a Sync with this entry, if one did that the same association signed.
    fn early_follow_up(
        &mut self,
        entry: Option<u32>,
        sync: Signature,
    ) -> Result<Option<FrameRef>, Reason> {
        let entry = entry.and_then(|row| self.syncs.get_mut(row));
        let known = entry.map(|entry| (entry.progress(), entry.association()));
        match known.map(|(progress, _)| progress) {
            None => Ok(None),
            Some(SyncProgress::FollowUpFirst(frame)) => {
                let association = known.and_then(|(_, association)| association);
                sync.continues(association)?;
                if association == sync.association() {
                    return Ok(Some(frame));
                }
                self.drop_kept(frame, Reason::Unsigned);
                Ok(None)
            }
            Some(SyncProgress::SecondPath) => Err(Reason::SecondPath),
            Some(_) => Err(Reason::Duplicate),
        }
    }

    fn passage(
        &self,
        frame: &Frame<'_>,
        signature: Signature,
        rx: Stamp,
        simple: bool,
    ) -> Result<Passage, Reason> {
        // By a hardware clock a departure cannot be estimated.
        let estimable = rx.clock() == ClockId::Steady;
        Ok(if signature.is_fixed() {
            Passage::Untouched
        } else if simple {
            // Nothing follows it.
            if !estimable {
                return Err(Reason::SimpleSync);
            }
            Passage::Rewritten
        } else if frame.two_step() {
            Passage::TwoStep
        } else if signature.is_mutable() {
            // twoStepFlag is signed, and nobody here can sign a Follow_Up. An estimate is some microseconds off; the
            // residence that it would keep untouched is a whole polling interval at worst.
            match estimable {
                true => Passage::Rewritten,
                false => Passage::Untouched,
            }
        } else if self.settings.one_step == OneStep::Convert || !estimable {
            Passage::Converted
        } else {
            Passage::Rewritten
        })
    }

    /// Writes what is known of a Sync into its entry, new or not.
    fn enter_sync(
        &mut self,
        key: SyncKey,
        before: Option<u32>,
        rx: Option<(Stamp, i64)>,
        arrival: &Arrived<'_>,
    ) -> Option<u32> {
        let association = arrival.signature.association();
        let came = (rx, association);
        let (row, orphan) = self.syncs.arrived(key, before, came, arrival.now);
        if let Some(frame) = orphan {
            self.drop_kept(frame, Reason::NoSync);
        }
        row
    }

    /// A Sync becomes an event message in flight, or waits for its turn to be one.
    fn launch_sync(
        &mut self,
        row: u32,
        passage: Passage,
        (rx, waits): (Stamp, bool),
        follow_up: Option<FrameRef>,
        now: Instant,
    ) -> Result<Launched, Reason> {
        let owner = Owner::Sync(self.syncs.of(row));
        let by = (now, &*self.settings);
        let flights = &mut self.flights;
        let launched = if waits {
            let slot = flights.reserve((rx, owner), Side::Down, follow_up);
            slot.map(|slot| (None, slot))
        } else {
            let launched = flights.launch((rx, owner), Side::Down, follow_up, by, None);
            launched.map(|(token, slot)| (Some(token), slot))
        };
        let Some((token, slot)) = launched else {
            if let Some(frame) = follow_up {
                self.drop_kept(frame, Reason::InFlightFull);
            }
            return Err(Reason::InFlightFull);
        };
        let progress = match passage {
            Passage::Untouched | Passage::Rewritten => SyncProgress::Untouched,
            Passage::TwoStep | Passage::Converted => SyncProgress::InFlight(slot),
        };
        // A Follow_Up of our making is the only one that may follow.
        let followed = follow_up.is_some();
        let sync = self.syncs.get_mut(row);
        let origin = sync.and_then(|sync| sync.launched(progress, followed));
        Ok(Launched {
            token,
            slot,
            origin,
        })
    }

    /// Makes the Follow_Up of a one-step Sync; it waits for the Sync's residence.
    fn make_follow_up(
        &mut self,
        sync: &Frame<'_>,
        arrival: &Arrived<'_>,
        master: u32,
    ) -> Result<FrameRef, Reason> {
        let mut made = [0_u8; LARGEST_FOLLOW_UP];
        let mut len = edit::follow_up(sync, &mut made).ok_or(Reason::HoldFull)?;
        let mut verified = None;
        if let Signature::Verified(of_sync) = arrival.signature {
            let signed = self.signatures.sign_made(&mut made, len, of_sync)?;
            (len, verified) = (signed.0, Some(signed.1));
            self.account.signed();
        }
        let frame = made
            .get(..len)
            .and_then(|bytes| Frame::parse(bytes).ok())
            .ok_or(Reason::HoldFull)?;
        let kept = self
            .hold
            .keep_made((&frame, verified), arrival, master)
            .ok_or(Reason::HoldFull)?;
        self.account.follow_up_made();
        Ok(kept)
    }
}
