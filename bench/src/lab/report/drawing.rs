//! What all pictures of the lab share: a heading over panels, axes, colours, the legend.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// What clients send.
pub(super) const SENT: RGBColor = RGBColor(0xE0, 0x7B, 0x39);
/// What arrives.
pub(super) const HEARD: RGBColor = RGBColor(0x1F, 0x6F, 0xB2);
/// Errors of corrections.
pub(super) const ERROR: RGBColor = RGBColor(0x2E, 0x8B, 0x57);
/// Text and lines.
pub(super) const MARK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// What stands out.
pub(super) const ALARM: RGBColor = RGBColor(0xC0, 0x39, 0x2B);

/// Width of a picture, in pixels.
const WIDTH: u32 = 1000;
/// Height of the heading, in pixels.
const HEADING: u32 = 70;

pub(super) type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// Draws a picture of this height to an SVG file: two lines of heading, and below them the panels, one above the other.
pub(super) fn picture(
    path: &Path,
    height: u32,
    heading: [String; 2],
    panels: &[&dyn Fn(&Panel<'_>) -> Drawn],
) -> Result<()> {
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let result = (|| -> Result<(), Box<dyn Error + '_>> {
        root.fill(&WHITE)?;
        let (top, below) = root.split_vertically(HEADING);
        let [title, text] = heading;
        for (text, at, size) in [(title, (20, 14), 20), (text, (20, 42), 15)] {
            let style = ("sans-serif", size).into_font().color(&MARK);
            top.draw(&Text::new(text, at, style))?;
        }
        for (area, draw) in below.split_evenly((panels.len(), 1)).iter().zip(panels) {
            draw(area)?;
        }
        root.present()?;
        Ok(())
    })();
    // Their errors hold on to the drawing: only the words leave.
    result.map_err(|error| anyhow!("{error}"))
}

/// The axes of a panel, each with its values, its name, and the digits after the point of its labels.
pub(super) struct Axes<'a> {
    pub(super) caption: &'a str,
    pub(super) x: (Range<f64>, &'a str, usize),
    pub(super) y: (Range<f64>, &'a str, usize),
}

impl Axes<'_> {
    /// Draws them.
    pub(super) fn on<'a, 'b>(self, area: &'a Panel<'b>) -> Drawn<Chart<'a, 'b>> {
        let (x, x_name, x_digits) = self.x;
        let (y, y_name, y_digits) = self.y;
        let mut chart = ChartBuilder::on(area)
            .caption(self.caption, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_desc(x_name)
            .y_desc(y_name)
            .x_label_formatter(&|x| format!("{x:.x_digits$}"))
            .y_label_formatter(&|y| format!("{y:.y_digits$}"))
            .draw()?;
        Ok(chart)
    }
}

/// Draws bars, each from its lower left to its upper right corner.
pub(super) fn bars<'a, 'b: 'a>(
    chart: &mut Chart<'a, 'b>,
    corners: impl IntoIterator<Item = [(f64, f64); 2]>,
    color: RGBColor,
    label: &str,
) -> Drawn {
    let bars = corners.into_iter();
    chart
        .draw_series(bars.map(|corners| Rectangle::new(corners, color.mix(0.8).filled())))?
        .label(label)
        .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    Ok(())
}

/// Draws a line upright over the whole height of a panel.
pub(super) fn upright<'a, 'b: 'a>(
    chart: &mut Chart<'a, 'b>,
    x: f64,
    (low, high): (f64, f64),
    color: RGBColor,
    label: String,
) -> Drawn {
    let style = color.stroke_width(2);
    chart
        .draw_series(LineSeries::new([(x, low), (x, high)], style))?
        .label(label)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], style));
    Ok(())
}

/// Draws what the colours mean, once all series are drawn.
pub(super) fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Drawn {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(MARK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}
