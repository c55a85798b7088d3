//! How a run ended, as JSON and in words.

use std::sync::Arc;

use finetune_train::{Accumulator, Outcome, RunDirectory, SavingCost, TrainPlan};
use serde_json::{Value, json};

use crate::{
    error::Failure,
    view::{
        comparison::Comparison,
        next,
        output::{print_json, say, show},
        progress::{count, headline},
        summary,
    },
};

/// The results of a run.
pub struct Report {
    /// Of training.
    pub outcome: Outcome,
    /// Of the best model on the test rows, where there are any.
    pub test: Option<Arc<Accumulator>>,
    /// What the untrained model says of the first rows, of strategy `features`.
    pub raw_predictions: Option<String>,
    /// Elements that were trained, and all.
    pub parameters: (u64, u64),
    /// Most bytes of memory until the end, where the system says it.
    pub peak_memory: Option<u64>,
}

impl Report {
    /// Prints it on standard output: one JSON object, or in words. The run is complete: that nobody
    /// can read this is no failure of it.
    pub fn print(&self, plan: &TrainPlan, run: &RunDirectory, json: bool) {
        let printed = match json {
            true => print_json(self.json(run)),
            false => show(&self.text(plan, run)),
        };
        if let Err(Failure::User(problem) | Failure::Internal(problem)) = printed {
            let results = run.results();
            say!("note: {problem}; the results are in {}", results.display());
        }
    }

    /// What `results.json` has, with the metrics of the model that was kept.
    pub fn json(&self, run: &RunDirectory) -> Value {
        let outcome = &self.outcome;
        let mut results = json!({
            "train": {
                "loss": outcome.loss,
                "seconds": outcome.seconds,
                "product_seconds": outcome.product_seconds,
                "samples_per_second": outcome.samples_per_second,
                "steps": outcome.steps,
                "stopped": outcome.reason,
            },
            "before": outcome.before,
            "validation": outcome.kept_evaluation,
            "best_step": self.best_step(),
        });
        if let Some(lost) = &outcome.lost_best {
            results["lost_best"] = json!(lost);
        }
        if let Some(stop) = &outcome.early_stop {
            results["train"]["early_stopping"] = json!(stop);
        }
        if let Some(test) = &self.test {
            results["test"] = summary::json_with_intervals(test);
        }
        let (trainable, all) = self.parameters;
        results["peak_memory_bytes"] = json!(self.peak_memory);
        results["parameters"] = json!({"total": all, "trainable": trainable});
        results["output"] = json!(run.path().display().to_string());
        results
    }

    /// The step of the best model; if that is lost, of the one that is kept.
    fn best_step(&self) -> Option<u64> {
        let outcome = &self.outcome;
        let best = outcome.best.as_ref().map(|best| best.step);
        best.map(|step| match outcome.lost_best {
            Some(_) => outcome.kept_step,
            None => step,
        })
    }

    /// How many rows the training evaluated.
    fn validation_rows(&self) -> u64 {
        let outcome = &self.outcome;
        let best = outcome.best.as_ref().map(|best| &best.evaluation);
        let evaluation = best.or(outcome.last.as_ref()).or(outcome.before.as_ref());
        evaluation.map_or(0, |metrics| metrics.rows())
    }

    /// The untouched model and the result on the validation rows.
    fn comparison(&self, plan: &TrainPlan) -> Option<Comparison> {
        let outcome = &self.outcome;
        if outcome.steps == 0 {
            return None;
        }
        let after = outcome.kept_evaluation.as_ref()?;
        let before = outcome.before.as_ref()?;
        Some(Comparison::new(plan.data.problem_type, before, after))
    }

    /// The test results, what was done, and what to type next.
    pub fn text(&self, plan: &TrainPlan, run: &RunDirectory) -> String {
        let peak = self.peak_memory.map_or_else(String::new, |bytes| {
            format!(", {:.2} GB of memory at most", bytes as f64 / 1e9)
        });
        let test = self.test.as_ref().map_or_else(String::new, |all| {
            let (headline, tables) = (headline(&all.evaluation()), summary::tables(all));
            format!("\ntest    {headline}\n\n{tables}\n")
        });
        let outcome = &self.outcome;
        let before_and_after = self
            .comparison(plan)
            .map_or_else(String::new, |comparison| {
                let table = comparison.table(["before", "after"]);
                format!("\nvalidation rows before and after training\n\n{table}\n")
            });
        let raw = self
            .raw_predictions
            .as_ref()
            .map_or_else(String::new, |table| {
                format!("\nwhat it says of the first validation rows, untrained\n\n{table}\n")
            });
        let saving = saving(&outcome.saving);
        let lost = outcome.lost_best.as_ref().map_or_else(String::new, |lost| {
            format!(
                ": the last model, of step {}, not the best, of step {}, whose checkpoint is damaged",
                count(outcome.kept_step),
                count(lost.step)
            )
        });
        let model = run.model();
        let steps = count(outcome.steps);
        let next = next::lines(plan, &model, self.validation_rows());
        let model = model.display();
        let (seconds, speed) = (outcome.seconds, outcome.samples_per_second);
        format!(
            "{test}{before_and_after}{raw}trained {steps} steps in {seconds:.0} s, {speed:.1} samples/s{peak}\n{saving}\
             saved   {model}{lost}\n\n\
             Next:\n{next}"
        )
    }
}

/// What checkpoints cost, in words.
fn saving(cost: &SavingCost) -> String {
    match cost.checkpoints {
        0 => String::new(),
        checkpoints => format!(
            "saved   {checkpoints} checkpoints, {:.2} GB, written in {:.1} s beside the training, which waited {:.2} s\n",
            cost.bytes as f64 / 1e9,
            cost.write_seconds,
            cost.stall_seconds
        ),
    }
}
