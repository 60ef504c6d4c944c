//! What foreign traffic costs, how many clients fit, what few cost, how late a frame is that is not held, how precisely
//! one departs that is, and how many a second pass: each beside a yardstick of the same run, interleaved and
//! repeated.
#![forbid(unsafe_code)]

mod bars;
mod case;
mod contention;
mod downs;
mod flood;
mod light;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use case::Lab;

/// Measures ptpproxy at scale, against a yardstick in the same run.
///
/// A case from which the hypervisor took more than 1 % of the time is measured again, at most three times. Exits
/// with 1 when a bar is missed.
#[derive(Clone, Debug, Parser)]
#[command(name = "scale", version, max_term_width = 100)]
struct Options {
    /// What to measure; all of it, if none is named
    #[arg(value_enum)]
    bars: Vec<Bar>,

    /// Rounds; each runs every case once. Medians are compared
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u16,

    /// Seconds measured of each case
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,

    /// Foreign frames a second
    #[arg(long, value_name = "PPS", default_value_t = 500_000.0)]
    foreign: f64,

    /// The ptpproxy to test; absent: the one that the lab was built with
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,

    /// Further options for ptpproxy
    #[arg(
        long,
        value_name = "ARGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    proxy_args: String,
}

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bar {
    /// What does a foreign frame cost, beside a filter that drops everything?
    Foreign,
    /// Are 100 000 clients at 1 Hz all answered?
    Many,
    /// How late is a frame that is not held, beside a bare poll loop, and what does it cost beside TPACKET_V3,
    /// with stamps and without?
    Unheld,
    /// How far from its moment does a held request depart, with and without --precise?
    Precise,
    /// What do ten clients cost, how often do they wake the forwarder, and what stays uncorrected, beside ptp4l's
    /// transparent clock?
    Light,
    /// How many frames a second pass one way, beside the kernel's bridge, and what do batches earn?
    Flood,
    /// What do four ports downstream with 250 clients each cost, beside one with 1000?
    Downs,
    /// As root: with more busy loops than cores beside it, does a gateway at its service's priority lose anything?
    Contention,
}

/// The whole program; whether no bar was missed.
///
/// # Errors
/// When a run fails.
pub fn main() -> Result<bool> {
    let options = Options::parse();
    let lab = Lab::new(options.binary, options.seconds, &options.proxy_args)?;
    let bars = if options.bars.is_empty() {
        Bar::value_variants()
    } else {
        &options.bars
    };
    let mut met = true;
    for bar in bars {
        met &= match bar {
            Bar::Foreign => bars::foreign(&lab, options.rounds, options.foreign)?,
            Bar::Many => bars::many(&lab)?,
            Bar::Unheld => bars::unheld(&lab, options.rounds)?,
            Bar::Precise => bars::precise(&lab, options.rounds)?,
            Bar::Light => light::light(&lab, options.rounds)?,
            Bar::Flood => flood::flood(&lab, options.rounds)?,
            Bar::Downs => downs::downs(&lab, options.rounds)?,
            Bar::Contention => contention::contention(&lab, options.rounds)?,
        };
    }
    Ok(met)
}
