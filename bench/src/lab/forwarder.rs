//! The real ptpproxy, built, started in a gateway and watched.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::machine;
use super::options::Options;
use super::scene::{DOWN, UP};
use crate::net::{Namespace, Process};

/// How long a forwarder may take to say that it runs, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// Builds ptpproxy in release mode; the path of the program.
pub fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "ptpproxy",
            "--bin",
            "ptpproxy",
        ])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build ptpproxy (or name one that is built: --binary PATH)")?;
    ensure!(output.status.success(), "ptpproxy could not be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .context("cargo did not say where it put ptpproxy")
}

/// A running ptpproxy.
#[derive(Debug)]
pub struct Forwarder {
    process: Process,
    lines: Receiver<String>,
    log: Vec<String>,
    verbose: bool,
}

impl Forwarder {
    /// Starts it in a gateway and waits for its first line.
    pub fn start(binary: &Path, gateway: &Namespace, options: &Options) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["--up", UP, "--down", DOWN]);
        if let Some(jitter) = &options.jitter {
            command.args(["--jitter", jitter]);
        }
        command
            .args(options.proxy_args.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = gateway.spawn(&mut command)?;
        let (said, lines) = channel();
        listen(process.stdout.take(), said.clone());
        listen(process.stderr.take(), said);
        let mut forwarder = Self {
            process,
            lines,
            log: Vec::new(),
            verbose: options.verbose,
        };
        match forwarder.lines.recv_timeout(PATIENCE) {
            Ok(line) => forwarder.note(line),
            Err(RecvTimeoutError::Timeout) => bail!("ptpproxy said nothing for {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("ptpproxy ended without a word"),
        }
        // A refusal is a line as well.
        std::thread::sleep(Duration::from_millis(50));
        forwarder.check()?;
        Ok(forwarder)
    }

    /// An error with what it said, if it has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            self.hear();
            bail!("ptpproxy ended ({status}): {}", self.log.join("\n  "));
        }
        Ok(())
    }

    fn note(&mut self, line: String) {
        if self.verbose {
            eprintln!("ptpproxy: {line}");
        }
        self.log.push(line);
    }

    fn hear(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
            self.note(line);
        }
    }

    /// Nanoseconds on a processor so far.
    #[must_use]
    pub fn cpu_ns(&self) -> Option<u64> {
        machine::cpu_ns(self.process.id())
    }

    /// Peak resident memory so far, in KiB.
    #[must_use]
    pub fn peak_rss_kib(&self) -> Option<u64> {
        machine::peak_rss_kib(self.process.id())
    }

    /// Stops it; what it said from beginning to end.
    pub fn stop(mut self) -> Result<Vec<String>> {
        self.check()?;
        let status = self.process.stop(PATIENCE)?;
        self.hear();
        ensure!(
            status.success(),
            "ptpproxy did not stop well ({status}): {}",
            self.log.join("\n  ")
        );
        Ok(self.log)
    }
}

fn listen(output: Option<impl Read + Send + 'static>, said: Sender<String>) {
    let Some(output) = output else {
        return;
    };
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if said.send(line).is_err() {
                return;
            }
        }
    });
}

/// Frames that the kernel could not put into the forwarder's rings, from its totals: the numbers
/// behind "ring drops". `None` if it does not say.
#[must_use]
pub fn ring_drops(log: &[String]) -> Option<u64> {
    let line = log.iter().rev().find(|line| line.contains("ring drops"))?;
    let (_, rest) = line.split_once("ring drops")?;
    let numbers: Vec<u64> = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_from_the_totals() {
        let log = |line: &str| vec!["runs".to_owned(), line.to_owned()];
        assert_eq!(ring_drops(&log("totals: ring drops up 3 down 4")), Some(7));
        assert_eq!(ring_drops(&log("ring drops: 0")), Some(0));
        assert_eq!(ring_drops(&log("bye")), None);
    }
}
