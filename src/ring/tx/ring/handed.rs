//! The ring that passes to another process.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};

use super::TxRing;
use crate::ring::again::{Asked, map_again};
use crate::ring::link::Interface;
use crate::ring::os::sys;
use crate::ring::tx::handed::HandedTx;
use crate::ring::tx::options::TxOptions;
use crate::ring::tx::socket;
use crate::ring::tx::stamp_ids::StampIds;
use crate::ring::tx::warm::Warmer;

impl<T> TxRing<T> {
    /// Where it is, for whoever has its socket. What a batch holds is given up, and what awaits its timestamp is the other
    /// one's. Nothing is to be sent here any more, unless that one [does not take it](Self::resume).
    pub(in crate::ring) fn hand_over(&mut self) -> HandedTx<T> {
        self.take_back();
        let (next_id, pending) = self.ids.hand_over();
        HandedTx {
            asked: Asked {
                frames: (self.slots.frames(), self.slots.frame_size()),
                stamps: self.stamps,
            },
            bypass: self.bypass,
            position: self.slots.position(),
            next_id,
            pending,
            stats: self.stats(),
        }
    }

    /// What warms the kernel's path, which is done without from now on.
    pub(in crate::ring) const fn take_warmer(&mut self) -> Option<Warmer> {
        self.warmer.take()
    }

    /// The other one did not take it: goes on as before.
    pub(in crate::ring) fn resume(&mut self, handed: HandedTx<T>) {
        let capacity = self.slots.frames() as usize * 2;
        self.ids = StampIds::take_over(capacity, (handed.next_id, handed.pending));
        self.stats.stamps_lost = handed.stats.stamps_lost;
    }

    /// Goes on with the ring of another process.
    ///
    /// # Errors
    /// It is not what is asked for: in words.
    pub(in crate::ring) fn take_over(
        interface: &Interface,
        socket: OwnedFd,
        handed: HandedTx<T>,
        options: &TxOptions,
    ) -> Result<Self> {
        let name = interface.name.as_str();
        let fd = socket.as_fd();
        let wanted = Asked {
            frames: (options.frames, options.frame_size),
            stamps: options.stamps,
        };
        let map = map_again((name, "transmit"), fd, handed.asked, wanted)?;
        ensure!(
            handed.bypass == options.qdisc_bypass,
            "{name}: frames took another way (--qdisc-bypass)"
        );
        let queue = sys::get_option::<libc::c_int>(fd, libc::SOL_SOCKET, libc::SO_RCVBUF)
            .with_context(|| format!("{name}: its error queue"))?;
        let mut ring = Self::with(
            interface,
            options,
            socket::Opened {
                map,
                socket,
                queue: usize::try_from(queue).unwrap_or(0),
            },
        );
        ring.budget.sent(handed.pending.len());
        ring.slots.go_to(handed.position);
        let capacity = options.frames as usize * 2;
        ring.ids = StampIds::take_over(capacity, (handed.next_id, handed.pending));
        ring.stats = handed.stats;
        Ok(ring)
    }
}
