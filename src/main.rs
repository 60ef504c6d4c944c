//! `ptpproxy`: parse, validate, run; nothing else.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use ptpproxy::cli::{self, Action};
use ptpproxy::{replay, run};

fn main() -> ExitCode {
    let (action, level) = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(stop) => return stop.print(),
    };
    env_logger::Builder::new().filter_level(level).init();
    let result = match action {
        Action::Run(options) => run::run(&options),
        Action::Replay(options) => replay::run(&options, &mut BufWriter::new(io::stdout().lock())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading: that is no reason to panic.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
