//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::case::{Case, Condition};
use super::measure::Settings;
use crate::ptp4l::Transport;

/// Compares the time that a real ptp4l client gets through ptpproxy with what it gets through a
/// direct cable, through ptp4l as a transparent clock, and through the kernel's bridge.
///
/// Grandmaster, gateway and client are namespaces of this machine, so the true offset is 0 and what
/// the client reports is error. One round measures every gateway over every transport once, one
/// after the other; the next begins with another gateway, so that a drift of the machine favours
/// none. Needs ptp4l (Debian: linuxptp), and neither root nor a clock to steer. Keep the machine
/// idle meanwhile.
///
/// Writes accuracy.md (tables and verdicts), accuracy.json (every measurement) and accuracy.svg.
#[derive(Clone, Debug, Parser)]
#[command(name = "accuracy", version)]
pub struct Options {
    /// Rounds: spreads and ratios are taken over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Samples of each measurement, one of each Sync
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..))]
    pub samples: u32,

    /// Syncs and requests as power of two of seconds; -4 are the 16 a second of the telecom
    /// profile (ITU-T G.8275.1)
    #[arg(
        long,
        default_value_t = -4,
        allow_negative_numbers = true,
        value_name = "LOG2",
        value_parser = clap::value_parser!(i8).range(-7..=0)
    )]
    pub log_sync_interval: i8,

    /// Seconds that a client runs before its samples count
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    pub warm_up: u32,

    /// A first look instead of a result: 2 rounds of 60 samples after 3 s
    #[arg(long, conflicts_with_all = ["rounds", "samples", "warm_up"])]
    pub quick: bool,

    /// What else the machine does: nothing, one busy loop per core, or first the one and then the other
    #[arg(long, value_enum, default_value = "rest", default_missing_value = "busy", num_args = 0..=1)]
    pub load: Load,

    /// Simulated clients on the real client's cable, each with one Delay_Req a second, evenly spread
    #[arg(
        long,
        default_value_t = 0,
        default_missing_value = "1000",
        num_args = 0..=1,
        value_name = "CLIENTS",
        conflicts_with = "signed",
        value_parser = clap::value_parser!(u32).range(..=10_000)
    )]
    pub beside: u32,

    /// Transports
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ethernet,udp4,udp6"
    )]
    pub transports: Vec<Transport>,

    /// Instead of the gateways: ptpproxy without keys, with keys, and with keys of `allow_mutable 1`, all with holds of
    /// 20 ms, between two ptp4l that can sign (linuxptp 4.4; PTPPROXY_SIGNING_PTP4L names another than the installed
    /// one); beside them a cable and a transparent clock, signed too. Writes signed.md and signed.json
    #[arg(long, conflicts_with = "cases")]
    pub signed: bool,

    /// Gateways; without direct there are no ratios to it
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "direct,ours,ours-holding,ptp4l-tc,bridge"
    )]
    pub cases: Vec<Case>,

    /// The ptpproxy to measure [default: build it]
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,

    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/accuracy"), hide_default_value = true)]
    pub out: PathBuf,

    /// Write every sample to this file too, as CSV: round, load, transport, gateway, offset and path delay
    #[arg(long, value_name = "FILE")]
    pub every_sample: Option<PathBuf>,

    /// Exit with 1 when a verdict is bad or a measurement failed
    #[arg(long)]
    pub check: bool,
}

/// When the machine is kept busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Never
    Rest,
    /// Always: one busy loop per core
    Busy,
    /// All rounds at rest, then all rounds busy
    Both,
}

impl Options {
    /// How many rounds are made.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        if self.quick { 2 } else { self.rounds }
    }

    /// The gateways to measure.
    #[must_use]
    pub fn gateways(&self) -> &[Case] {
        if self.signed {
            &Case::SIGNED
        } else {
            &self.cases
        }
    }

    /// How each measurement is made.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (warm_up, samples) = if self.quick {
            (3, 60)
        } else {
            (self.warm_up, self.samples)
        };
        Settings {
            warm_up: Duration::from_secs(warm_up.into()),
            samples: usize::try_from(samples).unwrap_or(usize::MAX),
            log_sync_interval: self.log_sync_interval,
            beside: self.beside,
        }
    }

    /// The conditions asked for, in their order.
    #[must_use]
    pub fn conditions(&self) -> &'static [Condition] {
        match self.load {
            Load::Rest => &[Condition::Rest],
            Load::Busy => &[Condition::Busy],
            Load::Both => &[Condition::Rest, Condition::Busy],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Options {
        Options::try_parse_from([&["accuracy"], arguments].concat()).unwrap()
    }

    #[test]
    fn load_alone_means_busy() {
        assert_eq!(parse(&[]).conditions(), [Condition::Rest]);
        assert_eq!(parse(&["--load"]).conditions(), [Condition::Busy]);
        assert_eq!(
            parse(&["--load=both"]).conditions(),
            [Condition::Rest, Condition::Busy]
        );
    }

    #[test]
    fn everything_is_measured_by_default() {
        let options = parse(&[]);
        assert_eq!(options.transports, Transport::ALL);
        assert_eq!(options.gateways(), Case::ALL);
        assert_eq!(parse(&["--signed"]).gateways(), Case::SIGNED);
        assert_eq!((options.rounds(), options.settings().samples), (5, 300));
        assert_eq!(parse(&["--quick"]).rounds(), 2);
        let fast = parse(&["--log-sync-interval", "-6", "--warm-up", "0"]);
        assert_eq!(
            fast.settings().duration()
                - parse(&["--samples", "10", "--warm-up", "0"])
                    .settings()
                    .duration(),
            Duration::from_secs_f64(300.0 / 64.0 - 10.0 / 16.0)
        );
    }
}
