//! From runs to the table.

use std::collections::BTreeSet;

use finetune_metrics::{Metric, RowScores};
use serde::Serialize;

use super::facts::{EvaluationFacts, RunFacts, SameRows};
use crate::{
    CompareError,
    statistics::{Mean, PairedRows, PairedT, RowMethod, holm, pareto_front},
};

/// The runs that differ by their seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What distinguishes it, as the table shows it.
    pub settings: Vec<(String, String)>,
    /// Its complete runs, in the order of their seeds.
    pub runs: Vec<RunFacts>,
    /// Its other runs.
    pub incomplete: Vec<Incomplete>,
}

/// A run without results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incomplete {
    /// Its name.
    pub name: String,
    /// Why it has none.
    pub reason: Failed,
}

/// Why a run has no results.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Failed {
    /// It failed.
    Failed {
        /// The exit code.
        code: u8,
        /// The last line of its output.
        message: String,
    },
    /// It has not been done yet.
    Pending,
}

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

    /// Says what the table compares and how.
    fn sentences(&self, first: &RunFacts, apparently: bool) -> Vec<String> {
        let mut legend = Vec::new();
        let evaluation = match self.split.as_str() {
            "test" => &first.test,
            _ => &first.validation,
        };
        if let Some(evaluation) = evaluation {
            let better = if self.greater_is_better {
                "more"
            } else {
                "less"
            };
            legend.push(format!(
                "{} on the {} {} rows of {}; {better} is better.",
                self.metric, evaluation.rows, self.split, evaluation.source
            ));
        }
        let intervals = || self.rows.iter().filter_map(|row| row.score?.interval);
        let over_seeds = intervals().filter_map(|interval| match interval {
            ScoreInterval::Seeds { seeds, .. } => Some(seeds),
            ScoreInterval::Rows { .. } => None,
        });
        if let (Some(least), Some(most)) = (over_seeds.clone().min(), over_seeds.max()) {
            let seeds = match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            };
            legend.push(format!(
                "Several seeds: ± is the 95 % interval of the mean over {seeds} seeds, by Student's t."
            ));
        }
        if intervals().any(|interval| matches!(interval, ScoreInterval::Rows { .. })) {
            legend.push(
                "One seed: [low, high] is the 95 % interval over rows, by the bootstrap; it says nothing of \
                 other seeds."
                    .into(),
            );
        }
        let changes = || self.rows.iter().filter_map(|row| row.change.as_ref());
        let tested = |seeds: bool| {
            let count = changes().filter(|change| match seeds {
                true => change.seeds.is_some(),
                false => change.rows.is_some(),
            });
            count.count()
        };
        let name = self.rows.first().map_or("", |row| row.name.as_str());
        if tested(true) > 0 {
            legend.push(format!(
                "p (seeds): paired t test against {name} over the seeds that both have{}.",
                corrected(tested(true))
            ));
        }
        if tested(false) > 0 {
            let mut methods = Vec::new();
            for (method, words) in [
                (RowMethod::McNemar, "McNemar's test"),
                (
                    RowMethod::Bootstrap,
                    "the paired bootstrap of the mean over seeds",
                ),
            ] {
                let is_used =
                    |change: &Change| change.rows.is_some_and(|test| test.method == method);
                if changes().any(is_used) {
                    methods.push(words);
                }
            }
            legend.push(format!(
                "p (rows): {} against {name} on the same rows{}.",
                methods.join(" or "),
                corrected(tested(false))
            ));
        }
        if apparently {
            legend.push(
                "Runs with different tokenizers are taken to have the same rows, since data set, split and \
                 number are the same."
                    .into(),
            );
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            for reason in row.change.iter().flat_map(|change| &change.left_out) {
                match reasons.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, names)) => names.push(&row.name),
                    None => reasons.push((reason, vec![&row.name])),
                }
            }
        }
        for (reason, names) in reasons {
            let of = match names.len() {
                count if count > 3 => format!("{count} variants"),
                _ => names.join(", "),
            };
            legend.push(format!("Left out for {of}: {reason}."));
        }
        if self.rows.iter().any(|row| row.seconds_per_1000.is_some()) {
            legend.push(
                "Per 1,000 predictions: measured, the time of the evaluation of the test rows divided by their \
                 number."
                    .into(),
            );
        }
        legend.push("Training: mean time, with evaluations of the validation rows, frozen layers and saving; of \
             sessions that were killed, the steps alone.".into());
        legend.push(format!(
            "*: on the Pareto front of {} and training time.",
            self.metric
        ));
        let machines: BTreeSet<&str> = self
            .rows
            .iter()
            .flat_map(|row| &row.runs)
            .map(|run| run.facts.machine.as_str())
            .collect();
        match machines.len() {
            0 | 1 => legend.extend(machines.iter().map(|machine| format!("On {machine}."))),
            _ => legend.push(format!(
                "Times and speeds are not comparable, since the runs were made on different machines or with \
                 different threads: {}.",
                machines.into_iter().collect::<Vec<_>>().join("; ")
            )),
        }
        legend
    }
}

