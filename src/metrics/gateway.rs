//! The gateway's metrics: each with its name, its unit and its help.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counts since the start, `_info` for
//! facts in labels. There is none for each client: `ptpproxy clients` lists those.
//!
//! | file | one idea |
//! |---|---|
//! | `traffic` | each interface, and frames by message type and reason |
//! | `state` | tables and their limits, unicast, next hops, the role |
//! | `masters` | the masters upstream, and what they announce |

mod masters;
mod state;
mod traffic;

use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use super::families::{Described, Families, family};
use crate::telemetry::{Board, Counts, GRANTED, Info, Measures, Snapshot, State};
use crate::time::Instant;

/// The media type of [`text`].
pub(super) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// What one scrape shows.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) board: Arc<Board>,
    pub(super) snapshot: Snapshot,
    pub(super) healthy: bool,
    pub(super) now: Instant,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self {
            board,
            snapshot,
            healthy,
            now,
        } = self;
        let grants = board.grants(*now);
        all(
            &mut encoder,
            &board.info(),
            snapshot,
            grants,
            *healthy,
            *now,
        )
    }
}

/// The text to be scraped.
///
/// # Errors
/// The library's.
pub(super) fn text(scrape: Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// All metrics, for documents.
///
/// # Errors
/// None that a `String` can have.
pub(super) fn list() -> Result<Vec<Described>, fmt::Error> {
    let info = Info {
        up: String::new(),
        downs: Vec::new(),
        stamps: String::new(),
        started: UNIX_EPOCH,
    };
    let mut list = Vec::new();
    all(
        &mut list,
        &info,
        &Snapshot::default(),
        [0; GRANTED.len()],
        false,
        Instant::default(),
    )?;
    Ok(list)
}

fn all(
    out: &mut impl Families,
    info: &Info,
    snapshot: &Snapshot,
    grants: [u32; GRANTED.len()],
    healthy: bool,
    now: Instant,
) -> fmt::Result {
    program(out, info, healthy)?;
    clocks(out, &snapshot.state)?;
    traffic::ports(out, &snapshot.state)?;
    traffic::frames(out, &snapshot.counters)?;
    let counts = snapshot.counters.counts();
    for count in Counts::ALL {
        let family = family(count.metric, count.help(), &[]);
        out.counters(family, |add| add(&[], count.of(&counts)))?;
    }
    for measure in Measures::ALL {
        let family = family(measure.metric, measure.help(), &[]);
        out.histogram(family, measure.of(&snapshot.measures))?;
    }
    state::state(out, &snapshot.state)?;
    state::unicast(out, &snapshot.state, grants)?;
    state::role(out, &snapshot.state)?;
    masters::masters(out, &snapshot.state, now)
}

fn program(out: &mut impl Families, info: &Info, healthy: bool) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_build_info",
            "1, with the program's version.",
            &["version"],
        ),
        |add| add(&[env!("CARGO_PKG_VERSION")], true.into()),
    )?;
    out.gauges(
        family(
            "ptpproxy_time_stamping_info",
            "1, with the clock that timestamps frames, and why.",
            &["stamps"],
        ),
        |add| add(&[&info.stamps], true.into()),
    )?;
    let started = info.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.gauges(
        family(
            "ptpproxy_start_time_seconds",
            "When the gateway started, in seconds since 1970.",
            &[],
        ),
        |add| add(&[], started.as_secs_f64().into()),
    )?;
    out.gauges(
        family(
            "ptpproxy_healthy",
            "1 while /healthz answers 200: the link upstream and one downstream work, and Syncs come.",
            &[],
        ),
        |add| add(&[], healthy.into()),
    )
}

fn clocks(out: &mut impl Families, state: &State) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_hardware_clocks_bound_seconds",
            "What residence times between two hardware clocks may be off by; 0 where one clock timestamps both interfaces.",
            &[],
        ),
        |add| {
            let ns = state.clocks_bound_ns.unwrap_or(0);
            add(&[], (f64::from(ns) * 1e-9).into())
        },
    )
}
