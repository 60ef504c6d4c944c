//! Matches the kernel's stamp ids to the tokens of the frames they belong to.
//!
//! The kernel counts ids up by one per frame of a stamped kick (SOF_TIMESTAMPING_OPT_ID) and does not
//! say which frame has which id; so we count along. A frame that the queue refuses has used an id up, one
//! for which there was no memory has not, and after some failed kicks the two look alike. A wrong guess
//! would hand every later stamp to a neighbour's token. So while in doubt, the next stamped batch is a
//! trial: only if exactly as many ids come as it had frames, without a gap, its stamps count and we know
//! again where we are. Until then no other batch is stamped. A trial that stays incomplete, or whose own
//! kick fails, ends with [`StampIds::reset`].
//!
//! One thing is relied upon: a frame that failed inside a kick is stamped, if at all, before that kick
//! returns (as veth does), so the caller drains the queue before it starts a trial.

use crate::time::Stamp;

/// Tokens that wait for their stamp, and where the kernel's counter is.
#[derive(Debug)]
pub(super) struct StampIds<T> {
    /// The id of the next stamped frame, or the least that it can be.
    next: u32,
    state: State,
    pending: Box<[Option<(u32, T)>]>,
    trial_tokens: Vec<Option<T>>,
    trial_stamps: Vec<(u32, Stamp)>,
    lost: u64,
}

/// How many ids the frames of one kick used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) least: u32,
    pub(super) most: u32,
}