/// What is looked up in every run.
struct Table<'a> {
    metric: &'a str,
    known: Option<Metric>,
    evaluation: &'a dyn Fn(&RunFacts) -> Option<EvaluationFacts>,
}

impl Table<'_> {
    fn value(&self, run: &RunFacts) -> Option<f64> {
        (self.evaluation)(run)?.metrics.get(self.metric).copied()
    }

    fn row(&self, group: &Group) -> Row {
        let runs = &group.runs;
        let mean = |value: &dyn Fn(&RunFacts) -> Option<f64>| {
            let values: Option<Vec<f64>> = runs.iter().map(value).collect();
            values
                .filter(|values| !values.is_empty())
                .map(|values| Mean::of(&values).mean)
        };
        let first = runs.first();
        let per_1000 = |run: &RunFacts| {
            let rows = run.test.as_ref()?.rows;
            Some(run.test_seconds? / rows.max(1) as f64 * 1000.0)
        };
        Row {
            name: group.name.clone(),
            settings: group.settings.clone(),
            score: self.score(runs),
            change: None,
            train_rows: first.and_then(|run| run.train_rows),
            train_seconds: mean(&|run| Some(run.train_seconds)),
            samples_per_second: mean(&|run| run.samples_per_second),
            peak_memory_bytes: runs.iter().filter_map(|run| run.peak_memory_bytes).max(),
            trained_parameters: first.map(|run| run.trained_parameters),
            trained_share: first
                .map(|run| run.trained_parameters as f64 / run.parameters.max(1) as f64),
            model_bytes: mean(&|run| Some(run.model_bytes as f64)),
            seconds_per_1000: mean(&per_1000),
            pareto: false,
            runs: runs
                .iter()
                .map(|run| RunValue {
                    value: self.value(run),
                    facts: run.clone(),
                })
                .collect(),
            incomplete: group.incomplete.clone(),
        }
    }

    fn score(&self, runs: &[RunFacts]) -> Option<Score> {
        let values: Vec<f64> = runs.iter().filter_map(|run| self.value(run)).collect();
        if values.is_empty() {
            return None;
        }
        let Mean { mean, half_width } = Mean::of(&values);
        let over_rows = || {
            let evaluation = (self.evaluation)(runs.first()?)?;
            let [low, high] = *evaluation.intervals.get(self.metric)?;
            Some(ScoreInterval::Rows { low, high })
        };
        let interval = match half_width {
            Some(half) => Some(ScoreInterval::Seeds {
                seeds: values.len(),
                low: mean - half,
                high: mean + half,
            }),
            None => over_rows(),
        };
        Some(Score { mean, interval })
    }

    /// The difference between a group and the first, with the tests that can be done.
    fn change(
        &self,
        first: &Group,
        other: &Group,
        apparently: &mut bool,
    ) -> Result<Option<Change>, CompareError> {
        let (Some(before), Some(after)) = (self.score(&first.runs), self.score(&other.runs)) else {
            return Ok(None);
        };
        let mut change = Change {
            mean: after.mean - before.mean,
            seeds: None,
            seeds_p_adjusted: None,
            rows: None,
            rows_p_adjusted: None,
            left_out: Vec::new(),
        };
        let of_seed = |seed: u64| first.runs.iter().find(|run| run.seed == seed);
        let pairs: Vec<(&RunFacts, &RunFacts)> = other
            .runs
            .iter()
            .filter_map(|run| Some((of_seed(run.seed)?, run)))
            .collect();
        if pairs.is_empty() {
            let reason = format!("paired tests, since no seed is one of {} too", first.name);
            change.left_out.push(reason);
            return Ok(Some(change));
        }
        let mut scores = Vec::new();
        let mut lacking = None;
        let mut identity = None;
        for (a, b) in &pairs {
            let (Some(these), Some(those)) = ((self.evaluation)(a), (self.evaluation)(b)) else {
                return Ok(None);
            };
            match these.same_rows(&those) {
                SameRows::Yes => {}
                SameRows::Apparently => *apparently = true,
                SameRows::No(reason) => {
                    let reason = format!(
                        "paired tests, since it and {} were evaluated on different rows ({reason})",
                        first.name
                    );
                    change.left_out.push(reason);
                    return Ok(Some(change));
                }
            }
            match (these.predictions, those.predictions) {
                (Ok(these), Ok(those)) => {
                    // Over several seeds, a drawn row has to be the same one in all of them.
                    let rows = identity.get_or_insert_with(|| these.identity.clone());
                    if *rows != these.identity || *rows != those.identity {
                        lacking = Some("the rows differ from seed to seed".to_owned());
                    }
                    scores.push((these.scores, those.scores));
                }
                (Err(reason), _) | (_, Err(reason)) => lacking = Some(reason),
            }
        }
        let differences: Option<Vec<f64>> = pairs
            .iter()
            .map(|(a, b)| Some(self.value(b)? - self.value(a)?))
            .collect();
        change.seeds = PairedT::of(&differences.unwrap_or_default());
        match (lacking, self.known) {
            (Some(reason), _) => change
                .left_out
                .push(format!("the paired test on rows, since {reason}")),
            (None, None) => change
                .left_out
                .push("the paired test on rows, since the metric is not one of ours".into()),
            (None, Some(metric)) => {
                let pairs: Vec<(&RowScores, &RowScores)> =
                    scores.iter().map(|(these, those)| (these, those)).collect();
                let test =
                    PairedRows::of(metric, &pairs).map_err(|error| CompareError::Incomparable {
                        problem: error.to_string(),
                    })?;
                if test.is_none() {
                    let reason = format!(
                        "the paired test on rows, since {metric} does not follow from single rows"
                    );
                    change.left_out.push(reason);
                }
                change.rows = test;
            }
        }
        Ok(Some(change))
    }
}

