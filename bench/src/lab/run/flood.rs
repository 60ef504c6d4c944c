//! `cargo lab --flood`: frames one way, as fast as they come, to see how many a gateway forwards.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::forwarder::Forwarder;
use super::generator::{Generator, Heard};
use super::scene::{MASTER_PORT, Scene};
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::options::Options;
use crate::lab::stations::assignment::{Assignment, Flood, FloodDone, Share, Start};

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

/// Floods once; `binary` as for [`Forwarder::start`], `work` the load but for its ports.
pub fn run(
    options: &Options,
    flood: Flood,
    binary: Option<&Path>,
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
