//! What the lab and its two generator processes tell each other: JSON, one line a message.

use std::io::{BufRead, BufReader, Stdin, Write, stdin, stdout};
use std::net::IpAddr;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::lab::figures::arrivals::Arrivals;
use crate::lab::figures::recorder::Counts;
use crate::lab::figures::timeline::Timeline;
use crate::lab::frames::Kind;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::station::Role;
use crate::lab::frames::subnets::router;
use crate::lab::io::clock::MasterClock;

/// What a generator is to do; its first line of input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Interfaces of its namespace, and whom they carry: one for the grandmaster.
    pub ports: Vec<Share>,
    /// The outer layers of every frame.
    pub shape: Shape,
    /// All messages are signed.
    pub signed: bool,
    /// How many clients there are in all.
    pub clients: u32,
    /// Clients answer each Sync at once; otherwise they send evenly.
    pub burst: bool,
    /// Nanoseconds between two requests of one client.
    pub interval: i64,
    /// Nanoseconds between two Sync.
    pub sync_interval: i64,
    /// Nanoseconds of traffic before anything is measured.
    pub warmup: i64,
    /// Nanoseconds measured.
    pub length: i64,
    /// Foreign frames a second.
    pub foreign: f64,
    /// A station below plays grandmaster.
    pub rogue: bool,
    /// Sync carries its own time.
    pub one_step: bool,
    /// Rate of the grandmaster's clock.
    pub ppm: f64,
    /// Clients send their requests to the grandmaster alone, and are answered alone.
    pub hybrid: bool,
    /// All else comes to each client alone as well, as far as it asks for it by unicast negotiation.
    pub negotiated: bool,
    /// Grandmaster and clients are in subnets of their own, and the gateway is the router between them.
    pub routed: bool,
    /// All requests must come from this address; `None`: each from its client's own.
    pub behind: Option<IpAddr>,
    /// Frames one way instead of exchanges.
    pub flood: Option<Flood>,
}

impl Assignment {
    /// When measuring begins in a run that starts at `start`.
    #[must_use]
    pub const fn measured_from(&self, start: i64) -> i64 {
        start + self.warmup
    }

    /// When the last message of a run that starts at `start` is due.
    #[must_use]
    pub const fn end(&self, start: i64) -> i64 {
        start + self.warmup + self.length
    }

    /// Whether requests go to the grandmaster alone.
    #[must_use]
    pub const fn is_unicast(&self) -> bool {
        self.hybrid || self.negotiated
    }

    /// The router's address in the subnet of these stations, if there is one.
    #[must_use]
    pub fn router(&self, of: Role) -> Option<IpAddr> {
        let router = router(of, self.shape.network).filter(|_| self.routed)?;
        Some(router.0)
    }

    /// The logarithms of the intervals of what is granted: Announce, Sync, Delay_Resp.
    #[must_use]
    pub fn logs(&self) -> [i8; 3] {
        [
            0,
            log_interval(self.sync_interval),
            log_interval(self.interval),
        ]
    }
}

/// logMessageInterval nearest to an interval.
#[must_use]
pub fn log_interval(ns: i64) -> i8 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and the logarithm of an i64 is small"
    )]
    let log = (ns as f64 / 1e9).log2().round() as i8;
    log
}

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
    /// Its messageType.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Announce => Kind::Announce,
            Self::DelayReq => Kind::DelayReq,
        }
    }
}

/// The clients behind one interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Share {
    /// The interface's name.
    pub interface: String,
    /// Number of its first client.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

/// The second line of input: go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Start {
    /// When, by the shared clock.
    pub at: i64,
    /// The grandmaster's clock.
    pub clock: MasterClock,
}

/// A line of a generator's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum News<T> {
    /// Its rings are open.
    Ready,
    /// How far it is: requests sent and answered.
    Progress(u64, u64),
    /// It is through.
    Done(T),
}

