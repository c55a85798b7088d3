//! Settings of contrastive training.

use std::num::NonZeroU64;

use finetune_data::{BatchSize, ProblemType};
use serde::{Deserialize, Serialize};

use super::{check::conflict, schedule::require};
use crate::{FeatureLimits, Strategy, TrainError, TrainPlan};

/// Settings of strategy `contrastive`, which learns from pairs of texts as SetFit does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// Largest number of pairs in an epoch. Half of the pairs are of texts of the same class, and the
    /// rarer kind is repeated; by default 64 texts of each of two classes are all paired.
    pub max_pairs: NonZeroU64,
    /// Inverse strength of the penalty on the weights of the head: scikit-learn's `C`.
    pub head_c: f64,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        Self {
            max_pairs: const { NonZeroU64::new(8192).unwrap() },
            head_c: 1.0,
        }
    }
}

impl TrainPlan {
    /// Returns the number of pairs that `rows` rows of a batch are, if the strategy pairs them.
    pub fn pairs_in(&self, rows: u64) -> Option<u64> {
        (self.model.strategy == Strategy::Contrastive).then_some(rows / 2)
    }
}

impl ContrastiveConfig {
    /// Returns whether all settings have their defaults.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the settings of a plan, and refuses others that have no meaning for pairs of texts.
    pub(super) fn check(&self, plan: &TrainPlan) -> Result<(), TrainError> {
        let strategy = &plan.model.strategy;
        if *strategy != Strategy::Contrastive {
            return conflict(!self.is_default(), ["contrastive", "strategy"], || {
                format!(
                    "contrastive has settings, but the strategy is {strategy}; add --strategy contrastive, or remove them"
                )
            });
        }
        let c = self.head_c;
        require(c > 0.0 && c.is_finite(), "head_c", c, "a number above 0")?;
        let task = plan.data.problem_type;
        let classes = task == ProblemType::SingleLabelClassification;
        conflict(!classes, ["strategy", "problem_type"], || {
            format!(
                "strategy contrastive pairs texts by their class, but the task is {task}; use another, such as --strategy full"
            )
        })?;
        let (of_rows, model) = (&plan.optimization, &plan.model);
        let by_tokens = matches!(of_rows.batch, BatchSize::Tokens(_));
        for (key, given) in [
            ("batch_tokens", by_tokens),
            ("length_buckets", of_rows.length_buckets.is_some()),
            (
                "label_smoothing_factor",
                of_rows.label_smoothing_factor > 0.0,
            ),
            ("class_weights", !of_rows.class_weights.is_empty()),
            ("ema_decay", of_rows.ema_decay.is_some()),
        ] {
            conflict(given, ["strategy", key], || {
                format!("{key} has no meaning for the pairs of strategy contrastive; leave it out")
            })?;
        }
        let own_rate = of_rows.head_learning_rate != of_rows.learning_rate;
        conflict(own_rate, ["strategy", "head_learning_rate"], || {
            "head_learning_rate has no effect on strategy contrastive, whose head is fitted without steps; leave it out, or set contrastive.head_c".into()
        })?;
        for (key, given) in [
            ("frozen_dropout", model.frozen_dropout),
            (
                "feature_cache",
                model.feature_cache != FeatureLimits::default(),
            ),
        ] {
            conflict(given, ["strategy", key], || {
                format!(
                    "{key} is about frozen layers, and strategy contrastive has none; leave it out"
                )
            })?;
        }
        Ok(())
    }
}
