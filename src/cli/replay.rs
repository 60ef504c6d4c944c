//! The command line of a replay.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::policy::PolicyArgs;
use crate::Side;
use crate::core::SettingsError;
use crate::options::ReplayOptions;

const EXAMPLES: &str = "\
Examples:
  ptpproxy replay clients.pcap --from down
      Show what happens to frames that were captured on the down interface.
  tcpdump -i eth0 -w - 'ether proto 0x88f7 or udp portrange 319-320' | ptpproxy replay - --from up
      The same, live, for the up side.

A capture of one side lacks the requests from the other side: its Delay_Resp answer no known client.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArgs {
    /// Capture of an Ethernet interface, pcap or pcapng; `-` reads standard input.
    capture: PathBuf,

    /// Side that the frames were captured on.
    #[arg(long, value_enum, value_name = "SIDE")]
    from: Side,

    /// Write forwarded frames to OUT (pcap with nanoseconds), at the time of their departure.
    #[arg(long, value_name = "OUT")]
    write: Option<PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,
}

impl ReplayArgs {
    /// # Errors
    /// Values that do not fit each other.
    pub(super) fn options(self) -> Result<ReplayOptions, SettingsError> {
        let settings = self.policy.settings(0, Duration::ZERO).validated()?;
        Ok(ReplayOptions {
            settings,
            capture: self.capture,
            from: self.from,
            write: self.write,
        })
    }
}
