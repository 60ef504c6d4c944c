//! Writes what the fuzz targets start from: `cargo run --bin seeds`, in this folder.
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../tests/policy/frames.rs"]
mod frames;
#[path = "../tests/fuzz/seeds.rs"]
mod seeds;

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    for (target, name, octets) in seeds::all() {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), octets)?;
    }
    Ok(())
}
