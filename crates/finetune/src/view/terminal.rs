//! Fits text into the columns of the terminal.

use console::{Term, measure_text_width, truncate_str};

use crate::view::output::printable;

/// A text, or a pair of texts.
pub type Texts = (String, Option<String>);

/// Returns the number of columns of the terminal on standard output, if there is one.
pub fn columns() -> Option<usize> {
    let size = Term::stdout().size_checked();
    size.map(|(_, columns)| usize::from(columns))
}

/// Joins a text or a pair on one line, with control characters escaped.
pub fn one_line(text: &Texts) -> String {
    let joined = match text {
        (first, None) => first.clone(),
        (first, Some(second)) => format!("{first} | {second}"),
    };
    let words = joined.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&words).into_owned()
}

/// Truncates `text` to `width` columns of the terminal.
pub fn truncate(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// Truncates or pads `text`, with control characters escaped, to `width` columns of the terminal.
pub fn fit(text: &str, width: usize) -> String {
    let shown = truncate(&printable(text), width);
    let missing = width.saturating_sub(measure_text_width(&shown));
    shown + &" ".repeat(missing)
}

/// Fits as [`fit`] does, but pads on the left.
pub fn fit_right(text: &str, width: usize) -> String {
    let shown = truncate(&printable(text), width);
    let missing = width.saturating_sub(measure_text_width(&shown));
    " ".repeat(missing) + &shown
}

/// Returns the number of columns that `text` takes with its control characters escaped.
pub fn width(text: &str) -> usize {
    measure_text_width(&printable(text))
}

/// Returns the width of the widest name, but no less than `at_least`.
pub fn widest<'a>(names: impl IntoIterator<Item = &'a String>, at_least: usize) -> usize {
    let widths = names.into_iter().map(|name| width(name));
    widths.fold(at_least, usize::max)
}
