//! The command line: each flag is defined once, here and in `policy`, with its help, its range and its
//! default. Help, man page and shell completions are made from these definitions ([`command`]).

mod choices;
mod options;
mod policy;
mod usage;
pub(crate) mod values;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use log::LevelFilter;

pub use options::{ReplayOptions, RingOptions, RunOptions, Timestamping, banner};
pub use policy::PolicyArgs;
pub use usage::Stop;
use values::{OrOff, Seconds, Span, interface};

use crate::Side;

const EXAMPLES: &str = "\
Examples:
  ptpproxy --up eth0 --down eth1
      Pass time from the grandmaster behind eth0 to the clients behind eth1.
  ptpproxy --up eth0 --down eth1.100 --domain 24 --max-rate 2000 --jitter 50ms
      One domain to the clients in VLAN 100, at most 2000 requests a second to the grandmaster.
  ptpproxy replay clients.pcap --from down --write out.pcap
      Say what would become of each frame of a capture; no privilege needed.

Needs CAP_NET_RAW: run as root, or give the binary the capability (setcap cap_net_raw+ep).";

const REPLAY_EXAMPLES: &str = "\
Examples:
  ptpproxy replay clients.pcap --from down
      What becomes of frames captured on the down interface.
  tcpdump -i eth0 -w - 'ether proto 0x88f7 or udp portrange 319-320' | ptpproxy replay - --from up
      The same, live, for the up side.

A capture of one side does not hold what the other side asked: its Delay_Resp answer nobody here.";

/// What the program is to do.
#[derive(Debug)]
pub enum Action {
    /// Be a gateway.
    Run(RunOptions),
    /// Replay a capture.
    Replay(ReplayOptions),
}

/// Reads a command line: what to do, and how much to log.
///
/// # Errors
/// Help or version was asked for, or the command line is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Action, LevelFilter), Stop> {
    let cli = Cli::try_parse_from(arguments)?;
    let level = cli.output.level();
    let action = match cli.command {
        Some(Command::Replay(replay)) => Action::Replay(replay.options()?),
        None => Action::Run(cli.gateway()?),
    };
    Ok((action, level))
}

/// The definition of the command line, for man page and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Passes PTP (IEEE 1588) time between clients and their grandmaster, and nothing else.
///
/// Each Delay_Req of the clients on --down departs on --up at a random moment; the time that a message
/// stayed here is measured and taken out again. What is not for these clients is dropped.
#[derive(Parser, Debug)]
#[command(
    name = "ptpproxy",
    version,
    after_help = EXAMPLES,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    args_override_self = true,
    disable_help_subcommand = true
)]
struct Cli {
    // In the order of their headings in the help.
    #[command(flatten)]
    interfaces: InterfaceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    rings: RingArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say what would become of each frame of a capture (pcap or pcapng)
    Replay(Box<ReplayArgs>),
}

#[derive(Args, Debug)]
struct InterfaceArgs {
    /// Interface toward the grandmaster.
    #[arg(long, required = true, help_heading = "Interfaces", value_name = "IF", value_parser = interface)]
    up: Option<String>,

    /// Interface toward the clients.
    #[arg(long, required = true, help_heading = "Interfaces", value_name = "IF", value_parser = interface)]
    down: Option<String>,

    /// Wait for an interface that does not exist yet, instead of failing.
    #[arg(long, help_heading = "Interfaces")]
    wait: bool,

    /// Receive only what is sent to the PTP groups or to this machine.
    ///
    /// Unicast PTP then no longer passes: only for interfaces that must not be promiscuous.
    #[arg(long, help_heading = "Interfaces")]
    no_promiscuous: bool,
}

#[derive(Args, Debug)]
struct RingArgs {
    /// Which clock stamps frames.
    #[arg(long, help_heading = "Time stamping", value_enum, value_name = "HOW",
          default_value_t = Timestamping::Auto)]
    timestamping: Timestamping,

    /// Frames that each packet ring holds: a power of two, 64 to 65536.
    ///
    /// Raise it if rings overflow; each frame takes 2 KB in each of four rings.
    #[arg(long, help_heading = "Rings", value_name = "N", default_value = "4096", value_parser = ring_frames)]
    ring_frames: u32,

    /// Look at the rings this often while traffic flows: 20us to 10ms.
    ///
    /// Longer costs less CPU and adds latency, which is taken out of the time again.
    #[arg(long, help_heading = "Rings", value_name = "DUR", default_value = "200us", value_parser = sweep)]
    sweep: Span,

    /// Never sleep: the least latency, for one whole core.
    #[arg(long, help_heading = "Rings")]
    spin: bool,

    /// Send past the kernel's queueing discipline: no traffic shaping, and tcpdump on this machine
    /// does not see what is sent.
    #[arg(long, help_heading = "Rings")]
    qdisc_bypass: bool,

    /// Do not warm the kernel's transmit path before a lone event message.
    ///
    /// From cold caches the time between stamp and cable varies by microseconds, and nobody can take that
    /// out. So after a pause one short frame goes over the loopback interface first, to nobody.
    #[arg(long, help_heading = "Time stamping")]
    no_warm_up: bool,

    /// Log one line of figures every so many seconds.
    #[arg(long, help_heading = "Output", value_name = "SECONDS|off",
          default_value_t = OrOff(Some(Seconds(Duration::from_secs(60)))))]
    summary: OrOff<Seconds>,
}

