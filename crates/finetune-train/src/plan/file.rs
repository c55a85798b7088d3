//! The format of `plan.toml`: every key of the plan, flat, in this order.
//!
//! The hash of this format identifies the plans of existing runs, so keys keep their names, order and
//! types. A new key is a line here with `#[serde(default)]`, and a field in its part of the plan.

use std::collections::BTreeMap;

use finetune_data::{CsvOptions, ProblemType};
use finetune_kernels::Precision;
use finetune_models::EncoderConfig;
use finetune_peft::{Ia3Config, LoraConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Table;

use crate::{
    AdaptationPlan, ContrastiveConfig, DistillationPlan, FeatureLimits, IntervalStrategy,
    OptimizerConfig, PretrainingPlan, ReportTo, ScheduleConfig, Strategy, TrainError, TrainPlan,
    file_facts::hex, plan::stored::Stored,
};

/// A key of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name in `plan.toml`, which is also the name of the option.
    pub name: &'static str,
    /// Whether it may change when a run is resumed.
    pub on_resume: OnResume,
}

/// The effect of a changed value on resuming a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResume {
    /// The result would match neither plan, so resuming is refused.
    Refused,
    /// Only what is kept and shown changes, not what is computed.
    Harmless,
}

/// A key about labels: always there in a plan that trains on them, and left out of one that pretrains.
type OfLabels<T> = Option<T>;

