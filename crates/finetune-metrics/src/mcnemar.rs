//! McNemar's test of whether two classifiers err equally often on the same rows.

use serde::Serialize;

use crate::error::MetricError;

/// Number of rows that only one of the two predicts correctly, below which the exact distribution is
/// used.
const EXACT_BELOW: u64 = 25;

/// The result of [`mcnemar`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Number of rows that both predict correctly.
    pub both: u64,
    /// Number of rows that only the first predicts correctly.
    pub only_a: u64,
    /// Number of rows that only the second predicts correctly.
    pub only_b: u64,
    /// Number of rows that neither predicts correctly.
    pub neither: u64,
    /// The smaller of `only_a` and `only_b` for the exact test, otherwise chi-square.
    pub statistic: f64,
    /// Two-sided probability of at least this difference if both models err equally often.
    pub p_value: f64,
    /// Whether the p-value comes from the binomial distribution rather than from chi-square.
    pub exact: bool,
}

/// Performs McNemar's test (1947) of two classifiers, given whether model A and model B predict each row
/// correctly, in the same order of rows.
///
/// Like statsmodels' `mcnemar`, it is the two-sided exact binomial test if fewer than 25 rows are
/// predicted correctly by one model only, otherwise chi-square with continuity correction `(|a - b| -
/// 1)² / (a + b)`.
///
/// # Errors
/// Fails with [`MetricError::PairedRows`] if the numbers of rows differ.
pub fn mcnemar(a_correct: &[bool], b_correct: &[bool]) -> Result<McNemar, MetricError> {
    if a_correct.len() != b_correct.len() {
        return Err(MetricError::PairedRows {
            a: a_correct.len(),
            b: b_correct.len(),
        });
    }
    let mut table = [[0_u64; 2]; 2];
    for (&a, &b) in a_correct.iter().zip(b_correct) {
        table[usize::from(a)][usize::from(b)] += 1;
    }
    let [[neither, only_b], [only_a, both]] = table;
    let discordant = only_a + only_b;
    let exact = discordant < EXACT_BELOW;
    let (statistic, p_value) = if exact {
        let smaller = only_a.min(only_b);
        (smaller as f64, two_sided_binomial(smaller, discordant))
    } else {
        let difference = only_a.abs_diff(only_b) as f64;
        let statistic = (difference - 1.0).powi(2) / discordant as f64;
        // The upper tail of chi-square with one degree of freedom, the square of a normal variable.
        (statistic, libm::erfc((statistic / 2.0).sqrt()))
    };
    Ok(McNemar {
        both,
        only_a,
        only_b,
        neither,
        statistic,
        p_value,
        exact,
    })
}

/// Computes twice the probability of at most `smaller` heads in fewer than [`EXACT_BELOW`] tosses of a
/// fair coin, at most 1. The counts are integers below 2^53, so only the division rounds.
fn two_sided_binomial(smaller: u64, throws: u64) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for heads in 0..=smaller {
        sum += ways;
        ways = ways * (throws - heads) as f64 / (heads + 1) as f64;
    }
    (2.0 * sum / 2_f64.powi(throws as i32)).min(1.0)
}
