//! The program in a gateway: ptpproxy, built and started, or what a user would run instead.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::machine;
use super::options::{Gateway, Options};
use super::scene::{DOWN, UP};
use super::shape::Network;
use crate::forwarders;
use crate::net::Namespace;
use crate::ptp4l::{Program, Ptp4l, Role, TempDir, Transport};

/// How long a forwarder may take to say that it runs, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// ptpproxy's default for --max-clients.
const MANY: u32 = 4096;

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

/// A running forwarder.
#[derive(Debug)]
pub struct Forwarder {
    program: Program,
    shown: usize,
    verbose: bool,
    /// ptpproxy ends well when told to.
    ours: bool,
    _folder: Option<TempDir>,
}

impl Forwarder {
    /// Starts what the options name in a gateway and waits until it runs; `None` where nothing needs
    /// to run. `binary` is ptpproxy.
    pub fn start(binary: &Path, gateway: &Namespace, options: &Options) -> Result<Option<Self>> {
        let mut folder = None;
        let mut program = match options.gateway {
            Gateway::Bridge | Gateway::Direct => return Ok(None),
            Gateway::Ours => Program::start(gateway, &mut ours(binary, options))?,
            Gateway::Raw | Gateway::V3 | Gateway::Stamped | Gateway::Pcap | Gateway::Deaf => {
                let own = Path::new("/proc/self/exe").canonicalize()?;
                let mut command = Command::new(own);
                command.args([forwarders::PART, options.gateway.label(), UP, DOWN]);
                Program::start(gateway, &mut command)?
            }
            Gateway::Ptp4lTc => {
                let temporary = TempDir::new()?;
                let mut program = transparent_clock(gateway, options, &temporary)?;
                program.wait_for_words("port 2", PATIENCE)?;
                folder = Some(temporary);
                program
            }
        };
        program.wait_for("first line", PATIENCE, |_| Some(()))?;
        // A refusal is a line as well.
        std::thread::sleep(Duration::from_millis(50));
        let mut forwarder = Self {
            program,
            shown: 0,
            verbose: options.verbose,
            ours: options.gateway == Gateway::Ours,
            _folder: folder,
        };
        forwarder.check()?;
        Ok(Some(forwarder))
    }

    /// An error with what it said, if it has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.program.try_wait()? {
            std::thread::sleep(Duration::from_millis(100));
            let said = self.program.lines_from(0).join("\n  ");
            bail!("the forwarder ended ({status}):\n  {said}");
        }
        self.show();
        Ok(())
    }

    fn show(&mut self) {
        let news = self.program.lines_from(self.shown);
        self.shown += news.len();
        for line in news.iter().filter(|_| self.verbose) {
            eprintln!("forwarder: {line}");
        }
    }

    /// Nanoseconds on a processor so far.
    #[must_use]
    pub fn cpu_ns(&self) -> Option<u64> {
        machine::cpu_ns(self.program.id())
    }

    /// Peak resident memory so far, in KiB.
    #[must_use]
    pub fn peak_rss_kib(&self) -> Option<u64> {
        machine::peak_rss_kib(self.program.id())
    }

    /// Stops it; what it said from beginning to end.
    pub fn stop(mut self) -> Result<Vec<String>> {
        self.check()?;
        let status = self.program.stop(PATIENCE)?;
        // The last lines are on their way from its pipe.
        std::thread::sleep(Duration::from_millis(100));
        self.show();
        let log = self.program.lines_from(0);
        ensure!(
            status.success() || !self.ours,
            "ptpproxy did not stop well ({status}):\n  {}",
            log.join("\n  ")
        );
        Ok(log)
    }
}

fn ours(binary: &Path, options: &Options) -> Command {
    let mut command = Command::new(binary);
    command.args(["--up", UP, "--down", DOWN]);
    if let Some(jitter) = &options.jitter {
        command.args(["--jitter", jitter]);
    }
    if options.clients > MANY {
        command.args(["--max-clients", &options.clients.to_string()]);
    }
    command.args(options.proxy_args.split_whitespace());
    command
}

/// ptp4l as an end-to-end transparent clock. Over UDP it wants addresses, which nobody uses.
fn transparent_clock(gateway: &Namespace, options: &Options, folder: &TempDir) -> Result<Program> {
    for (last, interface) in [(0xFD, UP), (0xFE, DOWN)] {
        gateway.add_address(interface, [10, 0, 0, last], 32)?;
        gateway.add_address(interface, [0xFD00, 0, 0, 0, 0, 0, 0, last.into()], 128)?;
    }
    // Its own copy of a source address is no reason to believe that a frame came from elsewhere.
    for key in ["all", "default", UP, DOWN] {
        gateway.sysctl(&format!("net/ipv4/conf/{key}/rp_filter"), "0")?;
    }
    let clock = Ptp4l {
        role: Role::TransparentClock,
        transport: match options.transport {
            Network::Ethernet => Transport::Ethernet,
            Network::Udp4 => Transport::Udp4,
            Network::Udp6 => Transport::Udp6,
        },
        interfaces: &[UP, DOWN],
        log_sync_interval: -4,
    };
    clock.start(gateway, folder)
}

/// Frames that the kernel could not put into the forwarder's rings, from its totals: the sum of its
/// `counts  ring_drops...  N` lines, which it leaves out when there were none. `None` without totals.
#[must_use]
pub fn ring_drops(log: &[String]) -> Option<u64> {
    let drops = log
        .iter()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let counted = words.next() == Some("counts")
                && words
                    .next()
                    .is_some_and(|name| name.starts_with("ring_drops"));
            words.next().filter(|_| counted)?.parse::<u64>().ok()
        })
        .sum();
    let totals = |line: &String| line.starts_with("frames ") || line.starts_with("counts ");
    log.iter().any(totals).then_some(drops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_from_the_totals() {
        let log = |lines: &[&str]| {
            lines
                .iter()
                .map(|&line| line.to_owned())
                .collect::<Vec<_>>()
        };
        let both = [
            "counts  ring_drops_up     3  Frames that a ring of 4096 had no room for",
            "counts  held           4000  Delay_Req held for a random time",
            "counts  ring_drops_down   4  Frames",
        ];
        assert_eq!(ring_drops(&log(&both)), Some(7));
        assert_eq!(ring_drops(&log(&["counts  ring_drops 0"])), Some(0));
        assert_eq!(ring_drops(&log(&["counts  held 4000", "bye"])), Some(0));
        assert_eq!(ring_drops(&log(&["error: no totals"])), None);
    }
}
