//! One place measured: each kind of client in turn, behind one gateway.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use super::place::{Kind, Place};
use crate::accuracy::Stats;
use crate::ptp4l::{Ends, Rig, Sample};

/// How each is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time from SLAVE to the first sample that counts.
    pub warm_up: Duration,
    /// Samples that count, sixteen a second.
    pub samples: usize,
}

/// What came of one client.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Counted from 1.
    pub round: u32,
    /// Where.
    pub place: Place,
    /// Who.
    pub kind: Kind,
    /// Seconds until it was SLAVE.
    pub slave_s: Option<f64>,
    /// Its figures.
    pub stats: Option<Stats>,
    /// Why there are none.
    pub error: Option<String>,
}

/// Measures these kinds one after the other.
///
/// # Errors
/// When the network, the gateway or the grandmaster does not start.
pub fn place(
    round: u32,
    place: &Place,
    kinds: &[Kind],
    (binary, more): (&Path, &[String]),
    settings: Settings,
) -> Result<Vec<Measurement>> {
    let ends = Ends {
        ptp4l: place.ends.program.clone(),
        ..Ends::default()
    };
    let gateway = place.subnets.gateway(binary, more);
    let rig = Rig::with(&gateway, place.transport, ends)?;
    let _grandmaster = rig.start_grandmaster()?;
    let mut measurements = Vec::new();
    for &kind in kinds {
        let mut measurement = Measurement {
            round,
            place: place.clone(),
            kind,
            slave_s: None,
            stats: None,
            error: None,
        };
        if let Err(error) = one(&rig, &mut measurement, settings) {
            measurement.error = Some(format!("{error:#}"));
        }
        measurements.push(measurement);
    }
    Ok(measurements)
}

fn one(rig: &Rig, of: &mut Measurement, settings: Settings) -> Result<()> {
    let started = Instant::now();
    let mut client = rig.start_client(of.kind.role(of.place.transport))?;
    client.wait_until_slave()?;
    of.slave_s = Some(started.elapsed().as_secs_f64());
    thread::sleep(settings.warm_up);
    let from = client.line_count();
    // Twice the time: what was lost leaves gaps.
    let seconds = u64::try_from(settings.samples).unwrap_or(u64::MAX) / 8 + 5;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let lines = client.lines_from(from);
        let samples = lines.iter().filter_map(|line| Sample::parse(line));
        let samples: Vec<_> = samples.take(settings.samples).collect();
        if samples.len() >= settings.samples {
            of.stats = Stats::of(&samples);
            return Ok(());
        }
        if Instant::now() > deadline || client.try_wait()?.is_some() {
            bail!("only {} of {} samples", samples.len(), settings.samples);
        }
        thread::sleep(Duration::from_millis(250));
    }
}
