//! The whole program: it runs the lab, or plays a part in it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use super::options::{FailOver, Options};
use super::report::failover::FailOverReport;
use super::report::summary::Report;
use super::report::verdict::Verdict;
use super::report::{failover_plot, plot, text};
use super::run::{exchanges, flood, forwarder, generator, standby};
use crate::forwarders;
use crate::net::Sandbox;

/// Exit code of a run that was not made: a bad command line, or a machine that refuses.
const NOT_RUN: u8 = 2;

/// Runs it with the arguments of this process. Exit code: 0 if the verdict is OK, 1 if not, 2 if the lab could
/// not run.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let part = arguments.first().and_then(|part| part.to_str());
    if part == Some(forwarder::PART) {
        return ptpproxy::program::main(arguments);
    }
    let played = match part {
        Some(forwarders::PART) => Some(forwarders::run(&arguments[1..])),
        Some(part) => generator::play(part),
        None => None,
    };
    let result = match played {
        Some(played) => played.map(|()| ExitCode::SUCCESS),
        None => lab(&Options::parse()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::from(NOT_RUN)
    })
}

/// Whether the lab made its run, by its exit status: whatever the verdict, there are figures.
#[must_use]
pub fn made_a_run(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 1))
}

fn lab(options: &Options) -> Result<ExitCode> {
    options.check()?;
    let binary = options.binary.as_deref().map(canonical).transpose()?;
    let _sandbox = if options.machine_root {
        Sandbox::enter_as_machine_root()?
    } else {
        Sandbox::enter()?
    };
    if let Some(how) = options.standby {
        return failover(options, how, binary.as_deref());
    }
    if let Some(kind) = options.flood {
        let work = exchanges::assignment(options, Vec::new());
        let report = flood::run(options, kind, binary.as_deref(), &work)?;
        let _ = report.print(&mut std::io::stdout().lock());
        write_json(options, &report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (report, details) = Report::of(options, exchanges::run(options, binary.as_deref())?);
    let verdict = Verdict::of(&report);
    // Whoever reads the table may have gone away: the files matter still.
    let _ = text::print(&report, &verdict, &mut std::io::stdout().lock());
    conclude(options, &report, &verdict, |path| {
        plot::draw(path, options, &report, &details)
    })
}

fn failover(options: &Options, how: FailOver, binary: Option<&Path>) -> Result<ExitCode> {
    let seen = standby::run(options, how, binary)?;
    let (report, details) = FailOverReport::of(options, &seen);
    let verdict = report.verdict();
    let _ = report.print(&verdict, &mut std::io::stdout().lock());
    conclude(options, &report, &verdict, |path| {
        failover_plot::draw(path, options, &report, &details)
    })
}

/// Writes the files that were asked for; the exit code says what the verdict is.
fn conclude(
    options: &Options,
    report: &impl Serialize,
    verdict: &Verdict,
    draw: impl FnOnce(&Path) -> Result<()>,
) -> Result<ExitCode> {
    let ok = verdict.is_ok();
    let judged = Judged {
        report,
        ok,
        verdict,
    };
    write_json(options, &judged)?;
    if let Some(path) = &options.plot {
        draw(path).with_context(|| format!("--plot {}", path.display()))?;
    }
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What `--json` writes of a run.
#[derive(Serialize)]
struct Judged<'a, R: Serialize> {
    #[serde(flatten)]
    report: &'a R,
    ok: bool,
    verdict: &'a Verdict,
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("--binary {}", path.display()))
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
