//! A fail-over as a picture: three panels over the same time, one above the other.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::failover::{FailOverDetails, FailOverReport};
use crate::lab::figures::recorder::float;
use crate::lab::figures::timeline::BIN_NS;
use crate::lab::options::Options;

const SIZE: (u32, u32) = (1000, 1080);
const HEADING: u32 = 70;
const SENT: RGBColor = RGBColor(0xE0, 0x7B, 0x39);
const HEARD: RGBColor = RGBColor(0x1F, 0x6F, 0xB2);
const ERROR: RGBColor = RGBColor(0x2E, 0x8B, 0x57);
const MARK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const FAILED: RGBColor = RGBColor(0xC0, 0x39, 0x2B);
/// Seconds before and after the fail-over.
const AROUND: f64 = 2.0;
/// Seconds of a bin.
const BIN: f64 = BIN_NS as f64 / 1e9;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws the three panels to an SVG file.
pub fn draw(
    path: &Path,
    options: &Options,
    report: &FailOverReport,
    details: &FailOverDetails,
) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let result = (|| -> Result<(), Box<dyn std::error::Error + '_>> {
        root.fill(&WHITE)?;
        let (heading, panels) = root.split_vertically(HEADING);
        draw_heading(&heading, options, report)?;
        if let [first, second, third] = &panels.split_evenly((3, 1))[..] {
            answers(first, report, details)?;
            syncs(second, report, details)?;
            errors(third, report, details)?;
        }
        root.present()?;
        Ok(())
    })();
    // Their errors hold on to the drawing: only the words leave.
    result.map_err(|error| anyhow!("{error}"))
}

fn draw_heading(area: &Panel<'_>, options: &Options, report: &FailOverReport) -> Drawn {
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
    for (text, at, size) in [(title, (20, 14), 20), (text, (20, 42), 15)] {
        let style = ("sans-serif", size).into_font().color(&MARK);
        area.draw(&Text::new(text, at, style))?;
    }
    Ok(())
}

/// Axes around the fail-over, with a line there; from `low` to `high`.
fn chart<'a, 'b>(
    area: &'a Panel<'b>,
    report: &FailOverReport,
    caption: &str,
    y: &str,
    (low, high): (f64, f64),
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let at = report.failed_at_s;
    let range = (at - AROUND).max(0.0)..(at + AROUND).min(report.seconds);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(64)
        .build_cartesian_2d(range, low..high)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_desc("time in s, from the beginning of the measurement")
        .y_desc(y)
        .x_label_formatter(&|x| format!("{x:.1}"))
        .y_label_formatter(&move |y| format!("{y:.*}", usize::from(high - low < 10.0)))
        .draw()?;
    chart
        .draw_series(LineSeries::new(
            [(at, low), (at, high)],
            FAILED.stroke_width(2),
        ))?
        .label("fail-over")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 14, y)], FAILED.stroke_width(2)));
    Ok(chart)
}

fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Drawn {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(MARK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
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
        let bars = counts.into_iter().enumerate().map(|(bin, count)| {
            let corners = [(left(bin) + from * BIN, 0.0), (left(bin) + to * BIN, count)];
            Rectangle::new(corners, color.mix(0.8).filled())
        });
        chart
            .draw_series(bars)?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    }
    legend(&mut chart)
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
    legend(&mut chart)
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
    let bars = bins.into_iter().map(|(x, low, high)| {
        let corners = [(x + 0.2 * BIN, low), (x + 0.8 * BIN, high)];
        Rectangle::new(corners, ERROR.mix(0.8).filled())
    });
    chart
        .draw_series(bars)?
        .label("lowest to highest")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], ERROR.filled()));
    legend(&mut chart)
}

/// Room for all of these, and for zero.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0_f64, 1.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = (high - low) * 0.1;
    (if low < 0.0 { low - room } else { 0.0 }, high + 2.5 * room)
}
