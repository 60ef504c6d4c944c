//! A fail-over as a picture: three panels over the same time, one above the other.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use super::drawing::{self, ALARM, Axes, Chart, Drawn, ERROR, HEARD, Panel, SENT};
use super::failover::{FailOverDetails, FailOverReport};
use crate::lab::figures::recorder::float;
use crate::lab::figures::timeline::BIN_NS;
use crate::lab::options::Options;

/// Height of the picture, in pixels.
const HEIGHT: u32 = 1080;
/// Seconds before and after the fail-over.
const AROUND: f64 = 2.0;
/// Seconds of a bin.
const BIN: f64 = BIN_NS as f64 / 1e9;

/// Draws the three panels to an SVG file.
pub fn draw(
    path: &Path,
    options: &Options,
    report: &FailOverReport,
    details: &FailOverDetails,
) -> Result<()> {
    drawing::picture(
        path,
        HEIGHT,
        heading(options, report),
        &[
            &|area| answers(area, report, details),
            &|area| syncs(area, report, details),
            &|area| errors(area, report, details),
        ],
    )
}

fn heading(options: &Options, report: &FailOverReport) -> [String; 2] {
    let what = match report.fail_over {
        "kill" => "SIGKILL of the gateway that forwards",
        _ => "the role moved",
    };
    let title = format!(
        "{} PTP clients, {} requests a second each, over {}: {what}",
        options.clients,
        options.rate,
        options.transport.label()
    );
    let gap = report
        .sync_gap_ms
        .map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
    let text = format!(
        "longest time without a Sync {gap} (sent each {:.1} ms), {} of {} requests lost, {} wrong times",
        report.sync_interval_ms, report.requests_lost, report.requests_sent, report.wrong_times
    );
    [title, text]
}

/// Axes around the fail-over, with a line there; from `low` to `high`.
fn chart<'a, 'b>(
    area: &'a Panel<'b>,
    report: &FailOverReport,
    caption: &str,
    y: &str,
    (low, high): (f64, f64),
) -> Drawn<Chart<'a, 'b>> {
    let at = report.failed_at_s;
    let range = (at - AROUND).max(0.0)..(at + AROUND).min(report.seconds);
    let mut chart = Axes {
        caption,
        x: (range, "time in s, from the beginning of the measurement", 1),
        y: (low..high, y, usize::from(high - low < 10.0)),
    }
    .on(area)?;
    let label = "fail-over".to_owned();
    drawing::upright(&mut chart, at, (low, high), ALARM, label)?;
    Ok(chart)
}

/// The left end of a bin, in seconds.
fn left(bin: usize) -> f64 {
    bin as f64 * BIN
}

/// Requests sent and answered in each tenth of a second.
fn answers(area: &Panel<'_>, report: &FailOverReport, details: &FailOverDetails) -> Drawn {
    let per_bin = usize::try_from(BIN_NS / 1_000_000).unwrap_or(1);
    let counts = details.departures.counts().chunks(per_bin);
    let sent: Vec<f64> = counts
        .map(|bin| bin.iter().map(|&n| f64::from(n)).sum())
        .collect();
    let answered = details.answers.bins().iter();
    let answered: Vec<f64> = answered.map(|bin| f64::from(bin.answers)).collect();
    let top = sent.iter().chain(&answered).copied().fold(4.0, f64::max) * 1.3;
    let caption =
        "Requests in each tenth of a second: as clients send them, and answered (by their arrival)";
    let mut chart = chart(area, report, caption, "requests per 100 ms", (0.0, top))?;
    for (counts, color, label, (from, to)) in [
        (sent, SENT, "sent by the clients", (0.08, 0.5)),
        (answered, HEARD, "answered", (0.5, 0.92)),
    ] {
        let corners = counts
            .into_iter()
            .enumerate()
            .map(|(bin, count)| [(left(bin) + from * BIN, 0.0), (left(bin) + to * BIN, count)]);
        drawing::bars(&mut chart, corners, color, label)?;
    }
    drawing::legend(&mut chart)
}

/// Each Sync: what a client would take its time to be off by.
fn syncs(area: &Panel<'_>, report: &FailOverReport, details: &FailOverDetails) -> Drawn {
    let at = |ns: i64| float(ns) / 1e9;
    let points: Vec<_> = (details.syncs.iter())
        .map(|&(came, error)| (at(came), float(error) / 1e3))
        .filter(|(s, _)| (s - report.failed_at_s).abs() <= AROUND)
        .collect();
    let caption = "Each Sync with its Follow_Up at the clients: what is left of its time on the way, the cables and the error";
    let bounds = bounds(points.iter().map(|&(_, us)| us));
    let mut chart = chart(
        area,
        report,
        caption,
        "t2 - t1 - corrections, in us",
        bounds,
    )?;
    let dots = points.into_iter();
    chart
        .draw_series(dots.map(|point| Circle::new(point, 3, HEARD.filled())))?
        .label("a Sync")
        .legend(|(x, y)| Circle::new((x + 7, y), 3, HEARD.filled()));
    drawing::legend(&mut chart)
}

/// The errors of the answers of each tenth of a second, from the lowest to the highest.
fn errors(area: &Panel<'_>, report: &FailOverReport, details: &FailOverDetails) -> Drawn {
    let us = |ns: i64| float(ns) / 1e3;
    let bins: Vec<_> = (details.answers.bins().iter().enumerate())
        .filter(|(bin, of)| of.answers > 0 && (left(*bin) - report.failed_at_s).abs() <= AROUND)
        .map(|(bin, of)| (left(bin), us(of.low), us(of.high)))
        .collect();
    let caption = "The same of the answered requests of each tenth of a second, from the lowest to the highest";
    let bounds = bounds(bins.iter().flat_map(|&(_, low, high)| [low, high]));
    let mut chart = chart(
        area,
        report,
        caption,
        "t4 - t3 - correctionField, in us",
        bounds,
    )?;
    let corners = bins.into_iter();
    let corners = corners.map(|(x, low, high)| [(x + 0.2 * BIN, low), (x + 0.8 * BIN, high)]);
    drawing::bars(&mut chart, corners, ERROR, "lowest to highest")?;
    drawing::legend(&mut chart)
}

/// Room for all of these, and for zero.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0_f64, 1.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = (high - low) * 0.1;
    (if low < 0.0 { low - room } else { 0.0 }, high + 2.5 * room)
}
