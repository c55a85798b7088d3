//! Computes histograms with the buckets of TensorBoard's `plugins/histogram/summary_v2.py`.

use crate::error::TensorboardError;

pub const BUCKETS: usize = 30;

/// Left edge, right edge, count.
pub type Bucket = [f64; 3];

/// Counts values in buckets of equal width from the smallest to the largest value, `[30, 3]`. Without
/// values, everything is 0; if all values are equal, they are in the last bucket and all edges are that
/// value.
///
/// # Errors
/// Fails if a value is NaN or infinite.
pub fn buckets(tag: &str, values: &[f32]) -> Result<Vec<Bucket>, TensorboardError> {
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(TensorboardError::HistogramValue {
            tag: tag.to_string(),
            index,
            value: values[index],
        });
    }
    if values.is_empty() {
        return Ok(vec![[0.0; 3]; BUCKETS]);
    }
    let (min, max) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), &value| {
            (min.min(value.into()), max.max(value.into()))
        });
    let last = BUCKETS - 1;
    let width = (max - min) / BUCKETS as f64;
    let edge = |i: usize| {
        if i > last {
            max
        } else {
            i as f64 * width + min
        }
    };
    let mut buckets: Vec<Bucket> = (0..BUCKETS).map(|i| [edge(i), edge(i + 1), 0.0]).collect();
    for &value in values {
        let bucket = match width > 0.0 {
            true => ((f64::from(value) - min) / width) as usize,
            false => last,
        };
        buckets[bucket.min(last)][2] += 1.0;
    }
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(buckets: &[Bucket]) -> Vec<f64> {
        buckets.iter().map(|bucket| bucket[2]).collect()
    }

    #[test]
    fn no_values_are_thirty_empty_buckets() {
        assert_eq!(buckets("w", &[]).unwrap(), vec![[0.0; 3]; 30]);
    }

    #[test]
    fn equal_values_are_in_the_last_bucket() {
        let buckets = buckets("w", &[-2.5; 7]).unwrap();
        assert_eq!(buckets[..29], vec![[-2.5, -2.5, 0.0]; 29]);
        assert_eq!(buckets[29], [-2.5, -2.5, 7.0]);
    }

    #[test]
    fn the_greatest_value_is_in_the_last_bucket_and_edges_meet() {
        let values: Vec<f32> = (0..=30).map(|i| i as f32).collect();
        let buckets = buckets("w", &values).unwrap();
        let mut expected = vec![1.0; 30];
        expected[29] = 2.0;
        assert_eq!(counts(&buckets), expected);
        assert_eq!((buckets[0][0], buckets[29][1]), (0.0, 30.0));
        assert!(buckets.windows(2).all(|pair| pair[0][1] == pair[1][0]));
    }

    #[test]
    fn the_whole_range_of_f32_does_not_overflow() {
        let buckets = buckets("w", &[f32::MIN, 0.0, f32::MAX]).unwrap();
        assert_eq!(
            (buckets[0][2], buckets[15][2], buckets[29][2]),
            (1.0, 1.0, 1.0)
        );
        assert!(buckets.iter().flatten().all(|edge| edge.is_finite()));
        // The smallest possible range has a width above 0.
        let tiny = self::buckets("w", &[0.0, f32::from_bits(1)]).unwrap();
        assert_eq!((tiny[0][2], tiny[29][2]), (1.0, 1.0));
    }

    #[test]
    fn a_nan_or_infinity_is_named() {
        let error = buckets("layer.0", &[0.0, f32::NAN]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "value 1 of the histogram \"layer.0\" is NaN: only finite values have a bucket"
        );
        assert!(buckets("w", &[f32::NEG_INFINITY]).is_err());
    }
}
