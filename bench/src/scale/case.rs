//! One run of the lab as a process of its own, and its report.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::lab::program::made_a_run;
use crate::net::least_stolen;
use crate::ptp4l::TempDir;

/// How to run the lab.
#[derive(Debug)]
pub(super) struct Lab {
    program: PathBuf,
    binary: Option<PathBuf>,
    seconds: f64,
    proxy_args: String,
}

/// What one run reported: the keys of `cargo lab --json`, and what the forwarder printed.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    report: Value,
    /// The forwarder's log.
    pub(super) log: String,
}

impl Lab {
    /// The lab beside this program.
    pub(super) fn new(binary: Option<PathBuf>, seconds: f64, proxy_args: &str) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("lab");
        ensure!(
            program.exists(),
            "{} is missing: cargo build --release --package ptpproxy-lab --bins",
            program.display()
        );
        Ok(Self {
            program,
            binary,
            seconds,
            proxy_args: proxy_args.to_owned(),
        })
    }

    /// Runs it once, or again where the hypervisor took its time; `proxy_args` are further options for ptpproxy.
    pub(super) fn run(&self, arguments: &str, proxy_args: &str) -> Result<Seen> {
        let command = || Command::new(&self.program);
        least_stolen(|| self.run_once(command(), self.binary.as_deref(), arguments, proxy_args))
    }

    /// The same at another niceness, with `binary` as the ptpproxy.
    pub(super) fn run_at(&self, niceness: i8, binary: &Path, arguments: &str) -> Result<Seen> {
        let command = || {
            let mut command = Command::new("nice");
            command.args(["-n", &niceness.to_string()]);
            command.arg(&self.program);
            command
        };
        least_stolen(|| self.run_once(command(), Some(binary), arguments, ""))
    }

    /// The ptpproxy to test, as a file of its own.
    pub(super) fn ptpproxy(&self) -> Result<PathBuf> {
        let path = self.binary.clone();
        let path = path.unwrap_or_else(|| self.program.with_file_name("ptpproxy"));
        (path.canonicalize())
            .with_context(|| format!("no {}: name the program with --binary", path.display()))
    }

    fn run_once(
        &self,
        mut command: Command,
        binary: Option<&Path>,
        arguments: &str,
        proxy_args: &str,
    ) -> Result<Seen> {
        let folder = TempDir::new()?;
        let ours = !arguments.contains("--gateway");
        let json = folder.path().join("lab.json");
        let output = command
            .args(arguments.split_whitespace())
            .args(["--seconds", &self.seconds.to_string(), "--verbose"])
            .args((binary.iter()).flat_map(|path| [OsStr::new("--binary"), path.as_os_str()]))
            .arg("--json")
            .arg(&json)
            .args(ours.then(|| format!("--proxy-args={} {proxy_args}", self.proxy_args)))
            .stdin(Stdio::null())
            .output()?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(made_a_run(output.status), "lab {arguments}: {log}");
        let text = std::fs::read_to_string(&json).context("the lab's report")?;
        Ok(Seen {
            report: serde_json::from_str(&text)?,
            log,
        })
    }
}

impl Seen {
    /// A number of the report, by its key or by two of them: `hold_us.p99`.
    pub(super) fn number(&self, key: &str) -> f64 {
        key.split('.')
            .try_fold(&self.report, |value, key| value.get(key))
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    }

    /// Whether a key is true.
    pub(super) fn says(&self, key: &str) -> bool {
        self.report.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// Foreign frames a second that were offered, warm-up included.
    pub(super) fn foreign_rate(&self) -> f64 {
        self.number("foreign_sent") / (self.number("seconds") + WARMUP)
    }
}

/// The lab's default.
pub(super) const WARMUP: f64 = 3.0;

/// The middle of some values.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
