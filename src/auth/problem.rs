//! What is wrong with a file of security associations: where, and the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a file. Shows no key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineProblem {
    /// The line, from one; `None` is the whole file.
    pub line: Option<usize>,
    /// What is wrong, and what would do.
    pub text: String,
}

/// All that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblems {
    path: PathBuf,
    all: Vec<LineProblem>,
}

impl FileProblems {
    /// These, of the lines of a file.
    pub(super) fn new(path: &Path, mut all: Vec<LineProblem>) -> Self {
        all.sort();
        Self {
            path: path.to_owned(),
            all,
        }
    }

    /// One that is wrong with the whole file.
    pub(super) fn of(path: &Path, text: String) -> Self {
        Self::new(path, vec![LineProblem { line: None, text }])
    }

    /// Each of them, in the order of the lines.
    pub fn iter(&self) -> impl Iterator<Item = &LineProblem> {
        self.all.iter()
    }
}

impl FileProblems {
    /// A line for each: `FILE:LINE: what`.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        let path = self.path.display();
        let line = |LineProblem { line, text }: &LineProblem| match line {
            Some(line) => format!("{path}:{line}: {text}"),
            None => format!("{path}: {text}"),
        };
        self.all.iter().map(line).collect()
    }
}

impl fmt::Display for FileProblems {
    /// The lines of [`FileProblems::to_lines`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_lines().join("\n"))
    }
}

impl std::error::Error for FileProblems {}
