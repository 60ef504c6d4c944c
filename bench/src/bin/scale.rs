//! `cargo run --release -p ptpproxy-lab --bin scale -- --help`: the bars of foreign traffic, of many
//! clients, of latency and of precision, each against its own yardstick in the same run.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ptpproxy_lab::scale::main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scale: {error:#}");
            ExitCode::from(2)
        }
    }
}
