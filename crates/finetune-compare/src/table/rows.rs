//! From the runs of a variant to its row, and to its difference from the first.

use finetune_metrics::{Metric, RowScores};

use super::{
    comparison::{Change, Row, RunValue, Score, ScoreInterval},
    facts::{EvaluationFacts, RunFacts, SameRows},
    group::Group,
};
use crate::{
    CompareError,
    statistics::{Mean, PairedRows, PairedT, holm},
};

/// What is looked up in every run.
pub(super) struct Table<'a> {
    pub(super) metric: &'a str,
    pub(super) known: Option<Metric>,
    pub(super) evaluation: &'a dyn Fn(&RunFacts) -> Option<EvaluationFacts>,
}

impl Table<'_> {
    fn value(&self, run: &RunFacts) -> Option<f64> {
        (self.evaluation)(run)?.metrics.get(self.metric).copied()
    }

    pub(super) fn row(&self, group: &Group) -> Row {
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
    pub(super) fn change(
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

/// Corrects the p-values for the number of comparisons, those of each kind by themselves.
pub(super) fn adjust(rows: &mut [Row]) {
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
