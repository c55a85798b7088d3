//! Student's paired t test.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Mean;

/// The paired t test of whether differences have the mean 0, as `scipy.stats.ttest_rel`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedT {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Two-sided p-value; 1 if all differences are 0.
    pub p_value: f64,
}

impl PairedT {
    /// Tests the differences; `None` for fewer than two.
    pub fn of(differences: &[f64]) -> Option<Self> {
        let pairs = differences.len();
        let Mean {
            mean,
            half_width: Some(half_width),
        } = Mean::of(differences)
        else {
            return None;
        };
        let degrees = (pairs - 1) as f64;
        let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / degrees / pairs as f64).sqrt();
        let p_value = match (mean == 0.0, error == 0.0) {
            (true, true) => 1.0,
            (false, true) => 0.0,
            _ => {
                let t = StudentsT::new(0.0, 1.0, degrees).ok()?;
                2.0 * t.sf((mean / error).abs())
            }
        };
        Some(Self {
            pairs,
            mean,
            low: mean - half_width,
            high: mean + half_width,
            p_value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_scipy() {
        // scipy.stats.ttest_rel([0.82, 0.85, 0.84, 0.80], [0.80, 0.81, 0.83, 0.81])
        let found = PairedT::of(&[0.02, 0.04, 0.01, -0.01]).unwrap();
        assert!((found.mean - 0.015).abs() < 1e-12);
        assert!((found.p_value - 0.245_193_88).abs() < 1e-6, "{found:?}");
        // The t of one degree of freedom is Cauchy's: p = 1 - 2 atan(t) / pi.
        let two = PairedT::of(&[1.0, 3.0]).unwrap();
        let expected = 1.0 - 2.0 * 2.0_f64.atan() / std::f64::consts::PI;
        assert!((two.p_value - expected).abs() < 1e-9, "{two:?}");
        assert_eq!(PairedT::of(&[0.0, 0.0]).unwrap().p_value, 1.0);
        assert_eq!(PairedT::of(&[0.1]), None);
        assert_eq!(PairedT::of(&[]), None);
    }
}
