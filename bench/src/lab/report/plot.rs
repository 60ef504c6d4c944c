//! The report as a picture: three panels, one above the other.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use super::drawing::{self, ALARM, Axes, Drawn, ERROR, HEARD, MARK, Panel, SENT};
use super::summary::{Details, Report};
use crate::lab::figures::recorder::{Counts, float};
use crate::lab::options::{GatewayKind, Options};

/// Height of the picture, in pixels.
const HEIGHT: u32 = 1180;
const BINS: usize = 80;

/// Draws the three panels to an SVG file.
pub fn draw(path: &Path, options: &Options, report: &Report, details: &Details) -> Result<()> {
    drawing::picture(
        path,
        HEIGHT,
        heading(options, report),
        &[
            &|area| arrivals(area, options, details),
            &|area| holds(area, options, details),
            &|area| errors(area, details),
        ],
    )
}

fn heading(options: &Options, report: &Report) -> [String; 2] {
    let through = match options.gateway {
        GatewayKind::Ours => match &options.jitter {
            Some(jitter) => format!("ptpproxy --jitter {jitter}"),
            None => "ptpproxy".to_owned(),
        },
        GatewayKind::Bridge => "a kernel bridge".to_owned(),
        GatewayKind::Direct => "a bare cable".to_owned(),
        GatewayKind::Ptp4lTc => "ptp4l as a transparent clock".to_owned(),
        GatewayKind::Raw => "a raw-socket forwarder".to_owned(),
        GatewayKind::V3 => "a TPACKET_V3 forwarder".to_owned(),
        GatewayKind::Stamped => "a TPACKET_V3 forwarder that batches and reads stamps".to_owned(),
        GatewayKind::Deaf => "nobody".to_owned(),
        GatewayKind::Pcap => "a libpcap forwarder".to_owned(),
    };
    let pattern = if options.bursts() {
        "all at once after each Sync"
    } else {
        "evenly spread"
    };
    let title = format!(
        "{} PTP clients, {} requests a second each, {pattern}, through {through}",
        options.clients, options.rate
    );
    let text = format!(
        "{}, {} s: {} of {} requests answered, {} foreign and {} rogue frames delivered",
        options.transport.label(),
        options.seconds,
        report.requests_answered,
        report.requests_sent,
        report.foreign_delivered,
        report.rogue_delivered
    );
    [title, text]
}

/// Requests per millisecond, in a window of a few Sync intervals from the middle of the run.
fn arrivals(area: &Panel<'_>, options: &Options, details: &Details) -> Drawn {
    let (sent, heard) = (details.departures.counts(), details.arrivals.counts());
    let window = window(sent, options);
    let from = window.start;
    let cut = |counts: &[u32]| -> Vec<(f64, f64)> {
        let counts = counts.get(window.clone()).unwrap_or_default();
        let place = |(ms, &count): (usize, &u32)| (ms as f64, f64::from(count));
        counts.iter().enumerate().map(place).collect()
    };
    let (sent, heard) = (cut(sent), cut(heard));
    let top = sent
        .iter()
        .chain(&heard)
        .map(|&(_, y)| y)
        .fold(4.0, f64::max)
        * 1.3;
    let mut chart = Axes {
        caption: "Requests at the grandmaster over time: as clients send them, and as they arrive through the gateway",
        x: (
            0.0..window.len() as f64,
            &format!("time in ms, from {:.1} s into the measurement", from as f64 / 1e3),
            0,
        ),
        y: (0.0..top, "requests per ms", 0),
    }
    .on(area)?;
    for (points, color, label) in [
        (sent, SENT, "sent by the clients = arrivals without jitter"),
        (heard, HEARD, "arriving at the grandmaster"),
    ] {
        let points = points.into_iter().filter(|&(_, y)| y > 0.0);
        let corners = points.map(|(x, y)| [(x, 0.0), (x + 1.0, y)]);
        drawing::bars(&mut chart, corners, color, label)?;
    }
    drawing::legend(&mut chart)
}

