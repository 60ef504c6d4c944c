//! One measurement: a client behind a gateway, and the samples it prints.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use super::beside::{Beside, Served};
use super::case::{Case, Condition};
use super::stats::Stats;
use crate::ptp4l::{Ends, INTERFACE, Rig, Role, Sample, Servo, TempDir, Transport, find_signing};

/// What a measurement takes besides: to start everything and to hear the first sample.
const START: Duration = Duration::from_millis(2500);

/// How each measurement is made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time from the client's first sample to the first that counts.
    pub warm_up: Duration,
    /// Samples that count.
    pub samples: usize,
    /// logSyncInterval and logMinDelayReqInterval: a client takes one sample of each Sync.
    pub log_sync_interval: i8,
    /// Simulated clients on the same cable.
    pub beside: u32,
}

impl Settings {
    /// What a measurement takes, about.
    #[must_use]
    pub fn duration(&self) -> Duration {
        START + self.warm_up + self.sampling()
    }

    fn sampling(&self) -> Duration {
        Duration::from_secs_f64(self.samples as f64 * f64::from(self.log_sync_interval).exp2())
    }
}

/// What came of one measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Counted from 1.
    pub round: u32,
    /// What else the machine did.
    pub condition: Condition,
    /// What PTP was carried by.
    pub transport: Transport,
    /// The gateway.
    pub case: Case,
    /// Its figures; `None` when it failed.
    pub stats: Option<Stats>,
    /// What came of the clients beside, if there were any.
    pub beside: Option<Served>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What one measurement gives.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The real client's samples.
    pub samples: Vec<Sample>,
    /// What came of the clients beside, if there were any.
    pub beside: Option<Served>,
}

/// Measures once.
///
/// # Errors
/// When something does not start, no master is found, or samples stop.
pub fn measure(
    case: Case,
    binary: &Path,
    transport: Transport,
    settings: Settings,
) -> Result<Measured> {
    let folder = TempDir::new()?;
    let keys = folder.path().join("sa.cfg");
    let ends = Ends {
        ptp4l: case.needs_signing().then(find_signing).flatten(),
        more: case.write_keys(&keys)?,
        ..Ends::default()
    };
    let mut rig = Rig::with(&case.gateway(binary, &keys), transport, ends)?;
    rig.log_sync_interval = settings.log_sync_interval;
    let _grandmaster = rig.start_grandmaster()?;
    let mut client = rig.start_client(Role::Client(Servo::Measure))?;
    client.wait_for("first sample", Duration::from_secs(15), Sample::parse)?;
    let beside = (settings.beside > 0)
        .then(|| Beside::start(&rig.client, INTERFACE, transport, settings.beside))
        .transpose()?;
    thread::sleep(settings.warm_up);
    let from = client.line_count();
    // Twice the time: Syncs or responses that were lost leave gaps, and that is worth knowing.
    let deadline = Instant::now() + settings.sampling() * 2 + Duration::from_secs(5);
    loop {
        let lines = client.lines_from(from);
        let samples: Vec<_> = lines
            .iter()
            .filter_map(|line| Sample::parse(line))
            .collect();
        if samples.len() >= settings.samples {
            return Ok(Measured {
                samples: samples.into_iter().take(settings.samples).collect(),
                beside: beside.map(Beside::finish).transpose()?,
            });
        }
        if Instant::now() > deadline || client.try_wait()?.is_some() {
            bail!(
                "only {} of {} samples came",
                samples.len(),
                settings.samples
            );
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// Busy loops, until dropped.
#[derive(Debug)]
pub struct Busy {
    stop: Arc<AtomicBool>,
    loops: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Starts one on each core, and `more`.
    #[must_use]
    pub fn start(more: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let busy = |stop: Arc<AtomicBool>| {
            thread::spawn(move || {
                let mut count = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    count = std::hint::black_box(count.wrapping_add(1));
                }
            })
        };
        let loops = (0..cores + more).map(|_| busy(Arc::clone(&stop))).collect();
        Self { stop, loops }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for busy in self.loops.drain(..) {
            let _ = busy.join();
        }
    }
}
