//! The results of a complete run, as `results.json` stores them.

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};

use crate::{Accumulator, Evaluation, HeldOut, Learning, Outcome, TrainData, TrainError};

/// The results of a complete run.
#[derive(Clone, Debug)]
pub struct RunResults {
    /// The results of training.
    pub outcome: Outcome,
    /// The evaluation of the kept model on the test rows, if there are any.
    pub test: Option<Arc<Accumulator>>,
    /// The teacher on the same rows, if there is one.
    pub teacher: Option<TeacherResults>,
    /// Number of trained parameters.
    pub trainable_parameters: u64,
    /// Number of parameters of the model.
    pub parameters: u64,
    /// Peak memory in bytes, where the system reports it.
    pub peak_memory: Option<u64>,
    /// The run directory.
    pub output: PathBuf,
}

/// A teacher's metrics on the rows on which its student is evaluated.
#[derive(Clone, Debug)]
pub struct TeacherResults {
    /// Its metrics on the validation rows.
    pub validation: Evaluation,
    /// Its metrics on the test rows, if there are any.
    pub test: Option<Evaluation>,
    /// How far the student agrees with it on the test rows.
    pub test_agreement: Option<f64>,
}

impl TeacherResults {
    /// Evaluates the teacher from its logits; `test` has the student's predictions for the test rows.
    pub(crate) fn of<L: Learning>(
        learning: &L,
        data: &TrainData,
        test: Option<&Accumulator>,
    ) -> Result<Option<Self>, TrainError> {
        let validation = learning.teacher(HeldOut::Validation(&data.validation))?;
        let Some(validation) = validation else {
            return Ok(None);
        };
        let (mut metrics, mut test_agreement) = (None, None);
        if let (Some(rows), Some(student)) = (&data.test, test) {
            let rows = HeldOut::Test(rows);
            metrics = learning.teacher(rows)?.map(|all| all.evaluation());
            test_agreement = learning.agreement(rows, student)?;
        }
        Ok(Some(Self {
            validation: validation.evaluation(),
            test: metrics,
            test_agreement,
        }))
    }

    fn to_json(&self) -> Value {
        let mut json = json!({"validation": self.validation});
        if let Some(test) = &self.test {
            json["test"] = json!(test);
        }
        json
    }
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
        if let Some(teacher) = &self.teacher {
            results["teacher"] = teacher.to_json();
            if let Some(agreement) = teacher.test_agreement {
                results["test"][Evaluation::AGREEMENT] = json!(agreement);
            }
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
