//! Stratified selections: a validation split with the class shares of the training set, and random
//! draws that keep every class.

use crate::batch::permutation::Permutation;
use crate::error::listed;
use crate::rows::split::SHUFFLE_TAKE;
use crate::{Columns, Error, LabelDecoder, Labels, Note, Result, Split, Task};

/// First random stream of the split's permutations; each stratum has the next.
const STRATIFIED_SPLIT: u64 = 0x7374_7261_7400_0000;
/// First random stream of the draw's permutations.
const STRATIFIED_DRAW: u64 = 0x6472_6177_0000_0000;

impl Split {
    /// Splits the rows into training and validation. `fraction` of them (between 0 and 1) goes to
    /// validation, in proportion within each class. Every class keeps at least one row for
    /// training.
    ///
    /// With several labels per row, a row counts towards the rarest of its labels, and rows without
    /// a label form a stratum of their own: rare labels are split in proportion, frequent ones
    /// nearly so. (This is one step of iterative stratification, in memory that does not grow with
    /// the number of rows.) For regression, or without labels, rows are drawn at random.
    ///
    /// Reads the label columns three times, or four times with several labels per row.
    ///
    /// # Errors
    /// Fails for a fraction outside (0, 1), fewer than two rows, and a label that cannot be
    /// decoded.
    pub fn stratified_split(
        &self,
        columns: &Columns,
        labels: Option<&Task>,
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
        let strata = Strata::new(self, columns, labels)?;
        let counts = strata.counts()?;
        let quotas = quotas(&counts, wanted);
        let draws = (STRATIFIED_SPLIT..)
            .zip(&counts)
            .map(|(stream, &count)| Permutation::new(count, seed, stream))
            .collect::<Result<Vec<_>>>()?;
        let select = |validation: bool| -> Result<Split> {
            let mut ranks = vec![0; counts.len()];
            let mut strata = strata.of_rows()?;
            self.filter(|| {
                let stratum = strata.next().unwrap_or(Ok(0))?;
                let rank = ranks[stratum];
                ranks[stratum] += 1;
                Ok((draws[stratum].get(rank) < quotas[stratum]) == validation)
            })
        };
        let percent = 100.0 * fraction;
        Ok((
            select(false)?.named(format!("{} without {percent}%", self.name())),
            select(true)?.named(format!("{percent}% of {}", self.name())),
        ))
    }

    /// Draws `n` random rows as [`shuffle_take`](Self::shuffle_take) does; 0 means all rows. If
    /// that would leave a class without a row, the rows are drawn class by class instead: at least
    /// one row of each class, the others in proportion. The note names the classes concerned. If
    /// `n` rows are too few for all classes, the plain draw stands, and the note says so.
    ///
    /// If fewer rows are drawn than there are, the label columns are read once or twice, and once
    /// more with several labels per row, where a row counts as in
    /// [`stratified_split`](Self::stratified_split). Memory use is the same as there.
    ///
    /// # Errors
    /// Fails for a label that cannot be decoded.
    pub fn draw(
        &self,
        columns: &Columns,
        labels: Option<&Task>,
        seed: u64,
        n: u64,
    ) -> Result<(Split, Option<Note>)> {
        let plain = self.shuffle_take(seed, n)?;
        let names = labels.map_or(&[][..], Task::class_names);
        if plain.len() == self.len() || names.is_empty() {
            return Ok((plain, None));
        }
        let strata = Strata::new(self, columns, labels)?;
        let (mut counts, mut drawn) = (vec![0; strata.count], vec![0; strata.count]);
        let ranks = Permutation::new(self.len(), seed, SHUFFLE_TAKE)?;
        for (row, stratum) in (0..).zip(strata.of_rows()?) {
            let stratum = stratum?;
            counts[stratum] += 1;
            drawn[stratum] += u64::from(ranks.get(row) < n);
        }
        let lost = (0..names.len()).filter(|&class| counts[class] > 0 && drawn[class] == 0);
        let lost: Vec<_> = lost
            .map(|class| {
                let plural = if counts[class] == 1 { "" } else { "s" };
                format!("`{}` ({} row{plural})", names[class], counts[class])
            })
            .collect();
        if lost.is_empty() {
            return Ok((plain, None));
        }
        let classes = if lost.len() == 1 { "class" } else { "classes" };
        let lost = format!("{classes} {}", listed(&lost, 12));
        let present = counts.iter().filter(|&&count| count > 0).count() as u64;
        if present > n {
            let note = format!(
                "the {n} rows drawn of the {} of {} have none of the {lost}; at least {present} rows have one of each",
                self.len(),
                self.name()
            );
            return Ok((plain, Some(Note::new(note))));
        }
        let mut quotas = quotas(&counts, n - present);
        for (quota, &count) in quotas.iter_mut().zip(&counts) {
            *quota += u64::from(count > 0);
        }
        let draws = (STRATIFIED_DRAW..)
            .zip(&counts)
            .map(|(stream, &count)| Permutation::new(count, seed, stream))
            .collect::<Result<Vec<_>>>()?;
        let mut ranks = vec![0; counts.len()];
        let mut of_rows = strata.of_rows()?;
        let split = self.filter(|| {
            let stratum = of_rows.next().unwrap_or(Ok(0))?;
            let rank = ranks[stratum];
            ranks[stratum] += 1;
            Ok::<_, Error>(draws[stratum].get(rank) < quotas[stratum])
        })?;
        let note = format!(
            "{n} of the {} rows of {} are drawn class by class: a plain draw would have none of the {lost}",
            self.len(),
            self.name()
        );
        let name = format!("{}, {n} random rows of every class", self.name());
        Ok((split.named(name), Some(Note::new(note))))
    }
}

