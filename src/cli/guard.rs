//! The command line of `guard`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::names::interface;
use crate::PerSide;
use crate::options::{GuardOptions, RoutedChoice, RunOptions};

const EXAMPLES: &str = "\
Examples:
  ptpproxy guard --up eth0 --down eth1
      From now on the kernel does not route PTP between the two: for a gateway with --routed guarded.
  ptpproxy guard --config /etc/ptpproxy/ptpproxy.toml
      The same if the file says routed = \"guarded\", else nothing; the service does it before each start.

Takes CAP_NET_ADMIN. `nft list ruleset` shows the table, and how many messages it has kept from the kernel.
Exit code: 0 done, 1 not done, 2 wrong command line.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct GuardArgs {
    /// Take the interfaces from this configuration file, if it says routed = "guarded".
    #[arg(long, value_name = "FILE", required_unless_present_all = ["up", "down"], conflicts_with_all = ["up", "down"])]
    config: Option<PathBuf>,

    /// Interface toward the grandmaster.
    #[arg(long, value_name = "IF", value_parser = interface, required_unless_present = "config")]
    up: Option<String>,

    /// Interface toward the clients.
    #[arg(long, value_name = "IF", value_parser = interface, required_unless_present = "config")]
    down: Option<String>,

    /// Take the table away: the kernel may route PTP again.
    #[arg(long)]
    remove: bool,
}

impl GuardArgs {
    /// The command line of the gateway that would run by the same file.
    pub(super) fn gateway(&self) -> Option<Vec<OsString>> {
        let file = self.config.as_ref()?;
        Some(vec!["ptpproxy".into(), "--config".into(), file.into()])
    }

    /// `gateway` is what that command line says.
    pub(super) fn options(self, gateway: Option<RunOptions>) -> GuardOptions {
        let wanted = (gateway.as_ref()).is_none_or(|run| run.routed == RoutedChoice::Guarded);
        let (up, down) = match gateway {
            // What is routed has one interface downstream.
            Some(gateway) => (
                gateway.up,
                gateway.downs.into_iter().next().unwrap_or_default(),
            ),
            None => (self.up.unwrap_or_default(), self.down.unwrap_or_default()),
        };
        GuardOptions {
            interfaces: (wanted || self.remove).then_some(PerSide { up, down }),
            remove: self.remove,
        }
    }
}
