//! What reading costs: the lab with and without a reader of status 100 times a second, in turns, and the
//! ratio of the latencies.
//!
//! ```console
//! $ cargo run --release -p ptpproxy-lab --bin reading -- --rounds 8
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use ptpproxy::control::client::Gateway;
use ptpproxy_lab::lab::program::made_a_run;
use ptpproxy_lab::ptp4l::TempDir;
use serde_json::Value;

/// Runs the lab with and without a reader of status, in turns, and compares the latency of Syncs.
#[derive(Debug, Parser)]
struct Options {
    /// Pairs of runs
    #[arg(long, value_name = "N", default_value_t = 8)]
    rounds: usize,
    /// Simulated clients
    #[arg(long, value_name = "N", default_value_t = 1000)]
    clients: u16,
    /// Seconds measured in each run
    #[arg(long, value_name = "S", default_value_t = 4.0)]
    seconds: f64,
    /// Readings a second
    #[arg(long, value_name = "HZ", default_value_t = 100.0)]
    rate: f64,
    /// The ptpproxy to test; absent: the one that the lab was built with
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let lab = std::env::current_exe()?.with_file_name("lab");
    ensure!(
        lab.is_file(),
        "build the lab first: cargo build --release -p ptpproxy-lab"
    );
    let mut ratios = Vec::new();
    println!("round  alone p50/p99 us  read p50/p99 us  readings  ratio of p99");
    for round in 0..options.rounds {
        // Each comes first in turn.
        let mut runs = [None, None];
        for turn in [round % 2, (round + 1) % 2] {
            runs[turn] = Some(run(&options, &lab, turn == 1)?);
        }
        let [Some(alone), Some(read)] = runs else {
            continue;
        };
        let ratio = read.p99 / alone.p99;
        ratios.push(ratio);
        println!(
            "{round:>5} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>9} {ratio:>13.3}",
            alone.p50, alone.p99, read.p50, read.p99, read.readings
        );
    }
    ratios.sort_by(f64::total_cmp);
    let median = match ratios.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => ratios[n / 2],
        n => f64::midpoint(ratios[n / 2 - 1], ratios[n / 2]),
    };
    println!("median ratio of p99: {median:.3}");
    Ok(())
}

/// What one run showed.
struct Run {
    p50: f64,
    p99: f64,
    readings: u64,
}

fn run(options: &Options, lab: &Path, read: bool) -> Result<Run> {
    let folder = TempDir::new()?;
    let (socket, json) = (
        folder.path().join("gateway.sock"),
        folder.path().join("json"),
    );
    let reader = read.then(|| Reader::start(socket.clone(), options.rate));
    let output = Command::new(lab)
        .arg("--clients")
        .arg(options.clients.to_string())
        .arg("--seconds")
        .arg(options.seconds.to_string())
        .args(
            options
                .binary
                .iter()
                .flat_map(|path| [OsStr::new("--binary"), path.as_os_str()]),
        )
        .arg("--proxy-args")
        .arg(format!("--control {}", socket.display()))
        .arg("--json")
        .arg(&json)
        .output()
        .context("running the lab")?;
    let readings = reader.map_or(0, Reader::stop);
    ensure!(
        made_a_run(output.status),
        "the lab: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let number = |path: &str| {
        let value = report.pointer(path).and_then(Value::as_f64);
        value.with_context(|| format!("no {path} in the report"))
    };
    ensure!(!read || readings > 0, "nothing could be read");
    Ok(Run {
        p50: number("/latency_us/p50")?,
        p99: number("/latency_us/p99")?,
        readings,
    })
}

/// A thread that reads.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Reader {
    fn start(socket: PathBuf, rate: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let gap = Duration::from_secs_f64(1.0 / rate);
                let (mut readings, mut next) = (0, Instant::now());
                while !stop.load(Ordering::Relaxed) {
                    // Before it starts and after it ends there is nobody.
                    let reply =
                        Gateway::find(Some(&socket)).and_then(|gateway| gateway.ask("status"));
                    readings += u64::from(reply.is_ok());
                    next += gap;
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                readings
            }
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}
