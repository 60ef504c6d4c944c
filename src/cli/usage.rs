//! What is wrong with a command line, in one line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

use crate::auth::FileProblems;
use crate::config::Problems;
use crate::config::clap_error::{reason, without_usage, word};

/// Why nothing was started.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was asked for.
    Text(Box<clap::Error>),
    /// The command line is wrong: one line with the remedy.
    Usage(String),
    /// The configuration file is wrong.
    Config(Problems),
    /// The file of keys is wrong.
    Keys(FileProblems),
}

impl Stop {
    /// Prints the text to standard output, or has each line of the error printed by `error`. Exit code 0 or 2.
    #[must_use]
    pub fn print(&self, error: impl Fn(&str)) -> ExitCode {
        // Nobody may be reading: that is no error.
        if let Self::Text(text) = self {
            let _ = text.print();
            return ExitCode::SUCCESS;
        }
        for line in self.to_lines() {
            error(&line);
        }
        ExitCode::from(2)
    }

    /// What clap says of this command's arguments.
    pub(super) fn of(error: clap::Error, command: &Command) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Text(Box::new(error)),
            _ => Self::Usage(in_one_line(&error, command)),
        }
    }

    /// A line for each thing that is wrong.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Usage(line) => vec![line.clone()],
            Self::Config(problems) => problems.to_lines(),
            Self::Keys(problems) => problems.to_lines(),
        }
    }
}

impl From<Problems> for Stop {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

/// A negative number after an option is its value, however wrong: clap would take it for an option.
pub(super) fn with_negative_values(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let negative = argument
            .to_str()
            .and_then(|text| text.strip_prefix('-'))
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        match all.last_mut() {
            Some(option) if negative && is_bare_option(option) => {
                option.push("=");
                option.push(argument);
            }
            _ => all.push(argument),
        }
    }
    all
}

fn is_bare_option(argument: &OsString) -> bool {
    argument
        .to_str()
        .is_some_and(|text| text.starts_with("--") && text.len() > 2 && !text.contains('='))
}

fn in_one_line(error: &clap::Error, command: &Command) -> String {
    let argument = word(error, ContextKind::InvalidArg);
    let value = word(error, ContextKind::InvalidValue).unwrap_or_default();
    if let Some(what) = word(error, ContextKind::InvalidSubcommand)
        && command.find_subcommand(&what).is_none()
    {
        return stray(&what, command);
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(what) = &argument
        && !what.starts_with('-')
    {
        return stray(what, command);
    }
    if let (Some(argument), Some(reason)) = (argument, reason(error)) {
        // `--jitter <DUR|off>`
        let option = argument.split(" <").next().unwrap_or_default();
        return if value.is_empty() {
            format!("{option}: {reason}")
        } else {
            format!("{option} {value}: {reason}")
        };
    }
    without_usage(error)
}

fn stray(what: &str, command: &Command) -> String {
    let commands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    format!(
        "unexpected argument '{what}': an option starts with `--`, and the commands are {} (see --help)",
        commands.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_is_a_value() {
        let arguments = [
            "ptpproxy", "--jitter", "-1ms", "-v", "--up=a", "-1", "--", "-2",
        ];
        let joined = with_negative_values(arguments.map(OsString::from).to_vec());
        let expected = [
            "ptpproxy",
            "--jitter=-1ms",
            "-v",
            "--up=a",
            "-1",
            "--",
            "-2",
        ];
        assert_eq!(joined, expected.map(OsString::from));
    }
}
