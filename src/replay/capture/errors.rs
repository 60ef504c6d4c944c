//! Errors of the library and of the system in words.

use std::io::{self, ErrorKind};

use pcap_file::PcapError;

/// What went wrong while `what` was read or written.
pub(in crate::replay) fn describe(error: &PcapError, what: &str) -> String {
    match error {
        PcapError::IoError(error) => describe_io(error, what),
        error => error.to_string(),
    }
}

pub(super) fn describe_io(error: &io::Error, what: &str) -> String {
    if error.kind() == ErrorKind::UnexpectedEof {
        format!("the file ends within {what}, or its length is wrong")
    } else {
        error.to_string()
    }
}
