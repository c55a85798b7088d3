//! Pictures: inline SVG by plotters, each with its data as a table. One file per kind of plot.

mod bars;
mod colour;
mod figure;
mod frame;
mod lines;
mod scatter;
mod thin;

pub(crate) use bars::{Bars, bars};
pub(crate) use colour::Colour;
pub(crate) use figure::{Figure, Table, table};
pub(crate) use lines::{Line, Lines, lines};
pub(crate) use scatter::{Scatter, scatter};
pub(crate) use thin::{every, over_steps};