/// Says how p-values were corrected for their number.
fn corrected(comparisons: usize) -> String {
    match comparisons {
        1 => String::new(),
        _ => format!(", corrected by Holm's method for {comparisons} comparisons"),
    }
}

/// Corrects the p-values for the number of comparisons, those of each kind by themselves.
fn adjust(rows: &mut [Row]) {
    let of = |kind: fn(&Change) -> Option<f64>| {
        move |row: &Row| row.change.as_ref().and_then(kind).unwrap_or(f64::NAN)
    };
    let seeds: Vec<f64> = rows
        .iter()
        .map(of(|change| Some(change.seeds?.p_value)))
        .collect();
    let on_rows: Vec<f64> = rows
        .iter()
        .map(of(|change| Some(change.rows?.p_value)))
        .collect();
    let adjusted = holm(&seeds).into_iter().zip(holm(&on_rows));
    for (row, (seeds, on_rows)) in rows.iter_mut().zip(adjusted) {
        if let Some(change) = &mut row.change {
            change.seeds_p_adjusted = Some(seeds).filter(|p| !p.is_nan());
            change.rows_p_adjusted = Some(on_rows).filter(|p| !p.is_nan());
        }
    }
}

fn check_tasks(groups: &[Group]) -> Result<(), CompareError> {
    let mut runs = groups.iter().flat_map(|group| &group.runs);
    let Some(first) = runs.next() else {
        return Ok(());
    };
    let Some(other) = runs.find(|run| run.task != first.task) else {
        return Ok(());
    };
    let shown = |run: &RunFacts| match run.task.labels.is_empty() {
        true => run.task.kind.clone(),
        false => format!("{} of {}", run.task.kind, run.task.labels.join(", ")),
    };
    Err(CompareError::Incomparable {
        problem: format!(
            "{} and {} have different tasks, whose metrics cannot be compared: {}; and {}",
            first.name,
            other.name,
            shown(first),
            shown(other)
        ),
    })
}

fn check_seeds(groups: &[Group]) -> Result<(), CompareError> {
    for group in groups {
        for (number, run) in group.runs.iter().enumerate() {
            let mut others = group.runs[..number].iter();
            if let Some(other) = others.find(|other| other.seed == run.seed) {
                return Err(CompareError::Incomparable {
                    problem: format!(
                        "{} and {} are the same variant ({}) with the same seed ({}), and would count twice; \
                         leave one out, or give them different names as NAME=RUN",
                        other.name, run.name, group.name, run.seed
                    ),
                });
            }
        }
    }
    Ok(())
}

/// The metric to compare.
fn chosen_metric<'a>(
    asked: Option<&str>,
    first: &RunFacts,
    mut runs: impl Iterator<Item = &'a RunFacts>,
    evaluation: &dyn Fn(&RunFacts) -> Option<EvaluationFacts>,
) -> Result<String, CompareError> {
    let names = |run: &RunFacts| -> Vec<String> {
        let metrics = evaluation(run).map(|evaluation| evaluation.metrics);
        metrics
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .collect()
    };
    let known = names(first);
    let wanted = finetune_metrics::bare_name(asked.unwrap_or(&first.metric));
    if !known.iter().any(|name| name == wanted) {
        let nearest = known
            .iter()
            .map(|name| (strsim::jaro_winkler(name, wanted), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let advice = match nearest {
            Some((_, name)) => format!("did you mean {name}?"),
            None => format!("expected one of {}", known.join(", ")),
        };
        return Err(CompareError::Incomparable {
            problem: format!("{} has no metric {wanted:?}; {advice}", first.name),
        });
    }
    match runs.find(|run| !names(run).iter().any(|name| name == wanted)) {
        Some(run) => Err(CompareError::Incomparable {
            problem: format!(
                "{wanted} is undefined for {}, so that it cannot be compared; choose another metric, such as \
                 {}",
                run.name,
                names(run).first().map_or("loss", String::as_str)
            ),
        }),
        None => Ok(wanted.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use finetune_metrics::{Predictions, Targets};

    use super::*;
    use crate::table::{RowPredictions, TaskFacts};

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