/// Expands lines of the form `field of the plan: effect on resuming { key: type in the file, … }` to
/// the file's format, the table of its keys, and the conversions between plan and file.
macro_rules! plan_file {
    ($( $($place:ident).+ : $on_resume:ident {
        $( $(#[$attribute:meta])* $key:ident : $type:ty ),+
    } )*) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename = "TrainPlan", deny_unknown_fields)]
        pub(crate) struct PlanFile {
            $( $( $(#[$attribute])* $key: $type, )+ )*
        }

        impl TrainPlan {
            /// The keys of the plan, in the order of `plan.toml`.
            pub const KEYS: &[Key] = &[
                $( $( Key {
                    name: stringify!($key),
                    on_resume: OnResume::$on_resume,
                }, )+ )*
            ];
        }

        #[allow(unused_parens)]
        impl From<TrainPlan> for PlanFile {
            fn from(plan: TrainPlan) -> Self {
                $( let ( $( $key ),+ ) =
                    Stored::<( $( $type ),+ )>::into_file(plan.$( $place ).+); )*
                Self { $( $( $key, )+ )* }.without_unused()
            }
        }

        #[allow(unused_parens)]
        impl TryFrom<PlanFile> for TrainPlan {
            type Error = String;

            fn try_from(file: PlanFile) -> Result<Self, String> {
                let file = file.with_labels()?;
                let mut plan = Self::blank();
                $( plan.$( $place ).+ = Stored::<( $( $type ),+ )>::from_file(
                    ( $( file.$key ),+ ),
                    &[ $( stringify!($key) ),+ ],
                )?; )*
                Ok(plan)
            }
        }
    };
}

plan_file! {
    model.name: Refused { model: String }
    model.revision: Refused { #[serde(default)] revision: String }
    model.sha256: Refused { model_sha256: String }
    model.files: Refused { #[serde(default)] model_files: BTreeMap<String, String> }
    data.dataset: Refused { dataset: String }
    data.dataset_config: Refused {
        #[serde(default, skip_serializing_if = "String::is_empty")] dataset_config: String
    }
    data.dataset_revision: Refused {
        #[serde(default, skip_serializing_if = "String::is_empty")] dataset_revision: String
    }
    data.dataset_fingerprints: Refused { dataset_fingerprints: Vec<String> }
    data.train_split: Refused { train_split: String }
    data.validation_split: Refused { validation_split: String }
    data.validation_fraction: Refused { validation_fraction: f64 }
    data.test_split: Refused { test_split: String }
    data.csv: Refused {
        #[serde(default, skip_serializing_if = "CsvOptions::is_default")] csv: CsvOptions
    }
    data.text_column: Refused { text_column: Vec<String> }
    data.label_column: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] label_column: OfLabels<Vec<String>>
    }
    data.labels: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] labels: OfLabels<Vec<String>>
    }
    data.labels_by_position: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] labels_by_position: OfLabels<bool>
    }
    data.problem_type: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] problem_type: OfLabels<ProblemType>
    }
    data.label_separator: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] label_separator: Option<char>
    }
    data.skip_invalid: Refused { #[serde(default)] skip_invalid: bool }
    model.strategy: Refused { strategy: Strategy }
    model.adapter: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] adapter: OfLabels<String>
    }
    model.reset_head: Refused {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")] reset_head: bool
    }
    model.frozen_dropout: Refused { #[serde(default)] frozen_dropout: bool }
    model.vectors: Refused {
        #[serde(default, skip_serializing_if = "String::is_empty")] vectors: String
    }
    model.vectors_sha256: Refused {
        #[serde(default, skip_serializing_if = "String::is_empty")] vectors_sha256: String
    }
    model.freeze_embeddings: Refused {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")] freeze_embeddings: bool
    }
    model.unfreeze_every: Refused { unfreeze_every: f64 }
    optimization.length: Refused { epochs: f64, max_steps: u64 }
    data.train_rows: Refused { train_rows: u64 }
    data.eval_rows: Refused { eval_rows: u64 }
    optimization.batch: Refused { batch_size: usize, #[serde(default)] batch_tokens: usize }
    optimization.gradient_accumulation_steps: Refused { gradient_accumulation_steps: usize }
    optimization.auto_find_batch_size: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] auto_find_batch_size: OfLabels<bool>
    }
    evaluation.eval_batch_size: Refused { eval_batch_size: usize }
    optimization.learning_rate: Refused { learning_rate: f64 }
    optimization.head_learning_rate: Refused { head_learning_rate: f64 }
    optimization.layerwise_lr_decay: Refused { layerwise_lr_decay: f64 }
    optimization.warmup: Refused { warmup_ratio: f64, warmup_steps: u64 }
    optimization.schedule: Refused { schedule: ScheduleConfig }
    optimization.optimizer: Refused { optimizer: OptimizerConfig }
    optimization.weight_decay: Refused { weight_decay: f64 }
    optimization.max_grad_norm: Refused { max_grad_norm: f64 }
    optimization.label_smoothing_factor: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] label_smoothing_factor: OfLabels<f64>
    }
    optimization.class_weights: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] class_weights: OfLabels<Vec<f32>>
    }
    optimization.ema_decay: Refused { ema_decay: f64 }
    data.max_length: Refused { max_length: usize }
    optimization.length_buckets: Refused { length_buckets: usize }
    seed: Refused { seed: u64 }
    model.device: Refused { device: String }
    model.precision: Refused {
        #[serde(default, with = "finetune_infer::PrecisionName")] precision: Precision
    }
    evaluation.eval: Refused { eval_strategy: IntervalStrategy, eval_steps: u64 }
    evaluation.eval_on_start: Refused { eval_on_start: bool }
    saving.save: Harmless { save_strategy: IntervalStrategy, save_steps: u64 }
    saving.save_total_limit: Harmless { save_total_limit: usize }
    saving.save_bytes_limit: Harmless { save_bytes_limit: u64 }
    saving.logging: Harmless { logging_strategy: IntervalStrategy, logging_steps: u64 }
    evaluation.load_best_model_at_end: Refused { load_best_model_at_end: bool }
    evaluation.metric_for_best_model: Refused { metric_for_best_model: String }
    evaluation.early_stopping_patience: Refused { early_stopping_patience: u64 }
    evaluation.early_stopping_threshold: Refused { early_stopping_threshold: f64 }
    model.feature_cache: Refused { feature_cache: FeatureLimits }
    saving.report_to: Harmless { #[serde(default)] report_to: ReportTo }
    saving.output: Harmless { output: String }
    model.scratch: Refused {
        #[serde(default, skip_serializing_if = "String::is_empty")] tokenizer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")] encoder: Option<EncoderConfig>
    }
    model.lora: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] lora: Option<LoraConfig>
    }
    model.ia3: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")] ia3: Option<Ia3Config>
    }
    model.contrastive: Refused {
        #[serde(default, skip_serializing_if = "ContrastiveConfig::is_default")]
        contrastive: ContrastiveConfig
    }
    pretraining: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pretraining: Option<PretrainingPlan>
    }
    adaptation: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adaptation: Option<AdaptationPlan>
    }
    distillation: Refused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        distillation: Option<DistillationPlan>
    }
}

