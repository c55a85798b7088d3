//! A validation set out of the training set, with the same class shares.

use crate::permutation::Permutation;
use crate::{Columns, Error, Label, LabelDecoder, LabelSchema, Result, Split};

/// Streams of the permutations, one per class from here on.
const STRATIFIED_SPLIT: u64 = 0x7374_7261_7400_0000;

impl Split {
    /// Splits the rows into training and validation, `fraction` of them (between 0 and 1) to
    /// validation, each class in proportion. A class keeps at least one row for training. For
    /// regression, or without labels, rows are drawn at random. Two passes over the label column.
    ///
    /// # Errors
    /// A fraction outside (0, 1), fewer than two rows, or a label that cannot be decoded.
    pub fn stratified_split(
        &self,
        columns: &Columns,
        labels: Option<&LabelSchema>,
        fraction: f64,
        seed: u64,
    ) -> Result<(Split, Split)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            let message =
                format!("the validation share is {fraction}; it must lie between 0 and 1");
            return Err(Error::Stratify { message });
        }
        if self.len() < 2 {
            let message = format!(
                "`{}` has {} row; a validation set needs at least two to choose from",
                self.name(),
                self.len()
            );
            return Err(Error::Stratify { message });
        }
        let wanted = ((self.len() as f64 * fraction).round() as u64).clamp(1, self.len() - 1);
        let counts = match labels {
            Some(schema @ LabelSchema::Classes(names)) => {
                let mut counts = vec![0u64; names.len()];
                for class in self.classes(schema, columns)? {
                    counts[class?] += 1;
                }
                counts
            }
            _ => vec![self.len()],
        };
        let quotas = quotas(&counts, wanted);
        let draws = (STRATIFIED_SPLIT..)
            .zip(&counts)
            .map(|(stream, &count)| Permutation::new(count, seed, stream))
            .collect::<Result<Vec<_>>>()?;
        let select = |validation: bool| -> Result<Split> {
            let mut ranks = vec![0; counts.len()];
            let mut classes = match labels {
                Some(schema @ LabelSchema::Classes(_)) => Some(self.classes(schema, columns)?),
                _ => None,
            };
            self.filter(|| {
                let class = match &mut classes {
                    Some(classes) => classes.next().unwrap_or(Ok(0))?,
                    None => 0,
                };
                let rank = ranks[class];
                ranks[class] += 1;
                Ok((draws[class].get(rank) < quotas[class]) == validation)
            })
        };
        let percent = 100.0 * fraction;
        Ok((
            select(false)?.named(format!("{} without {percent}%", self.name())),
            select(true)?.named(format!("{percent}% of {}", self.name())),
        ))
    }

    fn classes(
        &self,
        schema: &LabelSchema,
        columns: &Columns,
    ) -> Result<Box<dyn Iterator<Item = Result<usize>>>> {
        let decoder = LabelDecoder::new(schema, self, columns)?;
        let batches = self.read(&[decoder.column()])?;
        Ok(Box::new(batches.flat_map(move |rows| {
            let labels = rows.and_then(|rows| decoder.decode(&rows));
            let (labels, error) = match labels {
                Ok(labels) => (labels, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            let class = |label| match label {
                Label::Class(class) => Ok(class as usize),
                Label::Value(_) => Ok(0),
            };
            labels.into_iter().map(class).chain(error)
        })))
    }
}

/// Rows of each class for validation: proportional, rounded by largest remainder, and never the last
/// row of a class.
fn quotas(counts: &[u64], wanted: u64) -> Vec<u64> {
    let total: u64 = counts.iter().sum();
    let share = |count: u64| u128::from(count) * u128::from(wanted);
    let mut quotas: Vec<u64> = counts
        .iter()
        .map(|&c| (share(c) / u128::from(total)) as u64)
        .collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(share(counts[i]) % u128::from(total)));
    for (quota, &count) in quotas.iter_mut().zip(counts) {
        *quota = (*quota).min(count.saturating_sub(1));
    }
    let mut missing = wanted - quotas.iter().sum::<u64>();
    while missing > 0 {
        let mut given = false;
        for &i in &order {
            if missing > 0 && quotas[i] + 1 < counts[i] {
                quotas[i] += 1;
                missing -= 1;
                given = true;
            }
        }
        if !given {
            break;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn proportional_and_never_the_last() {
        assert_eq!(quotas(&[50, 50], 10), [5, 5]);
        assert_eq!(quotas(&[90, 10], 10), [9, 1]);
        assert_eq!(quotas(&[97, 1, 2], 10), [10, 0, 0]);
        assert_eq!(quotas(&[1, 1], 1), [0, 0]);
        assert_eq!(quotas(&[1, 5, 0], 5), [0, 4, 0]);
    }

    proptest! {
        #[test]
        fn quotas_are_close_to_proportional(counts in prop::collection::vec(0u64..200, 1..6), percent in 1u64..100) {
            let total: u64 = counts.iter().sum();
            prop_assume!(total >= 2);
            let wanted = (total * percent / 100).clamp(1, total - 1);
            let quotas = quotas(&counts, wanted);
            prop_assert!(quotas.iter().sum::<u64>() <= wanted);
            for (quota, count) in quotas.iter().zip(&counts) {
                prop_assert!(*quota <= count.saturating_sub(1));
            }
        }
    }
}
