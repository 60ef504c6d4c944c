//! Another gateway between the same two segments: how it is noticed, and how its copies of event
//! messages are kept apart from ours.
//!
//! A correction of ours is right for our copy of an event message only. Who hears the other gateway's
//! copy drops the exchange. But that copy may still be on its way to us, or wait in a ring, when we have
//! all that a Follow_Up or Delay_Resp needs. So while a second path is known these wait a little longer,
//! which harms no time, and leave only if everything was read and no copy was among it.
//!
//! The first exchange that two gateways share comes before either knows. So one that starts listens
//! first: it makes itself known by an Announce, which harms nobody, before it sends an event message.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Side;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::in_flight::Owner;
use crate::core::open::Progress;
use crate::core::store::FrameRef;
use crate::core::syncs::SyncProgress;
use crate::reason::Reason;
use crate::time::Instant;

/// A second path is gone when nothing told of it for this long.
const MEMORY: Duration = Duration::from_secs(10);
/// A corrected message waits this long for a copy of its event message: longer than a process is
/// commonly kept from running between reading a ring and filling the other.
const GUARD: Duration = Duration::from_millis(5);
/// Corrected messages that wait so at once.
const GUARDED: usize = 4096;
/// How long a gateway that starts waits for an Announce to make itself known by, and then for a sign of
/// another.
const PATIENCE: Duration = Duration::from_secs(3);
/// By then the other gateway has read that Announce.
const INTRODUCTION: Duration = Duration::from_millis(20);

/// What is known of a second path.
pub(crate) struct SecondPath {
    last_sign: Option<Instant>,
    /// When a message of a master above was last heard below.
    below: Option<Instant>,
    waiting: VecDeque<Guarded>,
    listening: Listening,
    /// A gateway that has just started may not have heard of the other yet: until then it takes it that
    /// there is one.
    new_until: Instant,
}

/// A corrected message that waits.
struct Guarded {
    until: Instant,
    frame: FrameRef,
    owner: Owner,
    /// Of a request: its place may be another's by then.
    sequence_id: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    /// From the first moment that is told.
    Begins,
    /// For an Announce.
    Announce(Instant),
    /// An Announce went down.
    Introduced(Instant),
    Over,
}

impl SecondPath {
    pub(crate) fn new() -> Self {
        Self {
            last_sign: None,
            below: None,
            waiting: VecDeque::with_capacity(GUARDED),
            listening: Listening::Over,
            new_until: Instant::default(),
        }
    }

    /// Whether a second path is known.
    pub(super) const fn known(&self) -> bool {
        self.last_sign.is_some()
    }

    /// Whether event messages may not leave yet.
    pub(super) fn listening(&self) -> bool {
        self.listening != Listening::Over
    }

    /// An Announce goes down.
    pub(super) fn introduced(&mut self, now: Instant) {
        if let Listening::Begins | Listening::Announce(_) = self.listening {
            self.listening = Listening::Introduced(now + INTRODUCTION);
        }
    }

    /// Whether the correction of this event message has to wait for a copy.
    pub(super) fn guards(&self, owner: Owner, now: Instant) -> bool {
        let sign = match owner {
            Owner::Sync { .. } => self.below,
            Owner::Request { .. } => self.last_sign,
        };
        sign.is_some_and(|at| now.since(at) <= MEMORY)
            || now < self.new_until && self.waiting.len() < GUARDED
    }

    /// When [`Forwarder::follow_second_path`] or [`Forwarder::read_up_to`] has something to do next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let listening = match self.listening {
            Listening::Announce(until) | Listening::Introduced(until) => Some(until),
            Listening::Begins | Listening::Over => None,
        };
        let waiting = self.waiting.front().map(|next| next.until);
        [listening, waiting].into_iter().flatten().min()
    }
}

impl Forwarder {
    /// From now on no event message leaves until an Announce has: for loops on a network where another
    /// gateway may run already.
    pub const fn listen_first(&mut self) {
        self.second_path.listening = Listening::Begins;
    }

