//! The flags of the gateway: clap's definition of each, and beside it what clap does not know.

use clap::{Arg, ArgAction, ArgMatches, Command};
use log::LevelFilter;

use super::RunOptions;
use super::values::{Value, Values};

/// What clap does not know of a flag.
///
/// `cli::flags!` makes it from the same lines as clap's [`Arg`], so that no flag lacks it.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The id of its [`Arg`].
    pub id: &'static str,
    /// Whether a reload applies it.
    pub reload: Reload,
    /// Whether the start banner shows it.
    pub banner: Banner,
    /// The range of its value in words; `None` if the value is no quantity.
    pub range: Option<fn() -> String>,
    /// Its line in the sample configuration.
    pub sample: Sample,
}

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// As soon as the configuration is read again.
    Live,
    /// At the next start.
    Restart,
}

/// How the start banner shows a flag: by its name and its value.
#[derive(Clone, Copy, Debug)]
pub enum Banner {
    /// Always.
    Always,
    /// Always, with the value that `auto` came to.
    Resolved(fn(&RunOptions) -> String),
    /// If it is not the default.
    Changed,
    /// Never: a line of its own shows it, or nobody is to see it.
    Never,
}

/// The line of a flag in the sample configuration.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// A comment with the default.
    Default,
    /// A comment with this value: there is no default.
    Example(&'static str),
}

/// All flags of the gateway. A configuration file can set exactly these.
#[derive(Clone, Debug)]
pub struct Flags {
    command: Command,
    rows: Vec<&'static Flag>,
}

impl Flags {
    /// Those of `rows`, which `command` defines.
    #[must_use]
    pub const fn new(command: Command, rows: Vec<&'static Flag>) -> Self {
        Self { command, rows }
    }

    /// The definition of the command line.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// The same, for parsing.
    pub const fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Each flag with its name, in the order of the definition.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arg, &'static Flag)> {
        self.command.get_arguments().filter_map(|argument| {
            let flag = self.of(argument)?;
            Some((argument.get_long()?, argument, flag))
        })
    }

    /// The flag of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(&Arg, &'static Flag)> {
        let mut all = self.iter();
        all.find(|(long, ..)| *long == name)
            .map(|(_, argument, flag)| (argument, flag))
    }

    /// What belongs to an argument; `None` for those of the command line only.
    #[must_use]
    pub fn of(&self, argument: &Arg) -> Option<&'static Flag> {
        let mut rows = self.rows.iter().copied();
        rows.find(|flag| argument.get_id() == flag.id)
    }

    /// What each flag came to; the log `level` has more than one that sets it.
    #[must_use]
    pub fn values(&self, matches: &ArgMatches, level: LevelFilter) -> Values {
        let values = self.iter().map(|(name, argument, flag)| {
            let items = match name {
                "log" => vec![level.to_string().to_ascii_lowercase()],
                _ => items(argument, matches),
            };
            let switch = matches!(argument.get_action(), ArgAction::SetTrue);
            let defaults = argument.get_default_values().iter();
            let is_default = if switch {
                items == ["false"]
            } else {
                defaults.eq(&items)
            };
            Value {
                key: name.to_owned(),
                live: flag.reload == Reload::Live,
                list: matches!(argument.get_action(), ArgAction::Append),
                switch,
                is_default,
                items,
            }
        });
        Values::new(values.collect())
    }

    /// One line on what a gateway runs with: the interfaces, of which these are `downs`, the values that matter most, and
    /// whatever else is not the default.
    #[must_use]
    pub fn banner(&self, options: &RunOptions, downs: &[String]) -> String {
        let mut line = format!(
            "forwarding: up {} <-> down {}",
            options.up,
            downs.join(", ")
        );
        for value in options.source.values.iter() {
            let Some((_, flag)) = self.named(&value.key) else {
                continue;
            };
            let shown = match flag.banner {
                Banner::Never => continue,
                Banner::Changed if value.is_default => continue,
                Banner::Resolved(text) => format!("{} {}", value.key, text(options)),
                Banner::Changed | Banner::Always if value.switch => value.key.clone(),
                Banner::Changed | Banner::Always => format!("{} {}", value.key, value.in_short()),
            };
            line += ", ";
            line += &shown;
        }
        line
    }
}

fn items(argument: &Arg, matches: &ArgMatches) -> Vec<String> {
    let raw = matches.get_raw(argument.get_id().as_str());
    raw.into_iter()
        .flatten()
        .map(|item| item.to_string_lossy().into_owned())
        .collect()
}
