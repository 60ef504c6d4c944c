//! The least that a forwarder with rings can cost once it is to correct anything: block rings, batches, and
//! one transmit stamp of each Delay_Req, made and read. It knows nothing of PTP beyond that and throws the
//! stamps away; what ptpproxy costs more is parsing, policy, matching, holds and corrections.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context, Result};
use ptpproxy::ring::{Interface, TxOptions, TxRing};

use super::sys::{self, Blocks};

/// One side.
struct Port {
    // Before its socket, so that the memory is unmapped first.
    blocks: Blocks,
    socket: OwnedFd,
    out: TxRing<()>,
}

impl Port {
    fn open(interface: &str) -> Result<Self> {
        let socket = sys::packet_socket().context("packet socket")?;
        let blocks = Blocks::map(socket.as_fd()).context("TPACKET_V3 ring")?;
        sys::bind(socket.as_fd(), interface, true)
            .with_context(|| format!("bind to {interface}"))?;
        let options = TxOptions {
            warm_up: false,
            ..TxOptions::default()
        };
        let out = TxRing::open(&Interface::lookup(interface)?, &options)?;
        Ok(Self {
            blocks,
            socket,
            out,
        })
    }

    /// Sends on by `other` what has arrived.
    fn pass(&mut self, other: &mut Self) {
        while self.blocks.next(&mut |frame| other.add(frame)) {}
        other.flush();
    }

    /// Adds a frame to the batch. What does not fit is lost.
    fn add(&mut self, frame: &[u8]) {
        if self.out.slot().is_none() {
            self.flush();
        }
        let Some(room) = self.out.slot().and_then(|slot| slot.get_mut(..frame.len())) else {
            return;
        };
        room.copy_from_slice(frame);
        self.out
            .commit(frame.len(), is_delay_req(frame).then_some(()));
    }

    fn flush(&mut self) {
        let _ = self.out.kick();
        self.out.completions(&mut |_| {});
    }
}

/// Delay_Req over Ethernet, UDP/IPv4 without options, or UDP/IPv6.
fn is_delay_req(frame: &[u8]) -> bool {
    let ptp = match frame.get(12..14) {
        Some([0x88, 0xF7]) => 14,
        Some([0x08, 0x00]) => 14 + 20 + 8,
        Some([0x86, 0xDD]) => 14 + 40 + 8,
        _ => return false,
    };
    frame.get(ptp).is_some_and(|first| first & 0x0F == 1)
}

/// Forwards until it is ended.
pub(super) fn run(up: &str, down: &str) -> Result<()> {
    let (mut up, mut down) = (Port::open(up)?, Port::open(down)?);
    writeln!(io::stdout(), "forwarding")?;
    loop {
        let [up_ready, down_ready] = sys::wait([up.socket.as_fd(), down.socket.as_fd()])
            .context("cannot wait for frames")?;
        if up_ready {
            up.pass(&mut down);
        }
        if down_ready {
            down.pass(&mut up);
        }
    }
}
