//! What is wrong with a command line, in one line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Why nothing was started.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was asked for.
    Text(clap::Error),
    /// The command line is wrong: one line with the remedy.
    Usage(String),
}

impl Stop {
    /// Prints the text to standard output, or the error to standard error. Exit code 0 or 2.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        // Nobody may be reading: that is no error.
        match self {
            Self::Text(text) => {
                let _ = text.print();
                ExitCode::SUCCESS
            }
            Self::Usage(line) => {
                let _ = writeln!(std::io::stderr(), "error: {line}");
                ExitCode::from(2)
            }
        }
    }
}

impl From<clap::Error> for Stop {
    fn from(error: clap::Error) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Text(error),
            _ => Self::Usage(one_line(&error.render().to_string())),
        }
    }
}

/// clap's message without its usage and its pointer to --help, which a bad value does not call for.
fn one_line(rendered: &str) -> String {
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
            one_line(rendered),
            "the following required arguments were not provided: --up <IF> --down <IF> (see --help)"
        );
        let rendered = "error: invalid value 'x' for '--management <WHICH>'\n  [possible values: off, \
                        get, all]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(rendered),
            "invalid value 'x' for '--management <WHICH>' [possible values: off, get, all]"
        );
    }
}
