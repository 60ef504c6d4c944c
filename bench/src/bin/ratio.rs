//! `cargo run --release -p ptpproxy-lab --bin ratio -- --help`

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use ptpproxy_lab::lab::program::made_a_run;
use ptpproxy_lab::ptp4l::TempDir;
use serde_json::Value;

/// What one ptpproxy costs beside another: processor time of an exchange in `cargo lab`, in interleaved rounds.
///
/// Each round runs both, by turns the one and the other first; the ratio of a round is judged, so that a machine that
/// changes its speed does not matter. Prints the mean ratio and its 95 % interval (of the logarithms, Student's t). A
/// machine at rest is needed. Exit code: 1 if the interval ends above --most, 0 otherwise.
#[derive(Debug, Parser)]
#[command(name = "ratio", max_term_width = 100)]
struct Options {
    /// The ptpproxy that is judged
    #[arg(long, value_name = "PATH")]
    new: PathBuf,

    /// The one that it is compared with
    #[arg(long, value_name = "PATH")]
    base: PathBuf,

    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(3..=1000))]
    rounds: u32,

    /// The most that the ratio may be
    #[arg(long, value_name = "X", default_value_t = 1.03)]
    most: f64,

    /// Options of `cargo lab`, all but --binary and --json
    #[arg(last = true, value_name = "LAB", default_values = ["--seconds", "5"])]
    lab: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let lab = env::current_exe()?.with_file_name("lab");
    ensure!(
        lab.is_file(),
        "no {}: cargo build --release -p ptpproxy-lab",
        lab.display()
    );
    let mut logarithms = Vec::new();
    for round in 0..options.rounds {
        let cost = |binary: &Path| exchange_us(&lab, binary, &options.lab);
        let (new, base) = if round % 2 == 0 {
            let new = cost(&options.new)?;
            (new, cost(&options.base)?)
        } else {
            let base = cost(&options.base)?;
            (cost(&options.new)?, base)
        };
        println!(
            "round {:>2}: {new:.2} us, base {base:.2} us, ratio {:.3}",
            round + 1,
            new / base
        );
        logarithms.push((new / base).ln());
    }
    let Some([low, mean, high]) = interval(&logarithms) else {
        bail!("too few rounds");
    };
    let within = high <= options.most;
    println!(
        "ratio {:.3}, 95 % interval {:.3} to {:.3}, at most {}: {}",
        mean,
        low,
        high,
        options.most,
        if within { "yes" } else { "no" }
    );
    Ok(if within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Processor time of one exchange, in microseconds.
fn exchange_us(lab: &Path, binary: &Path, options: &[String]) -> Result<f64> {
    let folder = TempDir::new()?;
    let json = folder.path().join("report.json");
    let mut command = Command::new(lab);
    command.args(options).arg("--binary").arg(binary);
    command.arg("--json").arg(&json);
    command.stdin(Stdio::null());
    let output = command.output().context("cannot run the lab")?;
    if !made_a_run(output.status) {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let cost = report.get("cpu_us_per_exchange").and_then(Value::as_f64);
    let cost = cost.context("no exchange was answered")?;
    ensure!(
        report.get("requests_lost").and_then(Value::as_u64) == Some(0),
        "{}: requests were lost: the machine is too busy\n{}",
        binary.display(),
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(cost)
}

/// Mean of these logarithms as a factor, between the ends of its 95 % interval; `None` of fewer than three.
fn interval(logarithms: &[f64]) -> Option<[f64; 3]> {
    let count = logarithms.len();
    let freedom = count.checked_sub(1).filter(|freedom| *freedom >= 2)?;
    let mean = logarithms.iter().sum::<f64>() / count as f64;
    let squares = logarithms.iter().map(|value| (value - mean).powi(2));
    let error = (squares.sum::<f64>() / freedom as f64 / count as f64).sqrt();
    let half = student(freedom) * error;
    Some([mean - half, mean, mean + half].map(f64::exp))
}

/// The 97.5th percentile of Student's t; between the degrees of freedom listed that of the lower one, which is wider.
fn student(freedom: usize) -> f64 {
    const LISTED: [(usize, f64); 16] = [
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (5, 2.571),
        (6, 2.447),
        (7, 2.365),
        (8, 2.306),
        (9, 2.262),
        (10, 2.228),
        (12, 2.179),
        (14, 2.145),
        (16, 2.120),
        (19, 2.093),
        (29, 2.045),
        (59, 2.001),
        (119, 1.980),
    ];
    let below = LISTED.iter().rev().find(|(at, _)| *at <= freedom);
    below.map_or(LISTED[0].1, |(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_known_ratios() {
        assert_eq!(interval(&[0.0, 0.1]), None);
        let [low, mean, high] = interval(&[0.0, 0.0, 0.0]).unwrap();
        assert_eq!([low, mean, high], [1.0; 3]);
        // -0.1, 0 and 0.1: a standard error of 0.1 / sqrt(3), times 4.303.
        let [low, mean, high] = interval(&[-0.1, 0.0, 0.1]).unwrap();
        assert!((mean - 1.0).abs() < 1e-9);
        assert!((high.ln() - 0.2484).abs() < 1e-3, "{high}");
        assert!((low * high - 1.0).abs() < 1e-9);
        assert_eq!(
            (student(14), student(15), student(5000)),
            (2.145, 2.145, 1.980)
        );
    }
}
