//! The rules for keeping and removing checkpoints.

/// The number of checkpoints to keep, and the number of bytes that they may take together.
///
/// The newest and the best checkpoint are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Number of newest checkpoints to keep, in addition to the best if it is not one of them. 0 means
    /// 1.
    pub keep_last: usize,
    /// Maximum size of all checkpoints together in bytes; the oldest are removed until they fit.
    pub byte_budget: Option<u64>,
}

/// A checkpoint on disk and its size in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) step: u64,
    pub(crate) bytes: u64,
}

impl Retention {
    /// Splits the checkpoints, sorted by step, into those to remove and those to keep after saving
    /// `saved`.
    ///
    /// Steps later than `saved` are left alone: they exist because a run went back, for example from a
    /// damaged checkpoint to the previous one, and it will reach them again.
    pub(crate) fn split(
        &self,
        checkpoints: &[Kept],
        saved: u64,
        best: Option<u64>,
    ) -> (Vec<Kept>, Vec<Kept>) {
        let newest = checkpoints.iter().filter(|one| one.step <= saved).count();
        let surplus = newest.saturating_sub(self.keep_last.max(1));
        let mut total: u64 = checkpoints.iter().map(|one| one.bytes).sum();
        let mut removed = Vec::new();
        let mut kept = Vec::new();
        for (age, one) in checkpoints.iter().enumerate() {
            let protected = one.step >= saved || Some(one.step) == best;
            if !protected && age < surplus {
                removed.push(*one);
                total -= one.bytes;
            } else {
                kept.push(*one);
            }
        }
        let budget = self.byte_budget.unwrap_or(u64::MAX);
        kept.retain(|one| {
            let protected = one.step >= saved || Some(one.step) == best;
            let goes = !protected && total > budget;
            if goes {
                total -= one.bytes;
                removed.push(*one);
            }
            !goes
        });
        removed.sort_unstable_by_key(|one| one.step);
        (removed, kept)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the removed steps of checkpoints of 10 bytes each.
    fn removed(
        steps: &[u64],
        saved: u64,
        best: Option<u64>,
        keep_last: usize,
        byte_budget: Option<u64>,
    ) -> Vec<u64> {
        let checkpoints: Vec<Kept> = steps.iter().map(|&step| Kept { step, bytes: 10 }).collect();
        let retention = Retention {
            keep_last,
            byte_budget,
        };
        let (removed, _) = retention.split(&checkpoints, saved, best);
        removed.iter().map(|one| one.step).collect()
    }

    #[test]
    fn the_newest_and_the_best_stay() {
        assert_eq!(removed(&[1, 2, 3], 3, None, 3, None), [0; 0]);
        assert_eq!(removed(&[1, 2, 3], 3, None, 2, None), [1]);
        assert_eq!(removed(&[1, 2, 3], 3, None, 0, None), [1, 2]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(1), 2, None), [2]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(3), 2, None), [1, 2]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(4), 1, None), [1, 2, 3]);
        assert_eq!(removed(&[1, 2], 2, Some(99), usize::MAX, None), [0; 0]);
    }

    #[test]
    fn the_budget_takes_the_oldest_but_not_the_best() {
        assert_eq!(removed(&[1, 2, 3, 4], 4, None, 9, Some(40)), [0; 0]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, None, 9, Some(39)), [1]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(1), 9, Some(25)), [2, 3]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(1), 9, Some(0)), [2, 3]);
        assert_eq!(removed(&[1, 2, 3, 4], 4, Some(1), 2, Some(25)), [2, 3]);
    }

    #[test]
    fn later_steps_than_the_saved_one_are_left_alone() {
        assert_eq!(removed(&[1, 2, 3, 9], 3, None, 1, None), [1, 2]);
        assert_eq!(removed(&[1, 2, 3, 9], 3, None, 2, None), [1]);
        assert_eq!(removed(&[1, 2, 3, 9], 3, None, 9, Some(0)), [1, 2]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_promised(
            sizes in proptest::collection::btree_map(0u64..50, 0u64..100, 1..20),
            keep_last in 0usize..6,
            byte_budget in proptest::option::of(0u64..600),
            picks in (any::<proptest::sample::Index>(), proptest::option::of(0u64..50)),
        ) {
            let checkpoints: Vec<Kept> =
                sizes.iter().map(|(&step, &bytes)| Kept { step, bytes }).collect();
            let saved = checkpoints[picks.0.index(checkpoints.len())].step;
            let best = picks.1;
            let (removed, kept) =
                Retention { keep_last, byte_budget }.split(&checkpoints, saved, best);

            prop_assert_eq!(removed.len() + kept.len(), checkpoints.len());
            let free = |one: &Kept| one.step < saved && Some(one.step) != best;
            prop_assert!(removed.iter().all(free));
            prop_assert!(removed.is_sorted_by_key(|one| one.step));
            // The rest is within the budget, or nothing is left that could be removed.
            let total: u64 = kept.iter().map(|one| one.bytes).sum();
            prop_assert!(total <= byte_budget.unwrap_or(u64::MAX) || !kept.iter().any(free));
            let newest = kept.iter().filter(|one| one.step <= saved && Some(one.step) != best);
            prop_assert!(newest.count() <= keep_last.max(1));
            if byte_budget.is_none() {
                let last: Vec<u64> =
                    sizes.keys().rev().filter(|step| **step <= saved).copied().take(keep_last).collect();
                prop_assert!(removed.iter().all(|one| !last.contains(&one.step)));
            }
        }
    }
}
