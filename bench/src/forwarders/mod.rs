//! What a user could write instead in an afternoon: plain forwarders that copy frames from one
//! interface to the other and correct nothing. And two yardsticks: nobody (`deaf`), and about the least that
//! correcting costs (`stamped`).
//!
//! They see untagged frames only as the kernel hands them over: a stripped VLAN tag is lost.

mod deaf;
mod pcap;
mod raw;
mod stamped;
mod sys;
mod v3;

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result, bail};

pub use pcap::installed as pcap_installed;

/// First argument of a program that plays a forwarder: `KIND UP DOWN` follow.
pub const PART: &str = "play-forwarder";

/// One side of a forwarder.
trait Device {
    /// Readable while frames wait.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Hands over each frame that waits.
    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()>;

    /// Sends a frame, or adds it to a batch. What the kernel refuses is lost.
    fn send(&mut self, frame: &[u8]);

    /// Sends the batch, where there are batches.
    fn flush(&mut self) {}
}

/// Forwards until it is ended.
///
/// # Errors
/// When an interface cannot be opened or fails.
pub fn run(arguments: &[String]) -> Result<()> {
    let [kind, up, down] = arguments else {
        bail!("expected: KIND UP DOWN");
    };
    match kind.as_str() {
        "raw" => forward(raw::Raw::open(up)?, raw::Raw::open(down)?),
        "deaf" => deaf::run(up, down),
        "v3" => forward(v3::V3::open(up)?, v3::V3::open(down)?),
        "stamped" => forward(stamped::Stamped::open(up)?, stamped::Stamped::open(down)?),
        "pcap" => forward(pcap::Pcap::open(up)?, pcap::Pcap::open(down)?),
        _ => bail!("no forwarder {kind}"),
    }
}

fn forward<D: Device>(mut up: D, mut down: D) -> Result<()> {
    writeln!(io::stdout(), "forwarding")?;
    loop {
        let [up_ready, down_ready] =
            sys::wait([up.descriptor(), down.descriptor()]).context("cannot wait for frames")?;
        if up_ready {
            up.receive(&mut |frame| down.send(frame)).context("up")?;
            down.flush();
        }
        if down_ready {
            down.receive(&mut |frame| up.send(frame)).context("down")?;
            up.flush();
        }
    }
}
