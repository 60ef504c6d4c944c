//! systemd's journal as standard error: whether it is, and how it is told of a priority (sd-daemon(3)).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use log::Level;

/// Whether standard error is connected to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)).
/// Where it was redirected the variable is still there, but names another file.
pub(super) fn is_standard_error() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|there| names(&stream, there.dev(), there.ino()))
}

/// `DEVICE:INODE`, both decimal.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    stream
        .split_once(':')
        .is_some_and(|(of, at)| of.parse() == Ok(device) && at.parse() == Ok(inode))
}

/// What tells the journal of a line's priority: syslog's number in angle brackets.
pub(super) const fn prefix(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

/// Writes a message; each of its lines is an entry of its own, and needs the prefix.
pub(super) fn write(out: &mut impl Write, prefix: &str, message: &str) -> io::Result<()> {
    let lines: String = message
        .lines()
        .map(|line| format!("{prefix}{line}\n"))
        .collect();
    out.write_all(lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_device_and_an_inode() {
        assert!(names("8:1234", 8, 1234));
        for other in ["8:1235", "9:1234", "8", "", ":", "8:1234:", "x:1234"] {
            assert!(!names(other, 8, 1234), "{other}");
        }
    }

    #[test]
    fn every_line_has_its_priority() {
        let mut out = Vec::new();
        write(&mut out, prefix(Level::Warn), "one\ntwo").unwrap();
        assert_eq!(out, b"<4>one\n<4>two\n");
    }
}
