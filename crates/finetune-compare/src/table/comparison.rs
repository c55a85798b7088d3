//! From runs to the table.

use std::collections::BTreeSet;

use finetune_metrics::Metric;
use serde::Serialize;

use super::{
    comparable::{check_seeds, check_tasks, chosen_metric},
    facts::RunFacts,
    group::{Group, Incomplete},
    rows::{Table, adjust},
};
use crate::{
    CompareError,
    statistics::{PairedRows, PairedT, pareto_front},
};

/// The table of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Version of this form, incremented when a field changes its meaning or is removed.
    pub format_version: u32,
    /// The metric that is compared.
    pub metric: String,
    /// Whether more of it is better.
    pub greater_is_better: bool,
    /// The rows that it was computed on: `test` or `validation`.
    pub split: String,
    /// What the table compares and how, in sentences.
    pub legend: Vec<String>,
    /// The variants; all differences are to the first.
    pub rows: Vec<Row>,
}

/// A variant in the table. Values are means over its runs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What distinguishes it, as the table shows it.
    pub settings: Vec<(String, String)>,
    /// The metric.
    pub score: Option<Score>,
    /// How it differs from the first.
    pub change: Option<Change>,
    /// Number of training rows.
    pub train_rows: Option<u64>,
    /// Seconds of training.
    pub train_seconds: Option<f64>,
    /// Rows trained per second.
    pub samples_per_second: Option<f64>,
    /// Peak memory in bytes, the largest of its runs.
    pub peak_memory_bytes: Option<u64>,
    /// Number of trained parameters.
    pub trained_parameters: Option<u64>,
    /// Share of the parameters that were trained.
    pub trained_share: Option<f64>,
    /// Size of a saved model in bytes.
    pub model_bytes: Option<f64>,
    /// Seconds for 1,000 predictions, from the evaluation of the test rows.
    pub seconds_per_1000: Option<f64>,
    /// Whether no other variant is better in one of metric and training time and as good in the other.
    pub pareto: bool,
    /// Its runs.
    pub runs: Vec<RunValue>,
    /// Its runs without results.
    pub incomplete: Vec<Incomplete>,
}

/// The value of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The mean over the seeds.
    pub mean: f64,
    /// Its 95 % interval, if there is one.
    pub interval: Option<ScoreInterval>,
}

/// A 95 % interval, and what it is over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "over")]
pub enum ScoreInterval {
    /// How the mean would vary with other seeds, by Student's t.
    Seeds {
        /// Number of seeds.
        seeds: usize,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// How the value of this model would vary with other rows, by the bootstrap.
    Rows {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
}

/// The difference between a variant and the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The difference of the means.
    pub mean: f64,
    /// The paired test over the seeds that both have.
    pub seeds: Option<PairedT>,
    /// Its p-value, corrected by Holm's method for the number of variants.
    pub seeds_p_adjusted: Option<f64>,
    /// The paired test on the same rows.
    pub rows: Option<PairedRows>,
    /// Its p-value, corrected in the same way.
    pub rows_p_adjusted: Option<f64>,
    /// Why a test is left out.
    pub left_out: Vec<String>,
}

/// A run of a variant.
#[derive(Clone, Debug, Serialize)]
pub struct RunValue {
    /// The metric.
    pub value: Option<f64>,
    /// Everything else about it.
    #[serde(flatten)]
    pub facts: RunFacts,
}

/// A variant in a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it stands on the horizontal axis.
    pub x: f64,
    /// The metric.
    pub y: f64,
}

impl Comparison {
    /// Version of the stored form.
    pub const FORMAT_VERSION: u32 = 1;

