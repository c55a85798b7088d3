//! A picture with its title, legend and data.

use maud::{Markup, html};

use super::Colour;
use crate::format::visible;

/// The data behind a picture, as texts.
pub(crate) struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A picture.
pub(crate) struct Figure<'a> {
    pub title: &'a str,
    pub svg: Markup,
    /// What the colours mean; one alone needs none.
    pub legend: Vec<(Colour, String)>,
    /// What else there is to say.
    pub note: Option<String>,
    pub table: Table,
    /// Whether the first column of the table is the horizontal axis, so that pointing at the picture shows rows.
    pub has_points: bool,
}

impl Figure<'_> {
    pub fn markup(self) -> Markup {
        let name = format!("Data: {}", self.title);
        html! {
            figure.pointed[self.has_points] {
                figcaption { (self.title) }
                @if self.legend.len() > 1 { ul.legend { @for (colour, name) in &self.legend {
                    li { span.swatch style={ "background:" (colour.variable()) } {} (visible(name)) }
                } } }
                (self.svg)
                @if let Some(note) = &self.note { p.note { (note) } }
                details { summary { "Data" } (table(&name, &self.table)) }
            }
        }
    }
}

/// Shows a table that scrolls by itself if it is too wide; `name` is what a screen reader calls it.
pub(crate) fn table(name: &str, table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(visible(name)) { table {
            thead { tr { @for cell in &table.head { th scope="col" { (visible(cell)) } } } }
            tbody { @for row in &table.rows { tr { @for (index, cell) in row.iter().enumerate() {
                @if index == 0 { th scope="row" { (visible(cell)) } } @else { td { (visible(cell)) } }
            } } } }
        } }
    }
}