    /// Something told of a second path.
    pub(super) fn second_path_found(&mut self, side: Side, now: Instant) {
        if self.second_path.last_sign.replace(now).is_none() {
            self.tell(Event::SecondPath(side));
        }
    }

    /// A message of a master above was heard below.
    pub(super) fn second_path_found_below(&mut self, now: Instant) {
        self.second_path.below = Some(now);
        self.second_path_found(Side::Down, now);
    }

    /// Lets time pass. True when the listening ends.
    pub(super) fn follow_second_path(&mut self, now: Instant) -> bool {
        let path = &mut self.second_path;
        if path.last_sign.is_some_and(|at| now.since(at) > MEMORY) {
            path.last_sign = None;
            path.below = None;
            self.tell(Event::SecondPathGone);
        }
        let path = &mut self.second_path;
        match path.listening {
            Listening::Begins => path.listening = Listening::Announce(now + PATIENCE),
            Listening::Announce(until) | Listening::Introduced(until) if until <= now => {
                path.listening = Listening::Over;
                path.new_until = now + PATIENCE;
                return true;
            }
            _ => {}
        }
        false
    }

    /// A corrected message leaves if no copy of its event message is heard meanwhile.
    pub(super) fn guard(&mut self, frame: FrameRef, owner: Owner, now: Instant) {
        let sequence_id = match owner {
            Owner::Sync { .. } => Some(0),
            Owner::Request {
                client,
                generation,
                open,
            } => self
                .clients
                .same_mut(client, generation)
                .map(|client| client.open[usize::from(open)].sequence_id),
        };
        match sequence_id {
            Some(sequence_id) if self.second_path.waiting.len() < GUARDED => {
                self.second_path.waiting.push_back(Guarded {
                    until: now + GUARD,
                    frame,
                    owner,
                    sequence_id,
                });
            }
            _ => self.discard(frame, Reason::SecondPath),
        }
    }

    /// Everything that had arrived by now was read.
    pub fn all_read(&mut self, now: Instant) {
        self.read_up_to(now, now);
    }

    /// Everything was read that had arrived on either side until then: corrected messages that waited for
    /// that may leave. (Under a flood the present is never reached: that must not keep them for ever.)
    pub fn read_up_to(&mut self, then: Instant, now: Instant) {
        while let Some(next) = self.second_path.waiting.front()
            && next.until <= then
            && let Some(guarded) = self.second_path.waiting.pop_front()
        {
            let drop = if now.since(guarded.until) > self.settings.max_hold {
                // We were kept from running: it is of no use any more.
                Some(Reason::Stale)
            } else {
                self.copy_heard(&guarded)
            };
            match drop {
                Some(reason) => self.discard(guarded.frame, reason),
                None => self.make_ready(guarded.frame),
            }
        }
    }

    /// Why a correction is not to leave.
    fn copy_heard(&mut self, guarded: &Guarded) -> Option<Reason> {
        match guarded.owner {
            Owner::Request {
                client,
                generation,
                open,
            } => {
                let Some(client) = self.clients.same_mut(client, generation) else {
                    return Some(Reason::NotOurClient);
                };
                let open = &client.open[usize::from(open)];
                match open.progress() {
                    _ if open.sequence_id != guarded.sequence_id => Some(Reason::Unsolicited),
                    Progress::Departed => None,
                    Progress::SecondPath => Some(Reason::SecondPath),
                    _ => Some(Reason::Unsolicited),
                }
            }
            Owner::Sync { entry, generation } => {
                let sync = self.syncs.same_mut(entry, generation);
                match sync.map(|sync| sync.progress) {
                    Some(SyncProgress::Departed(_)) => None,
                    Some(SyncProgress::SecondPath) => Some(Reason::SecondPath),
                    _ => Some(Reason::NoSync),
                }
            }
        }
    }
}
