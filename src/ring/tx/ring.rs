//! The ring that the loop sends by.

mod handed;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::Result;

use super::error_queue::ErrorQueue;
use super::options::TxOptions;
use super::report::{Done, TxStats};
use super::slots::TxSlots;
use super::socket;
use super::stamp_budget::StampBudget;
use super::stamp_ids::{Counted, StampIds};
use super::warm::Warmer;
use crate::engine::KickReport;
use crate::reason::Reason;
use crate::ring::link::Interface;
use crate::ring::os::bindings::SO_TIMESTAMPING_NEW;
use crate::ring::os::{clock, sys};
use crate::ring::stamps::StampSource;
use crate::time::{Instant, Stamp};

/// A TPACKET_V2 transmit ring on one interface. `T` is the caller's token of a frame to be timestamped.
///
/// Fill with [`Self::slot`] and [`Self::commit`], send with [`Self::kick`], then ask for
/// [`Self::completions`]. What the kernel does not take in a kick is taken back and never leaves later.
/// The descriptor reports an error condition (POLLERR) while timestamps wait.
#[derive(Debug)]
pub struct TxRing<T> {
    // Before the socket, so that the memory is unmapped first.
    slots: TxSlots,
    socket: OwnedFd,
    mtu: u32,
    stamps: StampSource,
    ids: StampIds<T>,
    budget: StampBudget,
    errors: ErrorQueue,
    /// Tokens of the batch, one entry per frame.
    batch: Vec<Option<T>>,
    /// Frames that a batch holds at most.
    most: usize,
    batch_tokens: usize,
    /// What the next call of `completions` reports first.
    ready: VecDeque<Ready<T>>,
    doubt_since: Option<Instant>,
    down: bool,
    stats: TxStats,
    warmer: Option<Warmer>,
    /// Frames skip the queueing discipline.
    bypass: bool,
}

/// What is still to be reported of a frame.
#[derive(Debug)]
enum Ready<T> {
    Stamped(T, Stamp),
    Unsent(T, Reason),
}

/// Longer than any queue keeps a frame: after it, no stamp of an earlier kick can come.
const QUARANTINE_NS: u64 = 1_000_000_000;

impl<T> TxRing<T> {
    /// Opens a ring on `interface`.
    ///
    /// # Errors
    /// One line that names the interface, the system's error and the remedy.
    pub fn open(interface: &Interface, options: &TxOptions) -> Result<Self> {
        Ok(Self::with(
            interface,
            options,
            socket::open(interface, options)?,
        ))
    }

    fn with(interface: &Interface, options: &TxOptions, opened: socket::Opened) -> Self {
        let socket::Opened { map, socket, queue } = opened;
        let frames = options.frames as usize;
        Self {
            slots: TxSlots::new(map),
            mtu: interface.mtu,
            stamps: options.stamps,
            ids: StampIds::new(frames.saturating_mul(2)),
            budget: StampBudget::new(queue, options.stamps.stamps_a_frame()),
            errors: ErrorQueue::new(),
            batch: Vec::with_capacity(frames),
            most: options.batch.max(1) as usize,
            batch_tokens: 0,
            ready: VecDeque::with_capacity(frames.saturating_mul(4)),
            doubt_since: None,
            down: false,
            stats: TxStats::default(),
            // Hardware stamps what has left: nothing after its stamp takes time.
            warmer: (options.warm_up && options.stamps == StampSource::Software)
                .then(Warmer::open)
                .and_then(Result::ok),
            bypass: options.qdisc_bypass,
            socket,
        }
    }

    /// Whether a hardware clock timestamps what leaves.
    #[must_use]
    pub const fn stamps_by_hardware(&self) -> bool {
        matches!(self.stamps, StampSource::Hardware(_))
    }

    /// A batch begins with a frame to be stamped. After a pause the kernel's path to the cable is warmed first, by a frame
    /// that goes nowhere: a few microseconds, so whatever is written about the time of departure is to be written after it.
    pub fn warm(&mut self) {
        let Some(warmer) = &mut self.warmer else {
            return;
        };
        // A hardware timestamp is taken behind the path; the source may have changed since the ring was opened.
        let of_use = self.stamps == StampSource::Software && self.ids.is_sure();
        if !of_use || self.slots.queued() > 0 || !warmer.is_due(clock::now()) {
            return;
        }
        let Some((result, settled)) = warmer.warm(&mut self.slots, self.socket.as_fd()) else {
            return;
        };
        self.budget.sent(settled.taken as usize);
        self.stats.warmed += u64::from(settled.taken);
        let counted = self.count(&result, settled.taken, settled.exact);
        self.ids.sent(&mut Vec::new(), counted);
    }

