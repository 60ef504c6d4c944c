//! `ptpproxy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ptpproxy::program::main(std::env::args_os())
}
