//! The options of `train`, from flags or a TOML file: unset is unset, defaults come later, and are added
//! to the texts here by `default_texts`.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use finetune_data::{
    CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting, ProblemType,
};
use finetune_peft::{Ia3Config, LoraConfig};
use finetune_train::{FeatureLimits, IntervalStrategy, PrecisionChoice, ReportTo};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Table;

/// Options as given. In TOML the same names with underscores.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainOptions {
    /// Base model: a directory, or a name on the hub
    #[arg(long, visible_alias = "model-base")]
    pub model: Option<String>,

    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// File, directory with one file per split, or glob of shards (Parquet, Arrow, CSV, JSON lines), or a name on the hub, such as imdb
    #[arg(long, help_heading = DATA)]
    pub dataset: Option<String>,

    /// Configuration of a data set on the hub, such as mrpc of glue [default: the only or default one]
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub dataset_config: Option<String>,

    /// Its revision: a branch, tag or commit [default: main; the plan has the commit]
    #[arg(long, value_name = "REVISION", help_heading = DATA)]
    pub dataset_revision: Option<String>,

    /// Training rows, a split expression such as train[:80%]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub train_split: Option<String>,

    /// Validation rows [default: validation, else a share of the training rows]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub validation_split: Option<String>,

    /// The share that validation takes of the training rows where there is no validation split, class by class
    #[arg(long, value_name = "SHARE", help_heading = DATA)]
    pub validation_fraction: Option<f64>,

    /// Test rows, evaluated once at the end; "" for none [default: test, if there is one]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub test_split: Option<String>,

    /// Text column; twice (or a,b) for pairs [default: by convention: text, sentence, sentence1 and sentence2, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub text_column: Vec<String>,

    /// Label column; several (a,b,c) for a class or a number each [default: by convention: label, labels, class, target, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub label_column: Vec<String>,

    /// Names of the classes, or of a regression's numbers, in order, a,b,c [default: from the data]
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_parser = label_name, value_name = "NAMES", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub labels: Vec<String>,

    /// Take names in the data, or of the model's outputs, that match none of the labels by their position
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DATA)]
    pub labels_by_position: Option<bool>,

    /// classification, multi_label or regression, or transformers' longer names [default: from the label columns]
    #[arg(long, value_name = "TYPE", help_heading = DATA)]
    pub problem_type: Option<ProblemType>,

    /// What separates the labels of a row in one cell, such as ; in anger;joy: a row has any number of them
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub label_separator: Option<char>,

    /// Leave out rows without a text or a label, and say how many
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DATA)]
    pub skip_invalid: Option<bool>,

    /// What stands between the fields of CSV files: a character, or tab [default: recognised]
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub csv_delimiter: Option<CsvDelimiter>,

    /// What stands around fields: double, single or none (quotes are characters like others, every line is a row) [default: double]
    #[arg(long, value_name = "QUOTES", help_heading = DATA)]
    pub csv_quoting: Option<CsvQuoting>,

    /// How a quote is written inside quotes: doubled or backslash [default: recognised]
    #[arg(long, value_name = "HOW", help_heading = DATA)]
    pub csv_escape: Option<CsvEscape>,

    /// The character that begins lines that are no rows, such as #; none for none [default: recognised above the header]
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub csv_comment: Option<CsvComment>,

    /// Encoding of CSV and text files, such as utf-8, utf-16 or windows-1252 [default: recognised]
    #[arg(long, value_name = "ENCODING", help_heading = DATA)]
    pub csv_encoding: Option<CsvEncoding>,

    /// What is trained: full (everything), head, last:N, layers:N,N, params:REGEX, gradual, features (nothing), bitfit, lora or ia3; lora.r and so on with --set
    #[arg(long, help_heading = STRATEGY)]
    pub strategy: Option<String>,

    /// Adapter directory to go on with
    #[arg(long, value_name = "DIR", help_heading = STRATEGY)]
    pub adapter: Option<String>,

    /// Dropout below the lowest trained layer too, as transformers has it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = STRATEGY)]
    pub frozen_dropout: Option<bool>,

    /// For gradual: epochs from one unfrozen layer to the next
    #[arg(long, value_name = "EPOCHS", help_heading = STRATEGY)]
    pub unfreeze_every: Option<f64>,

    /// LoRA's settings, with peft's names.
    #[arg(skip)]
    pub lora: Option<LoraConfig>,

    /// IA³'s settings, with peft's names.
    #[arg(skip)]
    pub ia3: Option<Ia3Config>,

    /// Limits of the cache for what frozen layers compute.
    #[arg(skip)]
    pub feature_cache: Option<FeatureLimits>,

    /// Passes over the training rows
    #[arg(long)]
    pub epochs: Option<f64>,

    /// Number of steps instead of epochs; 0 = by epochs
    #[arg(long, value_name = "STEPS")]
    pub max_steps: Option<u64>,

    /// Training rows, drawn at random; 0 = all
    #[arg(long, value_name = "ROWS", help_heading = DATA)]
    pub train_rows: Option<u64>,

    /// Validation rows, drawn at random; 0 = all
    #[arg(long, value_name = "ROWS", help_heading = DATA)]
    pub eval_rows: Option<u64>,

    /// Rows per forward and backward pass
    #[arg(long, value_name = "ROWS")]
    pub batch_size: Option<usize>,

    /// Instead of --batch-size: as many rows as fit into so many tokens; 0 = by rows
    #[arg(long, value_name = "TOKENS")]
    pub batch_tokens: Option<usize>,

    /// Batches per optimizer step; their rows count alike
    #[arg(long, value_name = "BATCHES")]
    pub gradient_accumulation_steps: Option<usize>,

    /// Halve the batch (and accumulate twice as many) until a step fits into the memory
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub auto_find_batch_size: Option<bool>,

    /// Rows per batch of evaluation
    #[arg(long, value_name = "ROWS", help_heading = EVALUATION)]
    pub eval_batch_size: Option<usize>,

    /// Peak learning rate
    #[arg(long, help_heading = OPTIMIZATION)]
    pub learning_rate: Option<f64>,

    /// Peak learning rate of the head [default: as the rest]
    #[arg(long, value_name = "RATE", help_heading = OPTIMIZATION)]
    pub head_learning_rate: Option<f64>,

    /// Each layer learns at this times the rate of the layer above
    #[arg(long, value_name = "FACTOR", help_heading = OPTIMIZATION)]
    pub layerwise_lr_decay: Option<f64>,

    /// linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt or one_cycle; lr_scheduler_kwargs.* with --set
    #[arg(long, value_name = "TYPE", help_heading = OPTIMIZATION)]
    pub lr_scheduler_type: Option<String>,

    /// Settings of the schedule, with transformers' (one_cycle: torch's) names.
    #[arg(skip)]
    pub lr_scheduler_kwargs: Option<Table>,

    /// Share of the steps in which the learning rate rises
    #[arg(long, value_name = "SHARE", help_heading = OPTIMIZATION)]
    pub warmup_ratio: Option<f64>,

    /// Number of those steps instead of a share; 0 = none
    #[arg(long, value_name = "STEPS", help_heading = OPTIMIZATION)]
    pub warmup_steps: Option<f64>,

    /// adamw, adam, sgd or adafactor; optim_args.* with --set
    #[arg(long, value_name = "NAME", help_heading = OPTIMIZATION)]
    pub optim: Option<String>,

    /// Settings of the optimizer, with torch's (adafactor: transformers') names.
    #[arg(skip)]
    pub optim_args: Option<Table>,

    /// Weight decay, not on biases and norms
    #[arg(long, help_heading = OPTIMIZATION)]
    pub weight_decay: Option<f64>,

    /// Adam's decay rate of the first moment
    #[arg(long, help_heading = OPTIMIZATION)]
    pub adam_beta1: Option<f64>,

    /// Adam's decay rate of the second moment
    #[arg(long, help_heading = OPTIMIZATION)]
    pub adam_beta2: Option<f64>,

    /// Adam's epsilon
    #[arg(long, help_heading = OPTIMIZATION)]
    pub adam_epsilon: Option<f64>,

    /// Gradients are scaled down to this global norm
    #[arg(long, value_name = "NORM", help_heading = OPTIMIZATION)]
    pub max_grad_norm: Option<f64>,

    /// Share of the target that is spread evenly over all classes
    #[arg(long, value_name = "SHARE", help_heading = OPTIMIZATION)]
    pub label_smoothing_factor: Option<f64>,

    /// Weights of the classes in the loss: balanced, or a number for each, a,b,c [default: all 1]
    #[arg(long, value_name = "WEIGHTS", help_heading = OPTIMIZATION)]
    pub class_weights: Option<ClassWeights>,

    /// Evaluate and save a moving average of the weights with this decay, such as 0.999; 0 = not
    #[arg(long, value_name = "DECAY", help_heading = OPTIMIZATION)]
    pub ema_decay: Option<f64>,

    /// Longest row in tokens; longer ones are cut
    #[arg(long, value_name = "TOKENS", help_heading = DATA)]
    pub max_length: Option<usize>,

    /// Sort the rows of so many batches by length before cutting them into batches; 0 = not
    #[arg(long, value_name = "BATCHES")]
    pub length_buckets: Option<usize>,

    /// Seed of the rows drawn, their order, the head's first weights and dropout
    #[arg(long)]
    pub seed: Option<u64>,

    /// auto, cpu, ndarray, cuda or cuda:N
    #[arg(long)]
    pub device: Option<String>,

    /// Number type of the matrix multiplications: f32, bf16 (summed in f32), or auto (bf16 where it is faster)
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,

    /// When to evaluate: no, steps or epoch
    #[arg(long, value_name = "WHEN", help_heading = EVALUATION)]
    pub eval_strategy: Option<IntervalStrategy>,

    /// Steps from one evaluation to the next
    #[arg(long, value_name = "STEPS", help_heading = EVALUATION)]
    pub eval_steps: Option<u64>,

    /// Evaluate the untouched model first, for comparison
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = EVALUATION)]
    pub eval_on_start: Option<bool>,

    /// Metric on the validation rows by which the best model is kept
    #[arg(long, value_name = "METRIC", help_heading = EVALUATION)]
    pub metric_for_best_model: Option<String>,

    /// The result is the best model of all evaluations, not the last
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = EVALUATION)]
    pub load_best_model_at_end: Option<bool>,

    /// Stop after so many evaluations in a row without improvement; 0 = never
    #[arg(long, value_name = "EVALUATIONS", help_heading = EVALUATION)]
    pub early_stopping_patience: Option<u64>,

    /// Improvements must be larger than this to count
    #[arg(long, value_name = "CHANGE", help_heading = EVALUATION)]
    pub early_stopping_threshold: Option<f64>,

    /// When to save a checkpoint: no, steps or epoch [default: as evaluations; steps with --save-steps]
    #[arg(long, value_name = "WHEN", help_heading = SAVING)]
    pub save_strategy: Option<IntervalStrategy>,

    /// Steps from one checkpoint to the next
    #[arg(long, value_name = "STEPS", help_heading = SAVING)]
    pub save_steps: Option<u64>,

    /// Checkpoints to keep beside the best
    #[arg(long, value_name = "NUMBER", help_heading = SAVING)]
    pub save_total_limit: Option<usize>,

    /// Bytes that checkpoints may take together; 0 = no limit
    #[arg(long, value_name = "BYTES", help_heading = SAVING)]
    pub save_bytes_limit: Option<u64>,

    /// When to log the loss: no, steps or epoch
    #[arg(long, value_name = "WHEN", help_heading = SAVING)]
    pub logging_strategy: Option<IntervalStrategy>,

    /// Steps from one log to the next
    #[arg(long, value_name = "STEPS", help_heading = SAVING)]
    pub logging_steps: Option<u64>,

    /// Where the run is shown: tensorboard (files in its directory) or none
    #[arg(long, value_name = "WHERE", help_heading = SAVING)]
    pub report_to: Option<ReportTo>,

    /// Run directory, must not exist [default: runs/DATASET-N]
    #[arg(long, value_name = "DIR", help_heading = SAVING)]
    pub output: Option<PathBuf>,
}

