//! What a user could write instead in an afternoon: plain forwarders that copy frames from one
//! interface to the other and correct nothing. And two yardsticks: nobody (`deaf`), and about the least that
//! correcting costs (`stamped`).
//!
//! They see untagged frames only as the kernel hands them over: a stripped VLAN tag is lost.

mod deaf;
mod device;
mod pcap;
mod raw;
mod stamped;
mod sys;
mod v3;

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};

use device::Device;
pub use pcap::installed as pcap_installed;

/// First argument of a program that plays a forwarder: `KIND UP DOWN` follow.
pub const PART: &str = "play-forwarder";

/// Forwards until it is ended.
///
/// # Errors
/// When an interface cannot be opened or fails.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let [kind, up, down] = arguments else {
        bail!("expected: KIND UP DOWN");
    };
    let [kind, up, down] = [kind, up, down].map(|argument| argument.to_str().unwrap_or_default());
    match kind {
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
