//! The median rule: a trial stops where it is worse than the median of the first ones, which are trained to their
//! end. A fixed set of trials to compare with makes the rule independent of who comes first.

use super::{Verdict, better_first, to_the_end};
use crate::{Budget, TrialState, description::Part};

pub(super) fn verdicts(
    trials: &[TrialState],
    every: Part,
    startup: usize,
    whole: f64,
) -> Vec<Verdict> {
    let (first, others) = trials.split_at(startup.min(trials.len()));
    let mut verdicts: Vec<Verdict> = first.iter().map(to_the_end).collect();
    let is_open = verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Due(_)));
    verdicts.extend(others.iter().map(|trial| match is_open {
        true if trial.failed.is_some() => Verdict::Failed,
        true if trial.progress.is_complete => Verdict::Complete,
        true => Verdict::Waiting,
        false => verdict(trial, first, every, whole),
    }));
    verdicts
}

fn verdict(trial: &TrialState, first: &[TrialState], every: Part, whole: f64) -> Verdict {
    let run = &trial.progress;
    for times in 1.. {
        let budget = every.times(times, whole);
        match to_the_end(trial) {
            Verdict::Due(_) if budget != Budget::Full => {}
            ended => return ended,
        }
        if !run.has_reached(budget) {
            return Verdict::Due(budget);
        }
        let order = |value| better_first(run.greater_is_better, value, run.value_at(budget));
        let median = median(first, budget, run.greater_is_better);
        if median.is_some_and(|median| order(Some(median)).is_lt()) {
            return Verdict::Stopped(budget);
        }
    }
    Verdict::Due(Budget::Full)
}

/// The median of the values after `budget`; of an even number of them the worse one in the middle, so that fewer
/// are stopped.
fn median(trials: &[TrialState], budget: Budget, greater_is_better: bool) -> Option<f64> {
    let succeeded = trials.iter().filter(|trial| trial.failed.is_none());
    let mut values: Vec<_> = succeeded
        .map(|trial| trial.progress.value_at(budget))
        .collect();
    values.sort_by(|a, b| better_first(greater_is_better, *a, *b));
    *values.get(values.len() / 2)?
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::{Evaluation, RunProgress};

    fn run(losses: &[f64], whole: bool) -> TrialState {
        let evaluations = losses.iter().zip(1..).map(|(loss, step)| Evaluation {
            step,
            epoch: step as f64 / 10.0,
            value: Some(*loss),
        });
        TrialState {
            progress: RunProgress {
                keeps_best: true,
                evaluations: evaluations.collect(),
                is_complete: whole,
                kept_value: whole.then(|| losses.iter().copied().fold(f64::INFINITY, f64::min)),
                ..RunProgress::default()
            },
            failed: None,
        }
    }

    #[test]
    fn what_is_worse_than_the_median_stops() {
        let of = |trials: &[TrialState]| verdicts(trials, Part::Steps(NonZeroU64::MIN), 3, 3.0);
        let mut trials = vec![TrialState::default(); 5];
        let due = Verdict::Due(Budget::Full);
        let expected = [due, due, due, Verdict::Waiting, Verdict::Waiting];
        assert_eq!(of(&trials), expected);
        trials[0] = run(&[0.9, 0.7, 0.5], true);
        trials[1] = run(&[0.8, 0.6, 0.4], true);
        trials[2] = run(&[0.7, 0.5, 0.3], true);
        assert_eq!(of(&trials)[3..], [Verdict::Due(Budget::Steps(1)); 2]);
        trials[3] = run(&[0.85], false);
        trials[4] = run(&[0.75], false);
        let stopped = |step| Verdict::Stopped(Budget::Steps(step));
        assert_eq!(
            of(&trials)[3..],
            [stopped(1), Verdict::Due(Budget::Steps(2))]
        );
        trials[4] = run(&[0.75, 0.7], false);
        assert_eq!(of(&trials)[4], stopped(2));
        // As good as the median is good enough.
        trials[4] = run(&[0.75, 0.6], false);
        assert_eq!(of(&trials)[4], due);
        trials[4] = run(&[0.75, 0.6, 0.6], true);
        assert_eq!(of(&trials)[4], Verdict::Complete);
        // Without anything to compare with, nothing stops.
        for trial in &mut trials[..3] {
            trial.failed = Some("no memory".into());
        }
        assert_eq!(of(&trials)[3], Verdict::Due(Budget::Steps(2)));
    }
}
