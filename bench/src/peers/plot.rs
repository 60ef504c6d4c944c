//! The comparison as a picture: four panels of bars, one bar a gateway.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, SegmentedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordi32;
use plotters::prelude::*;

use super::case::{Figures, Peer};
use super::report::Report;
use crate::accuracy::Spread;

const SIZE: (u32, u32) = (1000, 900);
const OURS: RGBColor = RGBColor(0x1F, 0x6F, 0xB2);
const OTHER: RGBColor = RGBColor(0x9A, 0xA5, 0xB1);
const MARK: RGBColor = RGBColor(0x33, 0x33, 0x33);

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Pick = fn(&Figures) -> Option<f64>;
type Chart<'a, 'b, X> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, SegmentedCoord<RangedCoordi32>>>;

/// The axis of a panel.
#[derive(Clone, Copy)]
enum Scale {
    Linear,
    /// Where gateways differ by orders of magnitude.
    Logarithmic,
}

/// Draws the report to an SVG file.
pub fn draw(path: &Path, report: &Report) -> Result<()> {
    let panels: [(&str, Scale, Pick); 4] = [
        (
            "Forwarder CPU, us per request with its response",
            Scale::Linear,
            |f| f.cpu_us,
        ),
        (
            "Whole machine, us per request with its response",
            Scale::Linear,
            |f| f.machine_us,
        ),
        (
            "Delay_Req way left uncorrected, p99, us (logarithmic)",
            Scale::Logarithmic,
            |f| Some(f.residual_p99_ns? / 1e3),
        ),
        (
            "Way of a Sync through the gateway, p50, us (logarithmic)",
            Scale::Logarithmic,
            |f| f.sync_p50_us,
        ),
    ];
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let result = (|| -> Drawn {
        root.fill(&WHITE)?;
        let (heading, rest) = root.split_vertically(60);
        let title = "The same PTP clients through different gateways (shorter is better)";
        heading.draw(&Text::new(
            title,
            (20, 10),
            ("sans-serif", 20).into_font().color(&MARK),
        ))?;
        heading.draw(&Text::new(
            report.load.clone(),
            (20, 36),
            ("sans-serif", 14).into_font().color(&MARK),
        ))?;
        for (area, (caption, scale, pick)) in rest.split_evenly((2, 2)).iter().zip(panels) {
            panel(area, report, caption, scale, pick)?;
        }
        root.present()?;
        Ok(())
    })();
    result.map_err(|error| anyhow!("{error}"))
}

fn panel(area: &Panel<'_>, report: &Report, caption: &str, scale: Scale, pick: Pick) -> Drawn {
    let bars: Vec<_> = report
        .rows
        .iter()
        .filter_map(|row| Some((row.peer, row.spread(pick)?)))
        .filter(|(_, spread)| spread.min > 0.0)
        .collect();
    let low = bars
        .iter()
        .map(|(_, s)| s.min)
        .fold(f64::INFINITY, f64::min);
    let high = bars.iter().map(|(_, s)| s.max).fold(0.0, f64::max);
    if bars.is_empty() {
        return Ok(());
    }
    let places = (0..i32::try_from(bars.len())? - 1).into_segmented();
    let mut builder = ChartBuilder::on(area);
    builder
        .caption(caption, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(24)
        .y_label_area_size(165);
    // To the right there is room for the last bar's number.
    match scale {
        Scale::Linear => fill(
            &mut builder.build_cartesian_2d(0.0..high * 1.2, places)?,
            0.0,
            &bars,
        ),
        Scale::Logarithmic => {
            let low = low / 2.0;
            let axis = (low..high * 5.0).log_scale();
            fill(&mut builder.build_cartesian_2d(axis, places)?, low, &bars)
        }
    }
}

/// One bar a gateway from `low` to the median, a whisker from smallest to largest, the number beside it.
fn fill<X>(chart: &mut Chart<'_, '_, X>, low: f64, bars: &[(&str, Spread)]) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let count = i32::try_from(bars.len())?;
    // From top to bottom as in the table.
    let place = |y: i32| count - 1 - y;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .x_labels(4)
        .x_label_formatter(&|x| format!("{x}"))
        .y_labels(bars.len())
        .y_label_formatter(&|y| match y {
            SegmentValue::CenterOf(y) | SegmentValue::Exact(y) => usize::try_from(place(*y))
                .ok()
                .and_then(|at| bars.get(at))
                .map_or(String::new(), |(peer, _)| (*peer).to_owned()),
            SegmentValue::Last => String::new(),
        })
        .draw()?;
    for (y, (peer, spread)) in (0..).zip(bars) {
        let ours = [Peer::Ours, Peer::OursUnheld, Peer::OursUnbatched]
            .iter()
            .any(|ours| ours.label() == *peer);
        let color = if ours { OURS } else { OTHER };
        let (exact, next) = (
            SegmentValue::Exact(place(y)),
            SegmentValue::Exact(place(y) + 1),
        );
        let mut bar = Rectangle::new([(low, exact), (spread.median, next)], color.filled());
        bar.set_margin(4, 4, 0, 0);
        let middle = SegmentValue::CenterOf(place(y));
        chart.draw_series([bar])?;
        chart.draw_series(LineSeries::new(
            [(spread.min, middle.clone()), (spread.max, middle.clone())],
            MARK,
        ))?;
        let digits = usize::from(spread.median < 100.0) + usize::from(spread.median < 10.0);
        chart.draw_series([EmptyElement::at((spread.max, middle))
            + Text::new(
                format!("{:.digits$}", spread.median),
                (6, -6),
                ("sans-serif", 13).into_font().color(&MARK),
            )])?;
    }
    Ok(())
}
