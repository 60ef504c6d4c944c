//! One run: network, forwarders, generators, and what each of them saw.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::forwarder::Forwarder;
use super::generator::{Generator, Heard};
use super::machine;
use super::scene::{MASTER_PORT, Scene};
use super::totals::Totals;
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::options::Options;
use crate::lab::stations::assignment::{Assignment, ClientsDone, MasterDone, Share, Start};

/// Time between the word to start and the start.
const LEAD: i64 = 100_000_000;
/// How often forwarders are stopped with `--stop`, in nanoseconds.
const STOPS_EVERY: i64 = 1_000_000_000;
/// How long the idle forwarder is watched for `--busy-baseline`, in seconds.
const IDLE_SECONDS: f64 = 3.0;
/// /proc/stat counts in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// All that a run yields.
#[derive(Debug)]
pub struct Observed {
    /// What the grandmaster saw.
    pub master: MasterDone,
    /// What the clients saw.
    pub clients: ClientsDone,
    /// What the gateways counted; `None` if they print no totals.
    pub gateways: Option<Totals>,
    /// Frames that the kernel dropped on this machine because a backlog queue was full.
    pub backlog_drops: u64,
    /// What it took.
    pub usage: Usage,
    /// When measuring began, by the shared clock.
    pub measured_from: i64,
}

/// What a run took, over the time measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time of all forwarders, as % of one core.
    pub forwarder_percent: Option<f64>,
    /// How often a second the forwarders were woken, all threads.
    pub wakeups_per_second: Option<f64>,
    /// The same of the two generators.
    pub generator_percent: Option<f64>,
    /// Busy time of the whole machine, as % of one core.
    pub machine_percent: Option<f64>,
    /// The same with an idle forwarder, if it was measured.
    pub idle_percent: Option<f64>,
    /// Peak memory of a forwarder.
    pub rss_kib: Option<u64>,
}

/// Runs the lab once; `binary` as for [`Forwarder::start`].
pub fn run(options: &Options, binary: Option<&Path>) -> Result<Observed> {
    let scene = Scene::build(options)?;
    let mut forwarders = Vec::new();
    for gateway in &scene.gateways {
        forwarders.extend(Forwarder::start(binary, gateway, options)?);
    }
    let idle_percent = if options.busy_baseline {
        let before = machine::busy_ticks();
        std::thread::sleep(Duration::from_secs_f64(IDLE_SECONDS));
        busy_percent(before, machine::busy_ticks(), IDLE_SECONDS)
    } else {
        None
    };

    let (news, heard) = channel();
    let clients_work = assignment(options, scene.shares.clone());
    let master_port = Share {
        interface: MASTER_PORT.to_owned(),
        first: 0,
        count: 0,
    };
    let master_work = assignment(options, vec![master_port]);
    let mut generators = [
        Generator::grandmaster(&scene.grandmaster, &master_work, news.clone())?,
        Generator::clients(&scene.clients, &clients_work, news)?,
    ];
    for _ in 0..generators.len() {
        match next(&heard, Duration::from_secs(10))? {
            Some(Heard::Ready) => {}
            Some(_) | None => bail!("a generator did not get ready"),
        }
    }
    let at = clock::now() + LEAD;
    let start = Start {
        at,
        clock: MasterClock::new(at, options.ppm),
    };
    let backlog_before = machine::backlog_drops();
    for generator in &mut generators {
        generator.begin(start)?;
    }

    let measured_from = clients_work.measured_from(at);
    let mut watch = Watch {
        options,
        forwarders: &mut forwarders,
        generators: &generators,
        heard: &heard,
        clients: None,
        master: None,
        start: at,
        stop_at: at + STOPS_EVERY,
        shown: false,
    };
    watch.until(measured_from)?;
    let before = watch.spent();
    watch.until(clients_work.end(at))?;
    let after = watch.spent();
    watch.until_done()?;
    let (master, clients) = (watch.master.take(), watch.clients.take());

    let mut usage = after.since(&before, options.seconds);
    usage.idle_percent = idle_percent;
    usage.rss_kib = forwarders.iter().filter_map(Forwarder::peak_rss_kib).max();
    let mut totals = Totals::default();
    let mut complete = !forwarders.is_empty();
    for forwarder in forwarders {
        complete &= totals.add(&forwarder.stop()?);
    }
    Ok(Observed {
        gateways: complete.then_some(totals),
        backlog_drops: machine::backlog_drops().saturating_sub(backlog_before),
        master: *master.context("the grandmaster did not report")?,
        clients: *clients.context("the clients did not report")?,
        usage,
        measured_from,
    })
}

/// What the options ask of a generator with these interfaces.
#[must_use]
pub fn assignment(options: &Options, ports: Vec<Share>) -> Assignment {
    let interval = nanoseconds(1.0 / options.rate);
    Assignment {
        ports,
        shape: options.shape(),
        signed: options.signed,
        clients: options.clients,
        burst: options.bursts(),
        interval,
        sync_interval: if options.bursts() {
            interval
        } else {
            nanoseconds(1.0 / options.syncs_per_second())
        },
        warmup: nanoseconds(options.warmup),
        length: nanoseconds(options.seconds),
        foreign: options.foreign,
        rogue: options.rogue,
        one_step: options.one_step,
        ppm: options.ppm,
        hybrid: options.hybrid,
        negotiated: options.unicast,
        routed: options.routed,
        behind: options.behind(),
        flood: options.flood,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, and the options are bounded"
)]
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

