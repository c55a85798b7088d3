//! The results of a complete run, as `results.json` stores them.

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};

use crate::{Accumulator, Outcome};

/// The results of a complete run.
#[derive(Clone, Debug)]
pub struct RunResults {
    /// The results of training.
    pub outcome: Outcome,
    /// The evaluation of the kept model on the test rows, if there are any.
    pub test: Option<Arc<Accumulator>>,
    /// Number of trained parameters.
    pub trainable_parameters: u64,
    /// Number of parameters of the model.
    pub parameters: u64,
    /// Peak memory in bytes, where the system reports it.
    pub peak_memory: Option<u64>,
    /// The run directory.
    pub output: PathBuf,
}

impl RunResults {
    /// Returns the content of `results.json`; its metrics are those of the kept model.
    pub fn to_json(&self) -> Value {
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
            results["test"] = test.json_with_intervals();
        }
        results["peak_memory_bytes"] = json!(self.peak_memory);
        let (trainable, all) = (self.trainable_parameters, self.parameters);
        results["parameters"] = json!({"total": all, "trainable": trainable});
        results["output"] = json!(self.output.display().to_string());
        results
    }

    /// Returns the step of the best model, or of the kept model if the best one is lost.
    fn best_step(&self) -> Option<u64> {
        let outcome = &self.outcome;
        let best = outcome.best.as_ref().map(|best| best.step);
        best.map(|step| match outcome.lost_best {
            Some(_) => outcome.kept_step,
            None => step,
        })
    }
}
