//! The time, memory and disk of a run, from what it has to do and what a probe has measured.

use finetune_train::TrainPlan;
use serde_json::{Value, json};

use super::probing::Done;

/// What a run with a strategy takes.
pub struct Forecast {
    pub strategy: String,
    /// Whether it is the strategy of the run itself.
    pub is_asked: bool,
    /// What was measured, or why nothing could be.
    pub measured: Result<Done, String>,
}

impl Forecast {
    pub fn new(strategy: String, is_asked: bool, measured: Result<Done, String>) -> Self {
        Self {
            strategy,
            is_asked,
            measured,
        }
    }

    /// Returns the forecast as JSON. Times are in seconds, and sizes in bytes.
    pub fn to_json(&self) -> Value {
        let mut json = match &self.measured {
            Err(problem) => json!({"problem": problem}),
            Ok(done) => {
                let mut json = json!(done.probe);
                json["workload"] = json!(done.workload);
                json["load_seconds"] = json!(done.load_seconds);
                json["training_seconds"] = json!(done.training_seconds());
                json["evaluating_seconds"] = json!(done.evaluating_seconds());
                json["saving_seconds"] = json!(done.saving_seconds());
                json["seconds"] = json!(done.seconds());
                json
            }
        };
        json["strategy"] = json!(self.strategy);
        json["asked"] = json!(self.is_asked);
        json
    }
}

impl Done {
    /// Returns the time of all steps.
    pub fn training_seconds(&self) -> f64 {
        self.workload.steps as f64 * self.probe.step_seconds
    }

    /// Returns the time of all evaluations, that of the test rows included, and of what precedes each of them.
    pub fn evaluating_seconds(&self) -> f64 {
        let Self {
            workload, probe, ..
        } = self;
        let completions = workload.evaluations.max(workload.checkpoints) as f64;
        let test = match workload.test_rows {
            0 => 0.0,
            // The kept model is loaded for it.
            _ => self.load_seconds + probe.test_seconds,
        };
        workload.evaluations as f64 * probe.evaluation_seconds
            + completions * probe.completion_seconds
            + test
    }

    /// Returns the time for which a run waits for its files: checkpoints are written in the background, so
    /// only for the last one, for the kept model, and for those that take longer than the steps between them.
    pub fn saving_seconds(&self) -> f64 {
        let Self {
            workload, probe, ..
        } = self;
        let (count, each) = (workload.checkpoints as f64, probe.checkpoint_seconds);
        if workload.checkpoints == 0 {
            return probe.model_seconds;
        }
        let between = (self.training_seconds() + self.evaluating_seconds()) / count;
        probe.model_seconds + each + (count - 1.0) * (each - between).max(0.0)
    }

    /// Returns the time of the whole run, from loading the model on.
    pub fn seconds(&self) -> f64 {
        self.load_seconds
            + self.probe.preparation_seconds
            + self.training_seconds()
            + self.evaluating_seconds()
            + self.saving_seconds()
    }

    /// Returns the largest number of checkpoints on the disk at once, with the one that is being written.
    pub fn checkpoints_at_once(&self, plan: &TrainPlan) -> u64 {
        let workload = &self.workload;
        let all = workload.checkpoints + workload.checkpoints_if_best;
        let best = u64::from(plan.evaluation.load_best_model_at_end);
        all.min(plan.saving.save_total_limit as u64 + best + 1)
    }

    /// Returns the most bytes that the run has on the disk at once.
    pub fn disk_bytes(&self, plan: &TrainPlan) -> u64 {
        let probe = &self.probe;
        let checkpoints = self.checkpoints_at_once(plan) * probe.checkpoint_bytes;
        let limit = plan.saving.save_bytes_limit.map_or(u64::MAX, u64::from);
        // The limit is for those that are complete.
        let checkpoints = checkpoints.min(limit.saturating_add(probe.checkpoint_bytes));
        checkpoints + probe.model_bytes + probe.feature_bytes.1
    }
}

#[cfg(test)]
mod tests {
    use finetune_train::{Probe, Workload};

    use super::*;

    fn done() -> Done {
        Done {
            workload: Workload {
                steps: 100,
                steps_per_epoch: 50.0,
                epochs: 2.0,
                warmup_steps: 10,
                train_rows: 800,
                pairs_per_epoch: None,
                tokens_per_epoch: 8000,
                longest_row: 20,
                truncated_rows: 0,
                padding_avoided: Some(0.5),
                validation_rows: 80,
                test_rows: 0,
                evaluations: 3,
                checkpoints: 2,
                checkpoints_if_best: 0,
            },
            probe: Probe {
                step_seconds: 0.5,
                preparation_seconds: 4.0,
                evaluation_seconds: 2.0,
                checkpoint_seconds: 1.0,
                model_seconds: 0.25,
                checkpoint_bytes: 30,
                model_bytes: 10,
                feature_bytes: (1000, 100),
                ..Probe::default()
            },
            load_seconds: 0.75,
        }
    }

    #[test]
    fn a_run_is_the_sum_of_its_parts() {
        let mut done = done();
        assert_eq!(done.training_seconds(), 50.0);
        assert_eq!(done.evaluating_seconds(), 6.0);
        // The last checkpoint and the kept model.
        assert_eq!(done.saving_seconds(), 1.25);
        assert_eq!(done.seconds(), 0.75 + 4.0 + 50.0 + 6.0 + 1.25);
        // The first checkpoint takes 12 seconds longer than the 28 to the next one.
        done.probe.checkpoint_seconds = 40.0;
        assert_eq!(done.saving_seconds(), 0.25 + 40.0 + 12.0);
        done.workload.test_rows = 8;
        done.probe.test_seconds = 3.0;
        assert_eq!(done.evaluating_seconds(), 9.75);
    }

    #[test]
    fn checkpoints_are_pruned() {
        let mut done = done();
        let mut plan = TrainPlan::default();
        assert_eq!(done.checkpoints_at_once(&plan), 2);
        done.workload.checkpoints = 50;
        // Two, the best one, and the one that is being written.
        assert_eq!(done.checkpoints_at_once(&plan), 4);
        assert_eq!(done.disk_bytes(&plan), 4 * 30 + 10 + 100);
        plan.evaluation.load_best_model_at_end = false;
        assert_eq!(done.checkpoints_at_once(&plan), 3);
    }
}