impl TrainOptions {
    /// How CSV files are to be read.
    pub fn csv(&self) -> CsvOptions {
        CsvOptions {
            delimiter: self.csv_delimiter,
            quoting: self.csv_quoting,
            escape: self.csv_escape,
            comment: self.csv_comment,
            encoding: self.csv_encoding,
        }
    }
}

const DATA: &str = "Data";
const STRATEGY: &str = "What is trained";
const OPTIMIZATION: &str = "Optimization";
const EVALUATION: &str = "Evaluation";
const SAVING: &str = "Saving and logging";

/// `balanced`, or a number for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum ClassWeights {
    /// `rows / (classes · rows of the class)`, as scikit-learn has it.
    Balanced,
    /// Given.
    Given(Vec<f32>),
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let number = |number: &str| {
            number.trim().parse().map_err(|_| {
                format!("\"{number}\" is no number; expected balanced, or a weight for each class, such as 1,2.5")
            })
        };
        let weights = text.split(',').map(number).collect::<Result<_, _>>()?;
        Ok(Self::Given(weights))
    }
}

impl TryFrom<toml::Value> for ClassWeights {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(weights) => {
                let text: Vec<_> = weights.iter().map(ToString::to_string).collect();
                text.join(",").parse()
            }
            toml::Value::String(text) => text.parse(),
            other => other.to_string().parse(),
        }
    }
}

