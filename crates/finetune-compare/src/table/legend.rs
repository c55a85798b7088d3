//! What the table compares and how, in sentences.

use std::collections::BTreeSet;

use super::{
    comparison::{Change, Comparison, ScoreInterval},
    facts::RunFacts,
};
use crate::statistics::RowMethod;

impl Comparison {
    /// Says what the table compares and how.
    pub(super) fn sentences(&self, first: &RunFacts, apparently: bool) -> Vec<String> {
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

/// Says how p-values were corrected for their number.
fn corrected(comparisons: usize) -> String {
    match comparisons {
        1 => String::new(),
        _ => format!(", corrected by Holm's method for {comparisons} comparisons"),
    }
}