fn next(heard: &Receiver<Heard>, patience: Duration) -> Result<Option<Heard>> {
    match heard.recv_timeout(patience) {
        Ok(Heard::Failed(error)) => Err(error),
        Ok(news) => Ok(Some(news)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => bail!("the generators ended"),
    }
}

/// The lab while it waits for its generators.
struct Watch<'a> {
    options: &'a Options,
    forwarders: &'a mut Vec<Forwarder>,
    generators: &'a [Generator],
    heard: &'a Receiver<Heard>,
    master: Option<Box<MasterDone>>,
    clients: Option<Box<ClientsDone>>,
    start: i64,
    /// When the forwarders are stopped next, if they are.
    stop_at: i64,
    shown: bool,
}

impl Watch<'_> {
    /// Shows progress until the shared clock reads `moment`.
    fn until(&mut self, moment: i64) -> Result<()> {
        loop {
            let Ok(left) = u64::try_from(moment - clock::now()) else {
                return Ok(());
            };
            self.step(Duration::from_nanos(left))?;
        }
    }

    /// Shows progress until both have reported.
    fn until_done(&mut self) -> Result<()> {
        let patience = clock::now() + 10_000_000_000;
        while self.master.is_none() || self.clients.is_none() {
            if clock::now() > patience {
                bail!("the generators did not report in time");
            }
            self.step(Duration::from_millis(500))?;
        }
        if self.shown && std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        Ok(())
    }

    fn step(&mut self, patience: Duration) -> Result<()> {
        let left = u64::try_from(self.stop_at - clock::now()).unwrap_or(0);
        if left == 0 {
            self.stop()?;
        }
        let most = Duration::from_nanos(left.max(1_000_000)).min(Duration::from_secs(1));
        match next(self.heard, patience.min(most))? {
            Some(Heard::Progress(sent, answered)) => {
                for forwarder in &mut *self.forwarders {
                    forwarder.check()?;
                }
                self.show(sent, answered);
            }
            Some(Heard::Master(done)) => self.master = Some(done),
            Some(Heard::Clients(done)) => self.clients = Some(done),
            Some(Heard::Ready | Heard::Flood(..) | Heard::Failed(_)) | None => {}
        }
        Ok(())
    }

    /// Stops the forwarders for a while, if that was asked for.
    fn stop(&mut self) -> Result<()> {
        self.stop_at += STOPS_EVERY;
        let Some(length) = self.options.stop else {
            return Ok(());
        };
        for forwarder in &mut *self.forwarders {
            forwarder.signal(libc::SIGSTOP)?;
        }
        std::thread::sleep(Duration::from_millis(length));
        for forwarder in &mut *self.forwarders {
            forwarder.signal(libc::SIGCONT)?;
        }
        Ok(())
    }

    /// On a terminal one line that changes; elsewhere a line every few seconds.
    fn show(&mut self, sent: u64, answered: u64) {
        let passed = (clock::now() - self.start).max(0) / 1_000_000_000;
        let total = self.options.seconds + self.options.warmup;
        let line = format!(
            "{passed:>3} of {total:.0} s: {sent} requests, {answered} answered, {} open",
            sent.saturating_sub(answered)
        );
        let mut out = std::io::stderr().lock();
        if out.is_terminal() {
            let _ = write!(out, "\r\x1b[K{line}");
            let _ = out.flush();
            self.shown = true;
        } else if passed > 0 && passed % 5 == 0 && !self.shown {
            let _ = writeln!(out, "{line}");
            self.shown = true;
        } else if passed % 5 != 0 {
            self.shown = false;
        }
    }

    fn spent(&self) -> Spent {
        let sum = |ids: Vec<Option<u64>>| ids.into_iter().sum::<Option<u64>>();
        Spent {
            sleeps: (!self.forwarders.is_empty())
                .then(|| sum(self.forwarders.iter().map(Forwarder::sleeps).collect()))
                .flatten(),
            forwarders: (!self.forwarders.is_empty())
                .then(|| sum(self.forwarders.iter().map(Forwarder::cpu_ns).collect()))
                .flatten(),
            generators: sum(self
                .generators
                .iter()
                .map(|g| machine::cpu_ns(g.id()))
                .collect()),
            machine: machine::busy_ticks(),
        }
    }
}

/// Counters of the kernel at one moment.
#[derive(Debug)]
struct Spent {
    sleeps: Option<u64>,
    forwarders: Option<u64>,
    generators: Option<u64>,
    machine: Option<u64>,
}

impl Spent {
    fn since(&self, earlier: &Self, seconds: f64) -> Usage {
        let percent = |after: Option<u64>, before: Option<u64>| {
            let ns = after?.saturating_sub(before?);
            Some(ns as f64 / (seconds * 1e9) * 100.0)
        };
        Usage {
            forwarder_percent: percent(self.forwarders, earlier.forwarders),
            wakeups_per_second: self
                .sleeps
                .zip(earlier.sleeps)
                .map(|(after, before)| after.saturating_sub(before) as f64 / seconds),
            generator_percent: percent(self.generators, earlier.generators),
            machine_percent: busy_percent(earlier.machine, self.machine, seconds),
            ..Usage::default()
        }
    }
}

fn busy_percent(before: Option<u64>, after: Option<u64>, seconds: f64) -> Option<f64> {
    let ticks = after?.saturating_sub(before?);
    Some(ticks as f64 / (seconds * TICKS_PER_SECOND) * 100.0)
}
