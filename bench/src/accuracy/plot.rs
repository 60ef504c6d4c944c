//! The result as a picture: one dot a round.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::case::{Case, Condition};
use super::measure::Measurement;
use super::report::Report;
use super::stats::{Spread, Stats};
use crate::ptp4l::Transport;

const SIZE: (u32, u32) = (1200, 860);
const FONT: &str = "sans-serif";

type Figure = fn(&Stats) -> f64;
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the report as SVG: a column for each transport, above the offset's 99th percentile and
/// below the path delay, both on a logarithmic scale.
///
/// # Errors
/// When the drawing fails.
pub fn draw(report: &Report) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        paint(&root, report).map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
        root.present()?;
    }
    Ok(svg)
}

fn paint(root: &Canvas<'_>, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let root = root.titled("The time a client gets through a gateway", (FONT, 26))?;
    let (legend, panels) = root.split_vertically(30);
    draw_legend(&legend, report)?;
    let transports: Vec<_> = Transport::ALL
        .into_iter()
        .filter(|&transport| report.measurements.iter().any(|m| m.transport == transport))
        .collect();
    let rows: [(&str, Figure); 2] = [
        ("offset p99", |stats| stats.offset_p99_ns),
        ("path delay p50", |stats| stats.path_delay_p50_ns),
    ];
    let cells = panels.split_evenly((rows.len(), transports.len().max(1)));
    let places = rows
        .iter()
        .flat_map(|row| transports.iter().map(move |t| (row, *t)));
    for (cell, (&(figure, pick), transport)) in cells.iter().zip(places) {
        let points: Vec<_> = report
            .measurements
            .iter()
            .filter(|m| m.transport == transport)
            .filter_map(|m| Some((m.case, m.condition, micros(m, pick)?)))
            .collect();
        let caption = format!("{figure}, {}", transport.label());
        draw_panel(cell, &caption, &points, bounds(report, pick))?;
    }
    Ok(())
}

/// Common to a row's panels, so that they compare: in us, from tick to tick.
fn bounds(report: &Report, pick: Figure) -> Range<f64> {
    let values = report.measurements.iter().filter_map(|m| micros(m, pick));
    let found = Spread::of(values);
    let (min, max) = found.map_or((1.0, 10.0), |found| (found.min, found.max));
    let below = ticks().filter(|&tick| tick < min).last();
    let above = ticks().find(|&tick| tick > max);
    below.unwrap_or(0.01)..above.unwrap_or(1e7)
}

/// A figure in us, and never 0, which has no logarithm.
fn micros(measurement: &Measurement, pick: Figure) -> Option<f64> {
    Some((pick(measurement.stats.as_ref()?) / 1e3).max(0.01))
}

/// 0.01, 0.02, 0.05, 0.1 and so on: from 10 ns to 10 s.
fn ticks() -> impl Iterator<Item = f64> {
    (-2..8).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

fn draw_panel(
    cell: &Canvas<'_>,
    caption: &str,
    points: &[(Case, Condition, f64)],
    bounds: Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let count = Case::ALL.len() as f64;
    let mut chart = ChartBuilder::on(cell)
        .caption(caption, (FONT, 17))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..count, bounds.clone().log_scale())?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .y_label_formatter(&|_| String::new()) // its ticks are chosen without regard to ours
        .y_desc("us")
        .label_style((FONT, 13))
        .draw()?;
    for tick in ticks().filter(|tick| bounds.start <= *tick && *tick <= bounds.end) {
        let line = PathElement::new([(0.0, tick), (count, tick)], BLACK.mix(0.15));
        chart.draw_series([line])?;
        let (x, y) = chart.backend_coord(&(0.0, tick));
        label(cell, (x - 8, y), &tick.to_string(), Anchor::LeftOf)?;
    }
    let alone = points.windows(2).all(|pair| pair[0].1 == pair[1].1);
    for (place, case) in Case::ALL.into_iter().enumerate() {
        let centre = place as f64 + 0.5;
        let (x, y) = chart.backend_coord(&(centre, chart.y_range().start));
        label(cell, (x, y + 8), case.label(), Anchor::Below)?;
        for condition in [Condition::Rest, Condition::Busy] {
            let aside = if condition == Condition::Rest {
                -0.18
            } else {
                0.18
            };
            let x = if alone { centre } else { centre + aside };
            let values = points
                .iter()
                .filter(|(of, under, _)| (*of, *under) == (case, condition))
                .map(|(_, _, value)| *value);
            let colour = colour(condition);
            chart.draw_series(
                values
                    .clone()
                    .map(|value| Circle::new((x, value), 4, colour.mix(0.6).filled())),
            )?;
            if let Some(spread) = Spread::of(values) {
                let ends = vec![(x - 0.14, spread.median), (x + 0.14, spread.median)];
                chart.draw_series([PathElement::new(ends, colour.stroke_width(3))])?;
            }
        }
    }
    Ok(())
}

