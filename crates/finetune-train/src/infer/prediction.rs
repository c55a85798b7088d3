//! What a model says about one text.

use finetune_metrics::{DEFAULT_THRESHOLD, argmax, sigmoid, softmax};
use finetune_models::{ModelConfig, Task};
use serde::Serialize;

/// What a model says about one text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Name of the likeliest class; empty for regression.
    pub label: String,
    /// Names of the classes whose probability reaches their threshold; of a multi-label model only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Probability of `label`; for regression the (first) predicted value.
    pub confidence: f32,
    /// Probability of each class, in class order; empty for regression.
    pub probabilities: Vec<f32>,
    /// The model's outputs, `[outputs]`: of a regression the predicted values.
    pub logits: Vec<f32>,
}

impl Prediction {
    /// What `logits` `[outputs]` of a model of this configuration mean.
    pub fn new(config: &ModelConfig, logits: &[f32]) -> Self {
        let class = argmax(logits).unwrap_or(0);
        let name = |class: usize| config.outputs.names().get(class).cloned();
        let of_classes = |probabilities: Vec<f32>, labels| Self {
            label: name(class).unwrap_or_default(),
            labels,
            confidence: probabilities.get(class).copied().unwrap_or(f32::NAN),
            probabilities,
            logits: logits.to_vec(),
        };
        match &config.outputs {
            Task::Classes(_) => of_classes(softmax(logits), None),
            Task::MultiLabel(_) => {
                // In f64, as the evaluation compares them.
                let probabilities: Vec<f64> = logits.iter().map(|&logit| sigmoid(logit)).collect();
                let thresholds = config.label_thresholds.as_deref().unwrap_or_default();
                let threshold = |class: usize| thresholds.get(class).copied();
                let reached = |(class, probability): (usize, &f64)| {
                    let threshold = threshold(class).unwrap_or(DEFAULT_THRESHOLD);
                    name(class).filter(|_| *probability >= threshold)
                };
                let labels = probabilities.iter().enumerate().filter_map(reached);
                let labels = labels.collect();
                of_classes(
                    probabilities.iter().map(|&p| p as f32).collect(),
                    Some(labels),
                )
            }
            Task::Regression(_) => Self {
                label: String::new(),
                labels: None,
                confidence: logits.first().copied().unwrap_or(f32::NAN),
                probabilities: Vec::new(),
                logits: logits.to_vec(),
            },
        }
    }
}
