//! The frames that wait: for their departure time, for their place under `--max-rate`, or for the residence of their
//! event message; and those that leave next.
//!
//! | file | one idea |
//! |---|---|
//! | `store` | their copies, in memory that is reserved once |
//! | `departures` | requests by departure time |
//! | `shared` | moments at which few requests depart together |
//! | `pace` | places toward the grandmaster under `--max-rate` |
//! | `leaving` | the frames that leave next, in order |

mod departures;
mod leaving;
mod pace;
mod shared;
mod store;

use crate::auth::Verified;
use crate::core::hold::departures::Departures;
use crate::core::hold::leaving::Leaving;
use crate::core::hold::pace::Pace;
use crate::core::hold::store::{FrameStore, Kept};
use crate::core::refs::ClientRef;
use crate::core::state::{Reader, StateError, Writer};
use crate::core::verdict::{Arrived, Edit};
use crate::reason::Reason;
use crate::time::{ClockId, Instant};
use crate::wire::{Frame, MessageType};
use crate::{PerSide, Side};

pub(crate) use shared::moment_before;
pub(crate) use store::{Answers, FrameRef, General, Purpose, WaitingRequest, WaitingSync};

/// Due requests that are taken together, so that the memory of all is on its way before the first needs it.
pub(crate) type Due = [FrameRef; 32];

/// The frames that wait, and those that leave next.
pub(crate) struct Hold {
    store: FrameStore,
    departures: Departures,
    leaving: Leaving,
    pace: Pace,
}

/// Fewer requests than this that wait are few: should all depart at once, the grandmaster would not feel it.
const FEW: usize = 16;

/// A frame that waited and is dropped: what its place is to be told.
pub(crate) struct Removed {
    /// The side it came from.
    pub(crate) from: Side,
    pub(crate) message: MessageType,
    /// Of a request: whose, at which place, with which sequenceId.
    pub(crate) request: Option<(ClientRef, u8, u16)>,
    /// Of a Sync: its slot among those in flight.
    pub(crate) sync: Option<u32>,
}

impl Hold {
    /// Room for `frames` small frames; `rate` is that of `--max-rate`.
    pub(crate) fn new(frames: u32, rate: Option<u32>) -> Self {
        let store = FrameStore::new(frames);
        let frames = store.capacity();
        Self {
            store,
            departures: Departures::new(2 * frames),
            leaving: Leaving::new(2 * frames),
            pace: Pace::new(rate),
        }
    }

