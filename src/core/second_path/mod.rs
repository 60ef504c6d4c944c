//! Another gateway between the same two segments: how it is noticed, and how its copies of event messages are kept
//! apart from ours.
//!
//! A correction of ours is right for our copy of an event message only. Who receives the other gateway's copy too drops
//! the exchange. But that copy may still be on its way to us, or wait in a ring, when we have all that a Follow_Up or
//! Delay_Resp needs. So while a second path is known these wait a little longer, which harms no time. They leave only
//! if everything was read and no copy was among it. While none is known, only a Follow_Up whose Sync was here for long waits
//! so: who mixes it with another gateway's copy is wrong by as much as that is long.
//!
//! The first exchange that two gateways share comes before either knows. So one that starts listens first: before its
//! first event message it makes itself known by an Announce, which harms nobody.
//!
//! | file | one idea |
//! |---|---|
//! | `echoes` | Announce, Signaling and Management that come round by a second path |
//! | `copies` | two answers to one request: how many copies of it there are |
//! | `pair` | one of two gateways: whether it forwards or stands by |
//! | `heralds` | the last Announce of each master, for whoever takes over |
//! | `moves` | what it sends of its own then |

mod copies;
mod echoes;
mod heralds;
mod moves;
mod pair;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Side;
use crate::core::hold::FrameRef;
use crate::core::refs::Owner;
use crate::core::second_path::copies::Copies;
use crate::core::second_path::echoes::Echoes;
use crate::core::second_path::heralds::Heralds;
use crate::core::second_path::pair::Pair;
use crate::core::state::{Reader, StateError, Writer};
use crate::core::table::Secret;
use crate::telemetry::{By, Role, RoleState};
use crate::time::Instant;
use crate::wire::{Frame, MessageType};

pub(crate) use copies::{Answer, Copy};
pub(crate) use heralds::Sign;
pub(crate) use moves::Moves;

/// A second path is gone when there was no sign of it for this long.
const MEMORY: Duration = Duration::from_secs(10);
/// A corrected message waits at most this long for a copy of its event message: longer than a process is commonly kept
/// from running between reading a ring and filling the other.
pub(crate) const GUARD: Duration = Duration::from_millis(5);
/// A Sync that was here for longer was read by a process that was then kept from running: its correction waits for a copy
/// even while no second path is known.
const UNDISTURBED_NS: i64 = 250_000;
/// logMessageInterval of the fastest Syncs, 256 a second.
const FASTEST: i8 = -8;
/// Corrected messages that wait so at once.
const GUARDED: usize = 4096;
/// How long a gateway that starts waits for an Announce to make itself known by, and then for a sign of another.
const PATIENCE: Duration = Duration::from_secs(3);
/// By then the other gateway has read that Announce.
const INTRODUCTION: Duration = Duration::from_millis(20);

/// What is known of a second path.
pub(crate) struct SecondPath {
    last_sign: Option<Instant>,
    /// When a message of a master upstream was last seen downstream.
    below: Option<Instant>,
    guarded: VecDeque<Guarded>,
    listening: Listening,
    /// A gateway that has just started may not have seen a sign of the other yet. Until then it acts as if there were
    /// one.
    new_until: Instant,
    /// Version of the client table to be admitted when the listening ends.
    admit_later: Option<u64>,
    echoes: Echoes,
    copies: Copies,
    pair: Pair,
    heralds: Heralds,
    moves: Moves,
}

/// A corrected message that waits for a copy of its event message.
#[derive(Serialize, Deserialize)]
pub(crate) struct Guarded {
    pub(crate) until: Instant,
    pub(crate) frame: FrameRef,
    pub(crate) owner: Owner,
    /// Of a request: its place may be another's by then.
    pub(crate) sequence_id: u16,
}

