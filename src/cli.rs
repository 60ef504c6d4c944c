//! The command line: each flag is defined once, here and in `policy`, with its help, its range and its
//! default. Help, man page and shell completions are made from these definitions ([`command`]).

mod choices;
mod options;
mod policy;
mod ranges;
mod show;
mod usage;
pub(crate) mod values;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use log::LevelFilter;

pub use options::{
    FilterChoice, ReplayOptions, RingOptions, RunOptions, Source, SweepIntervals, banner,
};
pub use policy::PolicyArgs;
use show::{AskArgs, ClientsArgs, ControlArgs, TopArgs};
pub use show::{Show, ShowOptions};
pub use usage::Stop;
pub(crate) use usage::value_error;
use values::{OrOff, Seconds, interface};

use crate::Side;
use crate::config::{ConfigFile, Problems, Values};
use crate::ring::{Timestamping, TxOptions};

const USAGE: &str = "\
ptpproxy [OPTIONS] --up <IF> --down <IF>
       ptpproxy [OPTIONS] --config <FILE>
       ptpproxy <COMMAND>";

const EXAMPLES: &str = "\
Examples:
  ptpproxy --up eth0 --down eth1
      Pass time from the grandmaster behind eth0 to the clients behind eth1.
  ptpproxy --up eth0 --down eth1.100 --domain 24 --max-rate 2000 --jitter 50ms
      One domain to the clients in VLAN 100, at most 2000 requests a second to the grandmaster.
  ptpproxy --config /etc/ptpproxy/ptpproxy.toml
      What stands in a file, one `option = value` a line; SIGHUP has it read again.
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

const SHOW_EXIT: &str = "Exit code: 0 shown, 1 no answer, 2 bad command line.";
const RELOAD_EXIT: &str = "Exit code: 0 done (what needs a restart is named), 1 it changed nothing or not all, 2 bad command line.";
const CHECK_EXIT: &str = "Exit code: 0 it is good, 1 it is not, 2 bad command line.";

/// What the program is to do.
#[derive(Debug)]
pub enum Action {
    /// Be a gateway.
    Run(RunOptions),
    /// Replay a capture.
    Replay(ReplayOptions),
    /// Say what is wrong with a configuration file.
    CheckConfig(PathBuf),
    /// Ask a running gateway.
    Show(ShowOptions),
}

/// Reads a command line: what to do, and how much to log.
///
/// # Errors
/// Help or version was asked for, or the command line is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Action, LevelFilter), Stop> {
    let arguments = usage::with_negative_values(arguments.into_iter().collect());
    let gave = command().try_get_matches_from(&arguments)?;
    let path = gave.get_one::<PathBuf>("config").cloned();
    let file = path.as_deref().map(ConfigFile::read).transpose()?;
    let (cli, values) = match &file {
        Some(file) => read(&file.merged(&arguments, &gave))?,
        None => read(&arguments)?,
    };
    let level = cli.output.level();
    let action = match cli.command {
        Some(Command::Replay(replay)) => Action::Replay(replay.options()?),
        Some(Command::CheckConfig { file }) => Action::CheckConfig(file),
        Some(Command::Status(ask)) => Action::Show(ask.status()),
        Some(Command::Clients(ask)) => Action::Show(ask.options()),
        Some(Command::Top(ask)) => Action::Show(ask.options()),
        Some(Command::Reload(ask)) => Action::Show(ask.reload()),
        None => {
            let source = Source {
                arguments,
                file: path,
                values,
            };
            let options = cli.gateway(source);
            Action::Run(options.map_err(|errors| blamed(file.as_ref(), errors))?)
        }
    };
    Ok((action, level))
}

/// Checks a configuration file: one line on what the gateway would run with. Interfaces that the file
/// does not name are left to the command line.
///
/// # Errors
/// All that is wrong with it.
pub fn check(path: &Path) -> Result<String, Stop> {
    let file = ConfigFile::read(path)?;
    let mut arguments: Vec<OsString> = vec!["ptpproxy".into(), "--config".into(), path.into()];
    let mut left = Vec::new();
    for side in ["up", "down"] {
        if !file.sets(side) {
            arguments.push(format!("--{side}=<{side}>").into());
            left.push(format!("--{side}"));
        }
    }
    let (action, _) = parse(arguments)?;
    let Action::Run(options) = action else {
        return Err(Stop::Usage("nothing to check".into()));
    };
    let banner = banner(&options);
    let banner = banner.strip_prefix("forwarding: ").unwrap_or(&banner);
    let mut line = format!("{}: OK: {banner}", path.display());
    if !left.is_empty() {
        line += &format!("; left to the command line: {}", left.join(" and "));
    }
    Ok(line)
}

