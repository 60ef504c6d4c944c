//! `cargo lab --flood`: frames one way, as fast as they come, to see how many a gateway forwards.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::assignment::{Assignment, Cue, Share, Start};
use super::clock::{self, MasterClock};
use super::forwarder::Forwarder;
use super::frames::{Kind, Template};
use super::generator::{Generator, Heard};
use super::options::Options;
use super::port::{self, Seen};
use super::scene::{MASTER_PORT, Scene};
use super::station::Station;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "kebab-case")]
pub enum Flood {
    /// Announce, from the grandmaster down: general messages
    Announce,
    /// Delay_Req, from the clients up: event messages, each stamped by a forwarder that corrects
    DelayReq,
}

impl Flood {
    const fn kind(self) -> Kind {
        match self {
            Self::Announce => Kind::Announce,
            Self::DelayReq => Kind::DelayReq,
        }
    }
}

/// Frames in one kick of the source.
const BATCH: u32 = 256;
/// How often the sink looks at its sample.
const SINK_SWEEP: Duration = Duration::from_millis(2);

/// What one end counted, over the time measured.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct FloodDone {
    /// Frames sent or received.
    pub frames: u64,
    /// Of a sample of what was received: frames.
    pub sampled: u64,
    /// Those of them that were the flood's, whole and stamped.
    pub right: u64,
}

/// Sends until the end, without a pause.
pub fn source(assignment: Assignment, cue: &mut Cue) -> Result<FloodDone> {
    let (flood, interface) = given(&assignment)?;
    let (mut inbox, mut outbox) = port::open::<()>(interface, 4096, assignment.shape)?;
    let announce = flood == Flood::Announce;
    let from = if announce {
        Station::MASTER
    } else {
        Station::client(0)
    };
    let template = Template::new(assignment.shape, flood.kind(), from);
    let start = cue.ready()?;
    let mut done = FloodDone::default();
    let (measured, end) = (assignment.measured_from(start.at), assignment.end(start.at));
    clock::sleep_until(start.at);
    let (mut client, mut sequence) = (0_u32, 0_u16);
    loop {
        let now = clock::now();
        if now >= end {
            return Ok(done);
        }
        let refused = outbox.refused();
        for _ in 0..BATCH {
            outbox.send(&template, None, |draft| {
                let draft = draft.sequence(sequence);
                if announce {
                    draft.finish()
                } else {
                    draft.source(Station::client(client)).finish()
                }
            });
            client += 1;
            if announce || client >= assignment.clients {
                client = 0;
                sequence = sequence.wrapping_add(1);
            }
        }
        outbox.flush();
        // Nobody here listens: what comes back must not fill the ring.
        while inbox.receive().is_some() {}
        if now >= measured {
            done.frames += u64::from(BATCH).saturating_sub(outbox.refused() - refused);
        }
    }
}

/// Counts what arrives, by the interface's own count, and looks at a sample of it: a sink that read every
/// frame would take the processor from the forwarder before it.
pub fn sink(assignment: Assignment, cue: &mut Cue) -> Result<FloodDone> {
    let (flood, interface) = given(&assignment)?;
    let (mut inbox, _outbox) = port::open::<()>(interface, 4096, assignment.shape)?;
    inbox.sample()?;
    let start = cue.ready()?;
    let mut done = FloodDone::default();
    let (measured, end) = (assignment.measured_from(start.at), assignment.end(start.at));
    clock::sleep_until(measured);
    while inbox.receive().is_some() {}
    let before = received(interface)?;
    while clock::now() < end {
        std::thread::sleep(SINK_SWEEP);
        while let Some(seen) = inbox.receive() {
            done.sampled += 1;
            done.right += u64::from(
                matches!(seen, Seen::Message(view, _) if view.kind() == Some(flood.kind())),
            );
        }
    }
    done.frames = received(interface)?.saturating_sub(before);
    Ok(done)
}

/// Frames that an interface of this namespace has received (proc_net(5)).
fn received(interface: &str) -> Result<u64> {
    let table = fs::read_to_string("/proc/self/net/dev")?;
    table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == interface)
        .and_then(|(_, counts)| counts.split_whitespace().nth(1)?.parse().ok())
        .with_context(|| format!("no count of {interface} in /proc/self/net/dev"))
}