fn window(sent: &[u32], options: &Options) -> std::ops::Range<usize> {
    let intervals = if options.bursts() { 3.0 } else { 2.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and the option is positive"
    )]
    let length = (intervals * 1000.0 / options.rate).ceil() as usize;
    let length = length.clamp(60, 1500).min(sent.len());
    let middle = sent.len().saturating_sub(length) / 2;
    // From shortly before a burst, so that the eye has a beginning.
    let after = sent.get(middle..).unwrap_or_default();
    let burst = after.iter().position(|&count| count > 0).unwrap_or(0);
    let start = (middle + burst).saturating_sub(length / 30);
    start..(start + length).min(sent.len())
}

fn holds(area: &Panel<'_>, options: &Options, details: &Details) -> Drawn {
    let caption = match options.gateway {
        GatewayKind::Ours => {
            "How long requests were held (departure at the client to arrival at the grandmaster)"
        }
        _ => "How long requests took (departure at the client to arrival at the grandmaster)",
    };
    let longest = details.transit.quantile(0.9995).map_or(1.0, float);
    let (unit, per) = if longest > 500_000.0 {
        ("ms", 1e6)
    } else {
        ("us", 1e3)
    };
    let text = Words {
        caption,
        x: format!("time in {unit}"),
        unit,
    };
    histogram(area, &details.transit, per, HEARD, &text)
}

fn errors(area: &Panel<'_>, details: &Details) -> Drawn {
    let text = Words {
        caption: "What the correction left of that time: the cables (the same over a bare cable), and the error",
        x: "t4 - t3 - correctionField, in ns".to_owned(),
        unit: "ns",
    };
    histogram(area, &details.residual, 1.0, ERROR, &text)
}

struct Words {
    caption: &'static str,
    x: String,
    unit: &'static str,
}

/// Share of values in equal bins, with median and 99th percentile marked.
fn histogram(area: &Panel<'_>, counts: &Counts, per: f64, color: RGBColor, text: &Words) -> Drawn {
    let at = |q| counts.quantile(q).map_or(0.0, |ns| float(ns) / per);
    let low = at(0.002).min(0.0);
    let high = at(0.998).max(low + 1.0) * 1.05;
    let width = (high - low) / BINS as f64;
    let mut bins = [0.0_f64; BINS];
    let total = counts.total().max(1) as f64;
    for &(ns, count) in &counts.0 {
        let place = (float(ns) / per - low) / width;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float cast saturates, and what lies outside the bins is not counted"
        )]
        if let Some(bin) = bins.get_mut(place as usize).filter(|_| place >= 0.0) {
            *bin += count as f64 / total * 100.0;
        }
    }
    let top = bins.iter().copied().fold(0.1, f64::max) * 1.15;
    let mut chart = Axes {
        caption: text.caption,
        x: (low..high, &text.x, usize::from(high < 10.0)),
        y: (0.0..top, "% of requests", usize::from(top < 10.0)),
    }
    .on(area)?;
    chart.draw_series(bins.iter().enumerate().map(|(bin, &share)| {
        let left = low + bin as f64 * width;
        Rectangle::new(
            [(left, 0.0), (left + width, share)],
            color.mix(0.8).filled(),
        )
    }))?;
    let digits = if per > 1.0 { 2 } else { 0 };
    for (name, q, color) in [("p50", 0.5, MARK), ("p99", 0.99, ALARM)] {
        let label = format!("{name} = {:.digits$} {}", at(q), text.unit);
        drawing::upright(&mut chart, at(q), (0.0, top), color, label)?;
    }
    // Nothing to draw: where the tail ends that the axis leaves out.
    let last = format!("largest = {:.digits$} {}", at(1.0), text.unit);
    chart
        .draw_series(LineSeries::new([(low, 0.0)], WHITE))?
        .label(last);
    drawing::legend(&mut chart)
}