fn read(arguments: &[OsString]) -> Result<(Cli, Values), Stop> {
    let command = command();
    let matches = command.clone().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let values = Values::of(&command, &matches, cli.output.level());
    Ok((cli, values))
}

/// What does not fit together is told where it was set.
fn blamed(file: Option<&ConfigFile>, errors: Vec<String>) -> Stop {
    let mut found: Option<Problems> = None;
    for error in errors {
        match file.map_or(Err(error.clone()), |file| file.blame(error)) {
            Ok(problems) => match &mut found {
                Some(all) => all.append(problems),
                None => found = Some(problems),
            },
            Err(error) => return Stop::Usage(error),
        }
    }
    found.map_or_else(|| Stop::Usage("nothing fits".into()), Stop::Config)
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
    override_usage = USAGE,
    after_help = EXAMPLES,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    args_override_self = true,
    disable_help_subcommand = true
)]
struct Cli {
    /// Take options from this file too; those given here win.
    ///
    /// TOML; its keys are the names of the long options: jitter = "20ms". The command check-config finds
    /// mistakes, and SIGHUP has a running gateway read the file again.
    #[arg(long, help_heading = "Configuration", value_name = "FILE")]
    config: Option<PathBuf>,
    // In the order of their headings in the help.
    #[command(flatten)]
    interfaces: InterfaceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    rings: RingArgs,
    #[command(flatten)]
    control: ControlArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say what would become of each frame of a capture (pcap or pcapng)
    Replay(Box<ReplayArgs>),
    /// Say what is wrong with a configuration file, or what it sets
    #[command(after_help = CHECK_EXIT)]
    CheckConfig {
        /// The configuration file (TOML).
        file: PathBuf,
    },
    /// Show how a running gateway fares: links, grandmaster, rates, drops, and what is wrong
    #[command(after_help = SHOW_EXIT)]
    Status(AskArgs),
    /// Show the clients of a running gateway
    #[command(after_help = SHOW_EXIT)]
    Clients(ClientsArgs),
    /// Show status and clients live
    Top(TopArgs),
    /// Have a running gateway read its configuration again
    #[command(after_help = RELOAD_EXIT)]
    Reload(AskArgs),
}

#[derive(Args, Debug)]
struct InterfaceArgs {
    /// Interface toward the grandmaster.
    #[arg(long, required_unless_present = "config", help_heading = "Interfaces", value_name = "IF", value_parser = interface)]
    up: Option<String>,

    /// Interface toward the clients.
    #[arg(long, required_unless_present = "config", help_heading = "Interfaces", value_name = "IF", value_parser = interface)]
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

    /// Frames that each packet ring holds: a power of two, 64 to 65536; or auto.
    ///
    /// By itself it holds 4096, or an eighth of --max-clients if that is more. Raise it if rings overflow; each
    /// frame takes 2 KB in both receive rings, and up to 2048 of them in both transmit rings.
    #[arg(long, help_heading = "Rings", value_name = "N|auto", default_value = "auto", value_parser = ranges::ring_frames)]
    ring_frames: ranges::RingFrames,

    /// Look at the rings this often while traffic flows: 20us to 10ms; or auto.
    ///
    /// Longer costs less CPU and adds latency, which is taken out of the time again; held requests depart at
    /// such a look, unless --precise. auto is 1ms, with --precise 200us, but an eighth of --max-hold at most.
    /// While messages with an AUTHENTICATION TLV pass, and for two minutes after, it is 200us at most: nothing
    /// may take their wait out of the time.
    #[arg(long, help_heading = "Rings", value_name = "DUR|auto", default_value = "auto", value_parser = ranges::sweep)]
    sweep: ranges::SweepTime,

