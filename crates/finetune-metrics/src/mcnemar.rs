//! McNemar's test: whether two classifiers err equally often on the same rows.

use serde::Serialize;

use crate::error::MetricError;

/// Below this many rows that only one of the two has right the exact distribution is used.
const EXACT_BELOW: u64 = 25;

/// The result of [`mcnemar`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Rows that both have right.
    pub both: u64,
    /// Rows that only the first has right.
    pub only_a: u64,
    /// Rows that only the second has right.
    pub only_b: u64,
    /// Rows that neither has right.
    pub neither: u64,
    /// Of the exact test the smaller of `only_a` and `only_b`, else chi-square.
    pub statistic: f64,
    /// Two-sided probability of at least this difference where both models err equally often.
    pub p_value: f64,
    /// Whether the p-value comes from the binomial distribution rather than from chi-square.
    pub exact: bool,
}

/// McNemar's test (1947) of two classifiers, from whether each row was right by model A and by
/// model B, in the same order of rows.
///
/// As statsmodels' `mcnemar`: with fewer than 25 rows that only one has right the two-sided exact
/// binomial test, else chi-square with continuity correction `(|a - b| - 1)² / (a + b)`.
///
/// # Errors
/// [`MetricError::PairedRows`] where the numbers of rows differ.
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
        // Upper tail of chi-square with one degree of freedom, the square of a normal variable.
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

/// Twice the probability of at most `smaller` heads in fewer than [`EXACT_BELOW`] throws of a fair
/// coin, at most 1. The counts are whole numbers below 2^53, so only the division rounds.
fn two_sided_binomial(smaller: u64, throws: u64) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for heads in 0..=smaller {
        sum += ways;
        ways = ways * (throws - heads) as f64 / (heads + 1) as f64;
    }
    (2.0 * sum / 2_f64.powi(throws as i32)).min(1.0)
}
