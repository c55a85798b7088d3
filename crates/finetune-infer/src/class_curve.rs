//! The data of a precision-recall curve.

/// A class with each row's membership and probability.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCurve<'a> {
    /// Name of the class.
    pub class: &'a str,
    /// Whether each row belongs to the class, `[rows]`.
    pub labels: Vec<bool>,
    /// Probability of the class in each row, `[rows]`.
    pub probabilities: Vec<f32>,
}

impl<'a> ClassCurve<'a> {
    /// Returns one curve per class from `probabilities` `[rows][classes]`, where `is_of(row, class)`
    /// says whether a row belongs to a class.
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
