//! About the least that correcting can cost: block rings, batches by ptpproxy's own transmit ring, and one
//! transmit stamp of each Delay_Req, read and thrown away.
//!
//! What ptpproxy costs more is its receive ring, reading the clocks, warming the kernel's path, parsing, policy,
//! matching, holds and corrections.

use std::io;
use std::os::fd::BorrowedFd;

use anyhow::Result;
use ptpproxy::ring::{Interface, TxOptions, TxRing};

use super::device::Device;
use super::v3::BlockPort;

/// A block ring to receive, a transmit ring to send.
pub(super) struct Stamped {
    port: BlockPort,
    out: TxRing<()>,
}

impl Stamped {
    pub(super) fn open(interface: &str) -> Result<Self> {
        let options = TxOptions {
            // It is for small errors, and stamps that nobody uses have none.
            warm_up: false,
            ..TxOptions::default()
        };
        Ok(Self {
            port: BlockPort::open(interface)?,
            out: TxRing::open(&Interface::lookup(interface)?, &options)?,
        })
    }
}

impl Device for Stamped {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.port.descriptor()
    }

    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.port.receive(frame);
        Ok(())
    }

    fn send(&mut self, frame: &[u8]) {
        if self.out.slot().is_none() {
            self.flush();
        }
        let slot = self.out.slot();
        if let Some(room) = slot.and_then(|slot| slot.get_mut(..frame.len())) {
            room.copy_from_slice(frame);
            let token = is_delay_req(frame).then_some(());
            self.out.commit(frame.len(), token);
        }
    }

    fn flush(&mut self) {
        let _ = self.out.kick();
        self.out.completions(&mut |_| {});
    }
}

/// Delay_Req over Ethernet, UDP/IPv4 or UDP/IPv6. Whatever IP carries is taken for PTP: the lab sends nothing
/// else.
fn is_delay_req(frame: &[u8]) -> bool {
    let ptp = match frame.get(12..14) {
        Some([0x88, 0xF7]) => 14,
        Some([0x08, 0x00]) => 14 + 20 + 8,
        Some([0x86, 0xDD]) => 14 + 40 + 8,
        _ => return false,
    };
    frame.get(ptp).is_some_and(|first| first & 0x0F == 1)
}