fn given(assignment: &Assignment) -> Result<(Flood, &str)> {
    let flood = assignment.flood.context("no flood given")?;
    let port = assignment.ports.first().context("no interface given")?;
    Ok((flood, &port.interface))
}

/// The numbers of a flood; the fields are the keys of `--json`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FloodReport {
    /// What was sent.
    pub flood: Flood,
    /// What stood between.
    pub gateway: &'static str,
    /// Frames a second sent.
    pub sent_per_second: f64,
    /// Frames a second that came out at the other side.
    pub delivered_per_second: f64,
    /// Of a sample of them, the share that were the flood's, whole and stamped, in %.
    pub right_percent: f64,
    /// Processor time of the forwarder, as % of one core.
    pub cpu_percent: Option<f64>,
    /// A forwarder let as many out as were sent, but for one of a hundred: it could have done more. (The
    /// kernel's own forwarding is done by whoever sends, in his time.)
    pub generator_limited: bool,
}

impl FloodReport {
    /// Writes the table.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "frames sent a second       {:>12.0}",
            self.sent_per_second
        )?;
        writeln!(
            out,
            "frames delivered a second  {:>12.0}",
            self.delivered_per_second
        )?;
        writeln!(
            out,
            "of a sample, right         {:>12.2} %",
            self.right_percent
        )?;
        if let Some(cpu) = self.cpu_percent {
            writeln!(out, "forwarder CPU              {cpu:>12.1} % of a core")?;
        }
        let limited = if self.generator_limited { "YES" } else { "no" };
        writeln!(out, "generator was the limit    {limited:>12}")
    }
}

/// Floods once; `binary` is the forwarder, `work` the load but for its ports.
pub fn run(
    options: &Options,
    flood: Flood,
    binary: &Path,
    work: &Assignment,
) -> Result<FloodReport> {
    let scene = Scene::build(options)?;
    let mut forwarder = None;
    if let Some(gateway) = scene.gateways.first() {
        forwarder = Forwarder::start(binary, gateway, options)?;
    }
    let share = |interface: &str| Assignment {
        ports: vec![Share {
            interface: interface.to_owned(),
            first: 0,
            count: options.clients,
        }],
        ..work.clone()
    };
    let above = share(MASTER_PORT);
    let below = share(scene.shares.first().map_or("", |share| &share.interface));
    let (news, heard) = channel();
    let announce = flood == Flood::Announce;
    let mut ends = [
        Generator::flood(&scene.grandmaster, announce, &above, news.clone())?,
        Generator::flood(&scene.clients, !announce, &below, news)?,
    ];
    let patience = Duration::from_secs(10);
    for _ in 0..ends.len() {
        let Heard::Ready = heard.recv_timeout(patience)? else {
            bail!("a generator did not get ready");
        };
    }
    let at = clock::now() + 100_000_000;
    let start = Start {
        at,
        clock: MasterClock::new(at, 0.0),
    };
    for end in &mut ends {
        end.begin(start)?;
    }
    let spent = |forwarder: &Option<Forwarder>| forwarder.as_ref().and_then(Forwarder::cpu_ns);
    clock::sleep_until(work.measured_from(at));
    let before = spent(&forwarder);
    clock::sleep_until(work.end(at));
    let after = spent(&forwarder);
    let (mut sent, mut received) = (FloodDone::default(), FloodDone::default());
    for _ in 0..ends.len() {
        match heard.recv_timeout(patience)? {
            Heard::Flood(true, done) => sent = done,
            Heard::Flood(false, done) => received = done,
            Heard::Failed(error) => return Err(error),
            _ => bail!("a generator said what it should not"),
        }
    }
    if let Some(forwarder) = forwarder {
        forwarder.stop()?;
    }
    let cpu = after
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(FloodReport {
        flood,
        gateway: options.gateway.label(),
        sent_per_second: sent.frames as f64 / options.seconds,
        delivered_per_second: received.frames as f64 / options.seconds,
        right_percent: 100.0 * received.right as f64 / received.sampled as f64,
        cpu_percent: cpu.map(|ns| ns as f64 / (options.seconds * 1e7)),
        generator_limited: cpu.is_some() && received.frames as f64 > 0.99 * sent.frames as f64,
    })
}