    /// Frames that can wait at once.
    pub(crate) fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// The bytes of the frames that wait, as they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.store.iter()
    }

    /// Another `--max-rate`. Places that were booked stay.
    pub(crate) fn set_rate(&self, rate: Option<u32>) {
        self.pace.set_rate(rate);
    }

    /// Shares the places under `--max-rate` with another forwarder. In both requests may wait for theirs by then.
    pub(crate) fn share_pace(&mut self, other: &mut Self) {
        self.pace.share(&mut other.pace);
        for hold in [self, other] {
            let all = hold.store.all().into_iter();
            let waiting = all.filter(|&frame| hold.waits_for_its_place(frame)).count();
            hold.pace.set_waiting(waiting);
        }
    }

    /// From now on nothing is kept: there is no memory for it. Nothing waits by then.
    pub(crate) fn close(&mut self) {
        self.store.close();
    }

    /// Frames are kept again.
    pub(crate) fn open(&mut self) {
        self.store.open();
    }

    /// All frames that wait.
    pub(crate) fn all(&self) -> Vec<FrameRef> {
        self.store.all()
    }

    /// Writes the frames that wait, and those that leave next.
    pub(crate) fn save(&self, out: &mut Writer) {
        self.store.save(out);
        self.departures.save(out);
        self.leaving.save(out);
        out.put(&self.pace.is_on().then(|| self.pace.next_place()));
    }

    /// Reads them, where nothing waits yet. Places under `--max-rate` that were booked stay.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.store.restore(from)?;
        self.departures.restore(from)?;
        self.leaving.restore(from)?;
        if let Some(next) = from
            .take::<Option<Instant>>()?
            .filter(|_| self.pace.is_on())
        {
            self.pace.set_next(next);
        }
        Ok(())
    }

    // Keep and release.

    /// Keeps a copy of a Delay_Req until its departure time; `None` when memory is full.
    #[inline]
    pub(crate) fn keep_request(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        request: impl FnOnce() -> WaitingRequest,
    ) -> Option<FrameRef> {
        let egress = arrival.side.other();
        let kept = self.keep(frame, egress, arrival.plain_edit(), || {
            Purpose::Request(request())
        })?;
        if self.waits_for_its_place(kept) {
            self.pace.waits();
        }
        Some(kept)
    }

    /// Whether it is a request that waits for its place, where several forwarders share those.
    #[inline]
    fn waits_for_its_place(&self, frame: FrameRef) -> bool {
        self.pace.is_shared() && self.store.get(frame).is_some_and(|(_, kept)| {
            matches!(&kept.purpose, Purpose::Request(request) if request.paced && !request.leaving)
        })
    }

    /// Keeps a copy of a general message until a residence is known; `None` when memory is full.
    pub(crate) fn keep_general(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
        general: General,
    ) -> Option<FrameRef> {
        let egress = arrival.side.other();
        self.keep(frame, egress, arrival.plain_edit(), || {
            Purpose::General(general)
        })
    }

    /// Keeps a copy of a Sync until its turn, and what changes in it; `None` when memory is full, or too many wait.
    pub(crate) fn keep_sync(
        &mut self,
        frame: &Frame<'_>,
        edit: Edit,
        sync: WaitingSync,
    ) -> Option<FrameRef> {
        if self.leaving.syncs_are_full() {
            return None;
        }
        let kept = self.keep(frame, Side::Down, edit, || Purpose::Sync(sync))?;
        self.leaving.sync(kept);
        Some(kept)
    }

    /// As [`Hold::keep_general`], of a Follow_Up that we made for a Sync of this master, and signed if that was. Its
    /// checksum is complete, whatever that of the Sync is.
    pub(crate) fn keep_made(
        &mut self,
        (frame, verified): (&Frame<'_>, Option<Verified>),
        sync: &Arrived<'_>,
        master: u32,
    ) -> Option<FrameRef> {
        let edit = Edit {
            complete_checksum: false,
            verified,
            ..sync.plain_edit()
        };
        self.keep(frame, sync.side.other(), edit, || {
            Purpose::General(General::follow_up(master))
        })
    }

    #[inline]
    fn keep(
        &mut self,
        frame: &Frame<'_>,
        egress: Side,
        edit: Edit,
        purpose: impl FnOnce() -> Purpose,
    ) -> Option<FrameRef> {
        let bytes = frame.bytes();
        let len = u16::try_from(bytes.len()).ok()?;
        let kept = || Kept {
            len,
            egress,
            layout: frame.layout(),
            edit,
            purpose: purpose(),
            behind: None,
        };
        self.store
            .keep_with(bytes.len(), kept, |cell| cell.copy_from_slice(bytes))
    }

    /// A kept frame, unless it is gone.
    pub(crate) fn get(&self, frame: FrameRef) -> Option<(&[u8], &Kept)> {
        self.store.get(frame)
    }

    /// Gives the memory of a frame back: it has left, or was never counted as waiting.
    pub(crate) fn release(&mut self, frame: FrameRef) {
        if self.waits_for_its_place(frame) {
            self.pace.waits_no_longer();
        }
        self.store.release(frame);
    }

    /// Releases a frame that is dropped; `None` if it is gone.
    pub(crate) fn remove(&mut self, frame: FrameRef) -> Option<Removed> {
        let (_, kept) = self.store.get(frame)?;
        let removed = Removed {
            from: kept.egress.other(),
            message: kept.message_type(),
            request: match &kept.purpose {
                Purpose::Request(of) => Some((of.client, of.place, of.sequence_id)),
                _ => None,
            },
            sync: match &kept.purpose {
                Purpose::Sync(of) => Some(of.slot),
                _ => None,
            },
        };
        self.release(frame);
        Some(removed)
    }

    // General messages, until a residence is known.

    /// The correction that a general message leaves with.
    pub(crate) fn correct(&mut self, frame: FrameRef, correction: i64) {
        if let Some(kept) = self.store.get_mut(frame) {
            kept.edit.correction = correction;
        }
    }

    /// The master of a general message that waits, and who waits behind it.
    pub(crate) fn general(&self, frame: FrameRef) -> Option<(u32, Option<FrameRef>)> {
        let (_, kept) = self.store.get(frame)?;
        match kept.purpose {
            Purpose::General(general) => Some((general.master, kept.behind)),
            Purpose::Request(_) | Purpose::Sync(_) => None,
        }
    }

    /// Another frame waits for the same residence.
    pub(crate) fn wait_behind(&mut self, frame: FrameRef, behind: Option<FrameRef>) {
        if let Some(kept) = self.store.get_mut(frame) {
            kept.behind = behind;
        }
    }

    // Requests, until their departure time.

    /// A place toward the grandmaster: when its owner may depart. `None` if that is after `latest`.
    pub(crate) fn book(&self, now: Instant, latest: Instant) -> Option<Instant> {
        self.pace.book(now, latest)
    }

    /// Holds a kept request until its departure time; false when too many wait.
    pub(crate) fn hold_until(&mut self, due: Instant, frame: FrameRef) -> bool {
        let store = &self.store;
        self.departures
            .push(due, frame, |due, frame| store.awaits(frame, due))
    }

    /// The earliest departure time.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.departures.next_due()
    }

    /// Whether so few requests wait for their departure times that they may share them.
    pub(crate) fn few_wait(&self) -> bool {
        self.departures.len() < FEW
    }

    /// Whether a departure time has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Takes some requests whose departure time has come, into `due`, and asks for their memory.
    #[inline]
    pub(crate) fn take_due<'a>(&mut self, now: Instant, due: &'a mut Due) -> &'a [FrameRef] {
        let mut taken = 0;
        for place in &mut *due {
            let Some(frame) = self.departures.pop_due(now) else {
                break;
            };
            *place = frame;
            self.store.prefetch(frame);
            taken += 1;
        }
        due.get(..taken).unwrap_or_default()
    }

    /// Whose request waits here.
    pub(crate) fn client(&self, frame: FrameRef) -> Option<ClientRef> {
        let (_, kept) = self.store.get(frame)?;
        match &kept.purpose {
            Purpose::Request(request) => Some(request.client),
            Purpose::Sync(_) | Purpose::General(_) => None,
        }
    }

    /// A request need not wait for its drawn delay any more: it is due now, unless it has its place under
    /// `--max-rate`.
    pub(crate) fn cut_short(&mut self, frame: FrameRef, now: Instant) {
        if let Some(request) = self.store.request_mut(frame)
            && !request.paced
        {
            request.due = now;
        }
    }

    /// Whether a request waits for a departure time in the future.
    pub(crate) fn still_waits(&self, frame: FrameRef, now: Instant) -> bool {
        self.store.get(frame).is_some_and(
            |(_, kept)| matches!(&kept.purpose, Purpose::Request(request) if request.due > now),
        )
    }

    /// A request whose departure time has come leaves next, or waits for its place under `--max-rate`.
    ///
    /// `shut_out` says why its client may not ask yet, if that is so.
    ///
    /// # Errors
    /// It is to be dropped, for this reason.
    pub(crate) fn due(
        &mut self,
        frame: FrameRef,
        now: Instant,
        shut_out: impl FnOnce(ClientRef) -> Option<Reason>,
    ) -> Result<(), Reason> {
        let Some(request) = self.store.request_mut(frame) else {
            return Ok(());
        };
        if request.leaving || request.due > now {
            return Ok(());
        }
        if let Some(reason) = shut_out(request.client) {
            return Err(reason);
        }
        if !request.paced && self.pace.is_on() {
            let at = (self.pace.book(now, request.latest)).ok_or(Reason::MaxRate)?;
            request.paced = true;
            if at > now {
                request.due = at;
                self.pace.waits();
                return if self.hold_until(at, frame) {
                    Ok(())
                } else {
                    Err(Reason::HoldFull)
                };
            }
        } else if request.paced {
            self.pace.waits_no_longer();
        }
        request.leaving = true;
        self.leaving.request(frame);
        Ok(())
    }

    /// The local clock jumped: the requests that came after this reading of the clocks have ambiguous timestamps.
    pub(crate) fn clock_stepped(&mut self, reading: u32) {
        self.store.mark_ambiguous(|request| {
            request.reading == reading && request.rx.clock() == ClockId::Steady
        });
    }

    /// A hardware clock was set: what it timestamped before is ambiguous.
    pub(crate) fn hardware_clock_set(&mut self) {
        self.store
            .mark_ambiguous(|request| request.rx.clock() != ClockId::Steady);
    }

    // What leaves next.

    /// A kept frame leaves next; a request only once.
    pub(crate) fn leave(&mut self, frame: FrameRef) {
        let Some(kept) = self.store.get_mut(frame) else {
            return;
        };
        match &mut kept.purpose {
            Purpose::Request(request) => {
                if !std::mem::replace(&mut request.leaving, true) {
                    if request.paced {
                        self.pace.waits_no_longer();
                    }
                    self.leaving.request(frame);
                }
            }
            // It is among those that leave since it was kept.
            Purpose::Sync(_) => {}
            Purpose::General(_) => self.leaving.general(frame),
        }
    }

    /// The side by which the next frame leaves; an event message only if there is `room` for its TX timestamp.
    pub(crate) fn next_egress(&mut self, room: PerSide<bool>) -> Option<Side> {
        self.leaving.next_egress(&self.store, room)
    }

    /// Whether the next frame, by the side that [`Hold::next_egress`] named, is an event message.
    pub(crate) const fn next_is_event(&self) -> bool {
        self.leaving.next_is_event()
    }

    /// By which sides event messages are to leave that wait for their turn.
    pub(crate) fn turns_wait(&self) -> PerSide<bool> {
        self.leaving.turns_wait()
    }

    /// Takes the next frame that leaves.
    pub(crate) fn next(&mut self) -> Option<FrameRef> {
        self.leaving.next()
    }
}
