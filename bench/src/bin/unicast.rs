//! `cargo run --release -p ptpproxy-lab --bin unicast -- --help`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ptpproxy_lab::net::Sandbox;
use ptpproxy_lab::ptp4l::{self, Transport};
use ptpproxy_lab::unicast::measure::{self, Settings};
use ptpproxy_lab::unicast::place::{Ends, Kind, Place, Subnets};
use ptpproxy_lab::unicast::report;

/// Hybrid and negotiating clients beside multicast clients: real ptp4l at both ends of one ptpproxy, over IPv4 and IPv6, in
/// one subnet and in two.
///
/// In each round, and in each place, all kinds are measured one after the other through one gateway, and each round begins
/// with another kind. A machine at rest is needed. Exit code: 0 if all keep their bars, 1 if not.
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

    /// Samples of each client in each round, sixteen a second
    #[arg(long, value_name = "N", default_value_t = 320)]
    samples: usize,

    /// Seconds from SLAVE to the first sample
    #[arg(long, value_name = "S", default_value_t = 5)]
    warm_up: u64,

    /// Transports
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Transport::Udp4, Transport::Udp6])]
    transports: Vec<Transport>,

    /// Where grandmaster and client are
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Subnets::One, Subnets::Two])]
    subnets: Vec<Subnets>,

    /// Write the table
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write every measurement as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

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
    };
    let mut measurements = Vec::new();
    for round in 1..=options.rounds {
        for place in &places {
            let mut kinds = Kind::ALL;
            kinds.rotate_left(usize::try_from(round - 1)? % Kind::ALL.len());
            eprintln!("round {round} of {}, {}", options.rounds, place.label());
            let given = (binary.as_path(), &options.more[..]);
            let found = measure::place(round, place, &kinds, given, settings)
                .with_context(|| place.label())?;
            for error in found.iter().filter_map(|one| one.error.as_ref()) {
                eprintln!("  failed: {error}");
            }
            measurements.extend(found);
        }
    }
    let rows = report::rows(&measurements, &places);
    let text = report::markdown(&rows);
    print!("{text}");
    write(options.markdown.as_deref(), &text)?;
    let json = serde_json::to_string_pretty(&measurements)?;
    write(options.json.as_deref(), &json)?;
    let all = rows.len() == places.len() * Kind::ALL.len();
    Ok(if all && rows.iter().all(report::Row::is_good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