/// Where a text stands, seen from the point it belongs to.
#[derive(Clone, Copy)]
enum Anchor {
    Below,
    LeftOf,
}

/// Writes a text in short lines at a point, which is in pixels of the whole picture.
fn label(
    cell: &Canvas<'_>,
    (x, y): (i32, i32),
    text: &str,
    anchor: Anchor,
) -> Result<(), Box<dyn std::error::Error>> {
    let position = match anchor {
        Anchor::Below => Pos::new(HPos::Center, VPos::Top),
        Anchor::LeftOf => Pos::new(HPos::Right, VPos::Center),
    };
    let style = (FONT, 13).into_font().into_text_style(cell).pos(position);
    let (left, top) = cell.get_base_pixel();
    let mut line_y = y - top;
    let separator = if text.contains(", ") { ", " } else { " " };
    for line in text.split(separator) {
        let at = (x - left, line_y);
        cell.draw(&Text::new(line.to_owned(), at, style.clone()))?;
        line_y += 14;
    }
    Ok(())
}

fn draw_legend(area: &Canvas<'_>, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let style = (FONT, 15).into_font().into_text_style(area);
    let mut x = 70;
    for condition in [Condition::Rest, Condition::Busy] {
        if report.measurements.iter().any(|m| m.condition == condition) {
            area.draw(&Circle::new((x, 14), 5, colour(condition).filled()))?;
            area.draw(&Text::new(condition.label(), (x + 12, 6), style.clone()))?;
            x += 210;
        }
    }
    let note = "a dot is one round, a bar their median; lower is better, and the direct cable is the floor";
    area.draw(&Text::new(note, (x, 6), style))?;
    Ok(())
}

fn colour(condition: Condition) -> RGBColor {
    match condition {
        Condition::Rest => RGBColor(0x1f, 0x77, 0xb4),
        Condition::Busy => RGBColor(0xd6, 0x5f, 0x0e),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::options::Options;
    use super::*;

    fn report(p99_us: f64) -> Report {
        let stats = Stats {
            offset_mean_ns: 0.0,
            offset_p50_ns: 0.0,
            offset_p99_ns: p99_us * 1e3,
            offset_max_ns: 0.0,
            path_delay_p50_ns: 0.0,
        };
        let measurement = Measurement {
            round: 1,
            condition: Condition::Rest,
            transport: Transport::Udp4,
            case: Case::Bridge,
            stats: Some(stats),
            beside: None,
            error: None,
        };
        Report::new(&Options::parse_from(["accuracy"]), vec![measurement])
    }

    #[test]
    fn ticks_frame_what_was_measured() {
        assert_eq!(
            bounds(&report(16.0), |stats| stats.offset_p99_ns),
            10.0..20.0
        );
        assert_eq!(
            bounds(&report(0.03), |stats| stats.offset_p99_ns),
            0.02..0.05
        );
        assert!(
            ticks().all(|tick| tick.to_string().len() <= 8),
            "they print short"
        );
    }

    #[test]
    fn only_what_was_measured_is_drawn_and_nothing_is_no_error() {
        let svg = draw(&report(16.0)).unwrap();
        assert!(svg.contains("offset p99, udp4") && !svg.contains("ethernet"));
        let empty = Report::new(&Options::parse_from(["accuracy"]), Vec::new());
        assert!(draw(&empty).unwrap().contains("</svg>"));
    }
}
