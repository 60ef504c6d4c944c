//! The command line of `doctor`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::flag::parser;
use super::names::interface;
use super::ranges::Within;
use crate::PerPort;
use crate::core::Authenticated;
use crate::options::{DoctorOptions, RunOptions};
use crate::range::Range;
use crate::span::Span;

/// How long `doctor` may listen.
pub(super) const LISTEN: Within<Span> = Within::new(
    "a duration",
    Range::new(Duration::from_secs(1), Duration::from_secs(600)),
    "5s",
);

const EXAMPLES: &str = "\
Examples:
  ptpproxy doctor --up eth0 --down eth1
      Check the machine and both interfaces, then listen to both networks for 5 s.
  ptpproxy doctor --config /etc/ptpproxy/ptpproxy.toml --json | jq '.findings[] | select(.level != \"ok\")'
      What a script needs to know of a gateway that runs by this file.

It sends nothing but multicast joins, and may run before or beside a gateway. Needs CAP_NET_RAW to listen.
Exit code: 0 no error found, 1 an error found, 2 wrong command line.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Take interfaces and domains from this configuration file.
    #[arg(long, value_name = "FILE", required_unless_present_all = ["up", "downs"])]
    config: Option<PathBuf>,

    /// Interface toward the grandmaster.
    #[arg(long, value_name = "IF", value_parser = interface, required_unless_present = "config")]
    up: Option<String>,

    /// Interface toward the clients; may be given more than once.
    #[arg(long = "down", value_name = "IF", value_parser = interface, required_unless_present = "config")]
    downs: Vec<String>,

    /// Domains that the gateway is to pass.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    domain: Vec<u8>,

    /// The file of the gateway's keys.
    #[arg(long, value_name = "FILE")]
    sa_file: Option<PathBuf>,

    /// How long to listen to both networks.
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = parser(LISTEN))]
    listen: Span,

    /// Print one JSON object for programs.
    ///
    /// `findings` is a list: each has a `level` (ok, warning or error), a `check`, a `text` and a `remedy` (or null).
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// The command line of the gateway that would run by the same file.
    pub(super) fn gateway(&self) -> Option<Vec<OsString>> {
        let file = self.config.as_ref()?;
        let mut arguments: Vec<OsString> = vec!["ptpproxy".into(), "--config".into(), file.into()];
        let up = self.up.iter().map(|name| ("--up", name));
        let downs = self.downs.iter().map(|name| ("--down", name));
        for (flag, name) in up.chain(downs) {
            arguments.extend([flag.into(), name.into()]);
        }
        Some(arguments)
    }

    /// `gateway` is what that command line says.
    pub(super) fn options(self, gateway: Option<RunOptions>) -> DoctorOptions {
        let authenticated = gateway
            .as_ref()
            .map(|gateway| gateway.settings.authenticated);
        let standby = gateway.as_ref().map(|gateway| gateway.standby);
        let sa_file = gateway.as_ref().and_then(|gateway| gateway.sa_file.clone());
        let (up, downs, domains) = match gateway {
            Some(gateway) => (gateway.up, gateway.downs, gateway.settings.domains.clone()),
            None => (self.up.unwrap_or_default(), self.downs, Vec::new()),
        };
        DoctorOptions {
            interfaces: PerPort { up, downs },
            domains: match self.domain.is_empty() {
                true => domains,
                false => self.domain,
            },
            sa_file: self.sa_file.or(sa_file),
            corrects_signed: authenticated == Some(Authenticated::Mutable),
            standby,
            listen: self.listen.0,
            json: self.json,
        }
    }
}