    /// Space for one frame in the current batch; `None` when the ring is full, or the batch holds as
    /// many frames as the kernel keeps stamps, or reports wait to be read: kick, ask for the
    /// completions, and go on.
    pub fn slot(&mut self) -> Option<&mut [u8]> {
        if self.queued() >= self.budget.limit().min(self.most)
            || self.ready.len() >= self.slots.frames() as usize
        {
            return None;
        }
        self.slots.free()
    }

    /// Adds the first `len` bytes of the slot to the batch. A frame shorter than its Ethernet header or
    /// longer than the interface takes is not added; its token comes back as unsent.
    pub fn commit(&mut self, len: usize, token: Option<T>) {
        if let Some(reason) = self.unfit(len) {
            self.stats.refused += 1;
            self.report_unsent(token, reason);
        } else if self.slots.commit(len) {
            self.batch_tokens += usize::from(token.is_some());
            self.batch.push(token);
        } else {
            self.stats.refused += 1;
            self.report_unsent(token, Reason::TxFull);
        }
    }

    /// Frames committed since the last kick.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.slots.queued() as usize
    }

    /// Whether the kernel still holds frames of earlier kicks in a queue. Where they skip it, those that it has not given
    /// back are with the interface, which may report late what it has sent.
    pub fn holds_frames(&mut self) -> bool {
        !self.bypass && self.slots.held()
    }

    /// Gives the batch up: none of it leaves, tokens come back as stale. Returns how many frames it had.
    pub fn take_back(&mut self) -> usize {
        let settled = self.slots.settle(None);
        for token in self.batch.drain(..).flatten() {
            self.ready.push_back(Ready::Unsent(token, Reason::Stale));
        }
        self.batch_tokens = 0;
        self.stats.unsent += u64::from(settled.left);
        settled.left as usize
    }

    /// Sends the batch: one system call. What the kernel did not take is taken back.
    pub fn kick(&mut self) -> KickReport {
        if self.slots.queued() == 0 {
            return KickReport::default();
        }
        let tokens = self.batch_tokens > 0;
        if self.ids.is_sure() {
            self.doubt_since = None;
        } else if tokens {
            self.settle_doubt();
        }
        let stamped = tokens && self.ids.may_stamp();
        if self.warmer.is_some() {
            Warmer::sends(clock::now());
        }
        let result = sys::kick(
            self.socket.as_fd(),
            stamped.then(|| self.stamps.transmit_flags()),
        );
        let settled = self.slots.settle(result.as_ref().ok().copied());
        let taken = settled.taken as usize;
        self.note(&result, settled.left);
        for token in self.batch.drain(taken.min(self.batch.len())..).flatten() {
            self.ready.push_back(Ready::Unsent(token, Reason::TxFailed));
        }
        self.batch_tokens = 0;
        if stamped {
            self.budget.sent(taken);
            let counted = self.count(&result, settled.taken, settled.exact);
            self.ids.sent(&mut self.batch, counted);
        } else {
            // Without stamps: the tokens of what left have no answer to wait for.
            self.stats.stamps_lost += self.batch.drain(..).flatten().count() as u64;
        }
        self.stats.sent += u64::from(settled.taken);
        self.stats.unsent += u64::from(settled.left);
        KickReport {
            sent: taken,
            unsent: settled.left as usize,
        }
    }

    /// Reads the stamps there are; the next call of `completions` reports them.
    fn read_stamps(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        self.drain(&mut |done| match done {
            Done::Stamped(token, stamp) => ready.push_back(Ready::Stamped(token, stamp)),
            Done::Unsent(token, reason) => ready.push_back(Ready::Unsent(token, reason)),
            // Only to make up for one that is missing.
            Done::Software(..) => {}
        });
        self.ready = ready;
    }

    /// Reports each departure and each failure known since the last call. A token whose stamp the
    /// kernel lost, or that cannot be trusted, never comes back.
    pub fn completions(&mut self, sink: &mut dyn FnMut(Done<'_, T>)) {
        while let Some(ready) = self.ready.pop_front() {
            sink(match ready {
                Ready::Stamped(token, stamp) => Done::Stamped(token, stamp),
                Ready::Unsent(token, reason) => Done::Unsent(token, reason),
            });
        }
        // Nothing stamped is out: not worth a system call.
        if self.ids.expects_stamps() || self.budget.expected() > 0 {
            self.drain(sink);
        }
    }

    /// Reads the error queue until it is empty.
    fn drain(&mut self, sink: &mut dyn FnMut(Done<'_, T>)) {
        let (fd, expected) = (self.socket.as_fd(), self.budget.expected());
        let clock = self.stamps.clock();
        let (ids, stats) = (&mut self.ids, &mut self.stats);
        let mut stamped = |id, stamp: Stamp| {
            if stamp.clock() != clock {
                if let Some(token) = ids.waits(id) {
                    sink(Done::Software(token, stamp));
                }
                return;
            }
            ids.stamp(id, stamp, &mut |token, stamp| {
                stats.stamped += 1;
                sink(Done::Stamped(token, stamp));
            });
        };
        let read = self.errors.drain(fd, self.stamps, expected, &mut stamped);
        self.budget.drained(read);
    }

    /// The ring's counters.
    #[must_use]
    pub fn stats(&self) -> TxStats {
        TxStats {
            stamps_lost: self.stats.stamps_lost + self.ids.lost(),
            ..self.stats
        }
    }

    /// The last kick found the interface down or gone.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.down
    }

    /// Frames that one kick can stamp now.
    #[must_use]
    pub fn stamp_limit(&self) -> usize {
        self.budget.limit()
    }

    /// Takes over a changed MTU, in bytes.
    pub fn set_mtu(&mut self, mtu: u32) {
        self.mtu = mtu;
    }

    /// From now on timestamps are taken by this source.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_stamps(&mut self, stamps: StampSource) -> io::Result<()> {
        let flags = stamps.report_flags();
        sys::set_option(
            self.socket.as_fd(),
            libc::SOL_SOCKET,
            SO_TIMESTAMPING_NEW,
            &flags,
        )?;
        self.stamps = stamps;
        self.budget.set_stamps_a_frame(stamps.stamps_a_frame());
        Ok(())
    }

    /// Binds the same ring again, after its interface was deleted and made anew.
    ///
    /// # Errors
    /// The kernel's; ENODEV when the interface is gone again.
    pub fn rebind(&mut self, interface: &Interface) -> io::Result<()> {
        sys::bind_packet(self.socket.as_fd(), interface.index, 0)?;
        self.mtu = interface.mtu;
        self.down = false;
        Ok(())
    }

    /// Reads and clears the socket's pending error.
    pub fn take_error(&self) -> Option<io::Error> {
        sys::take_error(self.socket.as_fd())
    }

    /// Why the kernel would skip a frame of this length, by the rules of tpacket_snd.
    fn unfit(&self, len: usize) -> Option<Reason> {
        if len < ETHERNET_HEADER {
            return Some(Reason::BadLength);
        }
        let mut limit = self.mtu as usize + ETHERNET_HEADER;
        // One tag more fits if it is 802.1Q's; the kernel knows no other here.
        if self.slots.peek().get(12..14) == Some(&[0x81, 0x00]) {
            limit += 4;
        }
        (len > limit.min(self.slots.capacity())).then_some(Reason::TooLarge)
    }

    fn report_unsent(&mut self, token: Option<T>, reason: Reason) {
        if let Some(token) = token {
            self.ready.push_back(Ready::Unsent(token, reason));
        }
    }

    fn note(&mut self, result: &io::Result<usize>, left: u32) {
        match result {
            Ok(_) if left == 0 => self.down = false,
            Ok(_) => {
                self.down = false;
                self.stats.failed_kicks += 1;
                self.stats.last_error = libc::EAGAIN;
            }
            Err(error) => {
                self.down = sys::is_down(result);
                self.stats.failed_kicks += 1;
                self.stats.last_error = error.raw_os_error().unwrap_or(0);
            }
        }
    }

    /// How many stamp ids a stamped kick used up, by tpacket_snd of Linux 5.4 to 6.18; `None` when
    /// frames may have been skipped among those it took, so that not even their order gives their ids.
    fn count(&self, result: &io::Result<usize>, taken: u32, exact: bool) -> Option<Counted> {
        match result {
            // All was sent, or there was no memory for the next frame, which has no id yet.
            Ok(_) => exact.then_some(Counted::exactly(taken)),
            // The link is down or the queue refused the first frame: only the latter used an id up.
            Err(_) if taken == 0 => Some(Counted { least: 0, most: 1 }),
            // After a frame was sent, only a refusal by the queue is an error.
            Err(_) => Some(Counted::exactly(taken + 1)),
        }
    }

    /// Reads what stamps there are before a trial starts; sets the kernel's counter back when a trial
    /// stays incomplete for too long.
    fn settle_doubt(&mut self) {
        let now = clock::now();
        self.read_stamps();
        if self.ids.may_stamp() {
            self.doubt_since = None;
            return;
        }
        let since = *self.doubt_since.get_or_insert(now);
        if now.as_nanos().saturating_sub(since.as_nanos()) >= QUARANTINE_NS && self.reset_counter()
        {
            self.ids.reset();
            self.doubt_since = None;
            self.stats.resets += 1;
        }
    }

    /// Switching SOF_TIMESTAMPING_OPT_ID off and on sets the kernel's counter to 0.
    fn reset_counter(&self) -> bool {
        let flags = self.stamps.report_flags();
        [flags & !libc::SOF_TIMESTAMPING_OPT_ID, flags]
            .iter()
            .all(|flags| {
                let fd = self.socket.as_fd();
                sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, flags).is_ok()
            })
    }
}

const ETHERNET_HEADER: usize = 14;

impl<T> AsFd for TxRing<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T> AsRawFd for TxRing<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