impl Counted {
    pub(super) const fn exactly(ids: u32) -> Self {
        Self {
            least: ids,
            most: ids,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `next` is right.
    Sure,
    /// The counter is in `next..=next + slack`.
    Unsure { slack: u32 },
    /// A batch of `frames` frames was sent while unsure.
    Trial { slack: u32, frames: u32 },
    /// Only a reset of the counter helps.
    Adrift,
}

impl<T> StampIds<T> {
    /// Room for `capacity` tokens that wait and as many frames in one batch.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.next_power_of_two();
        Self {
            next: 0,
            state: State::Sure,
            pending: (0..capacity).map(|_| None).collect(),
            trial_tokens: Vec::with_capacity(capacity),
            trial_stamps: Vec::with_capacity(capacity),
            lost: 0,
        }
    }

    /// Whether the next kick may be stamped.
    pub(super) const fn may_stamp(&self) -> bool {
        matches!(self.state, State::Sure | State::Unsure { .. })
    }

    /// Whether the counter's position is known.
    pub(super) const fn is_sure(&self) -> bool {
        matches!(self.state, State::Sure)
    }

    /// Tokens whose stamps never came or could not be trusted.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Notes a stamped kick: the frames that the kernel took, in order, each with its token if it has
    /// one, and the ids that the kick used up (`None`: unknown even per frame). Empties `tokens`.
    pub(super) fn sent(&mut self, tokens: &mut Vec<Option<T>>, counted: Option<Counted>) {
        let Some(counted) = counted else {
            self.lose(tokens);
            self.state = State::Adrift;
            return;
        };
        match self.state {
            State::Sure => {
                for (offset, token) in (0_u32..).zip(tokens.drain(..)) {
                    if let Some(token) = token {
                        let id = self.next.wrapping_add(offset);
                        let mask = self.pending.len() - 1;
                        if let Some(place) = self.pending.get_mut(id as usize & mask)
                            && place.replace((id, token)).is_some()
                        {
                            self.lost += 1;
                        }
                    }
                }
                self.advance(self.next, counted, 0);
            }
            State::Unsure { slack } if tokens.is_empty() => self.advance(self.next, counted, slack),
            State::Unsure { slack } => {
                let frames = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
                if counted == Counted::exactly(frames) {
                    self.trial_stamps.clear();
                    self.trial_tokens.clear();
                    self.trial_tokens.append(tokens);
                    self.state = State::Trial { slack, frames };
                } else {
                    // The stamp of its failed frame could pass for one of the others.
                    self.lose(tokens);
                    self.state = State::Adrift;
                }
            }
            State::Trial { .. } | State::Adrift => self.lose(tokens),
        }
    }

    /// Notes a stamp of the error queue; each token whose departure is now known goes to `deliver`.
    pub(super) fn stamp(&mut self, id: u32, stamp: Stamp, deliver: &mut dyn FnMut(T, Stamp)) {
        let ahead = id.wrapping_sub(self.next);
        if ahead > u32::MAX / 2 {
            let mask = self.pending.len() - 1;
            if let Some(place) = self.pending.get_mut(id as usize & mask)
                && let Some((_, token)) = place.take_if(|(known, _)| *known == id)
            {
                deliver(token, stamp);
            }
            return;
        }
        match self.state {
            State::Unsure { slack } if ahead < slack => {
                // A refused frame was stamped all the same: it did use an id up.
                self.next = id.wrapping_add(1);
                self.state = unsure(slack - ahead - 1);
            }
            State::Trial { slack, frames } if ahead < slack.saturating_add(frames) => {
                if self.trial_stamps.iter().any(|(known, _)| *known == id) {
                    return;
                }
                self.trial_stamps.push((id, stamp));
                if self.trial_stamps.len() == frames as usize {
                    self.judge(slack, frames, deliver);
                }
            }
            State::Adrift => {}
            // An id that no frame of ours can have: the count was wrong, trust nothing.
            State::Sure | State::Unsure { .. } | State::Trial { .. } => self.drift(),
        }
    }

    /// Starts anew after the kernel's counter was set to 0; whoever still waits gets no stamp.
    pub(super) fn reset(&mut self) {
        self.drift();
        self.next = 0;
        self.state = State::Sure;
    }

    /// All stamps of the trial are in: they count if their ids have no gap.
    fn judge(&mut self, slack: u32, frames: u32, deliver: &mut dyn FnMut(T, Stamp)) {
        let next = self.next;
        let offsets = || {
            self.trial_stamps
                .iter()
                .map(|(id, _)| id.wrapping_sub(next))
        };
        let (Some(first), Some(last)) = (offsets().min(), offsets().max()) else {
            return;
        };
        if last - first != frames - 1 || first > slack {
            self.drift();
            return;
        }
        let start = next.wrapping_add(first);
        for (id, stamp) in self.trial_stamps.drain(..) {
            let place = self.trial_tokens.get_mut(id.wrapping_sub(start) as usize);
            if let Some(token) = place.and_then(Option::take) {
                deliver(token, stamp);
            }
        }
        self.trial_tokens.clear();
        self.advance(start, Counted::exactly(frames), 0);
    }

    const fn advance(&mut self, start: u32, counted: Counted, slack: u32) {
        self.next = start.wrapping_add(counted.least);
        self.state = unsure(slack.saturating_add(counted.most.saturating_sub(counted.least)));
    }

    fn drift(&mut self) {
        self.lost += self.pending.iter_mut().filter_map(Option::take).count() as u64;
        self.lost += self.trial_tokens.drain(..).flatten().count() as u64;
        self.trial_stamps.clear();
        self.state = State::Adrift;
    }

    fn lose(&mut self, tokens: &mut Vec<Option<T>>) {
        self.lost += tokens.drain(..).flatten().count() as u64;
    }
}

const fn unsure(slack: u32) -> State {
    if slack == 0 {
        State::Sure
    } else {
        State::Unsure { slack }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ClockId;
    use proptest::prelude::*;

    const EXACT: fn(u32) -> Option<Counted> = |frames| Some(Counted::exactly(frames));
    const DOUBT: fn(u32) -> Option<Counted> = |frames| {
        Some(Counted {
            least: frames,
            most: frames + 1,
        })
    };

    fn at(ns: i64) -> Stamp {
        Stamp::new(ClockId::Realtime, ns)
    }

    /// Feeds ids; returns the tokens they reach.
    fn feed(ids: &mut StampIds<u32>, stamps: &[u32]) -> Vec<u32> {
        let mut reached = Vec::new();
        for &id in stamps {
            ids.stamp(id, at(i64::from(id)), &mut |token, _| reached.push(token));
        }
        reached
    }

    fn send(ids: &mut StampIds<u32>, tokens: &[u32], counted: Option<Counted>) {
        ids.sent(&mut tokens.iter().copied().map(Some).collect(), counted);
    }

    #[test]
    fn ids_reach_their_tokens_across_the_wrap() {
        let mut ids = StampIds::new(8);
        ids.next = u32::MAX - 1;
        send(&mut ids, &[10, 11, 12, 13], EXACT(4));
        assert_eq!(
            feed(&mut ids, &[u32::MAX, 1, u32::MAX - 1, 0]),
            [11, 13, 10, 12]
        );
        assert_eq!(feed(&mut ids, &[0]), [0; 0], "one send, one stamp");
        assert!(ids.is_sure());
    }

    #[test]
    fn tokenless_frames_use_ids_too() {
        let mut ids = StampIds::new(8);
        ids.sent(&mut vec![None, Some(1), None, Some(3)], EXACT(4));
        assert_eq!(feed(&mut ids, &[0, 1, 2, 3]), [1, 3]);
    }

    #[test]
    fn complete_trial_finds_the_counter_again() {
        for used in [0, 1] {
            let mut ids = StampIds::new(8);
            send(&mut ids, &[0, 1], DOUBT(2));
            assert!(!ids.is_sure() && ids.may_stamp());
            send(&mut ids, &[2, 3], EXACT(2));
            assert!(!ids.may_stamp());
            assert_eq!(feed(&mut ids, &[0, 1, 2 + used, 3 + used]), [0, 1, 2, 3]);
            assert!(ids.is_sure());
            send(&mut ids, &[4], EXACT(1));
            assert_eq!(feed(&mut ids, &[4 + used]), [4]);
        }
    }

    #[test]
    fn trial_with_a_gap_or_a_loss_delivers_nothing() {
        let mut ids = StampIds::new(8);
        send(&mut ids, &[], DOUBT(0));
        send(&mut ids, &[1, 2], EXACT(2));
        assert_eq!(feed(&mut ids, &[0, 2]), [0; 0]);
        assert!(!ids.may_stamp());
        ids.reset();
        assert_eq!(ids.lost(), 2);
        send(&mut ids, &[], DOUBT(0));
        send(&mut ids, &[1, 2], EXACT(2));
        assert_eq!(feed(&mut ids, &[1]), [0; 0]);
        assert!(!ids.may_stamp());
    }

    #[test]
    fn trial_whose_kick_fails_is_none() {
        let mut ids = StampIds::new(8);
        send(&mut ids, &[], DOUBT(0));
        // Ids 0 or 1 for token 5, then one for the frame that failed: it alone was stamped at once.
        send(&mut ids, &[5], EXACT(2));
        assert_eq!(feed(&mut ids, &[1]), [0; 0]);
        assert!(!ids.may_stamp());
    }

    #[test]
    fn stamped_failure_settles_the_doubt() {
        let mut ids = StampIds::new(8);
        send(&mut ids, &[7], DOUBT(1));
        assert_eq!(feed(&mut ids, &[0, 1]), [7]);
        assert!(ids.is_sure());
        send(&mut ids, &[8], EXACT(1));
        assert_eq!(feed(&mut ids, &[2]), [8]);
    }

    #[test]
    fn impossible_id_ends_all_trust() {
        let mut ids = StampIds::new(8);
        send(&mut ids, &[1, 2], EXACT(2));
        assert_eq!(feed(&mut ids, &[2, 0, 1]), [0; 0]);
        assert_eq!(ids.lost(), 2);
        assert!(!ids.may_stamp());
    }

    #[test]
    fn forgotten_tokens_make_room() {
        let mut ids = StampIds::new(4);
        for round in 0..10 {
            send(&mut ids, &[round], EXACT(1));
        }
        assert_eq!(ids.lost(), 6);
        assert_eq!(feed(&mut ids, &[5, 6, 9]), [6, 9]);
    }

    /// One kick of the model: frames, where it fails, whether the failure used an id, whether that id
    /// was stamped.
    #[derive(Clone, Debug)]
    struct Kick {
        frames: u32,
        fails_at: Option<u32>,
        uses_id: bool,
        stamped: bool,
        lose: u8,
        hold: bool,
        shuffle: bool,
    }

    fn kick() -> impl Strategy<Value = Kick> {
        (
            1_u32..6,
            proptest::option::weighted(0.3, 0_u32..6),
            any::<bool>(),
            any::<bool>(),
            any::<u8>(),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(
                |(frames, fails_at, uses_id, stamped, lose, hold, shuffle)| Kick {
                    frames,
                    fails_at: fails_at.filter(|&at| at < frames),
                    uses_id,
                    stamped: stamped && uses_id,
                    lose,
                    hold,
                    shuffle,
                },
            )
    }

    proptest! {
        /// A kernel that counts, fails, loses, delays and reorders: no stamp ever reaches a wrong token,
        /// and without a loss none is missed but those of kicks that were not stamped.
        #[test]
        fn never_a_wrong_token(
            kicks in proptest::collection::vec(kick(), 1..60),
            lossy in any::<bool>(),
            start in any::<u32>(),
        ) {
            let mut ids = StampIds::new(512);
            ids.next = start;
            let mut counter = start;
            let mut frame = 0_u32;
            // The stamp carries the frame's number, so that a wrong match shows.
            let mut queue: Vec<(u32, u32)> = Vec::new();
            let mut wrong = Vec::new();
            let mut delivered = 0_u64;
            let mut given = 0_u64;
            let mut drain = |ids: &mut StampIds<u32>, queue: &mut Vec<(u32, u32)>| {
                for (id, frame) in queue.drain(..) {
                    ids.stamp(id, at(i64::from(frame)), &mut |token: u32, stamp| {
                        delivered += 1;
                        if stamp.as_nanos() != i64::from(token) {
                            wrong.push((token, stamp));
                        }
                    });
                }
            };
            let mut late = Vec::new();
            let mut adrift = false;
            for kick in kicks {
                if !ids.is_sure() {
                    drain(&mut ids, &mut queue);
                }
                if ids.may_stamp() {
                    let taken = kick.fails_at.unwrap_or(kick.frames);
                    let mut tokens = Vec::new();
                    for number in 0..taken {
                        if !(lossy && kick.lose & (1 << number) != 0) {
                            let to = if kick.hold { &mut late } else { &mut queue };
                            to.push((counter, frame));
                        }
                        counter = counter.wrapping_add(1);
                        tokens.push(Some(frame));
                        given += 1;
                        frame += 1;
                    }
                    if kick.fails_at.is_some() && kick.uses_id {
                        if kick.stamped {
                            // No frame of ours has this number.
                            queue.push((counter, u32::MAX));
                        }
                        counter = counter.wrapping_add(1);
                    }
                    let counted = match kick.fails_at {
                        Some(0) => DOUBT(0),
                        Some(_) => EXACT(taken + u32::from(kick.uses_id)),
                        None => EXACT(taken),
                    };
                    ids.sent(&mut tokens, counted);
                    adrift |= ids.state == State::Adrift;
                    if kick.fails_at.is_some() {
                        drain(&mut ids, &mut queue);
                    }
                } else {
                    queue.append(&mut late);
                }
                if kick.shuffle {
                    queue.reverse();
                }
                if !kick.hold {
                    queue.append(&mut late);
                    drain(&mut ids, &mut queue);
                }
            }
            queue.append(&mut late);
            drain(&mut ids, &mut queue);
            prop_assert!(wrong.is_empty(), "{wrong:?}");
            if !lossy && !adrift {
                prop_assert_eq!(delivered, given);
                prop_assert_eq!(ids.lost(), 0);
            }
        }
    }
}