    /// Never sleep: the least latency, for one whole core.
    #[arg(long, help_heading = "Rings")]
    spin: bool,

    /// Send held requests at their very moment: real-time priority, and a short spin before it.
    ///
    /// They then no longer leave together, one wake-up each. Needs CAP_SYS_NICE, or a limit on real-time
    /// priority (LimitRTPRIO=) of 40.
    #[arg(long, help_heading = "Rings")]
    precise: bool,

    /// How the kernel's filter on the up side knows our clients.
    #[arg(long, help_heading = "Rings", value_enum, value_name = "HOW",
          default_value_t = FilterChoice::Auto)]
    filter: FilterChoice,

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

    /// Frames given to the kernel with one system call, at most: 1 to 65536.
    ///
    /// One shows what sending in batches earns; otherwise leave it.
    #[arg(long, help_heading = "Rings", value_name = "N", default_value_t = TxOptions::BATCH,
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,

    /// Log one line of figures every so many seconds.
    #[arg(long, help_heading = "Output", value_name = "SECONDS|off",
          default_value_t = OrOff(Some(Seconds(Duration::from_secs(60)))))]
    summary: OrOff<Seconds>,

    /// Serve figures for Prometheus at this address (/metrics), and whether all is well (/healthz).
    ///
    /// As in 127.0.0.1:9820, or [::]:9820 for every address of this machine. Whoever reaches the port
    /// reads them.
    #[arg(long, help_heading = "Output", value_name = "ADDR:PORT|off", default_value = "off",
          value_parser = values::listen_address)]
    metrics: OrOff<SocketAddr>,
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
          conflicts_with_all = ["verbose", "quiet"], default_value = "info", value_parser = levels())]
    log: LevelFilter,
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
    fn gateway(self, source: Source) -> Result<RunOptions, Vec<String>> {
        let Self {
            interfaces,
            rings,
            control,
            ..
        } = self;
        let (up, down) = match (interfaces.up, interfaces.down) {
            (Some(up), Some(down)) => (up, down),
            (up, down) => {
                let missing = [("up", up), ("down", down)];
                let missing = missing.iter().filter(|(_, name)| name.is_none());
                let missing: Vec<String> = missing.map(|(side, _)| format!("--{side}")).collect();
                return Err(vec![format!(
                    "no {}: set it in the file or on the command line",
                    missing.join(" and no ")
                )]);
            }
        };
        let sweep = rings.sweep.beside(self.policy.max_hold(), rings.precise);
        let settings = self.policy.settings(any_seed(), sweep.usual);
        let mut errors = settings.conflicts();
        if up == down {
            errors.push(format!(
                "--up and --down are both {up}: name the interface toward the grandmaster and another \
                 toward the clients"
            ));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let frames = rings.ring_frames.beside(settings.max_clients);
        Ok(RunOptions {
            up,
            down,
            settings,
            rings: RingOptions {
                frames,
                sweep,
                spin: rings.spin,
                qdisc_bypass: rings.qdisc_bypass,
                warm_up: !rings.no_warm_up,
                batch: rings.batch,
                promiscuous: !interfaces.no_promiscuous,
                timestamping: rings.timestamping,
                filter: rings.filter,
                precise: rings.precise,
            },
            summary: rings.summary.0.map(|seconds| seconds.0),
            metrics: rings.metrics.0,
            wait: interfaces.wait,
            control: control.control,
            source,
        })
    }
}

impl ReplayArgs {
    fn options(self) -> Result<ReplayOptions, Stop> {
        let settings = self.policy.settings(0, Duration::ZERO);
        if let Some(error) = settings.conflicts().into_iter().next() {
            return Err(Stop::Usage(error));
        }
        Ok(ReplayOptions {
            settings,
            capture: self.capture,
            from: self.from,
            write: self.write,
        })
    }
}

impl OutputArgs {
    fn level(&self) -> LevelFilter {
        match (self.verbose, self.quiet) {
            (0, 0) => self.log,
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

/// A seed that nobody can foresee: tables are safe against chosen keys by it. The standard library's
/// hash keys come from the system's random source.
fn any_seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}

fn levels() -> impl clap::builder::TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|level| level.parse::<LevelFilter>())
}

#[cfg(test)]
mod tests;
