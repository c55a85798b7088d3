//! A batch of rows.

use finetune_batch::PackedTokens;
use finetune_task::Labels;

/// Rows concatenated without padding, with what is known of each.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedBatch {
    /// The rows' tokens, as a model takes them: one sequence per row, whose positions count from 0.
    /// Token types are 0 for the first text of a pair and its special tokens, 1 for the second.
    pub tokens: PackedTokens,
    /// Row numbers in the tokenized data set, `[batch]`.
    pub rows: Vec<u64>,
    /// Labels of the rows, if the data has labels.
    pub labels: Labels,
}

impl PackedBatch {
    /// Returns the number of tokens in all rows.
    pub fn num_tokens(&self) -> usize {
        self.tokens.ids.len()
    }

    /// Returns the number of rows.
    pub fn batch_size(&self) -> usize {
        self.rows.len()
    }

    /// Returns the number of tokens of each row.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.tokens.offsets.ranges().map(|range| range.len())
    }

    /// Cuts the rows into groups of similar length. Returns row numbers in the batch, with the
    /// shortest rows first and in ascending order within a group. A group has at most `rows` rows
    /// and as many as fit into `tokens` tokens; a longer row is a group by itself.
    pub fn by_length(&self, rows: usize, tokens: usize) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = self.lengths().collect();
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&row| lengths[row]);
        let (mut groups, mut filled) = (Vec::<Vec<usize>>::new(), 0);
        for row in order {
            let fits = |group: &Vec<usize>| group.len() < rows && filled + lengths[row] <= tokens;
            match groups.last_mut().filter(|group| fits(group)) {
                Some(group) => group.push(row),
                None => {
                    groups.push(vec![row]);
                    filled = 0;
                }
            }
            filled += lengths[row];
        }
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups
    }

    /// Returns the number of tokens of the longest row.
    pub fn max_len(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// Returns the number of tokens of a padded batch `[batch, max_len]`.
    pub fn padded_tokens(&self) -> usize {
        self.batch_size() * self.max_len()
    }

    /// Returns the share of padding in a padded batch `[batch, max_len]`, from 0 to 1.
    pub fn padding_avoided(&self) -> f64 {
        match self.padded_tokens() {
            0 => 0.0,
            padded => 1.0 - self.num_tokens() as f64 / padded as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::builder::BatchBuilder;

    fn batch(lengths: &[usize]) -> PackedBatch {
        let mut batch = BatchBuilder::new(Labels::None);
        for (row, &length) in (0..).zip(lengths) {
            batch.ids.resize(batch.ids.len() + length, 0);
            batch.close_row(row).unwrap();
        }
        batch.finish()
    }

    #[test]
    fn groups_of_similar_length() {
        let batch = batch(&[5, 1, 9, 2, 5, 30, 1]);
        assert_eq!(
            batch.by_length(3, 12),
            [vec![1, 3, 6], vec![0, 4], vec![2], vec![5]]
        );
        // Rows that fit into one batch stay as they are.
        assert_eq!(batch.by_length(7, 100), [[0, 1, 2, 3, 4, 5, 6]]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_group(
            lengths in prop::collection::vec(1usize..40, 0..60),
            rows in 1usize..9,
            tokens in 1usize..90,
        ) {
            let groups = batch(&lengths).by_length(rows, tokens);
            for group in &groups {
                let sum: usize = group.iter().map(|&row| lengths[row]).sum();
                prop_assert!(group.len() <= rows && (sum <= tokens || group.len() == 1));
                prop_assert!(group.is_sorted());
            }
            let longest = |group: &Vec<usize>| group.iter().map(|&row| lengths[row]).max();
            prop_assert!(groups.iter().map(longest).is_sorted());
            let mut all = groups.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
