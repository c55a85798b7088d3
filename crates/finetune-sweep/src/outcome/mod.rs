//! What a sweep has found: the trials from the best on, and the importance of the keys.

mod cells;
mod files;

use serde::Serialize;
use toml::{Table, Value};

use crate::{
    Budget, Evaluation, Sweep, Trial, TrialState, Verdict, importance::Importance,
    verdict::better_first,
};

/// What is known of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The objective; empty before any trial has been evaluated.
    pub objective: String,
    /// Whether more of it is better.
    pub greater_is_better: bool,
    /// The keys that vary.
    pub keys: Vec<String>,
    /// The trials that have begun, complete ones first, from the best on.
    pub trials: Vec<Row>,
    /// Number of trials that have not begun, where their number is known.
    pub pending: Option<usize>,
    /// Name of the best complete trial.
    pub best: Option<String>,
    /// Optimizer steps of all trials, each up to its last evaluation.
    pub steps: u64,
    /// What the trials had in common when their importances were computed.
    pub compared_after: Budget,
    /// Importance of each key, the greatest first.
    pub importance: Vec<Importance>,
    /// The options of the best complete trial.
    #[serde(skip)]
    best_options: Option<Table>,
}

/// A trial.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its number, from 0.
    pub number: usize,
    /// The name of its directory.
    pub name: String,
    /// Its values, in the order of the keys.
    pub settings: Vec<Value>,
    /// How it ended.
    pub state: State,
    /// The objective so far.
    pub value: Option<f64>,
    /// The metric on the test rows of a complete trial.
    pub test_value: Option<f64>,
    /// Optimizer steps up to the last evaluation.
    pub step: u64,
    /// Epochs up to the last evaluation.
    pub epoch: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// The evaluations.
    pub evaluations: Vec<Evaluation>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is complete.
    Complete,
    /// It was worse than others after this part of its training.
    Stopped(Budget),
    /// It goes on when the sweep does.
    Unfinished,
    /// Its process failed, with this message.
    Failed(String),
}

impl Outcome {
    /// Gathers what is known of the trials.
    pub fn of(sweep: &Sweep, trials: &[Trial], states: &[TrialState]) -> Self {
        let measured = states.iter().map(|state| &state.progress);
        let measured = measured
            .clone()
            .find(|progress| !progress.metric.is_empty());
        let greater_is_better = measured.is_some_and(|progress| progress.greater_is_better);
        let verdicts = sweep.verdicts(states);
        let all = trials.iter().zip(states).zip(&verdicts);
        let begun = all.filter(|((_, state), _)| state.has_begun());
        let mut rows: Vec<Row> = begun
            .map(|((trial, state), verdict)| Row::of(trial, state, *verdict))
            .collect();
        rows.sort_by(|a, b| {
            let order = |row: &Row| match row.state {
                State::Complete => 0,
                State::Stopped(_) | State::Unfinished => 1,
                State::Failed(_) => 2,
            };
            let value = better_first(greater_is_better, a.value, b.value);
            order(a)
                .cmp(&order(b))
                .then(value)
                .then(a.number.cmp(&b.number))
        });
        let best = rows.first();
        let best = best.filter(|row| row.state == State::Complete && row.value.is_some());
        let best_trial =
            best.and_then(|row| trials.iter().find(|trial| trial.number == row.number));
        let is_counted = sweep.trials.is_some() || sweep.time.is_none();
        Self {
            objective: measured
                .map(|progress| progress.metric.clone())
                .unwrap_or_default(),
            greater_is_better,
            keys: sweep.vary.iter().map(|(key, _)| key.clone()).collect(),
            pending: is_counted.then(|| trials.len() - rows.len()),
            best: best.map(|row| row.name.clone()),
            steps: rows.iter().map(|row| row.step).sum(),
            compared_after: sweep.first_budget(),
            importance: importance(sweep, trials, states, greater_is_better),
            best_options: best_trial.map(|trial| trial.options.clone()),
            trials: rows,
        }
    }

    /// Returns whether a trial failed.
    pub fn has_failed(&self) -> bool {
        let mut trials = self.trials.iter();
        trials.any(|row| matches!(row.state, State::Failed(_)))
    }

    /// Returns the best complete trial.
    pub fn best_row(&self) -> Option<&Row> {
        let best = self.best.as_ref()?;
        self.trials.iter().find(|row| row.name == *best)
    }
}

impl Row {
    fn of(trial: &Trial, state: &TrialState, verdict: Verdict) -> Self {
        let run = &state.progress;
        let (step, epoch) = run.done();
        Self {
            number: trial.number,
            name: trial.name.clone(),
            settings: trial
                .settings
                .iter()
                .map(|(_, value)| value.clone())
                .collect(),
            state: match (verdict, &state.failed) {
                (_, Some(message)) => State::Failed(message.clone()),
                (Verdict::Stopped(budget), None) => State::Stopped(budget),
                _ if run.is_complete => State::Complete,
                _ => State::Unfinished,
            },
            value: run.value_at(Budget::Full),
            test_value: run.test_value,
            step,
            epoch,
            seconds: run.seconds,
            evaluations: run.evaluations.clone(),
        }
    }
}

/// The importance of each key, from the objectives of all trials after the same part of their training.
fn importance(
    sweep: &Sweep,
    trials: &[Trial],
    states: &[TrialState],
    greater_is_better: bool,
) -> Vec<Importance> {
    let budget = sweep.first_budget();
    let known: Vec<(&Trial, f64)> = trials
        .iter()
        .zip(states)
        .filter(|(_, state)| state.progress.has_reached(budget))
        .filter_map(|(trial, state)| Some((trial, state.progress.value_at(budget)?)))
        .collect();
    let mut all: Vec<Importance> = sweep
        .vary
        .iter()
        .enumerate()
        .map(|(index, (key, _))| {
            let values = known.iter();
            let values =
                values.filter_map(|(trial, value)| Some((&trial.settings.get(index)?.1, *value)));
            Importance::of(key, &values.collect::<Vec<_>>(), greater_is_better)
        })
        .collect();
    all.sort_by(|a, b| b.share.unwrap_or(-1.0).total_cmp(&a.share.unwrap_or(-1.0)));
    all
}
