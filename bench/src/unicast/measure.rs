//! One place measured: all kinds of clients at the same time, each behind a gateway and beside a grandmaster of its own.
//!
//! What the machine does to one of them while they run it does to all: of two that are measured one after the other, one
//! may have all of an interruption.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::place::{Kind, Place};
use crate::ptp4l::{Ends, Program, Rig, Sample, StateChange};

/// A client is SLAVE within this time, or it failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// How each is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time from SLAVE to the first sample that counts.
    pub warm_up: Duration,
    /// Samples that count.
    pub samples: usize,
    /// logSyncInterval: a client takes one sample of each Sync.
    pub log_sync_interval: i8,
}

/// What came of one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// Counted from 1.
    pub round: u32,
    /// Where.
    pub place: Place,
    /// Who.
    pub kind: Kind,
    /// Seconds until it was SLAVE.
    pub slave_s: Option<f64>,
    /// What it measured; fewer than asked for if it failed.
    pub samples: Vec<Sample>,
    /// Why there are no more.
    pub error: Option<String>,
}

/// A client with all that it takes. In the order in which they end.
struct Client {
    kind: Kind,
    slave_s: Option<f64>,
    /// Lines that do not count.
    before: usize,
    program: Program,
    _grandmaster: Program,
    _rig: Rig,
}

/// Measures these kinds at the same time; they start in this order.
///
/// # Errors
/// When a network, a gateway or a grandmaster does not start.
pub fn place(
    round: u32,
    place: &Place,
    kinds: &[Kind],
    (binary, more): (&Path, &[String]),
    settings: Settings,
) -> Result<Vec<Measurement>> {
    let gateway = place.subnets.gateway(binary, more);
    let mut rigs = Vec::new();
    for &kind in kinds {
        let ends = Ends {
            ptp4l: place.ends.program.clone(),
            ..Ends::default()
        };
        let mut rig = Rig::with(&gateway, place.transport, ends)?;
        rig.log_sync_interval = settings.log_sync_interval;
        let grandmaster = rig.start_grandmaster()?;
        rigs.push((kind, rig, grandmaster));
    }
    let started = Instant::now();
    let mut clients = Vec::new();
    for (kind, rig, grandmaster) in rigs {
        clients.push(Client {
            kind,
            slave_s: None,
            before: 0,
            program: rig.start_client(kind.role(place.transport))?,
            _grandmaster: grandmaster,
            _rig: rig,
        });
    }
    wait_until_slave(&mut clients, started);
    thread::sleep(settings.warm_up);
    for client in &mut clients {
        client.before = client.program.line_count();
    }
    wait_for_samples(&clients, settings);
    let measured = clients.iter().map(|client| Measurement {
        round,
        place: place.clone(),
        kind: client.kind,
        slave_s: client.slave_s,
        samples: client.samples(settings.samples),
        error: client.error(settings.samples),
    });
    Ok(measured.collect())
}

fn wait_until_slave(clients: &mut [Client], started: Instant) {
    while started.elapsed() < PATIENCE {
        for client in clients.iter_mut().filter(|one| one.slave_s.is_none()) {
            if client.is_slave() {
                client.slave_s = Some(started.elapsed().as_secs_f64());
            }
        }
        if clients.iter().all(|client| client.slave_s.is_some()) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_samples(clients: &[Client], settings: Settings) {
    let one = f64::from(settings.log_sync_interval).exp2();
    // Half as much again: what was lost leaves gaps.
    let time = Duration::from_secs_f64(settings.samples as f64 * one * 1.5 + 2.0);
    let started = Instant::now();
    let short = |client: &Client| client.samples(settings.samples).len() < settings.samples;
    while started.elapsed() < time && clients.iter().any(short) {
        thread::sleep(Duration::from_millis(500));
    }
}

impl Client {
    fn is_slave(&self) -> bool {
        let lines = self.program.lines_from(0);
        let mut changes = lines.iter().filter_map(|line| StateChange::parse(line));
        changes.any(|change| change.to == "SLAVE")
    }

    fn samples(&self, most: usize) -> Vec<Sample> {
        let lines = self.program.lines_from(self.before);
        let samples = lines.iter().filter_map(|line| Sample::parse(line));
        samples.take(most).collect()
    }

    fn error(&self, most: usize) -> Option<String> {
        let samples = self.samples(most).len();
        if self.slave_s.is_none() {
            let lines = self.program.lines_from(0);
            let last = &lines[lines.len().saturating_sub(5)..];
            return Some(format!(
                "not SLAVE within {PATIENCE:?}: {}",
                last.join("; ")
            ));
        }
        (samples < most).then(|| format!("only {samples} of {most} samples"))
    }
}
