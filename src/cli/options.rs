//! What the program is told to do, and the line that says it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::choices::word;
use super::values::Span;
use crate::Side;
use crate::config::Values;
use crate::control::Place;
use crate::core::Settings;
use crate::ring::{Timestamping, TxOptions};

/// The gateway's options.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Interface toward the grandmaster.
    pub up: String,
    /// Interface toward the clients.
    pub down: String,
    /// Settings of the forwarder, valid.
    pub settings: Settings,
    /// The packet rings and the loop that reads them.
    pub rings: RingOptions,
    /// Time between two summary lines; `None` is off.
    pub summary: Option<Duration>,
    /// Where metrics are served; `None` is nowhere.
    pub metrics: Option<SocketAddr>,
    /// Missing interfaces are waited for.
    pub wait: bool,
    /// Where the control socket is.
    pub control: Place,
    /// Where all this was read.
    pub source: Source,
}

/// What the options were read from: enough to read them again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The command line, with the program's name.
    pub arguments: Vec<OsString>,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The value of each option, in words.
    pub values: Values,
}

/// Options of the packet rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingOptions {
    /// Frames that each ring holds, a power of two.
    pub frames: u32,
    /// Time between two looks at the rings while traffic flows.
    pub sweep: SweepIntervals,
    /// Never sleep.
    pub spin: bool,
    /// Send past the queueing discipline.
    pub qdisc_bypass: bool,
    /// Warm the transmit path before a lone event message.
    pub warm_up: bool,
    /// Frames given to the kernel with one system call, at most.
    pub batch: u32,
    /// Receive every frame, not only what the PTP groups and our own addresses bring.
    pub promiscuous: bool,
    /// Which timestamps to take.
    pub timestamping: Timestamping,
    /// Which kernel filter may be used above.
    pub filter: FilterChoice,
    /// Departures at their very moment: real-time priority and a short spin.
    pub precise: bool,
}

/// Time between two looks at the rings while traffic flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepIntervals {
    /// While corrections take the wait out of the time again.
    pub usual: Duration,
    /// While messages pass that cannot be corrected, and keep their wait as error.
    pub untouched: Duration,
}

/// Which kernel filter may be used on the up side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FilterChoice {
    /// a map in the kernel where it may be had (CAP_BPF), else a search tree
    #[default]
    Auto,
    /// the map, or fail
    Map,
    /// the search tree, as many clients as net.core.optmem_max allows
    Tree,
    /// none that knows clients: every Delay_Resp comes in
    Plain,
}

/// Options of a replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The capture; `-` is standard input.
    pub capture: PathBuf,
    /// The side that the captured frames came from.
    pub from: Side,
    /// Where forwarded frames are written.
    pub write: Option<PathBuf>,
    /// Settings of the forwarder, valid.
    pub settings: Settings,
}

/// One line on what the gateway runs with: always where and how long it holds, and whatever else is
/// not the default.
#[must_use]
pub fn banner(options: &RunOptions) -> String {
    let RunOptions {
        settings, rings, ..
    } = options;
    let defaults = Settings::default();
    let mut line = format!("forwarding: up {} <-> down {}, ", options.up, options.down);
    if settings.jitter.is_zero() {
        line += "jitter off";
    } else {
        add(
            &mut line,
            format_args!("jitter up to {}", Span(settings.jitter)),
        );
        match settings.jitter_share {
            Some(share) => add(&mut line, format_args!(" (share {share})")),
            None => line += " (share off)",
        }
    }
    add(
        &mut line,
        format_args!(
            ", max hold {}, up to {} clients, {} stamps, ring {} frames, ",
            Span(settings.max_hold),
            settings.max_clients,
            word(&rings.timestamping),
            rings.frames,
        ),
    );
    if rings.spin {
        line += "spinning";
    } else {
        let SweepIntervals { usual, untouched } = rings.sweep;
        add(&mut line, format_args!("sweep {}", Span(usual)));
        if untouched != usual {
            add(&mut line, format_args!(" or {}", Span(untouched)));
        }
    }
    if !settings.domains.is_empty() {
        add(
            &mut line,
            format_args!(", domain {}", list(&settings.domains)),
        );
    }
    if !settings.grandmasters.is_empty() {
        add(
            &mut line,
            format_args!(", grandmaster {}", list(&settings.grandmasters)),
        );
    }
    if !settings.clients.is_empty() {
        add(
            &mut line,
            format_args!(", {} allowed clients", settings.clients.len()),
        );
    }
    if let Some(rate) = settings.max_rate {
        add(&mut line, format_args!(", max rate {rate}/s"));
    }
    if settings.client_rate != defaults.client_rate {
        add(
            &mut line,
            format_args!(", client rate {}/s", settings.client_rate),
        );
    }
    if settings.client_timeout != defaults.client_timeout {
        add(
            &mut line,
            format_args!(", client timeout {}", Span(settings.client_timeout)),
        );
    }
    if settings.management != defaults.management {
        add(
            &mut line,
            format_args!(", management {}", word(&settings.management)),
        );
    }
    if settings.authenticated != defaults.authenticated {
        add(
            &mut line,
            format_args!(", authenticated {}", word(&settings.authenticated)),
        );
    }
    if settings.one_step != defaults.one_step {
        add(
            &mut line,
            format_args!(", one-step {}", word(&settings.one_step)),
        );
    }
    if !settings.syntonize {
        line += ", syntonize off";
    }
    if !settings.estimate {
        line += ", estimate off";
    }
    if settings.max_rate_ppm.to_bits() != defaults.max_rate_ppm.to_bits() {
        add(
            &mut line,
            format_args!(", max rate ppm {}", settings.max_rate_ppm),
        );
    }
    if settings.tx_timestamp_timeout != defaults.tx_timestamp_timeout {
        add(
            &mut line,
            format_args!(
                ", tx timestamp timeout {}",
                Span(settings.tx_timestamp_timeout)
            ),
        );
    }
    if settings.hold_frames != defaults.hold_frames {
        add(
            &mut line,
            format_args!(", hold frames {}", settings.hold_frames),
        );
    }
    if rings.precise {
        line += ", precise";
    }
    if rings.filter != FilterChoice::default() {
        add(&mut line, format_args!(", filter {}", word(&rings.filter)));
    }
    if !rings.promiscuous {
        line += ", not promiscuous";
    }
    if rings.qdisc_bypass {
        line += ", past the qdisc";
    }
    if rings.batch != TxOptions::BATCH {
        add(
            &mut line,
            format_args!(", batches of up to {}", rings.batch),
        );
    }
    if !rings.warm_up {
        line += ", no warm-up";
    }
    line
}

fn add(line: &mut String, part: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = line.write_fmt(part);
}

fn list<'a, T: ToString + 'a>(items: impl IntoIterator<Item = &'a T>) -> String {
    let items: Vec<String> = items.into_iter().map(ToString::to_string).collect();
    items.join(",")
}
