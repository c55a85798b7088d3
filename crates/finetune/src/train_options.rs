//! The options of `train`, from flags or a TOML file: unset is unset, defaults come later.

use std::path::PathBuf;

use clap::Args;
use finetune_data::ProblemType;
use finetune_peft::{Ia3Config, LoraConfig};
use serde::{Deserialize, Deserializer};

/// Options as given. In TOML the same names with underscores.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainOptions {
    /// Base model: a directory, or a name on the hub [default: sentence-transformers/all-MiniLM-L6-v2]
    #[arg(long)]
    pub model: Option<String>,

    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// File, directory with one file per split, or glob of shards (Parquet, Arrow, CSV, JSON lines)
    #[arg(long)]
    pub dataset: Option<String>,

    /// Training rows, a split expression such as train[:80%] [default: train]
    #[arg(long, value_name = "SPLIT")]
    pub train_split: Option<String>,

    /// Validation rows [default: validation, else a share of the training rows]
    #[arg(long, value_name = "SPLIT")]
    pub validation_split: Option<String>,

    /// The share that validation takes of the training rows where there is no validation split, class by class [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    pub validation_fraction: Option<f64>,

    /// Test rows, evaluated once at the end; "" for none [default: test, if there is one]
    #[arg(long, value_name = "SPLIT")]
    pub test_split: Option<String>,

    /// Text column; twice (or a,b) for pairs [default: by convention: text, sentence, sentence1 and sentence2, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub text_column: Vec<String>,

    /// Label column; several (a,b,c) for a class or a number each [default: label or labels]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub label_column: Vec<String>,

    /// Names of the classes, or of a regression's numbers, in order, a,b,c [default: from the data]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub labels: Vec<String>,

    /// classification, multi_label or regression, or transformers' longer names [default: from the label columns]
    #[arg(long, value_name = "TYPE")]
    pub problem_type: Option<ProblemType>,

    /// What is trained: full (everything), head, last:N, layers:N,N, params:REGEX, bitfit, lora or ia3; lora.r and so on with --set [default: full]
    #[arg(long)]
    pub strategy: Option<String>,

    /// Adapter directory to go on with
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<String>,

    /// Dropout below the lowest trained layer too, as transformers has it [default: false]
    #[arg(long, value_name = "BOOL")]
    pub frozen_dropout: Option<bool>,

    /// LoRA's settings, with peft's names.
    #[arg(skip)]
    pub lora: Option<LoraConfig>,

    /// IA³'s settings, with peft's names.
    #[arg(skip)]
    pub ia3: Option<Ia3Config>,

    /// Passes over the training rows [default: 3]
    #[arg(long)]
    #[serde(alias = "num_train_epochs")]
    pub epochs: Option<f64>,

    /// Number of steps instead of epochs; 0 = by epochs [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub max_steps: Option<u64>,

    /// Training rows, drawn at random; 0 = all [default: 1000]
    #[arg(long, value_name = "ROWS")]
    pub train_rows: Option<u64>,

    /// Validation rows, drawn at random; 0 = all [default: 200]
    #[arg(long, value_name = "ROWS")]
    pub eval_rows: Option<u64>,

    /// Rows per step [default: 16]
    #[arg(long, value_name = "ROWS")]
    #[serde(alias = "per_device_train_batch_size")]
    pub batch_size: Option<usize>,

    /// Rows per batch of evaluation [default: 32]
    #[arg(long, value_name = "ROWS")]
    #[serde(alias = "per_device_eval_batch_size")]
    pub eval_batch_size: Option<usize>,

    /// Peak learning rate [default: by strategy: full 5e-5, last, layers and params 1e-4, lora 5e-4, head and bitfit 1e-3, ia3 3e-3]
    #[arg(long)]
    pub learning_rate: Option<f64>,

    /// Share of the steps in which the learning rate rises [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    pub warmup_ratio: Option<f64>,

    /// AdamW's weight decay, not on biases and norms [default: 0.01]
    #[arg(long)]
    pub weight_decay: Option<f64>,

    /// AdamW's decay rate of the first moment [default: 0.9]
    #[arg(long)]
    pub adam_beta1: Option<f64>,

    /// AdamW's decay rate of the second moment [default: 0.999]
    #[arg(long)]
    pub adam_beta2: Option<f64>,

    /// AdamW's epsilon [default: 1e-8]
    #[arg(long)]
    pub adam_epsilon: Option<f64>,

    /// Gradients are scaled down to this global norm [default: 1]
    #[arg(long, value_name = "NORM")]
    pub max_grad_norm: Option<f64>,

    /// Longest row in tokens; longer ones are cut [default: 256, or the model's longest]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<usize>,

    /// Sort the rows of so many batches by length before cutting them into batches; 0 = not [default: 0]
    #[arg(long, value_name = "BATCHES")]
    pub length_buckets: Option<usize>,

    /// Seed of the rows drawn, their order, the head's first weights and dropout [default: 42]
    #[arg(long)]
    pub seed: Option<u64>,

    /// auto, cpu, ndarray, cuda or cuda:N [default: auto]
    #[arg(long)]
    pub device: Option<String>,

    /// Metric on the validation rows by which the best model is kept [default: accuracy, average_precision for multi-label, mse for regression]
    #[arg(long, value_name = "METRIC")]
    pub metric_for_best_model: Option<String>,

    /// Run directory, must not exist [default: runs/DATASET-N]
    #[arg(long, value_name = "DIR")]
    #[serde(alias = "output_dir")]
    pub output: Option<PathBuf>,
}