    /// Compares the groups, the first with each of the others, by the metric of this name or else by the one
    /// that chose the best model of the first run.
    ///
    /// # Errors
    /// Fails with [`CompareError::Incomparable`] if runs have different tasks, if one has no evaluation, if the
    /// metric is none of them, or if two runs of a group have the same seed.
    pub fn of(groups: Vec<Group>, metric: Option<&str>) -> Result<Self, CompareError> {
        let incomparable = |problem: String| CompareError::Incomparable { problem };
        check_tasks(&groups)?;
        check_seeds(&groups)?;
        let all = || groups.iter().flat_map(|group| &group.runs);
        let Some(first) = all().next() else {
            return Ok(Self::empty(groups, metric));
        };
        let on_test = all().all(|run| run.test.is_some());
        let split = if on_test { "test" } else { "validation" };
        let evaluation = |run: &RunFacts| match on_test {
            true => run.test.clone(),
            false => run.validation.clone(),
        };
        if let Some(run) = all().find(|run| evaluation(run).is_none()) {
            let other = all().find(|run| run.test.is_some()).unwrap_or(run);
            return Err(incomparable(format!(
                "{} was evaluated on {}, and {} on the rows of another split, so that nothing can be compared; \
                 train them with the same test or validation rows",
                run.name,
                if run.test.is_some() {
                    "test rows alone"
                } else {
                    "no validation rows"
                },
                other.name,
            )));
        }
        let metric = chosen_metric(metric, first, all(), &evaluation)?;
        let known = Metric::ALL
            .iter()
            .copied()
            .find(|known| known.name() == metric);
        let greater_is_better = known.is_none_or(Metric::greater_is_better);
        let table = Table {
            metric: &metric,
            known,
            evaluation: &evaluation,
        };
        let mut rows: Vec<Row> = groups.iter().map(|group| table.row(group)).collect();
        let mut apparently = false;
        for (index, row) in rows.iter_mut().enumerate().skip(1) {
            row.change = table.change(&groups[0], &groups[index], &mut apparently)?;
        }
        adjust(&mut rows);
        let direction = if greater_is_better { -1.0 } else { 1.0 };
        let place = |row: &Row| {
            let score = row.score.map_or(f64::NAN, |score| direction * score.mean);
            [score, row.train_seconds.unwrap_or(f64::NAN)]
        };
        let places: Vec<_> = rows.iter().map(place).collect();
        for (row, on_front) in rows.iter_mut().zip(pareto_front(&places)) {
            row.pareto = on_front;
        }
        let mut comparison = Self {
            format_version: Self::FORMAT_VERSION,
            metric,
            greater_is_better,
            split: split.to_owned(),
            legend: Vec::new(),
            rows,
        };
        comparison.legend = comparison.sentences(first, apparently);
        Ok(comparison)
    }

    /// A table of runs that all have no results.
    fn empty(groups: Vec<Group>, metric: Option<&str>) -> Self {
        let rows = groups.into_iter().map(|group| Row {
            name: group.name,
            settings: group.settings,
            score: None,
            change: None,
            train_rows: None,
            train_seconds: None,
            samples_per_second: None,
            peak_memory_bytes: None,
            trained_parameters: None,
            trained_share: None,
            model_bytes: None,
            seconds_per_1000: None,
            pareto: false,
            runs: Vec::new(),
            incomplete: group.incomplete,
        });
        Self {
            format_version: Self::FORMAT_VERSION,
            metric: metric.unwrap_or("metric").to_owned(),
            greater_is_better: true,
            split: "test".into(),
            legend: vec!["No run is complete.".into()],
            rows: rows.collect(),
        }
    }