impl PlanFile {
    /// Leaves out the keys about labels if there are none.
    fn without_unused(self) -> Self {
        match self.pretraining {
            None => Self {
                adapter: Some(self.adapter.unwrap_or_default()),
                ..self
            },
            Some(_) => Self {
                label_column: None,
                labels: None,
                labels_by_position: None,
                problem_type: None,
                adapter: None,
                auto_find_batch_size: None,
                label_smoothing_factor: None,
                class_weights: None,
                ..self
            },
        }
    }

    /// Checks that a plan that trains on labels has all keys about them, except for those that earlier
    /// versions did not write.
    fn with_labels(self) -> Result<Self, String> {
        let missing = [
            ("label_column", self.label_column.is_none()),
            ("labels", self.labels.is_none()),
            ("problem_type", self.problem_type.is_none()),
            ("auto_find_batch_size", self.auto_find_batch_size.is_none()),
            (
                "label_smoothing_factor",
                self.label_smoothing_factor.is_none(),
            ),
            ("class_weights", self.class_weights.is_none()),
        ];
        match missing.iter().find(|(_, missing)| *missing) {
            Some((key, _)) if self.pretraining.is_none() => Err(format!("missing field `{key}`")),
            _ => Ok(Self {
                adapter: self.adapter.filter(|name| !name.is_empty()),
                ..self
            }),
        }
    }
}

