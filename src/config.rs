//! The configuration file: TOML whose keys are the names of the long options.
//!
//! There is one definition of what can be set, [`crate::cli::command`]. A file becomes arguments, put
//! before those of the command line, so that the same parsers read both and the command line wins.

mod entry;
mod problem;
mod sample;
mod values;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use toml::de::DeTable;

use entry::{Entry, Reader};
pub use problem::{Problem, Problems};
pub use sample::sample;
pub use values::{Change, Values};

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
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let mut octets = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut octets));
        match read {
            Err(error) => Err(Problems::of(path, format!("cannot be read: {error}"))),
            Ok(_) if octets.len() as u64 > LARGEST => Err(Problems::of(
                path,
                format!("is larger than {} MiB", LARGEST >> 20),
            )),
            Ok(_) => Self::parse(path, &octets),
        }
    }

    /// Reads what stands in a file; `path` is for the errors.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the lines.
    pub fn parse(path: &Path, octets: &[u8]) -> Result<Self, Problems> {
        let text = match std::str::from_utf8(octets) {
            Ok(text) => text,
            Err(error) => {
                let line = line_at(octets, error.valid_up_to());
                let mut problems = Problems::new(path);
                problems.push(Some(line), None, "is not UTF-8 text".into());
                return Err(problems);
            }
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems = Problems::new(path);
        for error in &errors {
            let line = error.span().map(|span| line_at(octets, span.start));
            problems.syntax(line, error.message(), text);
        }
        // What stands beside a broken line is looked at too, but not what was guessed from it.
        let broken: HashSet<usize> = problems.lines().collect();
        let mut reader = Reader::new();
        let mut entries = Vec::new();
        let mut items: Vec<_> = table.into_inner().into_iter().collect();
        items.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in items {
            let line = line_at(octets, key.span().start);
            if broken.contains(&line) {
                continue;
            }
            let at = |offset: usize| line_at(octets, offset);
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

    /// What does not fit together, as told of the command line: a problem of the file if the file has
    /// set one of the options that it names, or else given back.
    pub(crate) fn blame(&self, text: String) -> Result<Problems, String> {
        let named = |entry: &&Entry| {
            let option = format!("--{}", entry.key);
            text.split([' ', ',', ':']).any(|word| word == option)
        };
        let Some(entry) = self.entries.iter().find(named) else {
            return Err(text);
        };
        let mut problems = Problems::new(&self.path);
        problems.push(Some(entry.line), Some(&entry.key), text.replace("--", ""));
        Ok(problems)
    }
}

/// The line of an offset, from one.
fn line_at(octets: &[u8], offset: usize) -> usize {
    let before = octets.get(..offset).unwrap_or(octets);
    1 + before.iter().filter(|octet| **octet == b'\n').count()
}