    /// The variants by training time, for a plot.
    pub fn by_seconds(&self) -> Vec<Point<'_>> {
        self.points(|row| row.train_seconds)
    }

    /// The variants by their numbers of training rows, if those differ, for a learning curve.
    pub fn by_rows(&self) -> Option<Vec<Point<'_>>> {
        let points = self.points(|row| row.train_rows.map(|rows| rows as f64));
        let different: BTreeSet<u64> = points.iter().map(|point| point.x as u64).collect();
        (different.len() > 1).then_some(points)
    }

    fn points(&self, x: impl Fn(&Row) -> Option<f64>) -> Vec<Point<'_>> {
        let point = |row: &'_ Row| Some((x(row)?, row.score?.mean));
        let points = self.rows.iter().filter_map(|row| {
            let (x, y) = point(row)?;
            Some(Point {
                name: &row.name,
                x,
                y,
            })
        });
        points.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use finetune_metrics::{Predictions, RowScores, Targets};

    use super::*;
    use crate::{
        statistics::RowMethod,
        table::{EvaluationFacts, Failed, RowPredictions, TaskFacts},
    };

    fn predictions(wrong: usize) -> RowPredictions {
        let targets: Vec<u32> = (0..100).map(|row| row % 2).collect();
        let logits = (0..100).flat_map(|row| match (row % 2 == 1) != (row < wrong) {
            true => [0.0, 1.0],
            false => [1.0, 0.0],
        });
        let logits: Vec<f32> = logits.collect();
        let all = Predictions::new(&logits, 2, Targets::Classes(&targets)).unwrap();
        let numbers: Vec<u64> = (0..100).collect();
        RowPredictions {
            scores: RowScores::new(&all, &[], &numbers).unwrap(),
            identity: "rows".into(),
        }
    }

    fn run(name: &str, seed: u64, wrong: usize) -> RunFacts {
        let accuracy = 1.0 - wrong as f64 / 100.0;
        RunFacts {
            name: name.into(),
            directory: name.into(),
            seed,
            task: TaskFacts {
                kind: "classification".into(),
                labels: vec!["a".into(), "b".into()],
            },
            metric: "accuracy".into(),
            train_rows: Some(500),
            test: Some(EvaluationFacts {
                rows: 100,
                metrics: BTreeMap::from([("accuracy".into(), accuracy), ("loss".into(), 0.5)]),
                intervals: BTreeMap::from([(
                    "accuracy".into(),
                    [accuracy - 0.05, accuracy + 0.05],
                )]),
                source: "data, split test".into(),
                fingerprint: Some("f".into()),
                tokens: "t".into(),
                predictions: Ok(predictions(wrong)),
            }),
            validation: None,
            train_seconds: wrong as f64,
            samples_per_second: Some(100.0),
            peak_memory_bytes: Some(1_000_000),
            trained_parameters: 10,
            parameters: 100,
            model_bytes: 400,
            test_seconds: Some(0.5),
            machine: "a machine".into(),
        }
    }

    fn group(name: &str, wrong: &[usize]) -> Group {
        let runs = (1..)
            .zip(wrong)
            .map(|(seed, &wrong)| run(&format!("{name}-{seed}"), seed, wrong));
        Group {
            name: name.into(),
            settings: Vec::new(),
            runs: runs.collect(),
            incomplete: Vec::new(),
        }
    }

    fn problem(groups: Vec<Group>, metric: Option<&str>) -> String {
        Comparison::of(groups, metric).unwrap_err().to_string()
    }

    #[test]
    fn several_seeds_are_tested_over_seeds_and_rows() {
        let groups = vec![
            group("full", &[10, 12, 11]),
            group("head", &[30, 31, 29]),
            group("same", &[11, 12, 10]),
        ];
        let found = Comparison::of(groups, None).unwrap();
        assert_eq!(
            (found.metric.as_str(), found.split.as_str()),
            ("accuracy", "test")
        );
        let head = &found.rows[1];
        let change = head.change.as_ref().unwrap();
        assert!((change.mean + 0.19).abs() < 1e-12);
        let (seeds, rows) = (change.seeds.unwrap(), change.rows.unwrap());
        assert_eq!((seeds.pairs, rows.seeds), (3, 3));
        assert!((change.seeds_p_adjusted.unwrap() - 2.0 * seeds.p_value).abs() < 1e-12);
        assert!(rows.high < 0.0 && rows.method == RowMethod::Bootstrap);
        assert!(
            found.rows[2]
                .change
                .as_ref()
                .unwrap()
                .seeds_p_adjusted
                .unwrap()
                > 0.5
        );
        assert!(found.rows[0].change.is_none());
        // Less time goes with fewer errors here.
        let front: Vec<_> = found.rows.iter().map(|row| row.pareto).collect();
        assert_eq!(front, [true, false, true]);
        let legend = found.legend.join("\n");
        for words in [
            "over 3 seeds, by Student's t",
            "p (seeds): paired t test against full",
            "for 2 comparisons",
            "the paired bootstrap of the mean over seeds",
        ] {
            assert!(legend.contains(words), "{legend}");
        }
        assert_eq!(head.seconds_per_1000, Some(5.0));
    }

    #[test]
    fn one_seed_is_tested_on_rows_alone() {
        let found = Comparison::of(vec![group("a", &[10]), group("b", &[30])], None).unwrap();
        let change = found.rows[1].change.as_ref().unwrap();
        assert_eq!(change.seeds, None);
        assert_eq!(change.rows.unwrap().method, RowMethod::McNemar);
        let interval = found.rows[0].score.unwrap().interval;
        assert!(matches!(interval, Some(ScoreInterval::Rows { .. })));
        assert!(
            found
                .legend
                .join(" ")
                .contains("over rows, by the bootstrap")
        );
    }

    #[test]
    fn other_rows_are_compared_without_tests() {
        let change = |edit: &dyn Fn(&mut EvaluationFacts)| {
            let mut other = group("b", &[30]);
            edit(other.runs[0].test.as_mut().unwrap());
            let found = Comparison::of(vec![group("a", &[10]), other], None).unwrap();
            (
                found.rows[1].change.clone().unwrap(),
                found.legend.join("\n"),
            )
        };
        let (fewer, legend) = change(&|evaluation| evaluation.rows = 50);
        assert_eq!((fewer.seeds, fewer.rows), (None, None));
        assert!(
            legend.contains("Left out for b: paired tests, since it and a"),
            "{legend}"
        );
        assert!(legend.contains("(100 rows and 50)"), "{legend}");
        let (changed, legend) = change(&|evaluation| {
            evaluation.fingerprint = Some("other".into());
            evaluation.predictions = Err("it left no predictions".into());
        });
        assert_eq!(changed.rows, None);
        assert!(legend.contains("texts or labels have changed"), "{legend}");
        let (unknown, legend) = change(&|evaluation| {
            evaluation.fingerprint = Some("other".into());
            evaluation.tokens = "another tokenizer".into();
            evaluation.predictions = Err("it left no predictions".into());
        });
        assert_eq!(unknown.rows, None);
        for words in [
            "taken to have the same rows",
            "the paired test on rows, since it left no predictions",
        ] {
            assert!(legend.contains(words), "{legend}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let mut other = group("b", &[30]);
        other.runs[0].task.labels.push("c".into());
        let error = problem(vec![group("a", &[10]), other], None);
        assert!(
            error.contains("a-1 and b-1 have different tasks"),
            "{error}"
        );
        let error = problem(vec![group("a", &[10])], Some("accurac"));
        assert!(error.contains("did you mean accuracy?"), "{error}");
        let mut twice = group("a", &[10, 11]);
        twice.runs[1].seed = 1;
        assert!(problem(vec![twice], None).contains("with the same seed (1)"));
        let mut without = group("b", &[30]);
        without.runs[0].test = None;
        let error = problem(vec![group("a", &[10]), without], None);
        assert!(error.contains("nothing can be compared"), "{error}");
        let mut undefined = group("b", &[30]);
        undefined.runs[0]
            .test
            .as_mut()
            .unwrap()
            .metrics
            .remove("accuracy");
        let error = problem(vec![group("a", &[10]), undefined], None);
        assert!(error.contains("accuracy is undefined for b-1"), "{error}");
    }

    #[test]
    fn a_failed_variant_is_in_the_table() {
        let mut failed = group("b", &[]);
        failed.incomplete.push(Incomplete {
            name: "b".into(),
            reason: Failed::Failed {
                code: 2,
                message: "error: no such file".into(),
            },
        });
        let found = Comparison::of(vec![group("a", &[10]), failed.clone()], None).unwrap();
        assert!(found.rows[1].score.is_none() && found.rows[1].change.is_none());
        let none = Comparison::of(vec![failed], None).unwrap();
        assert_eq!(none.legend, ["No run is complete."]);
    }
}