impl TrainPlan {
    /// Returns the text of `plan.toml`.
    pub(crate) fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|error| {
            TrainError::Internal(format!("cannot write the plan as TOML: {error}"))
        })
    }

    /// Returns the SHA-256 of that text as 64 hex digits.
    ///
    /// # Errors
    /// Fails with [`TrainError::Internal`] if the plan cannot be written as TOML.
    pub fn sha256(&self) -> Result<String, TrainError> {
        Ok(hex(Sha256::new().chain_update(self.to_toml()?)))
    }

    /// Returns the plan as a TOML table.
    pub(crate) fn to_table(&self) -> Result<Table, TrainError> {
        Table::try_from(self).map_err(|error| {
            TrainError::Internal(format!("cannot write the plan as TOML: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU64, NonZeroUsize};

    use finetune_data::BatchSize;

    use super::*;
    use crate::{Interval, RunLength, Warmup};

    /// Written by the version before the plan had parts; keys added since are included.
    const ALL_SET: &str = include_str!("../../tests/fixtures/plan_all_set.toml");
    const NOTHING_SET: &str = include_str!("../../tests/fixtures/plan_nothing_set.toml");

    fn read(text: &str) -> Result<TrainPlan, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    fn edited(edit: impl FnOnce(&mut Table)) -> Result<TrainPlan, String> {
        let mut table: Table = NOTHING_SET.parse().unwrap();
        edit(&mut table);
        table
            .try_into()
            .map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn plans_of_earlier_versions_are_written_as_they_were() {
        for text in [ALL_SET, NOTHING_SET] {
            assert_eq!(read(text).unwrap().to_toml().unwrap(), text);
        }
    }

    #[test]
    fn a_plan_that_pretrains_has_no_keys_about_labels() {
        let plan = TrainPlan::pretraining(Strategy::Full, "cpu".into());
        let text = plan.to_toml().unwrap();
        for key in [
            "label",
            "problem_type",
            "class_weights",
            "adapter",
            "auto_find",
        ] {
            assert!(!text.contains(key), "{key}: {text}");
        }
        assert_eq!(read(&text).unwrap(), plan);
        // Earlier versions wrote them.
        let mut table: Table = NOTHING_SET.parse().unwrap();
        let masks = Table::try_from(PretrainingPlan::default()).unwrap();
        table.insert("pretraining".into(), masks.into());
        let earlier: TrainPlan = table.try_into().unwrap();
        assert!(earlier.pretraining.is_some());
        for key in ["labels", "problem_type", "label_smoothing_factor"] {
            let error = edited(|table| drop(table.remove(key))).unwrap_err();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn zero_and_empty_mean_unset() {
        let plan = read(NOTHING_SET).unwrap();
        assert_eq!(plan.model.revision, None);
        assert_eq!(plan.model.adapter, None);
        assert_eq!(plan.data.validation_split, None);
        assert_eq!(plan.data.test_split, None);
        assert_eq!((plan.data.train_rows, plan.data.eval_rows), (None, None));
        let optimization = &plan.optimization;
        assert_eq!(optimization.length, RunLength::Epochs(3.0));
        assert_eq!(optimization.batch, BatchSize::Rows(16));
        assert_eq!(optimization.length_buckets, None);
        assert_eq!(optimization.warmup, Warmup::Ratio(0.1));
        assert_eq!(optimization.ema_decay, None);
        assert_eq!(plan.evaluation.eval, Interval::Epoch);
        assert_eq!(plan.evaluation.early_stopping_patience, None);
        assert_eq!(plan.saving.save_bytes_limit, None);
    }

    #[test]
    fn set_values_are_read() {
        let plan = read(ALL_SET).unwrap();
        let number = |number| NonZeroU64::new(number);
        assert_eq!(plan.data.validation_split.as_deref(), Some("validation"));
        assert_eq!(
            (plan.data.train_rows, plan.data.eval_rows),
            (number(64), number(32))
        );
        let optimization = &plan.optimization;
        assert_eq!(optimization.length, RunLength::Steps(number(6).unwrap()));
        assert_eq!(optimization.batch, BatchSize::Tokens(600));
        assert_eq!(optimization.length_buckets, NonZeroUsize::new(4));
        assert_eq!(optimization.warmup, Warmup::Steps(number(2).unwrap()));
        assert_eq!(optimization.ema_decay, Some(0.9));
        assert_eq!(plan.evaluation.eval, Interval::Steps(number(3).unwrap()));
        assert_eq!(plan.evaluation.early_stopping_patience, number(9));
        assert_eq!(plan.saving.save_bytes_limit, number(900_000_000));
        assert_eq!(plan.saving.logging, Interval::Epoch);
    }

    #[test]
    fn values_without_effect_make_no_difference() {
        let with = |epochs: f64| {
            edited(|table| {
                table.insert("max_steps".into(), 6.into());
                table.insert("epochs".into(), epochs.into());
            })
        };
        assert_eq!(with(2.0).unwrap(), with(5.0).unwrap());
        assert!(with(f64::NAN).unwrap_err().contains("epochs is NaN"));
    }

    #[test]
    fn mistakes_are_named_by_key() {
        let error = edited(|table| {
            table.insert("save_strategy".into(), "steps".into());
        });
        let error = error.unwrap_err();
        assert!(error.contains("save_steps is 0"), "{error}");
        assert!(error.contains("save_strategy = steps"), "{error}");
        let error = edited(|table| {
            table.insert("colour".into(), "red".into());
        });
        let error = error.unwrap_err();
        assert!(
            error.contains("`colour`") && error.contains("`model`"),
            "{error}"
        );
        let error = edited(|table| {
            table.remove("epochs");
        });
        assert!(error.unwrap_err().contains("`epochs`"));
    }

    /// A harmless key affects nothing that is computed, and is ignored when a run is replayed.
    #[test]
    fn the_harmless_keys() {
        let keys = TrainPlan::KEYS.iter();
        let harmless = keys.filter(|key| key.on_resume == OnResume::Harmless);
        let names: Vec<_> = harmless.map(|key| key.name).collect();
        assert_eq!(
            names,
            [
                "save_strategy",
                "save_steps",
                "save_total_limit",
                "save_bytes_limit",
                "logging_strategy",
                "logging_steps",
                "report_to",
                "output"
            ]
        );
    }
}
