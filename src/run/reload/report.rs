//! What a reload has changed, in words.

use std::fmt;
use std::path::Path;

use log::{error, info, warn};

use crate::control::reply::{PROTOCOL, Reloaded};
use crate::options::Change;

/// What a reading of the configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// In force now.
    pub applied: Vec<Change>,
    /// What became of the keys, in words; `None` if they are the same.
    pub keys: Option<String>,
    /// Other than what runs, and read at the start only.
    pub needs_restart: Vec<Change>,
    /// What went wrong. If nothing was applied all settings are what they were.
    pub errors: Vec<String>,
}

impl ReloadReport {
    pub(super) fn failed(error: String) -> Self {
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }

    /// Logs it: a line for each of the three at most.
    pub(super) fn log(&self, file: Option<&Path>) {
        if let Some(first) = self.errors.first() {
            let kept = if self.is_as_before() {
                "not reloaded, all settings stay: "
            } else {
                "reloaded, but "
            };
            match (self.errors.len() - 1, file) {
                (0, _) | (_, None) => error!("{kept}{first}"),
                (more, Some(file)) => error!(
                    "{kept}{first}; {more} more, see ptpproxy check-config {}",
                    file.display()
                ),
            }
        }
        if let Some(line) = self.reloaded() {
            info!("{line}");
        }
        if let Some(line) = self.restart() {
            warn!("{line}");
        }
    }

    /// Whether nothing else is in force than before.
    const fn is_as_before(&self) -> bool {
        self.applied.is_empty() && self.keys.is_none()
    }

    /// What is in force now, in words.
    fn in_force(&self) -> Vec<String> {
        let applied = self.applied.iter().map(ToString::to_string);
        applied.chain(self.keys.clone()).collect()
    }

    fn reloaded(&self) -> Option<String> {
        if self.is_as_before() {
            let quiet = self.errors.is_empty() && self.needs_restart.is_empty();
            return quiet.then(|| "reloaded: nothing has changed".into());
        }
        Some(format!("reloaded: {}", self.in_force().join("; ")))
    }

    fn restart(&self) -> Option<String> {
        (!self.needs_restart.is_empty())
            .then(|| format!("needs a restart: {}", list(&self.needs_restart)))
    }
}

/// A line for what is in force, one for what needs a restart, and one for each error.
impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.errors.iter().map(|error| format!("error: {error}"));
        let lines = errors.chain(self.reloaded()).chain(self.restart());
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl From<ReloadReport> for Reloaded {
    fn from(report: ReloadReport) -> Self {
        let words = |changes: &[Change]| changes.iter().map(ToString::to_string).collect();
        Self {
            protocol: PROTOCOL,
            applied: report.in_force(),
            needs_restart: words(&report.needs_restart),
            errors: report.errors,
        }
    }
}

fn list(changes: &[Change]) -> String {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    changes.join("; ")
}
