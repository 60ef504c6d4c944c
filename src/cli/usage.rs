//! What is wrong with a command line, in one line.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::Problems;

/// Why nothing was started.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was asked for.
    Text(Box<clap::Error>),
    /// The command line is wrong: one line with the remedy.
    Usage(String),
    /// The configuration file is wrong.
    Config(Problems),
}

impl Stop {
    /// Prints the text to standard output, or the error to standard error. Exit code 0 or 2.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        // Nobody may be reading: that is no error.
        if let Self::Text(text) = self {
            let _ = text.print();
            return ExitCode::SUCCESS;
        }
        for line in self.to_lines() {
            let _ = writeln!(std::io::stderr(), "error: {line}");
        }
        ExitCode::from(2)
    }

    /// A line for each thing that is wrong.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Usage(line) => vec![line.clone()],
            Self::Config(problems) => problems.to_lines(),
        }
    }
}

impl From<clap::Error> for Stop {
    fn from(error: clap::Error) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Text(Box::new(error)),
            _ => Self::Usage(in_one_line(&error)),
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

/// What is wrong with a value, without the option and the value.
pub(crate) fn value_error(error: &clap::Error) -> String {
    let value = word(error, ContextKind::InvalidValue).unwrap_or_default();
    match reason(error) {
        Some(reason) if value.is_empty() => reason,
        Some(reason) => format!("\"{value}\": {reason}"),
        None => in_one_line(error),
    }
}

fn in_one_line(error: &clap::Error) -> String {
    let argument = word(error, ContextKind::InvalidArg);
    let value = word(error, ContextKind::InvalidValue).unwrap_or_default();
    if let Some(what) = word(error, ContextKind::InvalidSubcommand)
        && super::command().find_subcommand(&what).is_none()
    {
        return stray(&what);
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(what) = &argument
        && !what.starts_with('-')
    {
        return stray(what);
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
    without_usage(&error.render().to_string())
}

fn stray(what: &str) -> String {
    let command = super::command();
    let commands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    format!(
        "unexpected argument '{what}': an option starts with `--`, and the commands are {} (see --help)",
        commands.join(", ")
    )
}

/// Why a value is none, if that is what is wrong.
fn reason(error: &clap::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::ValueValidation => Some(std::error::Error::source(error)?.to_string()),
        ErrorKind::InvalidValue => {
            let Some(ContextValue::Strings(choices)) = error.get(ContextKind::ValidValue) else {
                return Some("its value is missing".into());
            };
            if choices.is_empty() {
                return Some("its value is missing".into());
            }
            Some(format!("expected one of: {}", choices.join(", ")))
        }
        _ => None,
    }
}

fn word(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// clap's message without its usage and its pointer to --help, which a bad value does not call for.
fn without_usage(rendered: &str) -> String {
    let said: Vec<String> = rendered
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .filter(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"))
        .collect();
    let line = said.join("; ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    if line.contains("required") || line.contains("unexpected argument") {
        format!("{line} (see --help)")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_take_one_line() {
        let rendered = "error: the following required arguments were not provided:\n  --up <IF>\n  \
                        --down <IF>\n\nUsage: ptpproxy --up <IF>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            without_usage(rendered),
            "the following required arguments were not provided: --up <IF> --down <IF> (see --help)"
        );
    }

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
