//! Where a result was measured.

use std::fs;
use std::process::Command;
use std::thread;

use serde::Serialize;

use crate::ptp4l;

/// What a result depends on besides the program.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// Processor model.
    pub(super) processor: String,
    /// Cores that this process may use.
    pub(super) cores: usize,
    /// Kernel release.
    pub(super) kernel: String,
    /// ptp4l's version.
    pub(super) ptp4l: String,
    /// The commit of the working folder, `+` after it when files differ from it.
    pub(super) commit: String,
}

impl Machine {
    /// This one, now. What cannot be learned is `unknown`.
    pub(super) fn here(signed: bool) -> Self {
        let unknown = || "unknown".to_owned();
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or_else(unknown, |rest| {
                rest.trim_start_matches([' ', '\t', ':']).to_owned()
            });
        let ask = |command: &mut Command| {
            let output = command
                .output()
                .ok()
                .filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit =
            ask(Command::new("git").args(["describe", "--always", "--dirty=+", "--exclude=*"]));
        let found = if signed {
            ptp4l::find_signing()
        } else {
            ptp4l::find()
        };
        let ptp4l = found.and_then(|path| ask(Command::new(path).arg("-v")));
        Self {
            processor,
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            ptp4l: ptp4l.unwrap_or_else(unknown),
            commit: commit.unwrap_or_else(unknown),
        }
    }
}
