//! What a run showed, in numbers.

use serde::Serialize;

use super::losses::{Loss, losses};
use crate::lab::figures::arrivals::{Arrivals, Crowd};
use crate::lab::figures::recorder::{Counts, float};
use crate::lab::options::Options;
use crate::lab::run::exchanges::Observed;
use crate::lab::run::totals::Totals;
use crate::lab::stations::assignment::{ClientsDone, MasterDone};

/// The numbers of one run. The fields are the keys of `--json`; what was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Delay_Req sent by the clients.
    pub requests_sent: u64,
    /// Of these, answered.
    pub requests_answered: u64,
    /// Of these, not answered.
    pub requests_lost: u64,
    /// Of those at the grandmaster, those that had come before.
    pub requests_repeated: u64,
    /// Clients that never learnt the grandmaster's hardware address, with `--hybrid` or `--unicast`.
    pub clients_lost: Option<u64>,
    /// What became of unicast negotiation, with `--unicast`.
    pub grants: Option<Grants>,
    /// Where they were lost.
    pub losses: Vec<Loss>,
    /// Frames of others that came out of a gateway, on either side.
    pub foreign_delivered: u64,
    /// Frames of the rogue that came out of a gateway.
    pub rogue_delivered: u64,
    /// Second answers to a request, and answers to none.
    pub surplus_delivered: u64,
    /// Frames that came out of a gateway changed in what it must not change, or with a bad checksum.
    pub damaged: u64,
    /// Delay_Req that arrived at the grandmaster in each occupied millisecond.
    pub arrivals_per_ms: Option<Crowd>,
    /// The same for their departure at the clients.
    pub departures_per_ms: Option<Crowd>,
    /// What the correction left of t4 - t3: the cables, and its error.
    pub residual_ns: Option<Residual>,
    /// What the correction left of t2 - t1.
    pub sync_residual_ns: Option<Residual>,
    /// A Sync's way from grandmaster to clients: what the gateway adds to an event it does not hold.
    pub latency_us: Option<Latency>,
    /// A Delay_Req's way from client to grandmaster: the hold.
    pub hold_us: Option<Hold>,
    /// Processor time of the forwarders, as % of one core.
    pub cpu_percent: Option<f64>,
    /// The same for each request with its response.
    pub cpu_us_per_exchange: Option<f64>,
    /// How often a second the forwarders were woken, all their threads.
    pub wakeups_per_second: Option<f64>,
    /// Busy time of the whole machine with generators and network, as % of one core.
    pub machine_busy_percent: Option<f64>,
    /// The same while the forwarder idled.
    pub machine_idle_percent: Option<f64>,
    /// Processor time of the two generators, as % of one core.
    pub generator_cpu_percent: Option<f64>,
    /// Peak memory of a forwarder.
    pub rss_kib: Option<u64>,
    /// Frames that the forwarders' receive rings had no room for.
    pub ring_drops: Option<u64>,
    /// The generator itself was too slow: what it sent is not what was asked for.
    pub generator_limited: bool,
    /// Requests and Sync that went out late.
    pub generator_late: u64,
    /// Frames lost by the generator's own rings.
    pub generator_ring_drops: u64,
    /// Foreign frames sent on the upstream segment.
    pub foreign_sent: u64,
    /// Frames sent by the rogue.
    pub rogue_sent: u64,
    /// Exchanges measured.
    pub exchanges_measured: u64,
    /// Sync measured.
    pub syncs_measured: u64,
    /// What stood between.
    pub gateway: &'static str,
    /// The transport.
    pub transport: &'static str,
    /// All messages were signed.
    pub signed: bool,
    /// Clients.
    pub clients: u32,
    /// Requests a second of each.
    pub rate: f64,
    /// Clients answered each Sync at once.
    pub burst: bool,
    /// Seconds measured.
    pub seconds: f64,
}

/// What became of unicast negotiation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Grants {
    /// Clients that never had all three grants at once.
    pub clients_without: u64,
    /// Grants that ran out before they were renewed.
    pub lapsed: u64,
    /// Sync sent, to one client each.
    pub syncs_sent: u64,
    /// Of these, delivered with their Follow_Up.
    pub syncs_delivered: u64,
}

/// Sizes of an error, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Residual {
    /// Median.
    pub p50: i64,
    /// 99th percentile.
    pub p99: i64,
    /// Maximum.
    pub max: i64,
}

/// A delay, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// A hold, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Hold {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
}

/// Distributions of one run, for the plot.
#[derive(Clone, Debug)]
pub struct Details {
    /// Arrivals at the grandmaster.
    pub arrivals: Arrivals,
    /// Departures at the clients.
    pub departures: Arrivals,
    /// Delay_Req from departure to arrival.
    pub transit: Counts,
    /// The same less the correction.
    pub residual: Counts,
    /// Sync from departure to arrival less the correction.
    pub sync_residual: Counts,
}

/// A Sync at the clients, in nanoseconds.
pub(super) struct SyncError {
    /// When it came.
    pub(super) received: i64,
    /// From its departure at the grandmaster.
    pub(super) transit: i64,
    /// What the correction left of that.
    pub(super) error: i64,
}

