//! Writes what the fuzz targets start from: `cargo run --bin seeds`, in this folder.

use std::fs;
use std::io;
use std::path::Path;

use testkit::targets::seeds;

fn main() -> io::Result<()> {
    for (target, name, octets) in seeds::all() {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), octets)?;
    }
    Ok(())
}
