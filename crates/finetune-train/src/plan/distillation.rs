//! Distillation: what a student learns from its teacher beside the labels of its rows.

use finetune_data::ProblemType;
use serde::{Deserialize, Serialize};

use super::{
    check::{conflict, value},
    train_plan::TrainPlan,
};
use crate::{Strategy, TrainError};

/// The settings of a run whose model learns from another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillationPlan {
    /// The teacher, as the user named it.
    pub teacher: String,
    /// SHA-256 of the teacher's files: weights, configuration and tokenizer.
    #[serde(default)]
    pub teacher_sha256: String,
    /// The layers of the teacher that the student begins with; empty for a student of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub student_layers: Vec<usize>,
    /// A data set of further texts, as the user named it, for which there are only the teacher's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<String>,
    /// The divisor of the logits of both from which the teacher's probabilities are learned.
    pub temperature: f64,
    /// Weight of the divergence from the teacher's probabilities, or of the squared error to its values.
    pub soft_weight: f64,
    /// Weight of the loss on the labels.
    pub hard_weight: f64,
    /// Weight of the cosine distance of the encoders' outputs.
    pub cosine_weight: f64,
    /// Weight of the divergence from the attention of the teacher's last layer.
    pub attention_weight: f64,
}

impl DistillationPlan {
    /// The notation of the strategies that a student has, for messages and help.
    pub const STRATEGIES: &str =
        "full, head, last:N, layers:N,N,…, params:REGEX, gradual, bitfit, lora or ia3";
    /// The default temperature, and the default weights of soft and hard labels: those of DistilBERT's
    /// fine-tuning with a teacher (Sanh et al. 2019).
    pub const TEMPERATURE: f64 = 2.0;
    /// See [`TEMPERATURE`](Self::TEMPERATURE).
    pub const SOFT_WEIGHT: f64 = 0.5;
    /// See [`TEMPERATURE`](Self::TEMPERATURE).
    pub const HARD_WEIGHT: f64 = 0.5;

    /// Returns the defaults for this teacher and a student of its own.
    pub fn new(teacher: impl Into<String>) -> Self {
        Self {
            teacher: teacher.into(),
            teacher_sha256: String::new(),
            student_layers: Vec::new(),
            unlabelled: None,
            temperature: Self::TEMPERATURE,
            soft_weight: Self::SOFT_WEIGHT,
            hard_weight: Self::HARD_WEIGHT,
            cosine_weight: 0.0,
            attention_weight: 0.0,
        }
    }

    /// Chooses `count` of `layers` layers, evenly spaced from the first to the last, as DistilBERT began:
    /// 0, 2, 4, 7, 9 and 11 of 12.
    pub fn spread_layers(count: usize, layers: usize) -> Vec<usize> {
        let (steps, last) = (count.saturating_sub(1).max(1), layers.saturating_sub(1));
        // Rounded to the nearest layer.
        (0..count)
            .map(|number| (2 * number * last + steps) / (2 * steps))
            .collect()
    }

    /// Returns whether the teacher has to compute more than its logits, in every step.
    pub fn imitates_encoder(&self) -> bool {
        self.cosine_weight > 0.0 || self.attention_weight > 0.0
    }

