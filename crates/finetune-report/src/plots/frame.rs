//! Axes, grid and the marks between them.

use maud::{Markup, PreEscaped, html};
use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{cartesian::Cartesian2d, types::RangedCoordf64},
    drawing::IntoDrawingArea,
    element::{Circle, PathElement, Polygon, Rectangle},
    style::{Color, IntoFont, RGBAColor, ShapeStyle, TextStyle},
};
use plotters_svg::SVGBackend;

use super::colour::{Colour, with_variables};
use crate::ReportError;

/// Units of the picture for each pixel of its natural size, since plotters rounds to whole units.
const SCALE: i32 = 3;
/// The natural size in pixels.
const WIDTH: i32 = 480;
const HEIGHT: i32 = 300;
/// Space for numbers and titles at the left and below, and between the frame and the edge.
const LEFT: i32 = 80;
const BOTTOM: i32 = 44;
const MARGIN: i32 = 10;
/// plotters writes a font's size divided by this.
const FONT_FACTOR: f64 = 1.24;
const FONT: f64 = 13.0;

/// An axis.
pub(crate) struct Axis {
    pub title: &'static str,
    pub range: [f64; 2],
    pub format: fn(f64) -> String,
}

/// What stands in a frame, in the units of the axes.
pub(crate) enum Mark {
    Line {
        points: Vec<(f64, f64)>,
        colour: Colour,
    },
    /// The area between two lines: x, lower and upper end.
    Band {
        points: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    Points {
        points: Vec<(f64, f64)>,
        colour: Colour,
    },
    /// Bars from 0: left, right and upper end.
    Bars {
        bars: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    /// A line from below to above.
    Upright { x: f64, colour: Colour },
}

impl Axis {
    /// Returns an axis that has these values, with a little space beyond them, or from 0 on.
    pub fn over(
        title: &'static str,
        values: impl Iterator<Item = f64>,
        from_zero: bool,
        format: fn(f64) -> String,
    ) -> Self {
        let values = values.filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let range = match (low.is_finite(), high > low) {
            (false, _) => [0.0, 1.0],
            (true, _) if from_zero && low >= 0.0 => {
                [0.0, if high > 0.0 { 1.05 * high } else { 1.0 }]
            }
            (true, true) => [low - 0.04 * (high - low), high + 0.04 * (high - low)],
            (true, false) => [
                low - 0.5 * low.abs().max(1e-9),
                low + 0.5 * low.abs().max(1e-9),
            ],
        };
        Self {
            title,
            range,
            format,
        }
    }

    /// Returns the value of a tick: what is 0 but for rounding is 0.
    fn tick(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        match value.abs() < 1e-9 * (high - low) {
            true => 0.0,
            false => value,
        }
    }

    /// Returns an axis of exactly this range.
    pub fn of(title: &'static str, range: [f64; 2], format: fn(f64) -> String) -> Self {
        Self {
            title,
            range,
            format,
        }
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn failed(error: impl std::fmt::Display) -> ReportError {
    ReportError::Plot(error.to_string())
}

/// Draws a picture; `label` is what a screen reader says in its place. Values that are not finite are left out.
pub(super) fn draw(label: &str, x: &Axis, y: &Axis, marks: &[Mark]) -> Result<Markup, ReportError> {
    let mut svg = String::new();
    {
        let size = [WIDTH, HEIGHT].map(|length| (SCALE * length).unsigned_abs());
        let root = SVGBackend::with_string(&mut svg, size.into()).into_drawing_area();
        let ink = Colour::Text.placeholder();
        let font = |size: f64| {
            let font = ("sans-serif", f64::from(SCALE) * size * FONT_FACTOR).into_font();
            TextStyle::from(font).color(&ink)
        };
        let mut chart = ChartBuilder::on(&root)
            .margin(SCALE * MARGIN)
            .x_label_area_size(SCALE * BOTTOM)
            .y_label_area_size(SCALE * LEFT)
            .build_cartesian_2d(x.range[0]..x.range[1], y.range[0]..y.range[1])
            .map_err(failed)?;
        let grid = Colour::Grid.placeholder();
        let (x_format, y_format) = (x.format, y.format);
        chart
            .configure_mesh()
            .x_desc(x.title)
            .y_desc(y.title)
            .x_labels(6)
            .y_labels(6)
            .max_light_lines(0)
            .bold_line_style(ShapeStyle::from(&grid).stroke_width(SCALE.unsigned_abs()))
            .axis_style(ShapeStyle::from(&grid).stroke_width(SCALE.unsigned_abs()))
            .label_style(font(FONT))
            .axis_desc_style(font(FONT))
            .x_label_formatter(&|value| x_format(x.tick(*value)))
            .y_label_formatter(&|value| y_format(y.tick(*value)))
            .draw()
            .map_err(failed)?;
        for mark in marks {
            add(&mut chart, mark, y.range)?;
        }
        drop(chart);
        root.present().map_err(failed)?;
    }
    // The frame is ours, since plotters fixes its size.
    let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
    let inner = inner
        .rsplit_once("</svg>")
        .map_or(inner, |(inner, _)| inner);
    let view = format!("0 0 {} {}", SCALE * WIDTH, SCALE * HEIGHT);
    let edges = [
        SCALE * (MARGIN + LEFT),
        SCALE * MARGIN,
        SCALE * (WIDTH - MARGIN),
        SCALE * (HEIGHT - MARGIN - BOTTOM),
    ];
    let edges = edges.map(|edge| edge.to_string()).join(" ");
    let range = format!("{} {}", x.range[0], x.range[1]);
    Ok(html! {
        svg viewBox=(view) role="img" aria-label=(label) data-edges=(edges) data-x=(range) {
            (PreEscaped(with_variables(inner)))
        }
    })
}

fn add(chart: &mut Chart<'_, '_>, mark: &Mark, y_range: [f64; 2]) -> Result<(), ReportError> {
    let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let line = |colour: Colour, width| {
        ShapeStyle::from(&colour.placeholder()).stroke_width(width * SCALE.unsigned_abs())
    };
    let area = |colour: Colour, alpha| -> RGBAColor { colour.placeholder().mix(alpha) };
    match mark {
        Mark::Line { points, colour } => {
            // An undefined value is a gap.
            let pieces = points
                .split(|point| !finite(point))
                .filter(|piece| piece.len() > 1);
            let pieces = pieces.map(|piece| PathElement::new(piece.to_vec(), line(*colour, 2)));
            chart.draw_series(pieces).map_err(failed)?;
        }
        Mark::Band { points, colour } => {
            let pieces = points
                .split(|(x, low, high)| !(finite(&(*x, *low)) && high.is_finite()))
                .filter(|piece| piece.len() > 1);
            let pieces = pieces.map(|piece| {
                let there = piece.iter().map(|(x, low, _)| (*x, *low));
                let back = piece.iter().rev().map(|(x, _, high)| (*x, *high));
                let outline: Vec<_> = there.chain(back).collect();
                Polygon::new(outline, area(*colour, 0.25).filled())
            });
            chart.draw_series(pieces).map_err(failed)?;
        }
        Mark::Points { points, colour } => {
            let points = points.iter().filter(|point| finite(point));
            let style = area(*colour, 0.7).filled();
            let points = points.map(|point| Circle::new(*point, 3 * SCALE, style));
            chart.draw_series(points).map_err(failed)?;
        }
        Mark::Bars { bars, colour } => {
            let bars = bars
                .iter()
                .filter(|(_, _, high)| high.is_finite() && *high != 0.0);
            let bars = bars.map(|(left, right, high)| {
                Rectangle::new([(*left, 0.0), (*right, *high)], area(*colour, 0.8).filled())
            });
            chart.draw_series(bars).map_err(failed)?;
        }
        Mark::Upright { x, colour } => {
            let ends = vec![(*x, y_range[0]), (*x, y_range[1])];
            let element = PathElement::new(ends, line(*colour, 1));
            chart
                .draw_series(std::iter::once(element))
                .map_err(failed)?;
        }
    }
    Ok(())
}
