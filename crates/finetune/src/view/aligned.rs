//! Tables of texts with aligned columns.

use crate::view::terminal;

/// Formats lines of cells; the first `texts` columns are aligned on the left, the others on the right.
pub fn table(lines: &[Vec<String>], texts: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| terminal::widest(lines.iter().filter_map(|line| line.get(column)), 0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column < texts {
            true => terminal::fit(cell, width),
            false => terminal::fit_right(cell, width),
        });
        text += &format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}
