//! Points of two values.

use maud::Markup;

use super::{
    Colour, Figure, Table,
    frame::{Axis, Mark, draw},
};
use crate::{ReportError, format::number};

/// A picture of points, with the line where both values are equal.
pub(crate) struct Scatter<'a> {
    pub title: &'a str,
    /// What a screen reader says in its place.
    pub label: String,
    pub x: &'static str,
    pub y: &'static str,
    pub points: Vec<(f64, f64)>,
    pub note: Option<String>,
    pub table: Table,
}

/// Draws points.
pub(crate) fn scatter(picture: Scatter<'_>) -> Result<Markup, ReportError> {
    let values = || picture.points.iter().flat_map(|(x, y)| [*x, *y]);
    let x = Axis::over(picture.x, values(), false, number);
    let y = Axis::over(picture.y, values(), false, number);
    let ends = x.range;
    let marks = [
        Mark::Line {
            points: vec![(ends[0], ends[0]), (ends[1], ends[1])],
            colour: Colour::Muted,
        },
        Mark::Points {
            points: picture.points,
            colour: Colour::Series(0),
        },
    ];
    let svg = draw(&picture.label, &x, &y, &marks)?;
    Ok(Figure {
        title: picture.title,
        svg,
        legend: vec![
            (Colour::Series(0), "a row".into()),
            (Colour::Muted, "prediction = target".into()),
        ],
        note: picture.note,
        table: picture.table,
        has_points: false,
    }
    .markup())
}
