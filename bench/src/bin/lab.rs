//! `cargo lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ptpproxy_lab::lab::program::main()
}
