//! The labels of a batch.

use crate::Targets;

/// The labels of a batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The rows are unlabelled.
    None,
    /// One class index per row, `[batch]`.
    Classes(Vec<u32>),
    /// Any number of classes per row.
    MultiLabel {
        /// Number of classes.
        width: usize,
        /// Whether the row has the class, `[batch, width]` in row-major order.
        values: Vec<bool>,
    },
    /// Regression targets.
    Values {
        /// Number of values per row.
        width: usize,
        /// `[batch, width]` in row-major order, at the precision of the data file: metrics need all
        /// digits, and the loss rounds to `f32` where it is computed.
        values: Vec<f64>,
    },
}

impl Labels {
    /// Borrows the labels as targets; `None` if the rows are unlabelled.
    pub fn targets(&self) -> Option<Targets<'_>> {
        match self {
            Self::None => None,
            Self::Classes(classes) => Some(Targets::Classes(classes)),
            Self::MultiLabel { values, .. } => Some(Targets::MultiLabel(values)),
            Self::Values { values, .. } => Some(Targets::Values(values)),
        }
    }

    /// Iterates over the classes of row `index` of the batch. Regression targets and unlabelled rows
    /// have none, and neither has a row beyond the end.
    pub fn classes_of(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let class = match self {
            Self::Classes(classes) => classes.get(index).map(|&class| class as usize),
            _ => None,
        };
        let marks = match self {
            Self::MultiLabel { width, values } => {
                let start = index.saturating_mul(*width);
                let row = start..start.saturating_add(*width);
                values.get(row).unwrap_or_default()
            }
            _ => &[],
        };
        let marked = marks.iter().enumerate().filter(|(_, mark)| **mark);
        class.into_iter().chain(marked.map(|(class, _)| class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_a_row() {
        let of = |labels: &Labels, row| labels.classes_of(row).collect::<Vec<_>>();
        let classes = Labels::Classes(vec![2, 0]);
        assert_eq!(of(&classes, 0), [2]);
        assert!(of(&classes, 2).is_empty());
        let marks = Labels::MultiLabel {
            width: 3,
            values: vec![true, false, true, false, false, false],
        };
        assert_eq!(of(&marks, 0), [0, 2]);
        assert!(of(&marks, 1).is_empty() && of(&marks, 2).is_empty());
        let values = Labels::Values {
            width: 1,
            values: vec![1.0],
        };
        assert!(of(&values, 0).is_empty());
        assert_eq!(values.targets(), Some(Targets::Values(&[1.0])));
        assert_eq!(Labels::None.targets(), None);
    }

    #[test]
    fn targets_borrow_the_values() {
        let classes = Labels::Classes(vec![2, 0]);
        assert_eq!(classes.targets(), Some(Targets::Classes(&[2, 0])));
        let marks = Labels::MultiLabel {
            width: 2,
            values: vec![true, false],
        };
        assert_eq!(marks.targets(), Some(Targets::MultiLabel(&[true, false])));
        // f64 all the way: 0.1 is not the nearest f32.
        let values = Labels::Values {
            width: 1,
            values: vec![0.1],
        };
        assert_eq!(values.targets(), Some(Targets::Values(&[0.1])));
    }

    #[test]
    fn rows_far_beyond_the_end_have_no_classes() {
        let marks = Labels::MultiLabel {
            width: 3,
            values: vec![true; 3],
        };
        for row in [1, usize::MAX / 2, usize::MAX] {
            assert_eq!(marks.classes_of(row).count(), 0, "{row}");
        }
    }
}
