//! `label-drift`: splits with other shares of the classes than the training rows, by a chi-square test.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};

/// Largest p-value that is told.
const SIGNIFICANT: f64 = 0.001;
/// Smallest effect (Cramér's V) that matters; with many rows, smaller ones are significant too.
const EFFECT: f64 = 0.05;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let names = facts.single_classes();
    let Some((first, others)) = facts.scan.parts.split_first() else {
        return Vec::new();
    };
    let mut details = Vec::new();
    for other in others {
        let Some(drift) = Drift::between(&first.classes, &other.classes) else {
            continue;
        };
        if drift.p > SIGNIFICANT || drift.effect < EFFECT {
            continue;
        }
        let most = drift.most;
        let share = |classes: &[u64]| percent(classes[most], classes.iter().sum());
        details.push(format!(
            "{} against {}: chi-square {:.1} with {} degree(s) of freedom, p = {:.1e}, Cramér's V {:.2}; `{}` is {} of {} and {} of {}",
            other.role.name(),
            first.role.name(),
            drift.chi_square,
            drift.freedom,
            drift.p,
            drift.effect,
            names.get(most).map_or("", String::as_str),
            share(&other.classes),
            other.role.name(),
            share(&first.classes),
            first.role.name(),
        ));
    }
    if details.is_empty() {
        return Vec::new();
    }
    let summary = "the shares of the classes differ between splits by more than chance, so scores on one say less about the other";
    vec![Finding::of_all(
        "label-drift",
        Severity::Warning,
        summary,
        details,
    )]
}

/// Pearson's test that two lists of counts are drawn from the same shares.
#[derive(Debug)]
struct Drift {
    chi_square: f64,
    freedom: usize,
    p: f64,
    /// Cramér's V.
    effect: f64,
    /// The class whose share differs most.
    most: usize,
}

impl Drift {
    /// Tests two lists of counts. Classes so rare that the test does not hold (fewer than 5 rows expected in
    /// a cell) are counted as one. `None` with fewer than two classes.
    fn between(a: &[u64], b: &[u64]) -> Option<Self> {
        let (rows_a, rows_b): (u64, u64) = (a.iter().sum(), b.iter().sum());
        let all = (rows_a + rows_b) as f64;
        let smaller = rows_a.min(rows_b) as f64;
        let mut cells: Vec<(u64, u64)> = Vec::new();
        let mut rare = (0, 0);
        for (&a, &b) in a.iter().zip(b) {
            match (a + b) as f64 * smaller / all >= 5.0 {
                true => cells.push((a, b)),
                false => rare = (rare.0 + a, rare.1 + b),
            }
        }
        if (rare.0 + rare.1) as f64 * smaller / all >= 5.0 {
            cells.push(rare);
        }
        if cells.len() < 2 {
            return None;
        }
        let total = |cells: &[(u64, u64)]| {
            let sums = cells
                .iter()
                .fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
            (sums.0 as f64, sums.1 as f64)
        };
        let (of_a, of_b) = total(&cells);
        let n = of_a + of_b;
        let chi_square: f64 = cells
            .iter()
            .map(|&(a, b)| {
                let column = (a + b) as f64;
                let term = |found: u64, row: f64| {
                    let expected = row * column / n;
                    (found as f64 - expected).powi(2) / expected
                };
                term(a, of_a) + term(b, of_b)
            })
            .sum();
        let freedom = cells.len() - 1;
        // The difference of the shares, times both numbers of rows: exact, so that ties are ties.
        let shift = |class: usize| {
            let [one, other] = [a[class], b[class]].map(u128::from);
            (one * u128::from(rows_b)).abs_diff(other * u128::from(rows_a))
        };
        // The first of the classes that differ most.
        let most = (0..a.len()).rev().max_by_key(|&class| shift(class));
        Some(Self {
            chi_square,
            freedom,
            p: ChiSquared::new(freedom as f64).ok()?.sf(chi_square),
            effect: (chi_square / n).sqrt(),
            most: most?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against scipy.stats.chi2_contingency(…, correction=False).
    #[test]
    fn the_test_is_pearsons() {
        let drift = Drift::between(&[50, 50], &[70, 30]).unwrap();
        assert!((drift.chi_square - 8.333_333_333).abs() < 1e-8, "{drift:?}");
        assert!(
            (drift.p - 0.003_892_417_122_778_640_4).abs() < 1e-12,
            "{drift:?}"
        );
        assert_eq!((drift.freedom, drift.most), (1, 0));
        let drift = Drift::between(&[10, 20, 30], &[30, 20, 10]).unwrap();
        assert!((drift.chi_square - 20.0).abs() < 1e-9);
        assert!((drift.p - 4.539_992_976_248_486e-5).abs() < 1e-14);
        assert!((drift.effect - (20.0_f64 / 120.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn rare_classes_are_one_and_too_few_rows_are_none() {
        let rare = Drift::between(&[500, 500, 3, 4], &[500, 500, 4, 3]).unwrap();
        assert_eq!(rare.freedom, 2);
        assert!(Drift::between(&[3, 1], &[1, 3]).is_none());
        assert!(Drift::between(&[100, 0], &[100, 0]).is_none());
    }
}
