//! `cargo run --release -p ptpproxy-lab --bin accuracy -- --help`

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use ptpproxy_lab::accuracy::{
    self, Busy, Case, Condition, Measured, Measurement, Options, Report, Stats,
};
use ptpproxy_lab::net::Sandbox;
use ptpproxy_lab::ptp4l::{self, Sample};

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    ensure!(
        options.signed || ptp4l::find().is_some(),
        "ptp4l is not installed (Debian: apt-get install linuxptp)"
    );
    ensure!(
        !options.signed || ptp4l::find_signing().is_some(),
        "no ptp4l that signs (linuxptp 4.4): tests/peers/newer-linuxptp FOLDER unpacks one, and \
         PTPPROXY_SIGNING_PTP4L=FOLDER/ptp4l names it"
    );
    let binary = match &options.binary {
        Some(path) => path
            .canonicalize()
            .with_context(|| format!("no {}", path.display()))?,
        None => build()?,
    };
    fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make {}", options.out.display()))?;
    let _sandbox = Sandbox::enter()?;

    let (measurements, every_sample) = run(&options, &binary);
    if let Some(path) = &options.every_sample {
        fs::write(path, every_sample)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let report = Report::new(&options, measurements);
    let text = report.markdown();
    print!("{text}");
    let name = if options.signed { "signed" } else { "accuracy" };
    let write = |extension: &str, text: &str| {
        let path = options.out.join(name).with_extension(extension);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
        anyhow::Ok(())
    };
    write("md", &text)?;
    write("json", &serde_json::to_string_pretty(&report)?)?;
    if !options.signed {
        write("svg", &accuracy::draw(&report)?)?;
    }
    Ok(if options.check && !report.is_good() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Every measurement, in the order that favours nobody.
fn run(options: &Options, binary: &std::path::Path) -> (Vec<Measurement>, String) {
    let per_round = options.transports.len() * options.gateways().len();
    let rounds = options.rounds();
    let total = options.conditions().len() * per_round * usize::try_from(rounds).unwrap_or(1);
    let mut progress = Progress::new(total, options.settings().duration());
    let mut measurements = Vec::with_capacity(total);
    let mut every_sample = String::from("round,load,transport,gateway,offset_ns,path_delay_ns\n");
    for &condition in options.conditions() {
        let _busy = (condition == Condition::Busy).then(|| Busy::start(0));
        for round in 1..=rounds {
            for &transport in &options.transports {
                // Each round begins with the next gateway.
                let first =
                    usize::try_from(round - 1).unwrap_or(0) % options.gateways().len().max(1);
                let (before, from) = options.gateways().split_at(first);
                for &case in from.iter().chain(before) {
                    let place = format!(
                        "{}, round {round} of {rounds}, {}, {}",
                        condition.label(),
                        transport.label(),
                        case.label()
                    );
                    progress.begin(&place);
                    let result = measure(case, binary, transport, options);
                    progress.end(&place, result.as_ref().map(|(stats, _)| stats));
                    let (stats, beside, error) = match result {
                        Ok((stats, measured)) => {
                            every_sample +=
                                &csv(round, condition, transport, case, &measured.samples);
                            (Some(stats), measured.beside, None)
                        }
                        Err(error) => (None, None, Some(format!("{error:#}"))),
                    };
                    measurements.push(Measurement {
                        round,
                        condition,
                        transport,
                        case,
                        stats,
                        beside,
                        error,
                    });
                }
            }
        }
    }
    (measurements, every_sample)
}

/// Samples as lines of CSV.
fn csv(
    round: u32,
    condition: Condition,
    transport: ptp4l::Transport,
    case: Case,
    samples: &[Sample],
) -> String {
    let place = format!(
        "{round},{},{},{}",
        condition.label(),
        transport.label(),
        case.label().replace(',', "")
    );
    samples
        .iter()
        .map(|sample| format!("{place},{},{}\n", sample.offset_ns, sample.path_delay_ns))
        .collect()
}

fn measure(
    case: Case,
    binary: &std::path::Path,
    transport: ptp4l::Transport,
    options: &Options,
) -> Result<(Stats, Measured)> {
    let measured = accuracy::measure(case, binary, transport, options.settings())?;
    let stats = Stats::of(&measured.samples).context("no samples")?;
    Ok((stats, measured))
}

/// Builds the real program with the profile of this one; returns where it is.
fn build() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "--package",
        "ptpproxy",
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command
        .status()
        .context("cannot run cargo; name the program with --binary")?;
    ensure!(status.success(), "cannot build ptpproxy");
    let path = env::current_exe()?.with_file_name("ptpproxy");
    if !path.is_file() {
        bail!(
            "no {} after the build; name the program with --binary",
            path.display()
        );
    }
    Ok(path)
}

/// What is being done, and how long it will take.
struct Progress {
    total: usize,
    done: usize,
    each: Duration,
    started: Instant,
    terminal: bool,
}

impl Progress {
    fn new(total: usize, each: Duration) -> Self {
        let time = minutes(each * u32::try_from(total).unwrap_or(u32::MAX));
        eprintln!(
            "{total} measurements of {} s each: about {time}",
            each.as_secs()
        );
        let terminal = io::stderr().is_terminal();
        Self {
            total,
            done: 0,
            each,
            started: Instant::now(),
            terminal,
        }
    }

    fn begin(&self, place: &str) {
        if self.terminal {
            let each = match u32::try_from(self.done) {
                Ok(done) if done > 0 => self.started.elapsed() / done,
                _ => self.each,
            };
            let left = each * u32::try_from(self.total - self.done).unwrap_or(u32::MAX);
            let mut stderr = io::stderr();
            let _ = write!(
                stderr,
                "\r\x1b[K[{}/{}, {} left] {place} ...",
                self.done + 1,
                self.total,
                minutes(left)
            );
            let _ = stderr.flush();
        }
    }

    fn end(&mut self, place: &str, result: Result<&Stats, &anyhow::Error>) {
        self.done += 1;
        let start = if self.terminal { "\r\x1b[K" } else { "" };
        let found = match result {
            Ok(stats) => format!(
                "offset mean {:.2} us, p99 {:.2} us, path delay {:.2} us",
                stats.offset_mean_ns / 1e3,
                stats.offset_p99_ns / 1e3,
                stats.path_delay_p50_ns / 1e3
            ),
            Err(error) => format!("failed: {}", format!("{error:#}").trim_end()),
        };
        eprintln!("{start}[{}/{}] {place}: {found}", self.done, self.total);
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
