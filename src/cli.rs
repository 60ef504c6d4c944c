//! The command line: each flag is defined once, in `policy`, `gateway` or `log_level`, with its help, its
//! range, its default and whether a reload applies it. Help, man pages, shell completions, the keys of the
//! configuration file and the start banner are made from these definitions ([`flags`]).

mod choices;
mod doctor;
mod flag;
mod gateway;
mod guard;
mod log_level;
mod names;
mod policy;
mod ranges;
mod replay;
mod show;
mod usage;
mod values;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use doctor::DoctorArgs;
use gateway::{InterfaceArgs, OutputArgs, RingArgs};
use guard::GuardArgs;
use log_level::{LevelArgs, VerbosityArgs};
use policy::PolicyArgs;
use ranges::Takes as _;
use replay::ReplayArgs;
use show::{AskArgs, ClientsArgs, RoleArgs, StatusArgs, TopArgs};
pub use usage::Stop;
use watch::WatchArgs;

use crate::auth::SecurityAssociations;
use crate::config::{ConfigFile, Problems};
use crate::control::Role;
use crate::core::Conflict;
use crate::options::{
    DoctorOptions, Flag, Flags, GuardOptions, LogOptions, ReplayOptions, RunOptions, ShowOptions,
    Source, Values, WatchOptions,
};

const USAGE: &str = "\
ptpproxy [OPTIONS] --up <IF> --down <IF>
       ptpproxy [OPTIONS] --config <FILE>
       ptpproxy <COMMAND>";

const EXAMPLES: &str = "\
Examples:
  ptpproxy --up eth0 --down eth1
      Forward PTP between the grandmaster on eth0 and the clients on eth1.
  ptpproxy --up eth0 --down eth1.100 --domain 24 --max-rate 2000 --jitter 50ms
      One domain, clients in VLAN 100, at most 2000 requests per second to the grandmaster.
  ptpproxy doctor --up eth0 --down eth1
      Look for what would be in the way: on this machine and in both networks.
  ptpproxy --config /etc/ptpproxy/ptpproxy.toml
      Read the options from a file, one `option = value` per line; SIGHUP reloads it.
  ptpproxy replay clients.pcap --from down --write out.pcap
      Show what would happen to each frame of a capture. Needs no privileges.

The gateway needs CAP_NET_RAW: run it as root, or run setcap cap_net_raw+ep on the binary.";

const SHOW_EXIT: &str = "Exit code: 0 shown, 1 no answer, 2 wrong command line.";
const STATUS_EXIT: &str = "\
Examples:
  ptpproxy status --all
      Every gateway of this machine; exit code 0 only if all are well.
  ptpproxy status --json | jq .warnings
      What is wrong, for a script.

Exit code: 0 shown, 1 no answer, 2 wrong command line.
With --all: 0 every gateway is well, 1 one has a warning or does not answer, or none runs.";
const RELOAD_EXIT: &str = "Exit code: 0 reloaded (what needs a restart is listed), 1 not or not entirely, 2 wrong command line.";
const ROLE_EXIT: &str = "\
For root and the gateway's user only. The gateway goes on with the role until another order; a restart begins as the
configuration says.

Exit code: 0 it has the role now, whatever it had before, 1 no answer or refused, 2 wrong command line.";
const CHECK_EXIT: &str = "Exit code: 0 the file is good, 1 it is not, 2 wrong command line.";

/// What the program is to do.
#[derive(Debug)]
pub enum Action {
    /// Be a gateway.
    Run(RunOptions),
    /// Replay a capture.
    Replay(ReplayOptions),
    /// Check a configuration file.
    CheckConfig(PathBuf),
    /// Ask a running gateway.
    Show(ShowOptions),
    /// Look for what is in a gateway's way.
    Doctor(DoctorOptions),
    /// Keep the kernel from routing what a gateway routes.
    Guard(GuardOptions),
    /// Show each message of a running gateway.
    Watch(WatchOptions),
}

