//! A model's prediction for one text.

use finetune_metrics::argmax;
use finetune_models::ModelConfig;
use finetune_task::Task;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::objective;

/// A model's prediction for one text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Name of the likeliest class; empty for regression.
    pub label: String,
    /// Names of the classes whose probability reaches their threshold; multi-label models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Probability of `label`; for regression the (first) predicted value.
    pub confidence: f32,
    /// Probability of each class, in class order; empty for regression.
    pub probabilities: Vec<f32>,
    /// The model's outputs, `[outputs]`; for regression the predicted values.
    pub logits: Vec<f32>,
}

impl Prediction {
    /// Interprets the `logits` `[outputs]` of a model with this configuration.
    pub fn new(config: &ModelConfig, logits: &[f32]) -> Self {
        objective::of(config.outputs.problem_type()).prediction(config, logits)
    }

    /// Returns the prediction of the likeliest of these classes.
    pub(crate) fn of_classes(
        names: &[String],
        logits: &[f32],
        probabilities: Vec<f32>,
        labels: Option<Vec<String>>,
    ) -> Self {
        let class = argmax(logits).unwrap_or(0);
        Self {
            label: names.get(class).cloned().unwrap_or_default(),
            labels,
            confidence: probabilities.get(class).copied().unwrap_or(f32::NAN),
            probabilities,
            logits: logits.to_vec(),
        }
    }
}

/// Returns a JSON object of one value per output, by name.
pub(crate) fn by_name(task: &Task, values: &[f32]) -> Value {
    let named = task.names().iter().cloned().zip(values);
    named
        .map(|(name, value)| (name, json!(value)))
        .collect::<Map<_, _>>()
        .into()
}
