//! The command line of `watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::flag::parser;
use super::names::client;
use super::ranges::Within;
use super::values::Seconds;
use crate::core::ClientMatch;
use crate::options::{CaptureFile, WatchOptions};
use crate::range::Range;

/// How large a capture may be, in MB.
pub(super) const MAX_SIZE: Within<u32> =
    Within::new("a whole number", Range::new(1, 100_000), "100").unit(" MB");

/// After how many lines it may end.
const COUNT: Within<u64> = Within::new("a whole number", Range::at_least(1), "100");

/// After which time it may end.
const TIME: Within<Seconds> = Within::new(
    "a number of seconds",
    Range::at_least(Duration::from_millis(1)),
    "10",
);

const EXAMPLES: &str = "\
Examples:
  ptpproxy watch 001122.fffe.334455
      One client's exchanges: request, hold, departure, residence, answer and correction.
  ptpproxy watch --seconds 10 --json | jq 'select(.event == \"drop\")'
      Ten seconds of everything, for a script.
  ptpproxy watch --capture-drops drops.pcapng --count 100
      The next hundred dropped frames, as a capture; the comment of each packet is the reason.

Only root and the gateway's user may watch, four at once. The gateway waits for nobody: lines that
are not read in time, and those beyond 2000 a second, are left out and counted. Frames that the
kernel's filter drops show as a sample: the first of each kind, then about one a second.
Ctrl-C ends it.
Exit code: 0 ended as asked, 1 no answer or the gateway has ended, 2 wrong command line.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArgs {
    /// Show only what this client sends, and what answers it: a port identity, a clock identity, a MAC or an IP
    /// address.
    ///
    /// An address must be of a client that is known already.
    #[arg(value_name = "CLIENT", value_parser = client)]
    client: Option<ClientMatch>,

    /// Control socket of the gateway, if more than one runs on this machine.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Print one JSON object a line for programs.
    ///
    /// The first has `protocol`, the interfaces and the rate; each other an `event`: forward, wait, depart, drop or
    /// lost. A key that does not apply is left out. Names end in their unit.
    #[arg(long)]
    json: bool,

    /// End after N lines.
    #[arg(long, value_name = "N", value_parser = parser(COUNT))]
    count: Option<u64>,

    /// End after this time.
    #[arg(long, value_name = "S", value_parser = parser(TIME))]
    seconds: Option<Seconds>,

    /// Show only what is dropped, and write the frames to this new file (pcapng).
    ///
    /// The comment of each packet is the reason. Only its owner may read the file (mode 0600). Nothing may be there
    /// under this name, not even a symbolic link.
    #[arg(long, value_name = "FILE")]
    capture_drops: Option<PathBuf>,

    /// Size of the file at which to end.
    #[arg(
        long,
        value_name = "MB",
        default_value = "100",
        requires = "capture_drops",
        value_parser = parser(MAX_SIZE)
    )]
    max_size: u32,
}

impl WatchArgs {
    pub(super) fn options(self) -> WatchOptions {
        let limit = u64::from(self.max_size) * 1_000_000;
        WatchOptions {
            socket: self.socket,
            client: self.client,
            json: self.json,
            count: self.count,
            time: self.seconds.map(|seconds| seconds.0),
            capture: self.capture_drops.map(|path| CaptureFile { path, limit }),
        }
    }
}
