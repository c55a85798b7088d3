//! What is to be done with each trial, as far as results are known. The same results give the same verdicts,
//! whatever came first.

mod halving;
mod median;

use std::cmp::Ordering;

use crate::{Budget, Sweep, TrialState, description::Search};

/// What is to be done with a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To train it so far.
    Due(Budget),
    /// To wait for the results of others.
    Waiting,
    /// Nothing: it was worse than others after this part of its training.
    Stopped(Budget),
    /// Nothing: it is complete.
    Complete,
    /// Nothing more in this session: its process failed.
    Failed,
}

impl Sweep {
    /// Returns a verdict on each trial.
    pub fn verdicts(&self, trials: &[TrialState]) -> Vec<Verdict> {
        match self.search {
            Search::All => trials.iter().map(to_the_end).collect(),
            Search::Halving {
                first,
                factor,
                whole,
            } => halving::verdicts(trials, first, factor, whole),
            Search::Median {
                every,
                startup,
                whole,
            } => median::verdicts(trials, every, startup, whole),
        }
    }
}

/// The verdict on a trial that is trained to its end.
fn to_the_end(trial: &TrialState) -> Verdict {
    match () {
        () if trial.failed.is_some() => Verdict::Failed,
        () if trial.progress.is_complete => Verdict::Complete,
        () => Verdict::Due(Budget::Full),
    }
}

/// Compares the objectives of two trials, the better one first, and what is undefined last.
pub(crate) fn better_first(
    greater_is_better: bool,
    one: Option<f64>,
    other: Option<f64>,
) -> Ordering {
    let key = |value: Option<f64>| {
        let value = value.filter(|value| !value.is_nan());
        let value = value.map(|value| if greater_is_better { -value } else { value });
        value.unwrap_or(f64::INFINITY)
    };
    key(one).total_cmp(&key(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evaluation, RunProgress};

    const BASE: &str = "trials = 27\n[base]\nepochs = 27.0\n[vary]\n\
                        learning_rate = { min = 1e-6, max = 1e-1, log = true }\n\
                        dropout = { min = 0.0, max = 0.6 }\n";

    /// A made accuracy: small learning rates are slow, great ones diverge, and the best dropout is 0.2.
    fn accuracy(learning_rate: f64, dropout: f64, epoch: f64) -> f64 {
        let distance = (learning_rate.log10() + 3.0).abs();
        let limit = 0.9 - 0.05 * distance * distance - 0.3 * (dropout - 0.2).powi(2);
        let speed = 0.6 * (learning_rate / 1e-3).powf(0.3);
        0.5 + (limit - 0.5) * (1.0 - (-speed * epoch).exp())
    }

    /// Trains whatever is due, and returns the best accuracy with the number of epochs that it took.
    fn best_and_epochs(text: &str) -> (f64, u64) {
        let sweep = Sweep::parse(text, &|table| Ok(table)).unwrap();
        let trials = sweep.trials().unwrap();
        let mut states = vec![TrialState::default(); trials.len()];
        let mut epochs = 0;
        loop {
            let due = sweep.verdicts(&states).into_iter().enumerate();
            let mut due = due.filter_map(|(number, verdict)| match verdict {
                Verdict::Due(Budget::Epochs(until)) => Some((number, until)),
                Verdict::Due(_) => Some((number, 27)),
                _ => None,
            });
            let Some((number, until)) = due.next() else {
                break;
            };
            let [rate, dropout] =
                [0, 1].map(|key: usize| trials[number].settings[key].1.as_float().unwrap());
            let run = &mut states[number].progress;
            epochs += until - run.evaluations.len() as u64;
            *run = RunProgress {
                greater_is_better: true,
                keeps_best: true,
                evaluations: (1..=until)
                    .map(|epoch| Evaluation {
                        step: epoch,
                        epoch: epoch as f64,
                        value: Some(accuracy(rate, dropout, epoch as f64)),
                    })
                    .collect(),
                is_complete: until == 27,
                kept_value: (until == 27).then(|| accuracy(rate, dropout, 27.0)),
                ..RunProgress::default()
            };
        }
        let complete = states.iter().filter_map(|state| state.progress.kept_value);
        (complete.fold(0.0, f64::max), epochs)
    }

    #[test]
    fn halving_finds_what_is_best_of_all_with_a_quarter_of_the_epochs() {
        for seed in 0..20 {
            let (best, all) = best_and_epochs(&format!("seed = {seed}\n{BASE}"));
            let halving =
                format!("seed = {seed}\nmethod = 'halving'\n{BASE}[halving]\nepochs = 2\n");
            let (found, epochs) = best_and_epochs(&halving);
            // A rung takes what is new in it: 27 × 2, 9 × 4, 3 × 12, 1 × 9.
            assert_eq!((all, epochs), (27 * 27, 135));
            assert!(found >= 0.98 * best, "seed {seed}: {found}, not {best}");
        }
    }
}
