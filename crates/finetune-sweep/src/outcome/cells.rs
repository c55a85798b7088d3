//! The table of a sweep as texts.

use finetune_compare::{
    name::shown,
    table::{count, seconds},
};

use super::{Outcome, Row, State};

impl Outcome {
    /// Returns the lines of the table, the header first: number, settings, objective, test, steps, epochs, time, how
    /// it ended.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let has_test = self.trials.iter().any(|row| row.test_value.is_some());
        let mut header = vec!["trial".to_owned()];
        header.extend(self.keys.iter().cloned());
        header.push(self.objective.clone());
        if has_test {
            header.push("test".into());
        }
        header.extend(["steps", "epochs", "time", ""].map(str::to_owned));
        let lines = self.trials.iter().map(|row| self.line(row, has_test));
        std::iter::once(header).chain(lines).collect()
    }

    fn line(&self, row: &Row, has_test: bool) -> Vec<String> {
        let score = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
        let mut line = vec![(row.number + 1).to_string()];
        line.extend(row.settings.iter().map(shown));
        line.push(score(row.value));
        if has_test {
            line.push(score(row.test_value));
        }
        line.push(count(row.step as f64));
        line.push(format!("{:.1}", row.epoch));
        line.push(seconds(row.seconds));
        let is_best = self.best.as_ref() == Some(&row.name);
        line.push(match &row.state {
            State::Complete if is_best => "best".into(),
            State::Complete => String::new(),
            State::Stopped(budget) => format!("stopped after {budget}"),
            State::Unfinished => "unfinished".into(),
            State::Failed(_) => "failed".into(),
        });
        line
    }

    /// Returns a sentence per failed trial.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.trials.iter().filter_map(|row| match &row.state {
            State::Failed(message) => Some(format!("{} failed with {message}", row.name)),
            _ => None,
        });
        failed.collect()
    }

    /// Returns the lines of the table of importances, the header first; nothing if there are too few trials.
    pub fn importance_cells(&self) -> Vec<Vec<String>> {
        if self.importance.iter().all(|key| key.share.is_none()) {
            return Vec::new();
        }
        let header = ["key", "explains", "p", "best"].map(str::to_owned).to_vec();
        let lines = self.importance.iter().map(|key| {
            let share = |share: f64| format!("{:.0} %", 100.0 * share);
            vec![
                key.key.clone(),
                key.share.map_or("-".into(), share),
                key.p_value.map_or("-".into(), |p| format!("{p:.3}")),
                key.best.clone().unwrap_or_else(|| "-".into()),
            ]
        });
        std::iter::once(header).chain(lines).collect()
    }

    /// Returns what the tables mean, in sentences.
    pub fn legend(&self) -> Vec<String> {
        let mut legend = Vec::new();
        if !self.objective.is_empty() {
            legend.push(format!(
                "{} is that of the validation rows; {} is better.",
                self.objective,
                if self.greater_is_better {
                    "greater"
                } else {
                    "smaller"
                }
            ));
        }
        if self.importance.iter().any(|key| key.share.is_some()) {
            legend.push(format!(
                "explains: share of the variance of the ranks that a key explains by itself (epsilon squared of \
                 Kruskal-Wallis), among all trials after training up to {}; p: by chance.",
                self.compared_after
            ));
        }
        if let Some(pending) = self.pending.filter(|pending| *pending > 0) {
            legend.push(format!("Trials that have not begun: {pending}."));
        }
        legend
    }
}
