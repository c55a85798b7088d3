//! The mean of a few measurements, and how well it is known.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval, by Student's t; `None` for a single value.
    pub half_width: Option<f64>,
}

impl Mean {
    /// Returns the mean of the values; NaN without any.
    pub fn of(values: &[f64]) -> Self {
        let number = values.len() as f64;
        let mean = values.iter().sum::<f64>() / number;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            half_width: (values.len() > 1)
                .then(|| quantile(values.len() - 1) * (squares / (number - 1.0) / number).sqrt()),
        }
    }
}

/// The 97.5 % quantile of Student's t; NaN for no degree of freedom.
pub(super) fn quantile(degrees: usize) -> f64 {
    StudentsT::new(0.0, 1.0, degrees as f64).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // scipy.stats.t.interval(0.95, 2, 0.82, scipy.stats.sem([0.81, 0.82, 0.83]))
        let found = Mean::of(&[0.81, 0.82, 0.83]);
        assert!((found.mean - 0.82).abs() < 1e-12);
        assert!(
            (found.half_width.unwrap() - 0.024_841).abs() < 1e-5,
            "{found:?}"
        );
        assert_eq!(Mean::of(&[0.5]).half_width, None);
        assert_eq!(Mean::of(&[0.5, 0.5]).half_width, Some(0.0));
        assert!(Mean::of(&[]).mean.is_nan());
    }

    #[test]
    fn quantiles_are_students() {
        // scipy.stats.t.ppf(0.975, [1, 2, 30, 31, 60, 1000])
        let expected = [
            (1, 12.706_205),
            (2, 4.302_653),
            (30, 2.042_272),
            (31, 2.039_513),
            (60, 2.000_298),
            (1000, 1.962_339),
        ];
        for (degrees, expected) in expected {
            assert!((quantile(degrees) - expected).abs() < 1e-5, "{degrees}");
        }
        assert!((1..200).all(|degrees| quantile(degrees) > quantile(degrees + 1)));
    }
}
