//! Fewer points of a long series, so that a page does not grow with the length of a run.

/// The most points of a line over the steps.
const MOST: usize = 240;

/// One or several entries of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    /// Step of the last entry.
    pub step: u64,
    /// Number of entries with a value.
    pub entries: usize,
    /// Mean of the defined values; NaN if there is none.
    pub mean: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
}

/// Joins neighbouring entries so that at most 240 buckets are left, with the mean, the least and the greatest value
/// of each, so that no outlier is lost.
pub(crate) fn over_steps(series: impl ExactSizeIterator<Item = (u64, Option<f64>)>) -> Vec<Bucket> {
    let width = series.len().div_ceil(MOST).max(1);
    let mut buckets: Vec<Bucket> = Vec::new();
    for (index, (step, value)) in series.enumerate() {
        if index % width == 0 {
            buckets.push(Bucket {
                step,
                entries: 0,
                mean: f64::NAN,
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
            });
        }
        let Some(bucket) = buckets.last_mut() else {
            continue;
        };
        bucket.step = step;
        let Some(value) = value.filter(|value| value.is_finite()) else {
            continue;
        };
        bucket.entries += 1;
        bucket.mean = match bucket.entries {
            1 => value,
            entries => bucket.mean + (value - bucket.mean) / entries as f64,
        };
        bucket.min = bucket.min.min(value);
        bucket.max = bucket.max.max(value);
    }
    buckets
}

/// Returns at most `most` of the items, evenly spread, with the first and the last.
pub(crate) fn every<T: Clone>(items: &[T], most: usize) -> Vec<T> {
    match items.len() {
        len if len <= most || most < 2 => items.to_vec(),
        len => (0..most)
            .map(|index| items[index * (len - 1) / (most - 1)].clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_series_stays_as_it_is() {
        let buckets = over_steps([(10, Some(1.0)), (20, None), (30, Some(3.0))].into_iter());
        let means: Vec<_> = buckets
            .iter()
            .map(|bucket| (bucket.step, bucket.mean))
            .collect();
        assert_eq!((means[0], means[2]), ((10, 1.0), (30, 3.0)));
        assert!(means[1].1.is_nan());
    }

    #[test]
    fn a_long_series_keeps_its_extremes_and_its_end() {
        let series: Vec<_> = (1..=100_000_u64)
            .map(|step| {
                (
                    step,
                    Some(if step == 777 { 1e6 } else { (step % 10) as f64 }),
                )
            })
            .collect();
        let buckets = over_steps(series.into_iter());
        assert!(buckets.len() <= MOST && buckets.len() > MOST / 2);
        assert_eq!(buckets.last().unwrap().step, 100_000);
        assert_eq!(buckets.iter().filter(|bucket| bucket.max == 1e6).count(), 1);
        assert!(buckets.iter().all(|bucket| bucket.min == 0.0));
        let entries: usize = buckets.iter().map(|bucket| bucket.entries).sum();
        assert_eq!(entries, 100_000);
        let last = buckets.last().unwrap();
        assert!((4.0..5.0).contains(&last.mean), "{last:?}");
    }

    #[test]
    fn few_of_many_have_both_ends() {
        let many: Vec<_> = (0..1000).collect();
        let few = every(&many, 7);
        assert_eq!((few.len(), few[0], few[6]), (7, 0, 999));
        assert_eq!(every(&many[..3], 7), [0, 1, 2]);
    }
}
