//! libpcap in immediate mode, loaded where it is installed: nothing of it is needed to build.

use std::io;
use std::os::fd::BorrowedFd;

use anyhow::{Result, anyhow};

use super::device::Device;
use super::sys::{self, PcapHandle};

/// Whether libpcap can be loaded.
#[must_use]
pub fn installed() -> bool {
    sys::libpcap().is_some()
}

/// An interface opened by libpcap.
pub(super) struct Pcap {
    handle: PcapHandle,
}

impl Pcap {
    pub(super) fn open(interface: &str) -> Result<Self> {
        let handle = PcapHandle::open(interface).map_err(|text| anyhow!("{interface}: {text}"))?;
        Ok(Self { handle })
    }
}

impl Device for Pcap {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.handle.descriptor()
    }

    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while self.handle.next(frame) {}
        Ok(())
    }

    fn send(&mut self, frame: &[u8]) {
        self.handle.send(frame);
    }
}
