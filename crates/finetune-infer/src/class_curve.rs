//! What a precision-recall curve is drawn from.

/// A class, which rows are of it, and its probability in each.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCurve<'a> {
    /// Name of the class.
    pub class: &'a str,
    /// Whether each row is of it, `[rows]`.
    pub labels: Vec<bool>,
    /// Its probability in each row, `[rows]`.
    pub probabilities: Vec<f32>,
}

impl<'a> ClassCurve<'a> {
    /// One per class, from `probabilities` `[rows][classes]` and whether a row is of a class.
    pub(crate) fn all(
        classes: &'a [String],
        probabilities: &[Vec<f32>],
        is_of: impl Fn(usize, usize) -> bool,
    ) -> Vec<Self> {
        let of_class = |(class, name): (usize, &'a String)| Self {
            class: name,
            labels: (0..probabilities.len())
                .map(|row| is_of(row, class))
                .collect(),
            probabilities: probabilities
                .iter()
                .filter_map(|row| row.get(class).copied())
                .collect(),
        };
        classes.iter().enumerate().map(of_class).collect()
    }
}
