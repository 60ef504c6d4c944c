//! The frames that leave next, in order. Requests and Syncs stand apart from general messages: where a card timestamps
//! few at a time, they take turns.

use std::collections::VecDeque;

use crate::core::hold::store::{FrameRef, FrameStore};
use crate::core::state::{Reader, StateError, Writer};
use crate::{PerSide, Side};

/// Syncs that may wait for their turn.
const SYNCS: usize = 1024;

/// The frames that leave next. Those that are gone are skipped.
pub(super) struct Leaving {
    general: VecDeque<FrameRef>,
    requests: VecDeque<FrameRef>,
    syncs: VecDeque<FrameRef>,
    /// The next frame is one of these.
    next: Next,
}

/// Which of the frames leaves next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Sync,
    General,
}

impl Leaving {
    /// Room for so many requests, and for as many general messages.
    pub(super) fn new(frames: usize) -> Self {
        Self {
            general: VecDeque::with_capacity(frames),
            requests: VecDeque::with_capacity(frames),
            syncs: VecDeque::with_capacity(SYNCS),
            next: Next::General,
        }
    }

    /// A general message leaves after those that are here.
    pub(super) fn general(&mut self, frame: FrameRef) {
        self.general.push_back(frame);
    }

    /// A request leaves after those that are here.
    pub(super) fn request(&mut self, frame: FrameRef) {
        self.requests.push_back(frame);
    }

    /// A Sync leaves after those that are here, of which there are not too many.
    pub(super) fn sync(&mut self, frame: FrameRef) {
        self.syncs.push_back(frame);
    }

    /// Whether no further Sync may wait.
    pub(super) fn syncs_are_full(&self) -> bool {
        self.syncs.len() == SYNCS
    }

    /// The side by which the next frame leaves; an event message only if there is `room` for its TX timestamp.
    pub(super) fn next_egress(&mut self, store: &FrameStore, room: PerSide<bool>) -> Option<Side> {
        let request = first(&mut self.requests, store).filter(|_| room.up);
        if request.is_some() {
            self.next = Next::Request;
            return request;
        }
        let sync = first(&mut self.syncs, store).filter(|_| room.down);
        if sync.is_some() {
            self.next = Next::Sync;
            return sync;
        }
        self.next = Next::General;
        first(&mut self.general, store)
    }

    /// Whether the next frame, by the side that [`Leaving::next_egress`] named, is an event message.
    pub(super) const fn next_is_event(&self) -> bool {
        matches!(self.next, Next::Request | Next::Sync)
    }

    /// By which sides event messages are to leave that wait for their turn.
    pub(super) fn turns_wait(&self) -> PerSide<bool> {
        PerSide {
            up: !self.requests.is_empty(),
            down: !self.syncs.is_empty(),
        }
    }

    /// Takes the next frame.
    pub(super) fn next(&mut self) -> Option<FrameRef> {
        match self.next {
            Next::Request => self.requests.pop_front(),
            Next::Sync => self.syncs.pop_front(),
            Next::General => self.general.pop_front(),
        }
    }

    /// Writes which frames they are.
    pub(super) fn save(&self, out: &mut Writer) {
        for queue in [&self.general, &self.requests, &self.syncs] {
            out.all(queue.iter());
        }
    }

    /// Reads them, where none is here yet.
    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for queue in [&mut self.general, &mut self.requests, &mut self.syncs] {
            from.all(queue.capacity(), "frames that leave next", |frame| {
                queue.push_back(frame);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The side by which the first of these frames leaves that is not gone.
fn first(frames: &mut VecDeque<FrameRef>, store: &FrameStore) -> Option<Side> {
    while let Some(&frame) = frames.front() {
        if let Some((_, kept)) = store.get(frame) {
            return Some(kept.egress);
        }
        frames.pop_front();
    }
    None
}
