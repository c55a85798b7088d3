//! The labels of a batch.

use crate::Targets;

/// Labels of a batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Unlabelled rows.
    None,
    /// Class indices, `[batch]`.
    Classes(Vec<u32>),
    /// Any number of classes per row.
    MultiLabel {
        /// Number of classes.
        width: usize,
        /// Whether the row has the class, `[batch, width]` row by row.
        values: Vec<bool>,
    },
    /// Values to regress to.
    Values {
        /// Values per row.
        width: usize,
        /// `[batch, width]` row by row, as exact as the file has them: metrics need all digits, and
        /// a loss in `f32` rounds them where it is computed.
        values: Vec<f64>,
    },
}

impl Labels {
    /// A view of all rows; `None` for unlabelled ones.
    pub fn targets(&self) -> Option<Targets<'_>> {
        match self {
            Self::None => None,
            Self::Classes(classes) => Some(Targets::Classes(classes)),
            Self::MultiLabel { values, .. } => Some(Targets::MultiLabel(values)),
            Self::Values { values, .. } => Some(Targets::Values(values)),
        }
    }

    /// The classes that row `index` of the batch has; none for values and unlabelled rows.
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
}