impl From<ClassWeights> for toml::Value {
    fn from(weights: ClassWeights) -> Self {
        match weights {
            ClassWeights::Balanced => "balanced".into(),
            ClassWeights::Given(weights) => {
                let weights = weights.into_iter();
                toml::Value::Array(weights.map(|weight| f64::from(weight).into()).collect())
            }
        }
    }
}

/// A name may begin with a hyphen, as `-1` does, but a flag is none: its own value is missing then.
fn label_name(name: &str) -> Result<String, String> {
    match name.starts_with("--") {
        true => Err("a name was expected, not a flag".into()),
        // As people type lists: `a, b`.
        false => match name.trim() {
            "" => Err("a name is empty; is there a comma too many?".into()),
            name => Ok(name.into()),
        },
    }
}

/// A string, or a list of strings.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Name {
        Text(String),
        Integer(i64),
    }
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a text or an integer, or a list of them"
    )]
    enum OneOrMany {
        One(Name),
        Many(Vec<Name>),
    }
    let names = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) => names,
    };
    let text = |name| match name {
        Name::Text(text) => text,
        Name::Integer(number) => number.to_string(),
    };
    Ok(names.into_iter().map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_named() {
        let error = toml::from_str::<TrainOptions>("learning_rat = 1").unwrap_err();
        assert!(error.to_string().contains("learning_rat"), "{error}");
        assert!(error.to_string().contains("learning_rate"), "{error}");
    }
}
