//! TPACKET_V3: the kernel hands over whole blocks of frames, at the latest each millisecond.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};

use super::device::Device;
use super::raw;
use super::sys::{self, Blocks};

/// A block ring to receive.
pub(super) struct BlockPort {
    // Before its socket, so that the memory is unmapped first.
    blocks: Blocks,
    socket: OwnedFd,
}

impl BlockPort {
    pub(super) fn open(interface: &str) -> Result<Self> {
        let socket = sys::packet_socket().context("packet socket")?;
        let blocks = Blocks::map(socket.as_fd()).context("TPACKET_V3 ring")?;
        sys::bind(socket.as_fd(), interface, true)
            .with_context(|| format!("bind to {interface}"))?;
        Ok(Self { blocks, socket })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Hands over each frame of the blocks that are ready.
    pub(super) fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) {
        while self.blocks.next(frame) {}
    }
}

/// A block ring to receive, a raw socket to send.
pub(super) struct V3 {
    port: BlockPort,
    out: raw::Raw,
}

impl V3 {
    pub(super) fn open(interface: &str) -> Result<Self> {
        Ok(Self {
            port: BlockPort::open(interface)?,
            out: raw::Raw::deaf(interface)?,
        })
    }
}

impl Device for V3 {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.port.descriptor()
    }

    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.port.receive(frame);
        Ok(())
    }

    fn send(&mut self, frame: &[u8]) {
        self.out.send(frame);
    }
}