/// Reads a command line: what to do, and what to log how.
///
/// # Errors
/// Help or version was asked for, or the command line is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Action, LogOptions), Stop> {
    let arguments = usage::with_negative_values(arguments.into_iter().collect());
    let flags = flags();
    let command = flags.command();
    let gave = command.clone().try_get_matches_from(&arguments);
    let gave = gave.map_err(|error| Stop::of(error, command))?;
    let path = gave.get_one::<PathBuf>("config").cloned();
    let file = path.as_deref().map(|path| ConfigFile::read(path, &flags));
    let file = file.transpose()?;
    let (cli, log, values) = match &file {
        Some(file) => read(&flags, &file.merged(&arguments, &gave))?,
        None => read(&flags, &arguments)?,
    };
    let action = match cli.task {
        Some(Task::Replay(replay)) => {
            let options = replay.options(gave.subcommand_matches("replay"));
            Action::Replay(options.map_err(Stop::Usage)?)
        }
        Some(Task::CheckConfig { file }) => Action::CheckConfig(file),
        Some(Task::Doctor(doctor)) => {
            let gateway = doctor.gateway().map(parse).transpose()?;
            let gateway = gateway.and_then(|(action, _)| match action {
                Action::Run(options) => Some(options),
                _ => None,
            });
            Action::Doctor(doctor.options(gateway))
        }
        Some(Task::Guard(guard)) => {
            let gateway = guard.gateway().map(parse).transpose()?;
            let gateway = gateway.and_then(|(action, _)| match action {
                Action::Run(options) => Some(options),
                _ => None,
            });
            Action::Guard(guard.options(gateway))
        }
        Some(Task::Status(ask)) => Action::Show(ask.options()),
        Some(Task::Clients(ask)) => Action::Show(ask.options()),
        Some(Task::Watch(watch)) => Action::Watch(watch.options()),
        Some(Task::Top(ask)) => Action::Show(ask.options()),
        Some(Task::Reload(ask)) => Action::Show(ask.reload()),
        Some(Task::Activate(ask)) => Action::Show(ask.options(Role::Active)),
        Some(Task::Standby(ask)) => Action::Show(ask.options(Role::Standby)),
        None => {
            let source = Source {
                arguments,
                file: path,
                values,
            };
            let options =
                gateway::options(cli.interfaces, cli.policy, cli.rings, cli.output, source);
            let options = options.map_err(|conflicts| blamed(file.as_ref(), conflicts))?;
            Action::Run(RunOptions {
                take_over: cli.take_over,
                ..options
            })
        }
    };
    Ok((action, log))
}

/// Checks a configuration file, and the keys that it names: one line on what the gateway would run with. Interfaces that the file
/// does not name are left to the command line.
///
/// # Errors
/// All that is wrong with it.
pub fn check(path: &Path) -> Result<String, Stop> {
    let file = ConfigFile::read(path, &flags())?;
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
    if let Some(keys) = &options.sa_file {
        SecurityAssociations::load(keys).map_err(Stop::Keys)?;
    }
    let banner = banner(&options, &options.downs);
    let banner = banner.strip_prefix("forwarding: ").unwrap_or(&banner);
    let mut line = format!("{}: OK: {banner}", path.display());
    if !left.is_empty() {
        line += &format!("; left to the command line: {}", left.join(" and "));
    }
    Ok(line)
}

fn read(flags: &Flags, arguments: &[OsString]) -> Result<(Cli, LogOptions, Values), Stop> {
    let command = flags.command();
    let stop = |error| Stop::of(error, command);
    let matches = command.clone().try_get_matches_from(arguments);
    let matches = matches.map_err(stop)?;
    let cli = Cli::from_arg_matches(&matches).map_err(stop)?;
    let log = log_level::options(&cli.verbosity, &cli.level);
    let values = flags.values(&matches, log.level);
    Ok((cli, log, values))
}

/// What does not fit together is reported where it was set.
fn blamed(file: Option<&ConfigFile>, conflicts: Vec<Conflict>) -> Stop {
    let mut in_file: Option<Problems> = None;
    let mut elsewhere = Vec::new();
    for conflict in conflicts {
        match file.and_then(|file| file.blame(&conflict)) {
            Some(problems) => match &mut in_file {
                Some(all) => all.append(problems),
                None => in_file = Some(problems),
            },
            None => elsewhere.push(conflict.to_string()),
        }
    }
    match in_file {
        Some(problems) if elsewhere.is_empty() => Stop::Config(problems),
        _ => Stop::Usage(elsewhere.join("; ")),
    }
}

