//! `cargo run --package ptpproxy-gen -- FOLDER` writes man pages and shell completions into a folder.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [folder] = arguments.as_slice() else {
        bail!("usage: ptpproxy-gen FOLDER");
    };
    ptpproxy_gen::write_all(Path::new(folder))
}
