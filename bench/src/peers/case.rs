//! What is compared, and one measurement of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;

use super::options::Options;
use crate::forwarders;
use crate::lab::program::made_a_run;
use crate::net::least_stolen;
use crate::ptp4l::{self, TempDir};

/// A gateway that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A bare cable.
    Direct,
    /// The kernel's bridge.
    Bridge,
    /// ptpproxy with its default settings.
    Ours,
    /// ptpproxy that holds nothing.
    OursUnheld,
    /// ptpproxy that sends each frame by itself.
    OursUnbatched,
    /// Raw sockets.
    Raw,
    /// libpcap in immediate mode.
    Pcap,
    /// TPACKET_V3 rings.
    V3,
    /// The same with batches and a stamp of each Delay_Req: about the least that correcting costs.
    Stamped,
    /// ptp4l as an end-to-end transparent clock.
    Ptp4lTc,
}

impl Peer {
    /// Every one, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Direct,
        Self::Bridge,
        Self::Ours,
        Self::OursUnheld,
        Self::OursUnbatched,
        Self::Raw,
        Self::Pcap,
        Self::V3,
        Self::Stamped,
        Self::Ptp4lTc,
    ];

    /// The words for tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct cable",
            Self::Bridge => "kernel bridge",
            Self::Ours => "ptpproxy",
            Self::OursUnheld => "ptpproxy --jitter off",
            Self::OursUnbatched => "ptpproxy, one send a frame",
            Self::Raw => "raw sockets",
            Self::Pcap => "libpcap",
            Self::V3 => "TPACKET_V3",
            Self::Stamped => "TPACKET_V3, batches, timestamps",
            Self::Ptp4lTc => "ptp4l E2E_TC",
        }
    }

    /// Why it cannot be measured; `None` if it can.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::Ptp4lTc if ptp4l::find().is_none() => Some("not installed (Debian: linuxptp)"),
            Self::Pcap if !forwarders::pcap_installed() => {
                Some("not installed (Debian: libpcap0.8)")
            }
            _ => None,
        }
    }

    /// The lab's options that put it in the gateway.
    fn arguments(self, options: &Options) -> Vec<String> {
        let gateway = match self {
            Self::Direct => "direct",
            Self::Bridge => "bridge",
            Self::Ours | Self::OursUnheld | Self::OursUnbatched => "ours",
            Self::Raw => "raw",
            Self::Pcap => "pcap",
            Self::V3 => "v3",
            Self::Stamped => "stamped",
            Self::Ptp4lTc => "ptp4l-tc",
        };
        let mut arguments = vec!["--gateway".to_owned(), gateway.to_owned()];
        let more = match self {
            Self::OursUnbatched => Some("--batch 1"),
            Self::Ours | Self::OursUnheld => Some(""),
            _ => None,
        };
        if let Some(more) = more {
            arguments.push(format!("--proxy-args={} {more}", options.proxy_args));
        }
        if self == Self::OursUnheld {
            arguments.extend(["--jitter".to_owned(), "off".to_owned()]);
        }
        arguments
    }
}

/// One case in one round.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What stands in the gateway.
    pub peer: Peer,
}

/// What one run showed; `None` where it does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Requests answered, in %.
    pub answered_percent: f64,
    /// Processor time of the forwarder, in us for each request with its response.
    pub cpu_us: Option<f64>,
    /// Busy time of the whole machine, in us for each request with its response.
    pub machine_us: Option<f64>,
    /// 99th percentile of what the correction left of a Delay_Req's way, in ns.
    pub residual_p99_ns: Option<f64>,
    /// Median way of a Sync, in us.
    pub sync_p50_us: Option<f64>,
    /// 99th percentile of the grandmaster's arrivals per occupied millisecond.
    pub arrivals_p99: Option<f64>,
    /// Peak memory, in KiB.
    pub rss_kib: Option<f64>,
    /// The generator was the limit.
    pub generator_limited: bool,
}

impl Case {
    /// Runs the lab (`lab`) with this case, and with `binary` as ptpproxy if it is given; again where the hypervisor took its time.
    pub fn measure(self, options: &Options, lab: &Path, binary: Option<&Path>) -> Result<Figures> {
        least_stolen(|| self.measure_once(options, lab, binary))
    }

    fn measure_once(self, options: &Options, lab: &Path, binary: Option<&Path>) -> Result<Figures> {
        let folder = TempDir::new()?;
        let json = folder.path().join("report.json");
        let mut command = Command::new(lab);
        command
            .args(["--clients", &options.clients.to_string()])
            .args(["--rate", &options.rate.to_string()])
            .args(["--seconds", &options.seconds.to_string()])
            .args(["--transport", options.transport.label()])
            .arg(if options.spread {
                "--spread"
            } else {
                "--burst"
            })
            .args(
                binary
                    .iter()
                    .flat_map(|path| [OsStr::new("--binary"), path.as_os_str()]),
            )
            .arg("--json")
            .arg(&json)
            .args(self.peer.arguments(options))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let output = command.stderr(Stdio::piped()).output()?;
        if !made_a_run(output.status) {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = std::fs::read_to_string(&json).context("the lab wrote no report")?;
        Ok(Figures::of(&serde_json::from_str(&text)?))
    }
}

impl Figures {
    fn of(report: &Value) -> Self {
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        let sent = number("/requests_sent").unwrap_or(0.0);
        let exchanges = number("/exchanges_measured").filter(|&n| n > 0.0);
        let machine_us = || {
            let busy = number("/machine_busy_percent")? / 100.0 * number("/seconds")?;
            Some(busy * 1e6 / exchanges?)
        };
        Self {
            answered_percent: number("/requests_answered").unwrap_or(0.0) / sent.max(1.0) * 100.0,
            cpu_us: number("/cpu_us_per_exchange"),
            machine_us: machine_us(),
            residual_p99_ns: number("/residual_ns/p99"),
            sync_p50_us: number("/latency_us/p50"),
            arrivals_p99: number("/arrivals_per_ms/p99"),
            rss_kib: number("/rss_kib"),
            generator_limited: report.pointer("/generator_limited") == Some(&Value::Bool(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_labs_report() {
        let report = serde_json::json!({
            "requests_sent": 200, "requests_answered": 150, "exchanges_measured": 100,
            "machine_busy_percent": 50.0, "seconds": 2.0, "cpu_us_per_exchange": null,
            "residual_ns": {"p50": 1, "p99": 700, "max": 9}, "latency_us": null,
            "arrivals_per_ms": {"mean": 1.0, "p99": 12, "max": 20},
            "rss_kib": 5000, "generator_limited": true,
        });
        let figures = Figures {
            answered_percent: 75.0,
            cpu_us: None,
            machine_us: Some(10_000.0),
            residual_p99_ns: Some(700.0),
            sync_p50_us: None,
            arrivals_p99: Some(12.0),
            rss_kib: Some(5000.0),
            generator_limited: true,
        };
        assert_eq!(Figures::of(&report), figures);
    }
}