/// Each Sync received from a moment on. Joined with the grandmaster's own timestamps, so that a one-step Sync is judged
/// as well.
pub(super) fn sync_errors(
    master: &MasterDone,
    clients: &ClientsDone,
    from: i64,
) -> impl Iterator<Item = SyncError> {
    let measured = clients
        .syncs
        .iter()
        .filter(move |seen| seen.received >= from);
    measured.filter_map(|seen| {
        let departed = (*master.syncs.get(usize::try_from(seen.index).ok()?)?)?;
        let transit = seen.received - departed;
        Some(SyncError {
            received: seen.received,
            transit,
            error: transit - seen.correction,
        })
    })
}

impl Report {
    /// From what each process saw.
    #[must_use]
    pub fn of(options: &Options, observed: Observed) -> (Self, Details) {
        let losses = losses(&observed);
        let Observed {
            master,
            clients,
            gateways,
            usage,
            measured_from,
            ..
        } = observed;
        let syncs: Vec<_> = sync_errors(&master, &clients, measured_from).collect();
        let sync_transit = Counts::of(syncs.iter().map(|sync| sync.transit));
        let sync_residual = Counts::of(syncs.iter().map(|sync| sync.error));
        let late = master.late + clients.late;
        let own_drops = master.ring_drops + master.refused + clients.ring_drops + clients.refused;
        let per_exchange = |percent: f64| {
            percent / 100.0 * options.seconds * 1e6 / clients.answered_measured as f64
        };
        let report = Self {
            requests_sent: clients.sent,
            requests_answered: clients.answered,
            requests_lost: clients.sent.saturating_sub(clients.answered),
            requests_repeated: master.repeated,
            clients_lost: (options.hybrid || options.unicast)
                .then(|| u64::from(options.clients).saturating_sub(clients.found)),
            grants: options.unicast.then(|| Grants {
                clients_without: u64::from(options.clients).saturating_sub(clients.served),
                lapsed: clients.lapsed,
                syncs_sent: master.syncs.iter().flatten().count() as u64,
                syncs_delivered: clients.syncs.len() as u64,
            }),
            foreign_delivered: clients.foreign + master.foreign,
            rogue_delivered: clients.rogue + master.rogue,
            surplus_delivered: clients.repeated + clients.unknown,
            damaged: clients.damaged + master.damaged,
            arrivals_per_ms: master.arrivals.per_occupied(),
            departures_per_ms: clients.departures.per_occupied(),
            residual_ns: Residual::of(&clients.residual),
            sync_residual_ns: Residual::of(&sync_residual),
            latency_us: latency(&sync_transit),
            hold_us: hold(&clients.transit),
            cpu_percent: usage.forwarder_percent,
            cpu_us_per_exchange: usage
                .forwarder_percent
                .map(per_exchange)
                .filter(|us| us.is_finite()),
            wakeups_per_second: usage.wakeups_per_second,
            machine_busy_percent: usage.machine_percent,
            machine_idle_percent: usage.idle_percent,
            generator_cpu_percent: usage.generator_percent,
            rss_kib: usage.rss_kib,
            ring_drops: gateways.as_ref().map(Totals::ring_drops),
            losses,
            generator_limited: own_drops > 0 || late * 1000 > clients.sent,
            generator_late: late,
            generator_ring_drops: own_drops,
            foreign_sent: master.foreign_sent,
            rogue_sent: clients.rogue_sent,
            exchanges_measured: clients.residual.total(),
            syncs_measured: sync_residual.total(),
            gateway: options.gateway.label(),
            transport: options.transport.label(),
            signed: options.signed,
            clients: options.clients,
            rate: options.rate,
            burst: options.bursts(),
            seconds: options.seconds,
        };
        let details = Details {
            arrivals: master.arrivals,
            departures: clients.departures,
            transit: clients.transit,
            residual: clients.residual,
            sync_residual,
        };
        (report, details)
    }
}

impl Residual {
    /// Of all these errors; `None` if there are none.
    #[must_use]
    pub fn of(counts: &Counts) -> Option<Self> {
        let sizes = counts.sizes();
        Some(Self {
            p50: sizes.quantile(0.5)?,
            p99: sizes.quantile(0.99)?,
            max: sizes.quantile(1.0)?,
        })
    }
}

fn microseconds(counts: &Counts, q: f64) -> Option<f64> {
    counts.quantile(q).map(|ns| float(ns) / 1e3)
}

fn latency(counts: &Counts) -> Option<Latency> {
    Some(Latency {
        p50: microseconds(counts, 0.5)?,
        p99: microseconds(counts, 0.99)?,
    })
}

fn hold(counts: &Counts) -> Option<Hold> {
    Some(Hold {
        mean: counts.mean()? / 1e3,
        p50: microseconds(counts, 0.5)?,
        p99: microseconds(counts, 0.99)?,
        max: microseconds(counts, 1.0)?,
    })
}
