//! The configuration file: TOML whose keys are the names of the long options.
//!
//! There is one definition of what can be set, which the callers hand in as [`Flags`]. A file becomes
//! arguments, put before those of the command line, so that the same parsers read both and the command
//! line wins.

pub(crate) mod clap_error;
mod entry;
mod problem;
mod sample;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use toml::de::DeTable;

use entry::{Entry, KeyReader};
pub use problem::{Problem, Problems};
pub use sample::sample;

use crate::core::Conflict;
use crate::options::Flags;

/// Larger files are refused: an allow-list of 100 000 clients takes a fifth of it.
const LARGEST: u64 = 16 << 20;

/// A configuration file that was read: each key is known, and each value is one that its option takes.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl ConfigFile {
    /// Reads a file. The only place that opens one: at the start, and each time it is read again.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(path: &Path, flags: &Flags) -> Result<Self, Problems> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => Err(Problems::of(path, format!("cannot be read: {error}"))),
            Ok(_) if bytes.len() as u64 > LARGEST => Err(Problems::of(
                path,
                format!("is larger than {} MiB", LARGEST >> 20),
            )),
            Ok(_) => Self::parse(path, &bytes, flags),
        }
    }

    /// Reads what stands in a file; `path` is for the errors.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the lines.
    pub fn parse(path: &Path, bytes: &[u8], flags: &Flags) -> Result<Self, Problems> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = line_at(bytes, error.valid_up_to());
                let mut problems = Problems::new(path);
                problems.push(Some(line), None, "is not UTF-8 text".into());
                return Err(problems);
            }
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems = Problems::new(path);
        for error in &errors {
            let line = error.span().map(|span| line_at(bytes, span.start));
            problems.syntax(line, error.message(), text);
        }
        // What stands beside a broken line is looked at too, but not what was guessed from it.
        let broken: HashSet<usize> = problems.lines().collect();
        let mut reader = KeyReader::new(flags);
        let mut entries = Vec::new();
        let mut items: Vec<_> = table.into_inner().into_iter().collect();
        items.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in items {
            let line = line_at(bytes, key.span().start);
            if broken.contains(&line) {
                continue;
            }
            let at = |offset: usize| line_at(bytes, offset);
            if let Some(entry) = reader.entry(key.get_ref(), line, &value, at, &mut problems) {
                entries.push(entry);
            }
        }
        if !problems.is_empty() {
            problems.sort();
            return Err(problems);
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }

    /// Whether the file sets this key.
    #[must_use]
    pub fn sets(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// The program's arguments with those of the file put before; what the command line `gave` is not
    /// taken from the file.
    pub(crate) fn merged(&self, arguments: &[OsString], gave: &ArgMatches) -> Vec<OsString> {
        let given = |id: &str| gave.value_source(id) == Some(ValueSource::CommandLine);
        let (program, rest) = arguments.split_at(arguments.len().min(1));
        let mut all = program.to_vec();
        for entry in &self.entries {
            let overridden = if entry.key == "log" {
                ["log", "verbose", "quiet"].into_iter().any(given)
            } else {
                given(&entry.id)
            };
            if !overridden {
                all.extend(entry.arguments.iter().map(OsString::from));
            }
        }
        all.extend(rest.iter().cloned());
        all
    }

    /// What does not fit together, as a problem of the file; `None` if the file has set nothing of it.
    pub(crate) fn blame(&self, conflict: &Conflict) -> Option<Problems> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| conflict.names(&entry.key))?;
        let mut problems = Problems::new(&self.path);
        problems.push(Some(entry.line), Some(&entry.key), conflict.in_file());
        Some(problems)
    }
}

/// The line of an offset, from one.
fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.get(..offset).unwrap_or(bytes);
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
