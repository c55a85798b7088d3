//! Lines over a common horizontal axis.

use maud::Markup;

use super::{
    Colour, Figure, Table,
    frame::{Axis, Mark, draw},
};
use crate::ReportError;

/// A line.
pub(crate) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// The range around each point, if it stands for several values: x, least and greatest.
    pub band: Vec<(f64, f64, f64)>,
    /// Whether the points themselves are shown, as for few of them.
    pub dots: bool,
    pub colour: Colour,
}

/// A picture of lines.
pub(crate) struct Lines<'a> {
    pub title: &'a str,
    /// What a screen reader says in its place.
    pub label: String,
    pub x: &'static str,
    pub y: &'static str,
    /// The ranges of the axes; `None` for those of the values.
    pub x_range: Option<[f64; 2]>,
    pub y_range: Option<[f64; 2]>,
    pub format: [fn(f64) -> String; 2],
    pub lines: Vec<Line>,
    /// An upright line, and what it means.
    pub upright: Option<(f64, String)>,
    pub note: Option<String>,
    pub table: Table,
    pub has_points: bool,
}

/// Draws lines, each in its colour.
pub(crate) fn lines(picture: Lines<'_>) -> Result<Markup, ReportError> {
    let points = || picture.lines.iter().flat_map(|line| &line.points);
    let bands = || picture.lines.iter().flat_map(|line| &line.band);
    let [x_format, y_format] = picture.format;
    let x = match picture.x_range {
        Some(range) => Axis::of(picture.x, range, x_format),
        None => Axis::over(picture.x, points().map(|point| point.0), true, x_format),
    };
    let y = match picture.y_range {
        Some(range) => Axis::of(picture.y, range, y_format),
        None => {
            let ends = bands().flat_map(|(_, low, high)| [*low, *high]);
            let values = points().map(|point| point.1).chain(ends);
            Axis::over(picture.y, values, false, y_format)
        }
    };
    let mut marks = Vec::new();
    if let Some((x, _)) = picture.upright {
        let colour = Colour::Muted;
        marks.push(Mark::Upright { x, colour });
    }
    for line in &picture.lines {
        let colour = line.colour;
        if !line.band.is_empty() {
            let points = line.band.clone();
            marks.push(Mark::Band { points, colour });
        }
        let points = line.points.clone();
        marks.push(Mark::Line { points, colour });
        if line.dots || line.points.len() == 1 {
            let points = line.points.clone();
            marks.push(Mark::Points { points, colour });
        }
    }
    let mut legend: Vec<_> = picture
        .lines
        .iter()
        .map(|line| (line.colour, line.name.clone()))
        .collect();
    if let Some((_, meaning)) = picture.upright {
        legend.push((Colour::Muted, meaning));
    }
    let svg = draw(&picture.label, &x, &y, &marks)?;
    Ok(Figure {
        title: picture.title,
        svg,
        legend,
        note: picture.note,
        table: picture.table,
        has_points: picture.has_points,
    }
    .markup())
}
