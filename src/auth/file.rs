//! A file of security associations: opened, its permissions checked, read into memory that is erased.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::associations::SecurityAssociations;
use super::lines;
use super::problem::FileProblems;

/// Larger files are refused, in bytes: 4096 keys take half of it.
const LARGEST: usize = 1 << 20;

impl SecurityAssociations {
    /// Reads a file in linuxptp's `sa_file` format. Others may neither read nor write it, and its group may
    /// read it at most: meant is a file of the service's user with mode 0600. (A group may be one of people
    /// who look at the service's status; but an access list or a credential shows as a group's right, too.)
    ///
    /// # Errors
    /// The system's, permissions that are too wide, or all that is wrong with its lines.
    pub fn load(path: &Path) -> Result<Self, FileProblems> {
        let cannot = |error: io::Error| FileProblems::of(path, format!("cannot be read: {error}"));
        let file = open(path).map_err(cannot)?;
        check(&file.metadata().map_err(cannot)?).map_err(|text| FileProblems::of(path, text))?;
        let text = read(file).map_err(cannot)?;
        if text.len() > LARGEST {
            let text = format!("is larger than {} MiB", LARGEST >> 20);
            return Err(FileProblems::of(path, text));
        }
        Self::parse(path, &text)
    }

    /// Reads what stands in a file; `path` is for the errors.
    ///
    /// # Errors
    /// All that is wrong with its lines.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, FileProblems> {
        lines::parse(text).map_err(|all| FileProblems::new(path, all))
    }
}

/// A pipe is not waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

fn check(file: &Metadata) -> Result<(), String> {
    if !file.is_file() {
        return Err("is no regular file".into());
    }
    let mode = file.mode() & 0o777;
    let fault = if mode & 0o007 != 0 {
        "others may read or write it"
    } else if mode & 0o030 != 0 {
        "its group may write or execute it"
    } else {
        return Ok(());
    };
    Err(format!(
        "has mode {mode:04o}: {fault}; chmod 0600 it, with the service's user as its owner"
    ))
}

/// At most one byte more than is allowed, into memory that is reserved at once: a vector that grows leaves
/// copies behind.
fn read(mut file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(vec![0; LARGEST + 1]);
    let mut len = 0;
    loop {
        match file.read(&mut text[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(len);
    Ok(text)
}
