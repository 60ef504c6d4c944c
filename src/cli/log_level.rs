//! What is logged, and in which form.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};
use log::LevelFilter;

use super::flag::flags;
use crate::options::{Banner, LogFormat, LogOptions};

/// Short flags for the command line, where no file can set them.
#[derive(Args, Debug)]
pub(super) struct VerbosityArgs {
    /// Log more: -v for debug, -vv for trace.
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count, global = true)]
    verbose: u8,

    /// Log less: -q for warnings and errors, -qq for errors only.
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count, global = true,
          conflicts_with = "verbose")]
    quiet: u8,
}

flags! {
    pub(super) struct LevelArgs {
        /// Log messages of this level and above, to standard error.
        log: LevelFilter = {
            section: OUTPUT, reload: Live, banner: Banner::Never,
            arg(value_name = "LEVEL", global = true, conflicts_with_all = ["verbose", "quiet"],
                default_value = "info", value_parser = levels())
        }

        /// Form of the log lines.
        log_format: LogFormat = {
            section: OUTPUT, reload: Restart, banner: Banner::Never,
            arg(value_enum, value_name = "FORM", global = true, default_value_t = LogFormat::Auto)
        }
    }
}

/// What both ask for.
pub(super) const fn options(verbosity: &VerbosityArgs, level: &LevelArgs) -> LogOptions {
    LogOptions {
        level: log_level(verbosity, level),
        format: level.log_format,
    }
}

/// The level that both ask for; they exclude each other.
const fn log_level(verbosity: &VerbosityArgs, level: &LevelArgs) -> LevelFilter {
    match (verbosity.verbose, verbosity.quiet) {
        (0, 0) => level.log,
        (1, _) => LevelFilter::Debug,
        (0, 1) => LevelFilter::Warn,
        (0, _) => LevelFilter::Error,
        _ => LevelFilter::Trace,
    }
}

fn levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|level| level.parse::<LevelFilter>())
}
