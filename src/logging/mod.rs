//! The log: lines on standard error, for people, for systemd's journal, or as JSON for programs.
//!
//! | file | one idea |
//! |---|---|
//! | `journal` | whether standard error is systemd's journal, and how it is told of a priority |
//! | `json` | a line as one JSON object |

mod journal;
mod json;

use std::io::{self, Write};
use std::sync::OnceLock;

use log::{Level, LevelFilter, Record};

use crate::options::{LogFormat, LogOptions};

/// How lines are written, once the log is started.
static STYLE: OnceLock<Style> = OnceLock::new();

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    form: Form,
    /// Standard error is the journal, which is told of each line's priority.
    journal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Time, level and target, then the message.
    Dated,
    /// The message: its reader has time and level.
    Bare,
    Json,
}

impl Style {
    /// `journal`: standard error is systemd's journal.
    const fn new(format: LogFormat, journal: bool) -> Self {
        match format {
            LogFormat::Auto if journal => Self {
                form: Form::Bare,
                journal,
            },
            LogFormat::Auto | LogFormat::Text => Self {
                form: Form::Dated,
                journal: false,
            },
            LogFormat::Json => Self {
                form: Form::Json,
                journal,
            },
        }
    }

    /// What stands before each line of this level.
    const fn prefix(self, level: Level) -> &'static str {
        if self.journal {
            journal::prefix(level)
        } else {
            ""
        }
    }
}

/// Logs from now on, as these options say. [`log::set_max_level`] changes the level later.
pub(crate) fn start(options: LogOptions) {
    let style = Style::new(options.format, journal::is_standard_error());
    let _ = STYLE.set(style);
    let mut builder = env_logger::Builder::new();
    // The logger takes everything, and what is asked for is the bound.
    builder.filter_level(LevelFilter::Trace);
    match style.form {
        Form::Dated => {}
        Form::Bare => {
            builder.format(move |out, record| {
                journal::write(out, style.prefix(record.level()), &bare(record))
            });
        }
        Form::Json => {
            builder.format(move |out, record| {
                let line = json::line(&out.timestamp_micros().to_string(), record);
                writeln!(out, "{}{line}", style.prefix(record.level()))
            });
        }
    }
    builder.init();
    log::set_max_level(options.level);
}

/// Prints an error that ends the program, whatever the level. Nobody may be reading: that is no error.
pub(crate) fn fatal(error: &str) {
    let style = STYLE.get().copied();
    let style = style.unwrap_or_else(|| Style::new(LogFormat::Auto, journal::is_standard_error()));
    if style.form == Form::Json {
        log::set_max_level(log::max_level().max(LevelFilter::Error));
        log::error!(target: "ptpproxy", event = "fatal"; "{error}");
    } else {
        let error = format!("error: {error}");
        let _ = journal::write(&mut io::stderr(), style.prefix(Level::Error), &error);
    }
}

/// A message as the journal has it: where it comes from helps only who looks for a fault in the program.
fn bare(record: &Record<'_>) -> String {
    if record.level() >= Level::Debug {
        format!("{}: {}", record.target(), record.args())
    } else {
        record.args().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_goes_with_the_journal_or_without() {
        let style = |format, journal| {
            let style = Style::new(format, journal);
            (style.form, style.prefix(Level::Warn))
        };
        assert_eq!(style(LogFormat::Auto, false), (Form::Dated, ""));
        assert_eq!(style(LogFormat::Auto, true), (Form::Bare, "<4>"));
        assert_eq!(style(LogFormat::Text, true), (Form::Dated, ""));
        assert_eq!(style(LogFormat::Json, false), (Form::Json, ""));
        assert_eq!(style(LogFormat::Json, true), (Form::Json, "<4>"));
    }
}
