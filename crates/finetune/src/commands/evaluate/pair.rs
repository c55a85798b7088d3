//! Compares two models on the same rows.

use std::collections::BTreeMap;

use finetune_metrics::{Bootstrap, McNemar, Metric, RowScores, mcnemar};
use serde_json::{Value, json};

use super::subject::Evaluated;
use crate::{
    error::Failure,
    view::{comparison::Comparison, progress::count},
};

/// The significance level of differences.
const SIGNIFICANT: f64 = 0.05;
/// Maximum number of rows times resamples of the bootstrap. With many rows, the interval is narrow even
/// with fewer resamples.
const WORK: f64 = 2e8;

/// The results of two models on the same rows.
pub struct Pair<'a> {
    models: [&'a Evaluated; 2],
    metrics: [Value; 2],
    comparison: Comparison,
    test: Test,
}

/// The significance test of the difference.
enum Test {
    McNemar(McNemar),
    /// A metric and the interval of its change.
    Bootstrap(Metric, [f64; 2]),
}

impl<'a> Pair<'a> {
    /// Compares the chosen metrics, or by default those that best show a difference.
    ///
    /// # Errors
    /// Fails if an interval or test cannot be computed, which is a bug.
    pub fn new(a: &'a Evaluated, b: &'a Evaluated, chosen: &[Metric]) -> Result<Self, Failure> {
        let internal = |error: finetune_metrics::MetricError| Failure::Internal(error.to_string());
        let (first, second) = (a.row_scores()?, b.row_scores()?);
        let bootstrap = bootstrap(&first);
        let mut intervals = BTreeMap::new();
        for &metric in first.metrics() {
            let interval = first.interval_of_change(&second, metric, &bootstrap);
            let interval = interval.map_err(internal)?;
            // A metric may be undefined in a resample, such as a correlation with a constant.
            if interval.low.is_finite() {
                intervals.insert(metric.name(), [interval.low, interval.high]);
            }
        }
        let test = match (first.correct(), second.correct()) {
            (Some(first), Some(second)) => {
                Test::McNemar(mcnemar(&first, &second).map_err(internal)?)
            }
            _ => {
                let interval = intervals.get(Metric::Mse.name()).copied();
                Test::Bootstrap(Metric::Mse, interval.unwrap_or([f64::NAN; 2]))
            }
        };
        let metrics = [a, b].map(|model| model.all.json_with_intervals());
        let [before, after] = [a, b].map(|model| model.all.evaluation().record());
        let comparison = match chosen.is_empty() {
            true => Comparison::new(a.problem_type, &before, &after),
            false => {
                let names = chosen.iter().map(|metric| metric.name());
                Comparison::of_metrics(&before, &after, names)
            }
        };
        Ok(Self {
            models: [a, b],
            comparison: comparison.with_intervals(&intervals),
            metrics,
            test,
        })
    }

    /// Formats the table and the result of the test.
    pub fn text(&self) -> String {
        let [a, b] = self.models;
        let table = self.comparison.table(["A", "B"]);
        format!(
            "A  {}\nB  {}\n\n{table}\n{}",
            a.name,
            b.name,
            self.test.sentence()
        )
    }

    /// Returns an object with `models`, `a` and `b` with all metrics, `change`, and the test.
    pub fn json(&self) -> Value {
        let [a, b] = &self.metrics;
        let mut all = json!({
            "models": self.models.map(|model| &model.name),
            "a": a,
            "b": b,
            "change": self.comparison.json(),
        });
        if let Test::McNemar(test) = &self.test {
            all["mcnemar"] = json!(test);
        }
        all
    }
}

fn bootstrap(rows: &RowScores) -> Bootstrap {
    let default = Bootstrap::default();
    let affordable = WORK / f64::from(rows.rows().max(1));
    Bootstrap {
        resamples: default.resamples.min((affordable as usize).max(100)),
        ..default
    }
}

impl Test {
    fn sentence(&self) -> String {
        match self {
            Self::McNemar(test) => mcnemar_sentence(test),
            Self::Bootstrap(metric, [low, high]) => {
                let verdict = match () {
                    () if *high < 0.0 => "B's errors are significantly smaller",
                    () if *low > 0.0 => "A's errors are significantly smaller",
                    () => "the difference is not significant",
                };
                format!(
                    "Paired bootstrap: the 95 % interval of the change of {metric} is {low:+.4} to {high:+.4}; {verdict}.\n"
                )
            }
        }
    }
}

fn mcnemar_sentence(test: &McNemar) -> String {
    let (better, alone, other) = match test.only_b >= test.only_a {
        true => ("B", test.only_b, test.only_a),
        false => ("A", test.only_a, test.only_b),
    };
    let verdict = match () {
        () if alone == other => "Both make equally many errors.".to_string(),
        () if test.p_value < SIGNIFICANT => {
            format!("{better} is significantly better.")
        }
        () => "The difference is not significant.".into(),
    };
    let method = match test.exact {
        true => "exact",
        false => "chi-square",
    };
    format!(
        "McNemar's test: both are right on {} rows, only A on {}, only B on {}, neither on {}; p = {} ({method}). {verdict}\n",
        count(test.both),
        count(test.only_a),
        count(test.only_b),
        count(test.neither),
        p_value(test.p_value),
    )
}

fn p_value(p: f64) -> String {
    match p < 1e-4 {
        true => format!("{p:.1e}"),
        false => format!("{p:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(only_a: u64, only_b: u64) -> String {
        let rows = [
            (true, true, 50),
            (true, false, only_a),
            (false, true, only_b),
            (false, false, 7),
        ];
        let rows: Vec<(bool, bool)> = rows
            .iter()
            .flat_map(|&(a, b, count)| std::iter::repeat_n((a, b), count as usize))
            .collect();
        let (a, b): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        mcnemar_sentence(&mcnemar(&a, &b).unwrap())
    }

    #[test]
    fn the_test_is_described_in_words() {
        let clear = sentence(2, 20);
        for part in [
            "50 rows, only A on 2, only B on 20, neither on 7",
            "(exact)",
            "B is significantly better",
        ] {
            assert!(clear.contains(part), "{clear}");
        }
        assert!(
            sentence(60, 10).contains("A is significantly better"),
            "{}",
            sentence(60, 10)
        );
        assert!(sentence(60, 10).contains("(chi-square)"));
        assert!(sentence(5, 7).contains("not significant"));
        assert!(sentence(5, 5).contains("equally many errors"));
    }
}
