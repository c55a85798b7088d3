//! The mean of a few measurements, and how well it is known.

/// The 97.5 % quantiles of Student's t with 1 to 30 degrees of freedom.
const QUANTILES: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
/// That of the normal distribution.
const NORMAL: f64 = 1.959_964;

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) mean: f64,
    /// Half the width of the interval, by Student's t; `None` for a single value.
    pub(super) half_width: Option<f64>,
}

impl Mean {
    /// Returns the mean of the values; NaN without any.
    pub(super) fn of(values: &[f64]) -> Self {
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

/// The 97.5 % quantile of Student's t, from 31 degrees of freedom on by the first two terms of its
/// expansion around the normal distribution's.
fn quantile(degrees: usize) -> f64 {
    let expanded = |z: f64, n: f64| {
        let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
        z + (z.powi(3) + z) / 4.0 / n + second / n / n
    };
    let tabulated = degrees.checked_sub(1).and_then(|row| QUANTILES.get(row));
    tabulated
        .copied()
        .unwrap_or_else(|| expanded(NORMAL, degrees as f64))
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
    fn quantiles_go_on_where_the_table_ends() {
        // scipy.stats.t.ppf(0.975, [31, 60, 1000])
        for (degrees, expected) in [(31, 2.039_513), (60, 2.000_298), (1000, 1.962_339)] {
            assert!((quantile(degrees) - expected).abs() < 1e-4, "{degrees}");
        }
        assert!((1..200).all(|degrees| quantile(degrees) > quantile(degrees + 1)));
    }
}
