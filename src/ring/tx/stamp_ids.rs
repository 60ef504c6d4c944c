//! Matches the ids of the kernel's timestamps to the tokens of the frames they belong to.
//!
//! The kernel counts ids up by one per frame of a stamped kick (SOF_TIMESTAMPING_OPT_ID) and does not
//! report which frame has which id; so we count along. A frame that the queue refuses has used an id up, one
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
    waiting: usize,
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
            waiting: 0,
            trial_tokens: Vec::with_capacity(capacity),
            trial_stamps: Vec::with_capacity(capacity),
            lost: 0,
        }
    }

    /// Another process counts along from here: the id of the next stamped frame, `None` if it is not known; and those that
    /// still wait, with their ids. None does here any more.
    pub(super) fn hand_over(&mut self) -> (Option<u32>, Vec<(u32, T)>) {
        let next = self.is_sure().then_some(self.next);
        self.waiting = 0;
        (
            next,
            self.pending.iter_mut().filter_map(Option::take).collect(),
        )
    }

    /// Counts along with a socket of another process.
    pub(super) fn take_over(
        capacity: usize,
        (next, pending): (Option<u32>, Vec<(u32, T)>),
    ) -> Self {
        let mut ids = Self::new(capacity);
        match next {
            Some(next) => ids.next = next,
            None => ids.state = State::Adrift,
        }
        for (id, token) in pending {
            let mask = ids.pending.len() - 1;
            if let Some(place) = ids.pending.get_mut(id as usize & mask)
                && next.is_some()
                && place.replace((id, token)).is_none()
            {
                ids.waiting += 1;
            }
        }
        ids
    }

    /// Whether the next kick may be stamped.
    pub(super) const fn may_stamp(&self) -> bool {
        matches!(self.state, State::Sure | State::Unsure { .. })
    }

    /// Whether the counter's position is known.
    pub(super) const fn is_sure(&self) -> bool {
        matches!(self.state, State::Sure)
    }

    /// Whether a timestamp is still of use.
    pub(super) const fn expects_stamps(&self) -> bool {
        self.waiting > 0 || !self.is_sure()
    }

    /// Tokens whose timestamps were lost or could not be trusted.
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
                        if let Some(place) = self.pending.get_mut(id as usize & mask) {
                            match place.replace((id, token)) {
                                Some(_) => self.lost += 1,
                                None => self.waiting += 1,
                            }
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
                self.waiting -= 1;
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

    /// The token that waits for the stamp with this id.
    pub(super) fn waits(&self, id: u32) -> Option<&T> {
        let mask = self.pending.len() - 1;
        let (known, token) = self.pending.get(id as usize & mask)?.as_ref()?;
        (*known == id).then_some(token)
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
        self.waiting = 0;
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
mod tests;
