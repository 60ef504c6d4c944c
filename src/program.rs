//! The program: parse, validate, run; nothing else. A function, so that the lab runs the very gateway that it was
//! built with.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::auth::FileProblems;
use crate::cli::{self, Action, Stop};
use crate::{doctor, logging, replay, run, show, watch};

/// The whole program, given its arguments: the first is the name that it was called by.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (action, log) = match cli::parse(arguments) {
        Ok(parsed) => parsed,
        Err(stop) => return stop.print(logging::fatal),
    };
    logging::start(log);
    let result = match action {
        Action::Run(options) => run::run(&options),
        Action::Guard(options) => run::guard(&options),
        Action::CheckConfig(file) => return check_config(&file),
        Action::Show(options) => match show::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Action::Watch(options) => match watch::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Action::Doctor(options) => match doctor::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Action::Replay(options) => {
            let mut out = io::stdout().lock();
            if out.is_terminal() {
                // Somebody waits for each line.
                replay::run(&options, &mut out)
            } else {
                replay::run(&options, &mut BufWriter::new(out))
            }
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A mistake that a restart does not mend, as one in the configuration file: the service manager need not try again.
        Err(error) => match error.downcast::<FileProblems>() {
            Ok(problems) => Stop::Keys(problems).print(logging::fatal),
            Err(error) => {
                logging::fatal(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        },
    }
}

/// Says that a file is good, or all that is wrong with it.
fn check_config(file: &Path) -> ExitCode {
    match cli::check(file) {
        Ok(line) => {
            let _ = writeln!(io::stdout(), "{line}");
            ExitCode::SUCCESS
        }
        Err(stop) => {
            let _ = stop.print(logging::fatal);
            ExitCode::FAILURE
        }
    }
}