impl TrainOptions {
    /// These options where they are set, else those of `file`.
    pub fn over(self, file: Self) -> Self {
        let either = |mine: Vec<String>, theirs| if mine.is_empty() { theirs } else { mine };
        Self {
            model: self.model.or(file.model),
            revision: self.revision.or(file.revision),
            dataset: self.dataset.or(file.dataset),
            train_split: self.train_split.or(file.train_split),
            validation_split: self.validation_split.or(file.validation_split),
            validation_fraction: self.validation_fraction.or(file.validation_fraction),
            test_split: self.test_split.or(file.test_split),
            text_column: either(self.text_column, file.text_column),
            label_column: either(self.label_column, file.label_column),
            labels: either(self.labels, file.labels),
            problem_type: self.problem_type.or(file.problem_type),
            strategy: self.strategy.or(file.strategy),
            adapter: self.adapter.or(file.adapter),
            frozen_dropout: self.frozen_dropout.or(file.frozen_dropout),
            lora: self.lora.or(file.lora),
            ia3: self.ia3.or(file.ia3),
            epochs: self.epochs.or(file.epochs),
            max_steps: self.max_steps.or(file.max_steps),
            train_rows: self.train_rows.or(file.train_rows),
            eval_rows: self.eval_rows.or(file.eval_rows),
            batch_size: self.batch_size.or(file.batch_size),
            eval_batch_size: self.eval_batch_size.or(file.eval_batch_size),
            learning_rate: self.learning_rate.or(file.learning_rate),
            warmup_ratio: self.warmup_ratio.or(file.warmup_ratio),
            weight_decay: self.weight_decay.or(file.weight_decay),
            adam_beta1: self.adam_beta1.or(file.adam_beta1),
            adam_beta2: self.adam_beta2.or(file.adam_beta2),
            adam_epsilon: self.adam_epsilon.or(file.adam_epsilon),
            max_grad_norm: self.max_grad_norm.or(file.max_grad_norm),
            max_length: self.max_length.or(file.max_length),
            length_buckets: self.length_buckets.or(file.length_buckets),
            seed: self.seed.or(file.seed),
            device: self.device.or(file.device),
            metric_for_best_model: self.metric_for_best_model.or(file.metric_for_best_model),
            output: self.output.or(file.output),
        }
    }
}

/// A string, or a list of strings.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file() {
        let file: TrainOptions =
            toml::from_str("epochs = 5.0\nbatch_size = 8\ntext_column = \"review\"").unwrap();
        let flags = TrainOptions {
            batch_size: Some(32),
            ..TrainOptions::default()
        };
        let options = flags.over(file);
        assert_eq!(options.batch_size, Some(32));
        assert_eq!(options.epochs, Some(5.0));
        assert_eq!(options.text_column, ["review"]);
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = toml::from_str::<TrainOptions>("learning_rat = 1").unwrap_err();
        assert!(error.to_string().contains("learning_rat"), "{error}");
        assert!(error.to_string().contains("learning_rate"), "{error}");
    }
}
