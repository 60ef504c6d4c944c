//! What is wrong with settings: a value that names them, for whoever knows where each was set.

use std::fmt;

/// Settings that do not fit each other, or one that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The settings that take part, by the names of their options, each with its value (empty if it has
    /// none).
    pub keys: Vec<(&'static str, String)>,
    /// What is wrong with them, and what would do.
    pub problem: String,
}

impl Conflict {
    /// Between these settings.
    #[must_use]
    pub fn new<const N: usize>(keys: [(&'static str, String); N], problem: String) -> Self {
        Self {
            keys: keys.into(),
            problem,
        }
    }

    /// Whether this setting takes part.
    #[must_use]
    pub fn names(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| *name == key)
    }

    /// As told to whoever wrote a configuration file: `jitter 200ms and max-hold 100ms: ...`.
    #[must_use]
    pub fn in_file(&self) -> String {
        self.told("")
    }

    fn told(&self, dashes: &str) -> String {
        let keys = self.keys.iter().map(|(key, value)| {
            let gap = if value.is_empty() { "" } else { " " };
            format!("{dashes}{key}{gap}{value}")
        });
        let keys: Vec<String> = keys.collect();
        format!("{}: {}", keys.join(" and "), self.problem)
    }
}

/// As told to whoever wrote a command line: `--jitter 200ms and --max-hold 100ms: ...`.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told("--"))
    }
}