/// What the grandmaster saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MasterDone {
    /// When each Sync departed by the kernel's stamp, by sequence; `None` where there was no stamp.
    pub syncs: Vec<Option<i64>>,
    /// Delay_Req of clients that arrived, and how many were answered.
    pub requests: u64,
    /// Of these, those that had come before.
    pub repeated: u64,
    /// Delay_Resp sent.
    pub responses: u64,
    /// Frames of nobody here that a gateway let up.
    pub foreign: u64,
    /// Messages of the rogue that arrived.
    pub rogue: u64,
    /// PTP messages that arrived damaged.
    pub damaged: u64,
    /// Foreign frames sent.
    pub foreign_sent: u64,
    /// Messages that could not be sent when due.
    pub late: u64,
    /// Frames that its own receive ring had no room for.
    pub ring_drops: u64,
    /// Frames that its transmit ring or the kernel did not take.
    pub refused: u64,
    /// Delay_Req per millisecond.
    pub arrivals: Arrivals,
}

/// A Sync that reached the clients, with its Follow_Up if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSeen {
    /// Which Sync: its sequenceId, wraps counted.
    pub index: u64,
    /// Its receive stamp.
    pub received: i64,
    /// correctionField of Sync and Follow_Up together, in nanoseconds of the shared clock.
    pub correction: i64,
    /// When it departed, by its timestamp or its Follow_Up's, in the shared clock.
    pub origin: i64,
}

/// What the clients saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientsDone {
    /// Clients that found the grandmaster's hardware address, of those that had to.
    pub found: u64,
    /// Clients that were granted all that they asked for.
    pub served: u64,
    /// Grants that ran out before they were renewed.
    pub lapsed: u64,
    /// Delay_Req sent.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Answered within the time measured.
    pub answered_measured: u64,
    /// Further answers to an answered request.
    pub repeated: u64,
    /// Answers to a request that was not open.
    pub unknown: u64,
    /// Answered requests of which no departure stamp came.
    pub unstamped: u64,
    /// Frames of others that a gateway let down.
    pub foreign: u64,
    /// Messages of the rogue that came back through a gateway.
    pub rogue: u64,
    /// PTP messages that arrived damaged.
    pub damaged: u64,
    /// Messages of the rogue sent.
    pub rogue_sent: u64,
    /// Requests that could not be sent when due.
    pub late: u64,
    /// Frames that their own receive rings had no room for.
    pub ring_drops: u64,
    /// Frames that their transmit rings or the kernel did not take.
    pub refused: u64,
    /// Sync and Follow_Up pairs, in order of arrival.
    pub syncs: Vec<SyncSeen>,
    /// Delay_Req from departure to arrival, in nanoseconds.
    pub transit: Counts,
    /// The same less the correction.
    pub residual: Counts,
    /// Departures per millisecond.
    pub departures: Arrivals,
    /// Answers over time.
    pub timeline: Timeline,
}

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

/// A generator's line to the lab: its standard input and output.
#[derive(Debug)]
pub struct Cue {
    input: BufReader<Stdin>,
}

impl Cue {
    /// Opens the line; what is to be done comes first.
    pub fn open() -> Result<(Self, Assignment)> {
        let mut input = BufReader::new(stdin());
        let given = hear(&mut input)?.context("no assignment")?;
        Ok((Self { input }, given))
    }

    /// Says that the rings are open, and waits for the word to start.
    pub fn ready(&mut self) -> Result<Start> {
        say(&mut stdout().lock(), &News::<()>::Ready)?;
        hear(&mut self.input)?.context("no start")
    }

    /// Tells how far it is.
    pub fn progress(&mut self, sent: u64, answered: u64) -> Result<()> {
        say(&mut stdout().lock(), &News::<()>::Progress(sent, answered))
    }

    /// Hands over what was seen.
    pub fn done<T: Serialize>(self, seen: T) -> Result<()> {
        say(&mut stdout().lock(), &News::Done(seen))
    }
}

/// Writes one line.
pub fn say<T: Serialize>(out: &mut dyn Write, message: &T) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// Reads one line; `None` at the end.
pub fn hear<T: DeserializeOwned>(input: &mut dyn BufRead) -> Result<Option<T>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let message = serde_json::from_str(&line).with_context(|| format!("not understood: {line}"))?;
    Ok(Some(message))
}
