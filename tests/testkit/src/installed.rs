//! Programs of others that a test needs.

use std::path::PathBuf;

use ptpproxy_lab::net::skip;

/// The path of an installed program; `None`, and a line that says so, without it.
pub fn find(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps some in a folder that only root has in its PATH.
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("{program} is not installed (Debian: {package})"));
    }
    found
}