/// All flags of the gateway: clap's definition, and what clap does not know of them.
#[must_use]
pub fn flags() -> Flags {
    Flags::new(command(), rows().collect())
}

fn rows() -> impl Iterator<Item = &'static Flag> {
    let rows = [
        InterfaceArgs::FLAGS,
        PolicyArgs::FLAGS,
        RingArgs::FLAGS,
        OutputArgs::FLAGS,
        LevelArgs::FLAGS,
    ];
    rows.into_iter().flatten()
}

/// The definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    let with_range = |argument: Arg| {
        let flag = rows().find(|flag| argument.get_id() == flag.id);
        match flag.and_then(|flag| flag.range) {
            Some(range) => flag::with_range(argument, &range()),
            None => argument,
        }
    };
    let listen = |argument| flag::with_range(argument, &doctor::LISTEN.range());
    let interval = |argument| flag::with_range(argument, &show::INTERVAL.range());
    let size = |argument| flag::with_range(argument, &watch::MAX_SIZE.range());
    Cli::command()
        .mut_args(with_range)
        .mut_subcommand("replay", |replay| replay.mut_args(with_range))
        .mut_subcommand("doctor", |doctor| doctor.mut_arg("listen", listen))
        .mut_subcommand("top", |top| top.mut_arg("interval", interval))
        .mut_subcommand("watch", |watch| watch.mut_arg("max_size", size))
}

/// One line on what the gateway runs with; these are its interfaces downstream.
#[must_use]
pub fn banner(options: &RunOptions, downs: &[String]) -> String {
    flags().banner(options, downs)
}

/// Forwards PTP (IEEE 1588) between clients and their grandmaster, and corrects the delay that this adds.
///
/// Each Delay_Req of the clients on --down is sent on --up after a random hold. The gateway measures how
/// long a message stays in it, and corrects the message by that time. What is not for these clients is
/// dropped.
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
    /// Read options from this TOML file as well; the command line overrides it.
    ///
    /// Its keys are the names of the long options, as in jitter = "20ms". `ptpproxy check-config` finds
    /// mistakes. SIGHUP or `ptpproxy reload` makes a running gateway read the file again.
    #[arg(long, help_heading = "Configuration", value_name = "FILE")]
    config: Option<PathBuf>,
    // In the order of their headings in the help.
    #[command(flatten)]
    interfaces: InterfaceArgs,
    /// Take the place of the running gateway between the same interfaces that is this process.
    ///
    /// It hands over its packet sockets and all that it knows, and ends; if anything fails, it goes on. For root and
    /// that gateway's user only; not with --routed, --sa-file, hardware timestamps, or more than 60 --down. See Restart without loss in deploy/README.md.
    #[arg(long, help_heading = "Interfaces", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    take_over: Option<u32>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    rings: RingArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    #[command(flatten)]
    level: LevelArgs,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Show what would happen to each frame of a capture (pcap or pcapng)
    Replay(Box<ReplayArgs>),
    /// Check a configuration file, and show what it sets
    #[command(after_help = CHECK_EXIT)]
    CheckConfig {
        /// Configuration file (TOML).
        file: PathBuf,
    },
    /// Look for what is in a gateway's way: on this machine, its interfaces and both networks
    Doctor(DoctorArgs),
    /// Keep the kernel from routing PTP that a gateway with --routed guarded routes
    Guard(GuardArgs),
    /// Show a running gateway: warnings, links, grandmaster, rates, drops
    #[command(after_help = STATUS_EXIT)]
    Status(StatusArgs),
    /// Show the clients of a running gateway
    #[command(after_help = SHOW_EXIT)]
    Clients(ClientsArgs),
    /// Show status and clients, updated live
    Top(TopArgs),
    /// Show each message live: request, hold, departure, answer, correction, or why it is dropped
    Watch(WatchArgs),
    /// Make a running gateway read its configuration again
    #[command(after_help = RELOAD_EXIT)]
    Reload(AskArgs),
    /// Have a gateway of a pair forward from now on
    #[command(after_help = ROLE_EXIT)]
    Activate(RoleArgs),
    /// Have a gateway of a pair send nothing from now on, and learn
    #[command(after_help = ROLE_EXIT)]
    Standby(RoleArgs),
}

#[cfg(test)]
mod tests;
