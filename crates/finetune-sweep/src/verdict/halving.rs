//! Successive halving, a rung at a time: who goes on is decided when all trials of a rung are known. (ASHA decides
//! earlier, so that its result depends on which trial comes first.)

use super::{Verdict, better_first, to_the_end};
use crate::{Budget, TrialState, description::Part};

pub(super) fn verdicts(
    trials: &[TrialState],
    first: Part,
    factor: u64,
    whole: f64,
) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Waiting; trials.len()];
    let mut entrants: Vec<usize> = (0..trials.len()).collect();
    let mut times = 1_u64;
    loop {
        let budget = first.times(times, whole);
        for &number in &entrants {
            let trial = &trials[number];
            verdicts[number] = match to_the_end(trial) {
                Verdict::Due(_) if trial.progress.has_reached(budget) => Verdict::Waiting,
                Verdict::Due(_) => Verdict::Due(budget),
                ended => ended,
            };
        }
        let is_open = |number: &usize| matches!(verdicts[*number], Verdict::Due(_));
        if budget == Budget::Full || entrants.iter().any(is_open) {
            return verdicts;
        }
        times = times.saturating_mul(factor);
        let places = (trials.len() as u64 / times).max(1) as usize;
        entrants.retain(|number| trials[*number].failed.is_none());
        // Of equal trials, the earlier one goes on, since the sort is stable.
        entrants.sort_by(|a, b| {
            let value = |number: &usize| trials[*number].progress.value_at(budget);
            better_first(trials[*a].progress.greater_is_better, value(a), value(b))
        });
        for number in entrants.split_off(places.min(entrants.len())) {
            if verdicts[number] == Verdict::Waiting {
                verdicts[number] = Verdict::Stopped(budget);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::{Evaluation, RunProgress};

    /// A run of 8 epochs whose accuracy approaches its quality.
    fn run(quality: f64, epochs: u64) -> TrialState {
        let accuracy = |epoch: u64| quality * (1.0 - 0.5 / (1.0 + epoch as f64));
        let evaluations = (1..=epochs).map(|epoch| Evaluation {
            step: 10 * epoch,
            epoch: epoch as f64,
            value: Some(accuracy(epoch)),
        });
        TrialState {
            progress: RunProgress {
                greater_is_better: true,
                keeps_best: true,
                evaluations: evaluations.collect(),
                is_complete: epochs == 8,
                kept_value: (epochs == 8).then(|| accuracy(8)),
                ..RunProgress::default()
            },
            failed: None,
        }
    }

    fn of(trials: &[TrialState]) -> Vec<Verdict> {
        verdicts(trials, Part::Epochs(NonZeroU64::MIN), 2, 8.0)
    }

    /// Trains whatever is due, in any order, until nothing is.
    fn complete(trials: &mut [TrialState], qualities: &[f64], last_first: bool) -> u64 {
        let mut epochs = 0;
        loop {
            let due = of(trials).into_iter().enumerate();
            let mut due = due.filter_map(|(number, verdict)| match verdict {
                Verdict::Due(Budget::Epochs(epochs)) => Some((number, epochs)),
                Verdict::Due(_) => Some((number, 8)),
                _ => None,
            });
            let due = if last_first {
                due.next_back()
            } else {
                due.next()
            };
            let Some((number, until)) = due else {
                return epochs;
            };
            epochs += until - trials[number].progress.evaluations.len() as u64;
            trials[number] = run(qualities[number], until);
        }
    }

    #[test]
    fn the_better_half_goes_on_whatever_the_order() {
        let qualities = [0.6, 0.9, 0.7, 0.8, 0.5, 0.55, 0.65, 0.75];
        let mut trials = vec![TrialState::default(); 8];
        assert_eq!(of(&trials), vec![Verdict::Due(Budget::Epochs(1)); 8]);
        let epochs = complete(&mut trials, &qualities, false);
        let mut others = vec![TrialState::default(); 8];
        assert_eq!(complete(&mut others, &qualities, true), epochs);
        assert_eq!(trials, others);
        // 8 × 1, 4 × 1 more, 2 × 2 more, 1 × 4 more.
        assert_eq!(epochs, 8 + 4 + 4 + 4);
        let verdicts = of(&trials);
        assert_eq!(verdicts[1], Verdict::Complete);
        assert_eq!(verdicts[3], Verdict::Stopped(Budget::Epochs(4)));
        assert_eq!(verdicts[7], Verdict::Stopped(Budget::Epochs(2)));
        assert_eq!(verdicts[4], Verdict::Stopped(Budget::Epochs(1)));
    }

    #[test]
    fn a_rung_waits_for_its_last_trial_but_not_for_failed_ones() {
        let mut trials: Vec<_> = (0..4)
            .map(|number| run(0.5 + 0.1 * f64::from(number), 1))
            .collect();
        trials[0] = TrialState::default();
        let waiting = [Verdict::Waiting; 3];
        assert_eq!(of(&trials)[1..], waiting);
        trials[0].failed = Some("no memory".into());
        let stopped = Verdict::Stopped(Budget::Epochs(1));
        let due = Verdict::Due(Budget::Epochs(2));
        assert_eq!(of(&trials), [Verdict::Failed, stopped, due, due]);
        // An undefined objective is the worst.
        trials[3].progress.evaluations[0].value = None;
        assert_eq!(of(&trials), [Verdict::Failed, due, due, stopped]);
    }
}
