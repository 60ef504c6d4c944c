//! What is wrong with a file: where, which key, and the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

/// How the parser's message about a key that stands there twice begins.
const DUPLICATE: &str = "duplicate key";

/// One thing that is wrong: `line: key: what, and the remedy`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from one; `None` is the whole file.
    pub line: Option<usize>,
    /// The key.
    pub key: Option<String>,
    /// What is wrong, and what would do.
    pub text: String,
}

/// All that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    path: PathBuf,
    all: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            all: Vec::new(),
        }
    }

    /// One that is wrong with the whole file.
    pub(crate) fn of(path: &Path, text: String) -> Self {
        let mut problems = Self::new(path);
        problems.push(None, None, text);
        problems
    }

    pub(super) fn push(&mut self, line: Option<usize>, key: Option<&str>, text: String) {
        self.all.push(Problem {
            line,
            key: key.map(one_line),
            text: one_line(&text),
        });
    }

    /// Takes those of another look at the same file.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.all.append(&mut more.all);
    }

    /// The file is no TOML here. One a line: what follows on the same line comes of the first.
    pub(super) fn syntax(&mut self, line: Option<usize>, message: &str, text: &str) {
        if line.is_some() && self.all.iter().any(|problem| problem.line == line) {
            return;
        }
        let written = line
            .and_then(|line| text.lines().nth(line - 1))
            .unwrap_or_default();
        let key = written
            .split_once('=')
            .map(|(key, _)| key.trim())
            .filter(|key| is_bare(key));
        let remedy = match written.split_once('=') {
            _ if message.starts_with(DUPLICATE) => "; leave one of them".to_owned(),
            Some((_, value)) if is_bare(plain(value)) => {
                format!("; write {} = \"{}\"", key.unwrap_or("key"), plain(value))
            }
            _ => String::new(),
        };
        self.push(line, key, format!("is not TOML: {message}{remedy}"));
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = usize> {
        self.all.iter().filter_map(|problem| problem.line)
    }

    pub(super) fn sort(&mut self) {
        self.all.sort();
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.all.iter()
    }

    /// A line for each of them: `FILE:LINE: KEY: what`.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        let path = self.path.display();
        self.all
            .iter()
            .map(|problem| match problem.line {
                Some(line) => format!("{path}:{line}: {problem}"),
                None => format!("{path}: {problem}"),
            })
            .collect()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Keys and values are told as they were written, and TOML lets them hold line ends: those are escaped.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    line
}

/// A value without its comment.
fn plain(value: &str) -> &str {
    value.split('#').next().unwrap_or_default().trim()
}

/// Whether it could stand in quotes as it is.
fn is_bare(text: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "-_.:µ".contains(c);
    !text.is_empty() && text.chars().all(in_word)
}
