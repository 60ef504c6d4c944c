//! Raw sockets: one receive and one send a frame.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};

use super::device::Device;
use super::sys;

/// A raw packet socket.
pub(super) struct Raw {
    socket: OwnedFd,
    buffer: Box<[u8]>,
}

impl Raw {
    /// Hears all of an interface.
    pub(super) fn open(interface: &str) -> Result<Self> {
        Self::bound(interface, true)
    }

    /// Only sends.
    pub(super) fn deaf(interface: &str) -> Result<Self> {
        Self::bound(interface, false)
    }

    fn bound(interface: &str, hear: bool) -> Result<Self> {
        let socket = sys::packet_socket().context("packet socket")?;
        sys::bind(socket.as_fd(), interface, hear)
            .with_context(|| format!("bind to {interface}"))?;
        Ok(Self {
            socket,
            buffer: vec![0; 2048].into(),
        })
    }
}

impl Device for Raw {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while let Some(length) = sys::receive(self.socket.as_fd(), &mut self.buffer)? {
            frame(self.buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    fn send(&mut self, frame: &[u8]) {
        let _ = sys::send(self.socket.as_fd(), frame);
    }
}
