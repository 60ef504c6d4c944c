//! Any octets as a configuration file: they are read, or each thing that is wrong is told on one line.

use std::path::Path;

use ptpproxy::config::ConfigFile;

/// One input.
///
/// # Panics
/// If a problem is told badly.
pub fn run(octets: &[u8]) {
    let Err(problems) = ConfigFile::parse(Path::new("x.toml"), octets, &ptpproxy::cli::flags())
    else {
        return;
    };
    assert!(!problems.is_empty());
    let lines = octets.iter().filter(|octet| **octet == b'\n').count() + 1;
    for problem in problems.iter() {
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
        assert!(!problem.text.is_empty());
    }
    for line in problems.to_lines() {
        assert!(line.starts_with("x.toml:"), "{line}");
        assert!(!line.contains(['\n', '\r']), "{line:?}");
    }
}
