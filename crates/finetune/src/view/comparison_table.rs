//! Shows a comparison of runs: the table, plots and what they mean.

use finetune_compare::{
    Comparison,
    table::{count, seconds},
};

use crate::view::{plot::scatter, terminal};

/// Number of columns with texts, which are aligned on the left.
const TEXTS: usize = 2;

/// Formats the table, the failures, the legend and the plots.
pub fn text(comparison: &Comparison) -> String {
    let mut text = format!("\n{}", table(&comparison.cells()));
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

fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| terminal::widest(lines.iter().filter_map(|line| line.get(column)), 0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column < TEXTS {
            true => terminal::fit(cell, width),
            false => terminal::fit_right(cell, width),
        });
        text += &format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}