    pub(super) fn check(&self, plan: &TrainPlan) -> Result<(), TrainError> {
        let temperature = self.temperature;
        // Beyond, squares and quotients of logits leave the range of f32.
        let valid = (0.01..=1000.0).contains(&temperature);
        let expected = "a number from 0.01 to 1000, such as 2";
        value(valid, "temperature", temperature, expected)?;
        for (key, weight) in [
            ("soft_weight", self.soft_weight),
            ("hard_weight", self.hard_weight),
            ("cosine_weight", self.cosine_weight),
            ("attention_weight", self.attention_weight),
        ] {
            let valid = weight == 0.0 || (1e-6..=1e6).contains(&weight);
            value(
                valid,
                key,
                weight,
                "0, or a number from 0.000001 to 1000000",
            )?;
        }
        let learns = self.soft_weight > 0.0 || self.imitates_encoder();
        conflict(!learns, ["soft_weight", "hard_weight"], || {
            "soft_weight, cosine_weight and attention_weight are all 0, so nothing would be learned from the teacher; set one of them, or train on the labels alone with `finetune train`".into()
        })?;
        let of_classes = plan.data.problem_type != ProblemType::Regression;
        let divides = self.soft_weight > 0.0 && of_classes;
        let divided = temperature != Self::TEMPERATURE;
        conflict(divided && !divides, ["temperature", "soft_weight"], || {
            let why = match of_classes {
                true => "soft_weight is 0",
                false => "a regression has numbers",
            };
            format!(
                "temperature is about the teacher's probabilities, from which nothing is learned, since {why}; leave it out"
            )
        })?;
        let optimization = &plan.optimization;
        for (key, given) in [
            ("class_weights", !optimization.class_weights.is_empty()),
            (
                "label_smoothing_factor",
                optimization.label_smoothing_factor > 0.0,
            ),
        ] {
            conflict(
                given && self.hard_weight == 0.0,
                [key, "hard_weight"],
                || {
                    format!(
                        "{key} is about the loss on the labels, whose hard_weight is 0; leave one of them out"
                    )
                },
            )?;
        }
        let strategy = &plan.model.strategy;
        let foreign = [Strategy::Features, Strategy::Contrastive];
        conflict(
            foreign.contains(strategy),
            ["distillation", "strategy"],
            || {
                format!(
                    "strategy {strategy} does not learn from the outputs of a teacher; a student is trained with --strategy {}",
                    Self::STRATEGIES
                )
            },
        )?;
        let fixed = *strategy == Strategy::Head && self.imitates_encoder();
        conflict(fixed, ["cosine_weight", "strategy"], || {
            "cosine_weight and attention_weight are about the encoder, of which strategy head trains nothing; leave them out, or choose --strategy full".into()
        })?;
        let both = plan.adaptation.is_some() || plan.pretraining.is_some();
        conflict(both, ["distillation", "adaptation"], || {
            "a run either pretrains or learns from a teacher; pretrain the student first with `finetune pretrain`, and name it with --model".into()
        })?;
        let keys = ["distillation", "auto_find_batch_size"];
        conflict(plan.optimization.auto_find_batch_size, keys, || {
            "auto_find_batch_size does not count the teacher; limit a batch with --batch-tokens"
                .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_spread_as_in_distilbert() {
        let spread = DistillationPlan::spread_layers;
        assert_eq!(spread(6, 12), [0, 2, 4, 7, 9, 11]);
        assert_eq!(spread(3, 6), [0, 3, 5]);
        assert_eq!(spread(2, 6), [0, 5]);
        assert_eq!(spread(1, 6), [0]);
        assert_eq!(spread(4, 4), [0, 1, 2, 3]);
    }

    #[test]
    fn settings_round_trip_and_are_checked() {
        let with = |change: fn(&mut DistillationPlan)| {
            let mut plan = TrainPlan::default();
            let mut distillation = DistillationPlan::new("teacher");
            change(&mut distillation);
            plan.distillation = Some(distillation);
            plan
        };
        let plan = with(|plan| plan.student_layers = vec![0, 2]);
        plan.check().unwrap();
        let text = plan.to_toml().unwrap();
        assert!(
            text.contains("[distillation]\nteacher = \"teacher\""),
            "{text}"
        );
        assert_eq!(toml::from_str::<TrainPlan>(&text).unwrap(), plan);
        let problem = |plan: TrainPlan| plan.check().unwrap_err().to_string();
        for (change, words) in [
            (
                (|plan| plan.temperature = 0.0) as fn(&mut DistillationPlan),
                "temperature is 0",
            ),
            (|plan| plan.hard_weight = -1.0, "hard_weight is -1"),
            (|plan| plan.cosine_weight = f64::NAN, "cosine_weight is NaN"),
            (|plan| plan.soft_weight = 0.0, "nothing would be learned"),
            (
                |plan| {
                    plan.soft_weight = 0.0;
                    plan.cosine_weight = 1.0;
                    plan.temperature = 3.0;
                },
                "since soft_weight is 0",
            ),
        ] {
            let error = problem(with(change));
            assert!(error.contains(words), "{error}");
        }
        let mut plan = with(|plan| plan.hard_weight = 0.0);
        plan.check().unwrap();
        plan.optimization.label_smoothing_factor = 0.1;
        assert!(problem(plan).contains("whose hard_weight is 0"));
        let mut plan = with(|plan| plan.temperature = 3.0);
        plan.check().unwrap();
        plan.data.problem_type = ProblemType::Regression;
        plan.evaluation.metric_for_best_model = "mse".into();
        assert!(problem(plan).contains("a regression has numbers"));
        let mut plan = with(|plan| plan.attention_weight = 1.0);
        plan.check().unwrap();
        plan.model.strategy = Strategy::Head;
        assert!(problem(plan.clone()).contains("strategy head"));
        plan.model.strategy = Strategy::Contrastive;
        assert!(problem(plan).contains("strategy contrastive"));
    }
}
