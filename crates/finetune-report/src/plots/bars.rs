//! Bars of counts or shares, with a line for comparison.

use maud::Markup;

use super::{
    Colour, Figure, Table,
    frame::{Axis, Mark, draw},
};
use crate::{ReportError, format::number};

/// A bar: its left, right and upper end.
pub(crate) type Bar = (f64, f64, f64);

/// A picture of bars.
pub(crate) struct Bars<'a> {
    pub title: &'a str,
    /// What a screen reader says in its place.
    pub label: String,
    pub x: &'static str,
    pub y: &'static str,
    /// The range of the vertical axis; `None` for that of the bars.
    pub y_range: Option<[f64; 2]>,
    /// Bars by series.
    pub series: Vec<(String, Colour, Vec<Bar>)>,
    /// A line for comparison.
    pub line: Option<(String, Vec<(f64, f64)>)>,
    pub note: Option<String>,
    pub table: Table,
}

/// Draws bars.
pub(crate) fn bars(picture: Bars<'_>) -> Result<Markup, ReportError> {
    let all = || picture.series.iter().flat_map(|(_, _, bars)| bars);
    let edges = all().flat_map(|(left, right, _)| [*left, *right]);
    let (low, high) = edges.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), edge| {
        (low.min(edge), high.max(edge))
    });
    let x = match high > low {
        true => Axis::of(picture.x, [low, high], number),
        false => Axis::over(picture.x, [low].into_iter(), false, number),
    };
    let y = match picture.y_range {
        Some(range) => Axis::of(picture.y, range, number),
        None => Axis::over(picture.y, all().map(|bar| bar.2), true, number),
    };
    let mut marks: Vec<_> = picture
        .series
        .iter()
        .map(|(_, colour, bars)| Mark::Bars {
            bars: bars.clone(),
            colour: *colour,
        })
        .collect();
    let legend = picture.series.iter();
    let mut legend: Vec<_> = legend
        .map(|(name, colour, _)| (*colour, name.clone()))
        .collect();
    if let Some((name, points)) = picture.line {
        let colour = Colour::Muted;
        marks.push(Mark::Line { points, colour });
        legend.push((colour, name));
    }
    let svg = draw(&picture.label, &x, &y, &marks)?;
    Ok(Figure {
        title: picture.title,
        svg,
        legend,
        note: picture.note,
        table: picture.table,
        has_points: false,
    }
    .markup())
}