/// What time has changed.
#[derive(Default)]
pub(crate) struct Elapsed {
    /// The second path is gone.
    pub(crate) gone: bool,
    /// One of a pair stood still: the other may have taken its place.
    pub(crate) stood_still: bool,
    /// The listening has ended: clients up to this version of the table are to be admitted, if any.
    pub(crate) admit: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Listening {
    /// From the first moment that the core is told.
    Begins,
    /// For an Announce, until then.
    Announce(Instant),
    /// An Announce went downstream; until then.
    Introduced(Instant),
    Over,
}

/// How long a corrected message waits for a copy of its event message: no client takes a Follow_Up once the next Sync has
/// come. So with Syncs that are faster than 32 a second a copy may be seen too late; of such a Sync nobody would have a
/// time otherwise.
pub(crate) fn wait_for_copies(frame: &Frame<'_>) -> Duration {
    match (frame.message_type(), frame.log_message_interval()) {
        (MessageType::FollowUp, log @ ..0) => {
            let syncs = 1 << log.max(FASTEST).unsigned_abs();
            GUARD.min(Duration::from_secs(1) / 4 / syncs)
        }
        _ => GUARD,
    }
}

impl SecondPath {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            last_sign: None,
            below: None,
            guarded: VecDeque::with_capacity(GUARDED),
            listening: Listening::Over,
            new_until: Instant::default(),
            admit_later: None,
            echoes: Echoes::new(secret),
            copies: Copies::new(),
            pair: Pair::default(),
            heralds: Heralds::new(),
            moves: Moves::Done,
        }
    }

    /// Writes what is known of it.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.put(&(self.last_sign, self.below, self.listening, self.new_until));
        out.put(&(self.admit_later, &self.pair, self.moves));
        out.all(self.guarded.iter());
        self.echoes.save(out);
        self.copies.save(out);
        self.heralds.save(out);
    }

    /// Reads it, where nothing is known yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        (self.last_sign, self.below, self.listening, self.new_until) = from.take()?;
        (self.admit_later, self.pair, self.moves) = from.take()?;
        from.all(GUARDED, "messages that wait for copies", |guarded| {
            self.guarded.push_back(guarded);
            Ok(())
        })?;
        self.echoes.restore(from)?;
        self.copies.restore(from)?;
        self.heralds.restore(from)
    }

    // Signs of it.

    /// Whether a second path is known.
    pub(crate) const fn known(&self) -> bool {
        self.last_sign.is_some()
    }

    /// There was a sign of a second path; whether that is news: it was not known before, and nobody expects it.
    pub(crate) const fn found(&mut self, now: Instant) -> bool {
        self.last_sign.replace(now).is_none() && !self.pair.stands_by()
    }

    /// A message of a master upstream was seen downstream; whether a second path was not known before.
    pub(crate) const fn found_below(&mut self, now: Instant) -> bool {
        self.below = Some(now);
        self.found(now)
    }

    /// Notes a message that belongs to no exchange. The side where a copy of it was seen a moment ago, if one was.
    pub(crate) fn echo(&mut self, frame: &Frame<'_>, side: Side, now: Instant) -> Option<Side> {
        self.echoes.seen(frame, side, now)
    }

    /// The first answer of a master to a request that it received then, by its own clock.
    pub(crate) fn answered(&mut self, answer: Answer, received_ns: i64) {
        self.copies.first(answer, received_ns);
    }

    /// What another answer of the same master to the same request tells.
    pub(crate) fn answered_again(&self, answer: Answer, received_ns: i64) -> Copy {
        self.copies.again(answer, received_ns)
    }

    // One of two gateways.

    /// What this gateway does for its network.
    pub(crate) const fn role(&self) -> RoleState {
        RoleState {
            other: self.pair.stands_by() && self.known(),
            ..self.pair.state()
        }
    }

    /// Whether it sends nothing.
    pub(crate) const fn stands_by(&self) -> bool {
        self.pair.stands_by()
    }

    /// From now on it has this role. Whether that is another one than before.
    pub(crate) fn set_role(&mut self, role: Role, by: By, now: Instant) -> bool {
        self.pair.set(role, by, now)
    }

    /// Nothing leaves any more, so nothing is listened for: clients up to this version of the table are to be admitted.
    pub(crate) const fn stand_by(&mut self) -> Option<u64> {
        self.listening = Listening::Over;
        self.forget_signs();
        self.admit_later.take()
    }

    /// The other gateway may still forward: no event message leaves until this one has made itself known.
    pub(crate) fn take_over(&mut self, now: Instant) {
        self.listen_again(now);
        self.forget_signs();
    }

    /// The other gateway may forward by now: no event message leaves until this one has made itself known anew.
    pub(crate) fn listen_again(&mut self, now: Instant) {
        self.listening = Listening::Announce(now + PATIENCE);
    }

    /// What it is to send of its own.
    pub(crate) const fn moves(&self) -> Moves {
        self.moves
    }

    /// The same, from now on.
    pub(crate) const fn set_moves(&mut self, moves: Moves) {
        self.moves = moves;
    }

    /// What was heard of another gateway until now does not count: one was to be there.
    const fn forget_signs(&mut self) {
        self.last_sign = None;
        self.below = None;
    }

    /// The last Announce of each master.
    pub(crate) const fn heralds(&mut self) -> &mut Heralds {
        &mut self.heralds
    }

    // Listening before the first event message.

    /// From now on no event message leaves until an Announce has.
    pub(crate) const fn listen_first(&mut self) {
        self.listening = Listening::Begins;
    }

    /// Whether event messages may not leave yet.
    pub(crate) fn listening(&self) -> bool {
        self.listening != Listening::Over
    }

    /// Whether event messages will be able to leave in a moment.
    pub(crate) const fn is_introduced(&self) -> bool {
        matches!(self.listening, Listening::Introduced(_) | Listening::Over)
    }

    /// An Announce goes downstream.
    pub(crate) fn introduced(&mut self, now: Instant) {
        if let Listening::Begins | Listening::Announce(_) = self.listening {
            self.listening = Listening::Introduced(now + INTRODUCTION);
        }
    }

    /// When the listening ends, clients up to this version of the table are to be admitted.
    pub(crate) const fn admit_later(&mut self, version: u64) {
        self.admit_later = Some(version);
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Instant) -> Elapsed {
        let mut elapsed = Elapsed {
            stood_still: self.pair.advance(now),
            ..Elapsed::default()
        };
        if self.last_sign.is_some_and(|at| now.since(at) > MEMORY) {
            self.last_sign = None;
            self.below = None;
            elapsed.gone = !self.pair.stands_by();
        }
        match self.listening {
            Listening::Begins => self.listening = Listening::Announce(now + PATIENCE),
            Listening::Announce(until) | Listening::Introduced(until) if until <= now => {
                self.listening = Listening::Over;
                self.new_until = now + PATIENCE;
                elapsed.admit = self.admit_later.take();
            }
            _ => {}
        }
        elapsed
    }

    // Corrected messages that wait for copies of their event messages.

    /// Whether the correction of this event message, of such a residence, has to wait for a copy.
    pub(crate) fn guards(&self, owner: Owner, residence_ns: i64, now: Instant) -> bool {
        match owner {
            Owner::Sync(_) => {
                self.guards_after(self.below, now)
                    || residence_ns > UNDISTURBED_NS && self.guarded.len() < GUARDED
            }
            Owner::Request { .. } => self.guards_requests(now),
        }
    }

    /// Whether the correction of a request has to wait for a copy.
    pub(crate) fn guards_requests(&self, now: Instant) -> bool {
        self.guards_after(self.last_sign, now)
    }

    fn guards_after(&self, sign: Option<Instant>, now: Instant) -> bool {
        sign.is_some_and(|at| now.since(at) <= MEMORY)
            || now < self.new_until && self.guarded.len() < GUARDED
    }

    /// A corrected message waits for a copy until `until`; false when too many do.
    pub(crate) fn guard(
        &mut self,
        frame: FrameRef,
        owner: Owner,
        sequence_id: u16,
        until: Instant,
    ) -> bool {
        let room = self.guarded.len() < GUARDED;
        if room {
            // Those that wait for less overtake.
            let place = self.guarded.partition_point(|one| one.until <= until);
            let guarded = Guarded {
                until,
                frame,
                owner,
                sequence_id,
            };
            self.guarded.insert(place, guarded);
        }
        room
    }

    /// The next message that has waited for long enough: everything was read that had arrived until `then`.
    pub(crate) fn next_guarded(&mut self, then: Instant) -> Option<Guarded> {
        if self.guarded.front()?.until > then {
            return None;
        }
        self.guarded.pop_front()
    }

    /// When [`SecondPath::advance`] or [`SecondPath::next_guarded`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let listening = match self.listening {
            Listening::Announce(until) | Listening::Introduced(until) => Some(until),
            Listening::Begins | Listening::Over => None,
        };
        let guarded = self.guarded.front().map(|next| next.until);
        [listening, guarded, self.pair.next_look(), self.moves.due()]
            .into_iter()
            .flatten()
            .min()
    }
}
