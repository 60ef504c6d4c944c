//! Another gateway between the same two segments: how it is noticed, and how its copies of event
//! messages are kept apart from ours.
//!
//! A correction of ours is right for our copy of an event message only. Who hears the other gateway's
//! copy drops the exchange. But the copy may be on its way to us, or wait in a ring, when we have all
//! that a Follow_Up or Delay_Resp needs. So while a second path is known these wait a little longer,
//! which harms no time, and go only if no copy was heard meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Side;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::in_flight::Owner;
use crate::core::open::Progress;
use crate::core::store::{FrameRef, Purpose, Settled};
use crate::core::syncs::SyncProgress;
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;

/// A second path is gone when nothing told of it for this long.
const MEMORY: Duration = Duration::from_secs(10);
/// A corrected message waits this long for a copy of its event message. Longer than a process of
/// normal priority is commonly kept from running between reading a ring and filling the other.
const GUARD: Duration = Duration::from_millis(5);

/// What is known of a second path.
pub(crate) struct SecondPath {
    last_sign: Option<Instant>,
    /// Corrected messages and the end of their wait, in its order.
    guarded: VecDeque<(Instant, FrameRef)>,
}

/// Corrected messages that wait at once.
const GUARDED: usize = 4096;

impl Default for SecondPath {
    fn default() -> Self {
        Self {
            last_sign: None,
            guarded: VecDeque::with_capacity(GUARDED),
        }
    }
}

impl SecondPath {
    /// When the next wait is over.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.guarded.front().map(|&(due, _)| due)
    }
}

impl Forwarder {
    /// Something told of a second path.
    pub(super) fn second_path_found(&mut self, side: Side, now: Instant) {
        if self.second_path.last_sign.replace(now).is_none() {
            self.tell(Event::SecondPath(side));
        }
    }

    pub(super) const fn second_path_known(&self) -> bool {
        self.second_path.last_sign.is_some()
    }

    /// Forgets a second path that nothing tells of any more.
    pub(super) fn forget_second_path(&mut self, now: Instant) {
        let sign = self.second_path.last_sign;
        if sign.is_some_and(|since| now.since(since) > MEMORY) {
            self.second_path.last_sign = None;
            self.tell(Event::SecondPathGone);
        }
    }

    /// A general message whose correction is known goes on: now, or while a second path is known when
    /// no copy of its event message was heard for a while.
    pub(super) fn settled(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        owner: Owner,
        correction: i64,
    ) -> Result<Verdict, Reason> {
        if !self.second_path_known() {
            return Ok(corrected(arrival, correction));
        }
        let purpose = Purpose::General { master: 0 };
        let kept = self.keep(frame, arrival, purpose).ok_or(Reason::HoldFull)?;
        if let Some(waiting) = self.store.get_mut(kept) {
            waiting.edit.correction = correction;
        }
        if self.guard(kept, owner, arrival.now) {
            return Ok(Verdict::Wait);
        }
        self.store.release(kept);
        Err(Reason::HoldFull)
    }

    /// Lets a corrected message wait for a copy of its event message; false when too many wait.
    pub(super) fn guard(&mut self, frame: FrameRef, owner: Owner, now: Instant) -> bool {
        let Some(sequence_id) = self.sequence_of(owner) else {
            return false;
        };
        if self.second_path.guarded.len() == GUARDED {
            return false;
        }
        self.second_path.guarded.push_back((now + GUARD, frame));
        if let Some(waiting) = self.store.get_mut(frame) {
            waiting.purpose = Purpose::Settled(Settled { owner, sequence_id });
        }
        true
    }

    /// Everything that had arrived was read: messages that waited for a copy of their event message, and
    /// for long enough, may leave. Not before: if the process stood still, a copy may be among it.
    pub fn all_read(&mut self, now: Instant) {
        while let Some(&(due, frame)) = self.second_path.guarded.front()
            && due <= now
        {
            self.second_path.guarded.pop_front();
            let Some(Purpose::Settled(settled)) =
                self.store.get(frame).map(|(_, waiting)| waiting.purpose)
            else {
                continue;
            };
            if self.copy_heard(settled) {
                self.discard(frame, Reason::SecondPath);
            } else {
                self.ready.push_back(frame);
            }
        }
    }

    /// Whether a copy of this exchange's event message was heard; also when nothing is known of it.
    fn copy_heard(&mut self, settled: Settled) -> bool {
        match settled.owner {
            Owner::Request {
                client,
                generation,
                open,
            } => self
                .clients
                .same_mut(client, generation)
                .is_none_or(|client| {
                    let open = &client.open[usize::from(open)];
                    open.sequence_id != settled.sequence_id
                        || open.progress() == Progress::SecondPath
                }),
            Owner::Sync { entry, generation } => self
                .syncs
                .same_mut(entry, generation)
                .is_none_or(|sync| sync.progress == SyncProgress::SecondPath),
        }
    }

    /// A request's sequenceId: its place may be another's by the time its wait is over.
    fn sequence_of(&mut self, owner: Owner) -> Option<u16> {
        match owner {
            Owner::Request {
                client,
                generation,
                open,
            } => {
                let client = self.clients.same_mut(client, generation)?;
                Some(client.open[usize::from(open)].sequence_id)
            }
            Owner::Sync { .. } => Some(0),
        }
    }
}

/// A general message goes on with the residence of its event message added.
fn corrected(arrival: &Arrival, correction: i64) -> Verdict {
    Verdict::Forward(
        Edit {
            correction,
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        },
        None,
    )
}
