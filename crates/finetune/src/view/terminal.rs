//! What fits on the terminal.

use console::{Term, measure_text_width, truncate_str};

use crate::view::output::printable;

/// A text, or a pair of texts.
pub type Texts = (String, Option<String>);

/// Columns of the terminal on standard output, if it is one.
pub fn columns() -> Option<usize> {
    let size = Term::stdout().size_checked();
    size.map(|(_, columns)| usize::from(columns))
}

/// Both texts of a pair on one line, with control characters shown.
pub fn one_line(text: &Texts) -> String {
    let joined = match text {
        (first, None) => first.clone(),
        (first, Some(second)) => format!("{first} | {second}"),
    };
    let words = joined.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&words).into_owned()
}

/// `text`, cut at `width` columns of the terminal.
pub fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// `text` with control characters shown, cut and filled up to `width` columns of the terminal.
pub fn fit(text: &str, width: usize) -> String {
    let cut = cut(&printable(text), width);
    let missing = width.saturating_sub(measure_text_width(&cut));
    cut + &" ".repeat(missing)
}

/// [`fit`], filled up on the left.
pub fn fit_right(text: &str, width: usize) -> String {
    let cut = cut(&printable(text), width);
    let missing = width.saturating_sub(measure_text_width(&cut));
    " ".repeat(missing) + &cut
}

/// Columns that `text` takes with its control characters shown.
pub fn width(text: &str) -> usize {
    measure_text_width(&printable(text))
}

/// Columns that the widest of these and `at_least` take.
pub fn widest<'a>(names: impl IntoIterator<Item = &'a String>, at_least: usize) -> usize {
    let widths = names.into_iter().map(|name| width(name));
    widths.fold(at_least, usize::max)
}