#[derive(Args, Debug)]
struct OutputArgs {
    /// Log more: debug, and with -vv trace.
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count, global = true)]
    verbose: u8,

    /// Log less: warnings and errors, and with -qq only errors.
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count, global = true,
          conflicts_with = "verbose")]
    quiet: u8,

    /// Log this level and what is graver.
    ///
    /// The log goes to standard error.
    #[arg(long, help_heading = "Output", value_name = "LEVEL", global = true,
          conflicts_with_all = ["verbose", "quiet"], value_parser = levels())]
    log: Option<LevelFilter>,
}

#[derive(Args, Debug)]
#[command(after_help = REPLAY_EXAMPLES)]
struct ReplayArgs {
    /// The capture, pcap or pcapng, of an Ethernet interface; `-` reads standard input.
    capture: PathBuf,

    /// The side that the captured frames came from.
    #[arg(long, value_enum, value_name = "SIDE")]
    from: Side,

    /// Write what is forwarded to OUT (pcap, nanoseconds), at the time of its departure.
    #[arg(long, value_name = "OUT")]
    write: Option<PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,
}

impl Cli {
    fn gateway(self) -> Result<RunOptions, Stop> {
        let Self {
            interfaces, rings, ..
        } = self;
        let (Some(up), Some(down)) = (interfaces.up, interfaces.down) else {
            return Err(Stop::Usage(
                "--up and --down are required (see --help)".into(),
            ));
        };
        if up == down {
            return Err(Stop::Usage(format!(
                "--up and --down are both {up}: name the interface toward the grandmaster and another \
                 toward the clients"
            )));
        }
        Ok(RunOptions {
            up,
            down,
            settings: settings(&self.policy, any_seed(), rings.sweep.0)?,
            rings: RingOptions {
                frames: rings.ring_frames,
                sweep: rings.sweep.0,
                spin: rings.spin,
                qdisc_bypass: rings.qdisc_bypass,
                warm_up: !rings.no_warm_up,
                promiscuous: !interfaces.no_promiscuous,
                timestamping: rings.timestamping,
            },
            summary: rings.summary.0.map(|seconds| seconds.0),
            wait: interfaces.wait,
        })
    }
}

impl ReplayArgs {
    fn options(self) -> Result<ReplayOptions, Stop> {
        Ok(ReplayOptions {
            settings: settings(&self.policy, 0, Duration::ZERO)?,
            capture: self.capture,
            from: self.from,
            write: self.write,
        })
    }
}

impl OutputArgs {
    fn level(&self) -> LevelFilter {
        if let Some(level) = self.log {
            return level;
        }
        match (self.verbose, self.quiet) {
            (0, 0) => LevelFilter::Info,
            (1, _) => LevelFilter::Debug,
            (0, 1) => LevelFilter::Warn,
            (0, _) => LevelFilter::Error,
            _ => LevelFilter::Trace,
        }
    }
}

impl ValueEnum for Side {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Up, Self::Down]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.label()))
    }
}

fn settings(
    policy: &PolicyArgs,
    seed: u64,
    sweep: Duration,
) -> Result<crate::core::Settings, Stop> {
    policy
        .settings(seed, sweep)
        .map_err(|error| Stop::Usage(error.to_string()))
}

/// A seed that nobody can foresee: tables are safe against chosen keys by it. The standard library's
/// hash keys come from the system's random source.
fn any_seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}

fn ring_frames(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|frames: &u32| frames.is_power_of_two() && (64..=65536).contains(frames))
        .ok_or_else(|| "expected a power of two from 64 to 65536, as in 4096".into())
}

fn sweep(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if (Duration::from_micros(20)..=Duration::from_millis(10)).contains(&span.0) {
        Ok(span)
    } else {
        Err("expected 20us to 10ms; to look without pause use --spin".into())
    }
}

fn levels() -> impl clap::builder::TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|level| level.parse::<LevelFilter>())
}

#[cfg(test)]
mod tests;
