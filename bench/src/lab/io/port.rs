//! A generator's rings on one interface.

use std::io;

use anyhow::Result;
use ptpproxy::ring::{Done, Interface, RxOptions, RxRing, TxOptions, TxRing};

use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::signing::Signer;
use crate::lab::frames::view::{Sight, View};
use crate::lab::frames::{Draft, Template};

/// Longest time a generator sleeps while nothing arrives: its stations answer within this.
pub const SWEEP_NS: i64 = 100_000;

/// [`Inbox::sample`] lets one frame of this many in; a power of two.
pub const SAMPLE_ONE_IN: u32 = 64;

/// What arrived.
#[derive(Debug)]
pub enum Seen<'a> {
    /// No PTP message: the frame.
    Other(&'a [u8]),
    /// A PTP message that was damaged on its way, or lost its stamp or its signature.
    Damaged,
    /// A PTP message and its receive stamp in nanoseconds of the shared clock.
    Message(View<'a>, i64),
}

/// A receive ring that reads frames of one shape.
#[derive(Debug)]
pub struct Inbox {
    ring: RxRing,
    shape: Shape,
    signer: Option<Signer>,
}

impl Inbox {
    /// The next frame; `None` when nothing waits.
    pub fn receive(&mut self) -> Option<Seen<'_>> {
        let frame = self.ring.receive()?;
        let right =
            |view: View<'_>| (self.signer.as_ref()).is_none_or(|key| view.is_signed_by(key));
        Some(match (View::of(frame.bytes, self.shape), frame.stamp) {
            (Sight::Other, _) => Seen::Other(frame.bytes),
            (Sight::Message(view), Some(stamp)) if right(view) => {
                Seen::Message(view, stamp.as_nanos())
            }
            (Sight::Message(_) | Sight::Damaged, _) => Seen::Damaged,
        })
    }

    /// The next frame as it came, for what others than the lab's stations send.
    pub fn receive_any(&mut self) -> Option<&[u8]> {
        self.ring.receive().map(|frame| frame.bytes)
    }

    /// If `signed`, a message whose signature is missing or wrong counts as damaged from now on.
    #[must_use]
    pub fn signed(mut self, signed: bool) -> Self {
        self.signer = signed.then(Signer::new);
        self
    }

    /// From now on only one frame of [`SAMPLE_ONE_IN`] comes in, drawn by the kernel: the others cost the
    /// machine next to nothing.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sample(&mut self) -> io::Result<()> {
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        self.ring.set_filter(&[
            // BPF_LD | BPF_W | BPF_ABS at SKF_AD_OFF + SKF_AD_RANDOM
            step(0x20, 0, 0, 0xffff_f000 + 56),
            // BPF_JMP | BPF_JSET | BPF_K
            step(0x45, 0, 1, SAMPLE_ONE_IN - 1),
            // BPF_RET | BPF_K
            step(0x06, 0, 0, 0),
            step(0x06, 0, 0, 0x4_0000),
        ])
    }

    /// Frames that the ring had no room for, so far.
    pub fn drops(&mut self) -> u64 {
        self.ring.drops().1
    }
}

/// A transmit ring. `T` names a frame whose departure stamp is wanted.
#[derive(Debug)]
pub struct Outbox<T> {
    ring: TxRing<T>,
    departed: Vec<(T, Option<i64>)>,
    refused: u64,
}

impl<T> Outbox<T> {
    /// Adds a frame to the batch; `patch` makes it from the template's copy. False if there is no room
    /// even after the batch went out.
    pub fn send(
        &mut self,
        template: &Template,
        token: Option<T>,
        patch: impl FnOnce(Draft<'_>) -> usize,
    ) -> bool {
        if self.ring.slot().is_none() {
            self.flush();
        }
        let Some(draft) = self.ring.slot().and_then(|slot| template.draft(slot)) else {
            self.refused += 1;
            return false;
        };
        let length = patch(draft);
        self.ring.commit(length, token);
        true
    }

    /// Adds what one station says of addresses to another. False if there is no room even after the batch went out.
    pub fn say(&mut self, talk: &Talk, shape: Shape) -> bool {
        if self.ring.slot().is_none() {
            self.flush();
        }
        let Some(length) = (self.ring.slot()).and_then(|slot| talk.write(slot, shape)) else {
            self.refused += 1;
            return false;
        };
        self.ring.commit(length, None);
        true
    }

    /// Sends the batch and collects the departure stamps.
    pub fn flush(&mut self) {
        if self.ring.queued() > 0 {
            let report = self.ring.kick();
            self.refused += u64::try_from(report.unsent).unwrap_or(0);
        }
        let departed = &mut self.departed;
        self.ring.completions(&mut |done| {
            departed.extend(match done {
                Done::Stamped(token, stamp) => Some((token, Some(stamp.as_nanos()))),
                Done::Unsent(token, _) => Some((token, None)),
                Done::Software(..) => None,
            });
        });
    }

    /// What left since the last call, with its stamp; without one if it did not leave.
    pub fn departed(&mut self) -> impl Iterator<Item = (T, Option<i64>)> {
        self.departed.drain(..)
    }

    /// Frames that the ring or the kernel did not take, so far.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

/// Opens both rings of an interface with room for `frames` frames each.
pub fn open<T>(interface: &str, frames: u32, shape: Shape) -> Result<(Inbox, Outbox<T>)> {
    let interface = Interface::lookup(interface)?;
    let frames = frames.next_power_of_two().clamp(4096, 65_536);
    // Everything passes: the stations tell by themselves what is theirs.
    let everything = [libc::sock_filter {
        code: 0x06, // BPF_RET | BPF_K
        jt: 0,
        jf: 0,
        k: 0x4_0000,
    }];
    let rx = RxOptions {
        frames,
        frame_size: 512,
        ..RxOptions::default()
    };
    let tx = TxOptions {
        frames,
        frame_size: 256,
        // Stations of the lab send as any station does, and the source of a flood as many as it likes.
        warm_up: false,
        batch: u32::MAX,
        ..TxOptions::default()
    };
    let inbox = Inbox {
        ring: RxRing::open(&interface, &everything, &rx)?,
        shape,
        signer: None,
    };
    let outbox = Outbox {
        ring: TxRing::open(&interface, &tx)?,
        departed: Vec::with_capacity(usize::try_from(frames)?),
        refused: 0,
    };
    Ok((inbox, outbox))
}
