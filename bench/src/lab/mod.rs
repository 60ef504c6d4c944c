//! `cargo lab`: the real forwarder between a simulated grandmaster and a thousand simulated clients.
//!
//! * [`options`], [`report`], [`plot`]: what the user says and sees;
//! * [`run`], [`scene`], [`forwarder`], [`machine`]: one run from network to numbers;
//! * [`flood`]: frames one way, as fast as they come;
//! * [`generator`], [`assignment`]: the program's second life in a namespace, as [`grandmaster`] or as
//!   [`clients`] (with [`exchange`], [`syncs`], [`rogue`]);
//! * [`frames`], [`view`], [`shape`], [`checksum`], [`station`]: frames, built and read without the
//!   product's code, since the lab judges it;
//! * [`port`], [`pacing`], [`clock`]: rings, schedule and time;
//! * [`arrivals`], [`spread`]: what is counted.
//!
//! Every namespace shares one kernel clock, so one-way times are true: a Delay_Req's t4 - t3 less its
//! correction is what the cables took, plus what the correction got wrong.

pub mod arrivals;
pub mod assignment;
pub mod checksum;
pub mod clients;
pub mod clock;
pub mod exchange;
pub mod flood;
pub mod forwarder;
pub mod frames;
pub mod generator;
pub mod grandmaster;
pub mod machine;
pub mod options;
pub mod pacing;
pub mod plot;
pub mod port;
pub mod report;
pub mod rogue;
pub mod run;
pub mod scene;
pub mod shape;
pub mod spread;
pub mod station;
pub mod syncs;
pub mod view;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use crate::forwarders;
use crate::net::Sandbox;
use options::{Gateway, Options};
use report::Report;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let played = match arguments.split_first() {
        Some((part, rest)) if part == forwarders::PART => Some(forwarders::run(rest)),
        Some((part, _)) => generator::play(part),
        None => None,
    };
    let result = match played {
        Some(played) => played.map(|()| ExitCode::SUCCESS),
        None => lab(&Options::parse()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

fn lab(options: &Options) -> Result<ExitCode> {
    if let Err(error) = options.check() {
        eprintln!("lab: {error:#}");
        return Ok(ExitCode::from(2));
    }
    let binary = match (&options.binary, options.gateway) {
        (Some(path), _) => path
            .canonicalize()
            .with_context(|| format!("--binary {}", path.display()))?,
        (None, Gateway::Ours) => forwarder::build()?,
        (None, _) => PathBuf::new(),
    };
    let _sandbox = if options.machine_root {
        Sandbox::enter_as_machine_root()?
    } else {
        Sandbox::enter()?
    };
    if let Some(kind) = options.flood {
        let work = run::assignment(options, Vec::new());
        let report = flood::run(options, kind, &binary, &work)?;
        let _ = report.print(&mut std::io::stdout().lock());
        write_json(options, &report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (report, details) = Report::of(options, run::run(options, &binary)?);
    // Whoever reads the table may have gone away: the files matter still.
    let _ = report.print(&mut std::io::stdout().lock());
    write_json(options, &report)?;
    if let Some(path) = &options.plot {
        plot::draw(path, options, &report, &details)
            .with_context(|| format!("--plot {}", path.display()))?;
    }
    if options.assert_clean && !report.is_clean() {
        eprintln!("lab: not clean: see what must be 0 above");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn write_json(options: &Options, report: &impl Serialize) -> Result<()> {
    let Some(path) = &options.json else {
        return Ok(());
    };
    let file = File::create(path).with_context(|| format!("--json {}", path.display()))?;
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
