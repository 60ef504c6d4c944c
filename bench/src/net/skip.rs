//! Tests that cannot run here: they say why, and `tests/run` lists them at its end.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// Set to 1, it makes every skipped test a failure. CI sets it.
pub const SKIP_IS_FAILURE: &str = "PTPPROXY_REQUIRE_PEERS";

/// Names the file to which `TEST<TAB>REASON` is added for each skipped test.
const SKIPPED: &str = "PTPPROXY_SKIPPED";

/// Reports the running test as skipped because of `reason`. The caller returns.
///
/// # Panics
/// When `PTPPROXY_REQUIRE_PEERS=1` forbids to skip.
pub fn skip(reason: &str) {
    let required = std::env::var(SKIP_IS_FAILURE).is_ok_and(|value| value == "1");
    assert!(!required, "{SKIP_IS_FAILURE}=1 and {reason}");
    skip_without_rights(reason);
}

/// The same for what only the machine's root may do: no failure whatever is set.
pub fn skip_without_rights(reason: &str) {
    let test = running_test();
    tell(&format!("skipped: {test}: {reason}"));
    if let Some(path) = std::env::var_os(SKIPPED) {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        // One write: tests of many processes add to it.
        let line = format!("{test}\t{reason}\n");
        let file = OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Not by eprintln!, which libtest swallows when a test passes.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The program and the name of the test that this thread runs.
fn running_test() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let file = program.file_name().unwrap_or_default().to_string_lossy();
    // Cargo adds a hash.
    let program = file.rsplit_once('-').map_or(&*file, |(name, _)| name);
    // libtest names a thread by its test; the one test of a sandbox runs on the first thread.
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" => format!("{program} {name}"),
        _ => format!("{program} {}", std::env::args().nth(1).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_test_is_named() {
        let name = "ptpproxy_lab net::skip::tests::the_running_test_is_named";
        assert_eq!(running_test(), name);
    }
}
