//! Shows a comparison of runs: the table, plots and what they mean.

use finetune_compare::{
    Comparison,
    table::{count, seconds},
};

use crate::view::{aligned, plot::scatter};

/// Number of columns with texts, which are aligned on the left.
const TEXTS: usize = 2;

/// Formats the table, the failures, the legend and the plots.
pub fn text(comparison: &Comparison) -> String {
    let mut text = format!("\n{}", aligned::table(&comparison.cells(), TEXTS));
    for failure in comparison.failures() {
        text += &format!("{failure}\n");
    }
    let points = comparison.by_seconds();
    if points.len() > 1 {
        text += &format!("\n{} by training time\n", comparison.metric);
        text += &scatter(&points, seconds);
    }
    if let Some(points) = comparison.by_rows() {
        text += &format!("\n{} by training rows\n", comparison.metric);
        text += &scatter(&points, count);
    }
    text.push('\n');
    for line in &comparison.legend {
        text += &format!("{line}\n");
    }
    text
}
