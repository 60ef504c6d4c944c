//! What a run showed: numbers, a table, JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::arrivals::{Arrivals, Crowd};
use super::options::Options;
use super::run::Outcome;
use super::spread::{Counts, float};

/// The numbers of one run. The fields are the keys of `--json`; what was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Delay_Req sent by the clients.
    pub requests_sent: u64,
    /// Of these, answered.
    pub requests_answered: u64,
    /// Of these, not answered.
    pub requests_lost: u64,
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
    /// Clients.
    pub clients: u32,
    /// Requests a second of each.
    pub rate: f64,
    /// Clients answered each Sync at once.
    pub burst: bool,
    /// Seconds measured.
    pub seconds: f64,
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

impl Report {
    /// From what each process saw.
    #[must_use]
    pub fn of(options: &Options, outcome: Outcome) -> (Self, Details) {
        let Outcome {
            master,
            clients,
            usage,
            measured_from,
        } = outcome;
        // Joined with the grandmaster's own stamps, so that a one-step Sync is judged as well.
        let syncs: Vec<_> = clients
            .syncs
            .iter()
            .filter(|seen| seen.received >= measured_from)
            .filter_map(|seen| {
                let departed = (*master.syncs.get(usize::try_from(seen.index).ok()?)?)?;
                let transit = seen.received - departed;
                Some((transit, transit - seen.correction))
            })
            .collect();
        let sync_transit = Counts::of(syncs.iter().map(|&(transit, _)| transit));
        let sync_residual = Counts::of(syncs.iter().map(|&(_, residual)| residual));
        let late = master.late + clients.late;
        let own_drops = master.ring_drops + clients.ring_drops;
        let per_exchange = |percent: f64| {
            percent / 100.0 * options.seconds * 1e6 / clients.answered_measured as f64
        };
        let report = Self {
            requests_sent: clients.sent,
            requests_answered: clients.answered,
            requests_lost: clients.sent.saturating_sub(clients.answered),
            foreign_delivered: clients.foreign + master.foreign,
            rogue_delivered: clients.rogue + master.rogue,
            surplus_delivered: clients.repeated + clients.unknown,
            damaged: clients.damaged + master.damaged,
            arrivals_per_ms: master.arrivals.per_occupied(),
            departures_per_ms: clients.departures.per_occupied(),
            residual_ns: residual(&clients.residual),
            sync_residual_ns: residual(&sync_residual),
            latency_us: latency(&sync_transit),
            hold_us: hold(&clients.transit),
            cpu_percent: usage.forwarder_percent,
            cpu_us_per_exchange: usage
                .forwarder_percent
                .map(per_exchange)
                .filter(|us| us.is_finite()),
            machine_busy_percent: usage.machine_percent,
            machine_idle_percent: usage.idle_percent,
            generator_cpu_percent: usage.generator_percent,
            rss_kib: usage.rss_kib,
            ring_drops: usage.ring_drops,
            generator_limited: own_drops > 0 || late * 1000 > clients.sent,
            generator_late: late,
            generator_ring_drops: own_drops,
            foreign_sent: master.foreign_sent,
            rogue_sent: clients.rogue_sent,
            exchanges_measured: clients.residual.total(),
            syncs_measured: sync_residual.total(),
            gateway: options.gateway.label(),
            transport: options.transport.label(),
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

    /// Every request answered, and nothing delivered that must not be.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.requests_sent > 0
            && self.requests_lost == 0
            && self.foreign_delivered == 0
            && self.rogue_delivered == 0
            && self.surplus_delivered == 0
            && self.damaged == 0
    }

    /// Writes the table.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table { out };
        table.row("requests sent", count(self.requests_sent), "")?;
        let share = self.requests_answered as f64 / self.requests_sent.max(1) as f64 * 100.0;
        table.row(
            "requests answered",
            count(self.requests_answered),
            &format!("{share:.3} %"),
        )?;
        table.row(
            "requests lost",
            count(self.requests_lost),
            must_be_zero(self.requests_lost),
        )?;
        let of = |sent: u64| format!("of {} sent", count(sent));
        let foreign = match self.foreign_delivered {
            0 if self.foreign_sent > 0 => of(self.foreign_sent),
            n => must_be_zero(n).to_owned(),
        };
        table.row(
            "foreign frames delivered",
            count(self.foreign_delivered),
            &foreign,
        )?;
        let rogue = match self.rogue_delivered {
            0 if self.rogue_sent > 0 => of(self.rogue_sent),
            n => must_be_zero(n).to_owned(),
        };
        table.row(
            "rogue frames delivered",
            count(self.rogue_delivered),
            &rogue,
        )?;
        if self.surplus_delivered > 0 {
            table.row(
                "surplus responses",
                count(self.surplus_delivered),
                "must be 0",
            )?;
        }
        if self.damaged > 0 {
            table.row("damaged frames", count(self.damaged), "must be 0")?;
        }
        let crowd = |crowd: Option<Crowd>| {
            crowd.map(|c| {
                format!(
                    "mean {:.1}, p99 {}, p99.5 {}, max {}",
                    c.mean, c.p99, c.p99_5, c.max
                )
            })
        };
        table.line(
            "clients send, per occupied ms",
            crowd(self.departures_per_ms),
        )?;
        table.line(
            "grandmaster hears, per occupied ms",
            crowd(self.arrivals_per_ms),
        )?;
        let errors = |errors: Option<Residual>| {
            errors.map(|e| format!("p50 {}, p99 {}, max {} ns", e.p50, e.p99, e.max))
        };
        table.line("Delay_Req way left uncorrected", errors(self.residual_ns))?;
        table.line("Sync way left uncorrected", errors(self.sync_residual_ns))?;
        let hold = self.hold_us.map(|h| {
            format!(
                "mean {:.1}, p50 {:.1}, p99 {:.1}, max {:.1} us",
                h.mean, h.p50, h.p99, h.max
            )
        });
        table.line("Delay_Req way (hold)", hold)?;
        let latency = self
            .latency_us
            .map(|l| format!("p50 {:.1}, p99 {:.1} us", l.p50, l.p99));
        table.line("Sync way (unheld)", latency)?;
        let cpu = self.cpu_percent.map(|percent| {
            let each = self.cpu_us_per_exchange.unwrap_or(f64::NAN);
            format!("{percent:.1} % of a core, {each:.2} us per request and response")
        });
        table.line("forwarder CPU", cpu)?;
        let busy = self.machine_busy_percent.map(|busy| {
            let idle = self.machine_idle_percent;
            let less = idle.map_or(String::new(), |idle| {
                format!(", {:.1} % more than with an idle forwarder", busy - idle)
            });
            let own = self.generator_cpu_percent.unwrap_or(f64::NAN);
            format!("{busy:.1} % of a core, generators {own:.1} %{less}")
        });
        table.line("whole machine busy", busy)?;
        table.line(
            "forwarder peak memory",
            self.rss_kib.map(|kib| format!("{kib} KiB")),
        )?;
        table.line("forwarder ring drops", self.ring_drops.map(count))?;
        let limited = if self.generator_limited {
            format!(
                "YES: {} late, {} frames lost in its own rings; the figures above are not the gateway's alone",
                self.generator_late, self.generator_ring_drops
            )
        } else {
            "no".to_owned()
        };
        table.line("generator was the limit", Some(limited))
    }
}

struct Table<'a> {
    out: &'a mut dyn Write,
}

impl Table<'_> {
    fn row(&mut self, what: &str, value: String, remark: &str) -> io::Result<()> {
        let line = format!("{what:<36}{value:>12}  {remark}");
        writeln!(self.out, "{}", line.trim_end())
    }

    fn line(&mut self, what: &str, text: Option<String>) -> io::Result<()> {
        writeln!(self.out, "{what:<36}{}", text.as_deref().unwrap_or("-"))
    }
}

const fn must_be_zero(n: u64) -> &'static str {
    if n == 0 { "" } else { "must be 0" }
}

/// A number with its thousands set apart.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn residual(counts: &Counts) -> Option<Residual> {
    let sizes = counts.sizes();
    Some(Residual {
        p50: sizes.quantile(0.5)?,
        p99: sizes.quantile(0.99)?,
        max: sizes.quantile(1.0)?,
    })
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
