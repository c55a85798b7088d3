//! What fits on the terminal.

use console::{Term, measure_text_width, truncate_str};

/// A text, or a pair of texts.
pub type Texts = (String, Option<String>);

/// Columns of the terminal on standard output, if it is one.
pub fn columns() -> Option<usize> {
    let size = Term::stdout().size_checked();
    size.map(|(_, columns)| usize::from(columns))
}

/// Both texts of a pair on one line.
pub fn one_line(text: &Texts) -> String {
    let joined = match text {
        (first, None) => first.clone(),
        (first, Some(second)) => format!("{first} | {second}"),
    };
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text`, cut at `width` columns of the terminal.
pub fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// `text`, cut and filled up to `width` columns of the terminal.
pub fn fit(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let missing = width.saturating_sub(measure_text_width(&cut));
    cut + &" ".repeat(missing)
}

/// Columns that the widest of these and `at_least` take.
pub fn widest<'a>(names: impl IntoIterator<Item = &'a String>, at_least: usize) -> usize {
    let widths = names.into_iter().map(|name| measure_text_width(name));
    widths.fold(at_least, usize::max)
}
