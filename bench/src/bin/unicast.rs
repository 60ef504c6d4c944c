//! `cargo run --release -p ptpproxy-lab --bin unicast -- --help`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ptpproxy_lab::accuracy::Stats;
use ptpproxy_lab::net::Sandbox;
use ptpproxy_lab::ptp4l::{self, Transport};
use ptpproxy_lab::unicast::measure::{self, Measurement, Settings};
use ptpproxy_lab::unicast::place::{Ends, Kind, Place, Subnets};
use ptpproxy_lab::unicast::report::{self, Verdict};

/// Hybrid and negotiating clients beside multicast clients: real ptp4l at both ends of one ptpproxy, over IPv4 and IPv6, in
/// one subnet and in two.
///
/// In each round, and in each place, all kinds are measured at the same time, each with a gateway and a grandmaster of its
/// own, and each round begins with another kind. Samples of all rounds are taken together. The same without a gateway
/// shows what ptp4l itself makes of each kind. The bars are for the places with a gateway: for all of them together, and
/// for each one if its whole interval is above it. A machine at rest is needed.
/// Exit code: 0 if all keep their bars, 1 if not.
#[derive(Debug, Parser)]
#[command(name = "unicast", max_term_width = 100)]
struct Options {
    /// The ptpproxy to measure
    #[arg(long, value_name = "PATH")]
    binary: PathBuf,

    /// A further ptp4l for both ends, beside the installed one; that of PTPPROXY_SIGNING_PTP4L if absent
    #[arg(long, value_name = "PATH")]
    ptp4l: Option<PathBuf>,

    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,

    /// Samples of each client in each round: one of each Sync
    #[arg(long, value_name = "N", default_value_t = 320)]
    samples: usize,

    /// logSyncInterval of the grandmasters: -4 is sixteen a second
    #[arg(long, value_name = "N", default_value_t = -4, allow_negative_numbers = true)]
    log_sync_interval: i8,

    /// Seconds from SLAVE to the first sample
    #[arg(long, value_name = "S", default_value_t = 5)]
    warm_up: u64,

    /// Transports
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Transport::Udp4, Transport::Udp6])]
    transports: Vec<Transport>,

    /// Where grandmaster and client are
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Subnets::One, Subnets::Two, Subnets::Cable])]
    subnets: Vec<Subnets>,

    /// Write the table
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write every sample as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// The JSON of an earlier run: its samples count as well
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,

    /// Further options for ptpproxy
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    ensure!(
        !options.transports.contains(&Transport::Ethernet),
        "--transports: udp4, udp6"
    );
    let binary = options.binary.canonicalize();
    let binary = binary.with_context(|| format!("--binary {}", options.binary.display()))?;
    let places = places(&options)?;
    let _sandbox = Sandbox::enter()?;
    let settings = Settings {
        warm_up: Duration::from_secs(options.warm_up),
        samples: options.samples,
        log_sync_interval: options.log_sync_interval,
    };
    let mut measurements = earlier(&options.with)?;
    let started = Instant::now();
    let all = options.rounds * u32::try_from(places.len())?;
    let mut done = 0;
    for round in 1..=options.rounds {
        for place in &places {
            let mut kinds = Kind::ALL;
            kinds.rotate_left(usize::try_from(round - 1)? % Kind::ALL.len());
            let given = (binary.as_path(), &options.more[..]);
            let found = measure::place(round, place, &kinds, given, settings)
                .with_context(|| place.label())?;
            done += 1;
            let left = started.elapsed() / done * (all - done);
            eprintln!(
                "round {round} of {}, {}; {:.0} s left",
                options.rounds,
                place.label(),
                left.as_secs_f64()
            );
            for one in &found {
                eprintln!("  {}", progress(one));
            }
            measurements.extend(found);
        }
    }
    let rows = report::rows(&measurements, &places);
    let text = report::markdown(&rows);
    print!("{text}");
    write(options.markdown.as_deref(), &text)?;
    let json = serde_json::to_string(&measurements)?;
    write(options.json.as_deref(), &json)?;
    let all = |place: &Place| {
        let here = rows.iter().filter(|row| row.place == place.label());
        here.count() == Kind::ALL.len()
    };
    Ok(
        if places.iter().all(all) && rows.iter().all(|row| row.verdict() != Verdict::Missed) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        },
    )
}

/// What one client measured, or why it did not, in a line.
fn progress(one: &Measurement) -> String {
    let (kind, samples) = (one.kind.label(), one.samples.len());
    match (&one.error, Stats::of(&one.samples)) {
        (None, Some(stats)) => {
            let [p50, p99, delay] = [
                stats.offset_p50_ns,
                stats.offset_p99_ns,
                stats.path_delay_p50_ns,
            ]
            .map(|ns| ns / 1e3);
            format!(
                "{kind}: {samples} samples, offset p50 {p50:.2} us, p99 {p99:.2} us, path delay {delay:.2} us"
            )
        }
        (Some(error), _) => format!("{kind} failed: {error}"),
        (None, None) => format!("{kind}: no samples"),
    }
}

/// Of these files.
fn earlier(files: &[PathBuf]) -> Result<Vec<Measurement>> {
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        let found: Vec<Measurement> = serde_json::from_str(&text)
            .with_context(|| format!("{} is not of this program", file.display()))?;
        all.extend(found);
    }
    Ok(all)
}

fn places(options: &Options) -> Result<Vec<Place>> {
    let installed = ptp4l::find().map(|path| (path, None));
    let named = ptp4l::named();
    let further = options.ptp4l.clone().or(named);
    let further = further.map(|path| (path.clone(), Some(path)));
    let mut ends = Vec::new();
    for (path, program) in installed.into_iter().chain(further) {
        ends.push(Ends {
            version: version(&path)?,
            program,
        });
    }
    ensure!(
        !ends.is_empty(),
        "ptp4l is not installed (Debian: apt-get install linuxptp); --ptp4l names another one"
    );
    let mut places = Vec::new();
    for ends in &ends {
        for &subnets in &options.subnets {
            for &transport in &options.transports {
                places.push(Place {
                    transport,
                    subnets,
                    ends: ends.clone(),
                });
            }
        }
    }
    Ok(places)
}

fn version(ptp4l: &Path) -> Result<String> {
    let output = Command::new(ptp4l).arg("-v").output();
    let output = output.with_context(|| format!("cannot run {}", ptp4l.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn write(path: Option<&Path>, text: &str) -> Result<()> {
    match path {
        Some(path) => {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
        }
        None => Ok(()),
    }
}