/// The assignment of rows to strata.
struct Strata<'a> {
    split: &'a Split,
    /// Absent if there are no classes: all rows are then one stratum.
    decoder: Option<LabelDecoder>,
    /// Number of rows of each label, if a row can have several.
    rows_of_label: Vec<u64>,
    count: usize,
}

impl<'a> Strata<'a> {
    fn new(split: &'a Split, columns: &Columns, labels: Option<&Task>) -> Result<Self> {
        let task = labels.filter(|task| !task.class_names().is_empty());
        let mut strata = Self {
            split,
            decoder: None,
            rows_of_label: Vec::new(),
            count: 1,
        };
        let Some(task) = task else {
            return Ok(strata);
        };
        let decoder = LabelDecoder::new(task, split, columns)?;
        strata.count = task.num_labels();
        if let Task::MultiLabel(names) = task {
            let mut rows_of_label = vec![0; names.len()];
            for batch in strata.batches(&decoder)? {
                let (labels, rows) = batch?;
                for label in (0..rows).flat_map(|row| labels.classes_of(row)) {
                    rows_of_label[label] += 1;
                }
            }
            strata.rows_of_label = rows_of_label;
            // The last stratum holds the rows without a label.
            strata.count += 1;
        }
        strata.decoder = Some(decoder);
        Ok(strata)
    }

    /// Returns the number of rows in each stratum.
    fn counts(&self) -> Result<Vec<u64>> {
        let mut counts = vec![0; self.count];
        for stratum in self.of_rows()? {
            counts[stratum?] += 1;
        }
        Ok(counts)
    }

    /// Returns the stratum of each row, in order.
    fn of_rows(&self) -> Result<Box<dyn Iterator<Item = Result<usize>> + '_>> {
        let Some(decoder) = &self.decoder else {
            return Ok(Box::new((0..self.split.len()).map(|_| Ok(0))));
        };
        Ok(Box::new(self.batches(decoder)?.flat_map(move |batch| {
            let (strata, error) = match batch {
                Ok((labels, rows)) => {
                    let strata: Vec<_> = (0..rows).map(|row| self.stratum(&labels, row)).collect();
                    (strata, None)
                }
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            strata.into_iter().map(Ok).chain(error)
        })))
    }

    /// Returns the class of a row, or the rarest of its classes.
    fn stratum(&self, labels: &Labels, row: usize) -> usize {
        let rows_of = |label: usize| self.rows_of_label.get(label).copied();
        labels
            .classes_of(row)
            .min_by_key(|&label| (rows_of(label), label))
            .unwrap_or(self.count - 1)
    }

    /// Returns the labels and the number of rows of each batch.
    fn batches<'s>(
        &'s self,
        decoder: &'s LabelDecoder,
    ) -> Result<impl Iterator<Item = Result<(Labels, usize)>> + 's> {
        let columns: Vec<_> = decoder.columns().iter().map(String::as_str).collect();
        let batches = self.split.read(&columns)?;
        Ok(batches.map(move |rows| {
            let rows = rows?;
            Ok((decoder.decode(&rows)?, rows.batch.num_rows()))
        }))
    }
}

/// Returns how many rows of each class to select: in proportion, rounded by largest remainder, and
/// never the last row of a class.
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
