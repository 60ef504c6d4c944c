//! `peers --help`.

use std::path::PathBuf;

use clap::Parser;

use crate::network::Network;

/// Compares ptpproxy with what a user would run instead: the same clients behind each in turn,
/// several rounds, every figure beside the kernel bridge's of the same round.
///
/// A case from which the hypervisor took more than 1 % of the time is measured again, at most three times.
#[derive(Clone, Debug, Parser)]
#[command(name = "peers", version, max_term_width = 100)]
pub struct Options {
    /// Rounds; each runs every case once
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,

    /// Seconds measured of each case
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,

    /// Simulated clients
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub clients: u32,

    /// Delay_Req a second of each client
    #[arg(long, value_name = "HZ", default_value_t = 8.0)]
    pub rate: f64,

    /// Clients send evenly over time; otherwise all answer a Sync at once
    #[arg(long)]
    pub spread: bool,

    /// How messages travel
    #[arg(long, value_enum, default_value_t = Network::Ethernet)]
    pub transport: Network,

    /// Further options for every ptpproxy
    #[arg(
        long,
        value_name = "ARGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub proxy_args: String,

    /// The ptpproxy to test; absent: the one that the lab was built with
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,

    /// Folder for peers.md, peers.json and peers.svg
    #[arg(long, value_name = "DIR", default_value = "bench/results")]
    pub out: PathBuf,
}
