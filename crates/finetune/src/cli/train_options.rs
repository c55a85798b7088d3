//! The options of `train`, from flags or a TOML file. Defaults are filled in later, and `default_texts`
//! adds them to the help texts here.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use finetune_data::{
    CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting, ProblemType,
};
use finetune_peft::{Ia3Config, LoraConfig};
use finetune_train::{
    ContrastiveConfig, FeatureLimits, IntervalStrategy, MaskUnit, PrecisionChoice, ReportTo,
};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Table;

/// The options as given. In TOML they have the same names with underscores.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainOptions {
    /// Base model: a directory or a name on the hub
    #[arg(long, visible_alias = "model-base")]
    pub model: Option<String>,

    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Where the weights come from: pretrained (--model), or scratch for new ones, with --encoder and --tokenizer [default: pretrained]
    #[arg(long, value_name = "SOURCE", help_heading = SCRATCH)]
    pub init: Option<InitialWeights>,

    /// Encoder to train from scratch: lab, mini, small, distil, or a TOML file that describes one
    #[arg(long, value_name = "PRESET|FILE", help_heading = SCRATCH)]
    pub encoder: Option<String>,

    /// Directory with the tokenizer of an encoder that is trained from scratch
    #[arg(long, value_name = "DIR", help_heading = SCRATCH)]
    pub tokenizer: Option<String>,

    /// Data set: a file, a directory with one file per split, a glob of shards (Parquet, Arrow, CSV, JSON lines), or a name on the hub, such as imdb
    #[arg(long, help_heading = DATA)]
    pub dataset: Option<String>,

    /// Configuration of a data set on the hub, such as mrpc of glue [default: the only or default one]
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub dataset_config: Option<String>,

    /// Revision of a data set on the hub: a branch, tag or commit [default: main; the plan records the commit]
    #[arg(long, value_name = "REVISION", help_heading = DATA)]
    pub dataset_revision: Option<String>,

    /// Training rows: a split expression, such as train[:80%]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub train_split: Option<String>,

    /// Validation rows [default: validation, else a share of the training rows]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub validation_split: Option<String>,

    /// Share of the training rows, class by class, to hold out for validation if there is no validation split
    #[arg(long, value_name = "SHARE", help_heading = DATA)]
    pub validation_fraction: Option<f64>,

    /// Test rows, evaluated once at the end; "" for none [default: test, if there is one]
    #[arg(long, value_name = "SPLIT", help_heading = DATA)]
    pub test_split: Option<String>,

    /// Text column; two (a,b) for pairs of texts [default: by convention: text, sentence, sentence1 and sentence2, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub text_column: Vec<String>,

    /// Label column; several (a,b,c) for one class or value each [default: by convention: label, labels, class, target, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub label_column: Vec<String>,

    /// Names of the classes, or of the outputs of a regression, in order, a,b,c [default: from the data]
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_parser = label_name, value_name = "NAMES", help_heading = DATA)]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub labels: Vec<String>,

    /// Match the names in the data, or of the model's outputs, to the labels by position if they do not match by name
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DATA)]
    pub labels_by_position: Option<bool>,

    /// Task: classification, multi_label or regression, or transformers' longer names [default: from the label columns]
    #[arg(long, value_name = "TYPE", help_heading = DATA)]
    pub problem_type: Option<ProblemType>,

    /// Separator of the labels in one cell, such as ; in anger;joy, if a row has any number of them
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub label_separator: Option<char>,

    /// Skip rows without a text or a label, and report how many
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DATA)]
    pub skip_invalid: Option<bool>,

    /// Field delimiter of CSV files: a character, or tab [default: detected]
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub csv_delimiter: Option<CsvDelimiter>,

    /// Quotes around CSV fields: double, single or none (quotes are ordinary characters and every line is a row) [default: double]
    #[arg(long, value_name = "QUOTES", help_heading = DATA)]
    pub csv_quoting: Option<CsvQuoting>,

    /// How quotes are escaped inside quoted CSV fields: doubled or backslash [default: detected]
    #[arg(long, value_name = "HOW", help_heading = DATA)]
    pub csv_escape: Option<CsvEscape>,

    /// Character that begins comment lines of CSV files, such as #; none = no comments [default: detected above the header]
    #[arg(long, value_name = "CHARACTER", help_heading = DATA)]
    pub csv_comment: Option<CsvComment>,

    /// Encoding of CSV and text files, such as utf-8, utf-16 or windows-1252 [default: detected]
    #[arg(long, value_name = "ENCODING", help_heading = DATA)]
    pub csv_encoding: Option<CsvEncoding>,

    /// What to train: full (everything), head, last:N, layers:N,N, params:REGEX, gradual, features (nothing), bitfit, lora, ia3, contrastive (for few labels, as SetFit) or auto (contrastive or full, by the number of rows); set lora.r and the like with --set
    #[arg(long, help_heading = STRATEGY)]
    pub strategy: Option<String>,

    /// Word vectors for the word table, in GloVe's text format (plain, gzip or zip), matched by word; words without a vector are drawn with the same spread
    #[arg(long, value_name = "FILE", help_heading = STRATEGY)]
    pub vectors: Option<String>,

    /// Keep the word table as it is, whatever the strategy trains; positions and norms are trained all the same
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = STRATEGY)]
    pub freeze_embeddings: Option<bool>,

    /// Directory of an adapter to continue training
    #[arg(long, value_name = "DIR", help_heading = STRATEGY)]
    pub adapter: Option<String>,

    /// Give the model a new classifier, as is needed to carry the encoder of a run over to other labels
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = STRATEGY)]
    pub reset_head: Option<bool>,

    /// Apply dropout below the lowest trained layer too, as transformers does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = STRATEGY)]
    pub frozen_dropout: Option<bool>,

    /// For gradual: epochs before the next layer is unfrozen
    #[arg(long, value_name = "EPOCHS", help_heading = STRATEGY)]
    pub unfreeze_every: Option<f64>,

    /// LoRA's settings, by peft's names.
    #[arg(skip)]
    pub lora: Option<LoraConfig>,

    /// IA³'s settings, by peft's names.
    #[arg(skip)]
    pub ia3: Option<Ia3Config>,

    /// Settings of contrastive training.
    #[arg(skip)]
    pub contrastive: Option<ContrastiveConfig>,

    /// Limits of the cache for the outputs of frozen layers.
    #[arg(skip)]
    pub feature_cache: Option<FeatureLimits>,

    /// Passes over the training rows
    #[arg(long)]
    pub epochs: Option<f64>,

    /// Number of steps, instead of --epochs; 0 = use --epochs
    #[arg(long, value_name = "STEPS")]
    pub max_steps: Option<u64>,

    /// Number of training rows to draw at random; 0 = all
    #[arg(long, value_name = "ROWS", help_heading = DATA)]
    pub train_rows: Option<u64>,

    /// Number of validation rows to draw at random; 0 = all
    #[arg(long, value_name = "ROWS", help_heading = DATA)]
    pub eval_rows: Option<u64>,

    /// Rows per forward and backward pass
    #[arg(long, value_name = "ROWS")]
    pub batch_size: Option<usize>,

    /// Maximum number of tokens per batch, instead of --batch-size; 0 = use --batch-size
    #[arg(long, value_name = "TOKENS")]
    pub batch_tokens: Option<usize>,

    /// Batches per optimizer step; all their rows count equally
    #[arg(long, value_name = "BATCHES")]
    pub gradient_accumulation_steps: Option<usize>,

    /// Halve the batch size (and double the accumulation steps) until a step fits into memory
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub auto_find_batch_size: Option<bool>,

    /// Rows per evaluation batch
    #[arg(long, value_name = "ROWS", help_heading = EVALUATION)]
    pub eval_batch_size: Option<usize>,

    /// Peak learning rate
    #[arg(long, help_heading = OPTIMIZATION)]
    pub learning_rate: Option<f64>,

    /// Peak learning rate of the head [default: the same as --learning-rate]
    #[arg(long, value_name = "RATE", help_heading = OPTIMIZATION)]
    pub head_learning_rate: Option<f64>,

    /// Factor between a layer's learning rate and that of the layer above
    #[arg(long, value_name = "FACTOR", help_heading = OPTIMIZATION)]
    pub layerwise_lr_decay: Option<f64>,

    /// Schedule: linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt, one_cycle, step or exponential; set lr_scheduler_kwargs.* with --set
    #[arg(long, value_name = "TYPE", help_heading = OPTIMIZATION)]
    pub lr_scheduler_type: Option<String>,

    /// Settings of the schedule, by transformers' names (torch's for one_cycle, step and exponential).
    #[arg(skip)]
    pub lr_scheduler_kwargs: Option<Table>,

    /// Share of the steps to warm the learning rate up
    #[arg(long, value_name = "SHARE", help_heading = OPTIMIZATION)]
    pub warmup_ratio: Option<f64>,

    /// Number of warm-up steps, instead of a share; 0 = none
    #[arg(long, value_name = "STEPS", help_heading = OPTIMIZATION)]
    pub warmup_steps: Option<f64>,

    /// Optimizer: adamw, adam, sgd or adafactor; set optim_args.* with --set
    #[arg(long, value_name = "NAME", help_heading = OPTIMIZATION)]
    pub optim: Option<String>,

    /// Settings of the optimizer, by torch's names (transformers' for adafactor).
    #[arg(skip)]
    pub optim_args: Option<Table>,

    /// Weight decay; biases and norms are exempt
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

    /// Maximum global norm of the gradients, to which they are scaled down
    #[arg(long, value_name = "NORM", help_heading = OPTIMIZATION)]
    pub max_grad_norm: Option<f64>,

    /// Share of the target to spread evenly over all classes
    #[arg(long, value_name = "SHARE", help_heading = OPTIMIZATION)]
    pub label_smoothing_factor: Option<f64>,

    /// Class weights in the loss: balanced, or a number for each class, a,b,c [default: all 1]
    #[arg(long, value_name = "WEIGHTS", help_heading = OPTIMIZATION)]
    pub class_weights: Option<ClassWeights>,

    /// Evaluate and save a moving average of the weights with this decay, such as 0.999; 0 = none
    #[arg(long, value_name = "DECAY", help_heading = OPTIMIZATION)]
    pub ema_decay: Option<f64>,

    /// Maximum length of a row in tokens; longer rows are truncated
    #[arg(long, value_name = "TOKENS", help_heading = DATA)]
    pub max_length: Option<usize>,

    /// Sort the rows of this many batches by length before dividing them into batches; 0 = do not sort
    #[arg(long, value_name = "BATCHES")]
    pub length_buckets: Option<usize>,

    /// Share of the tokens to predict: of them, 80 % are replaced by the mask token and 10 % by a random one
    #[arg(long, value_name = "SHARE", help_heading = MASKING)]
    pub mlm_probability: Option<f64>,

    /// What to mask as a whole: tokens, words (with all their pieces) or spans (of 1 to 10 words, as in SpanBERT)
    #[arg(long, value_name = "WHAT", help_heading = MASKING)]
    pub masking: Option<MaskUnit>,

    /// Read each line of a text file as a text, not all lines up to a blank one [default: true, unless there are blank lines]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = MASKING)]
    pub line_by_line: Option<bool>,

    /// First pretrain the base model on the training texts, without their labels, in this many passes
    #[arg(long, value_name = "EPOCHS", help_heading = MASKING)]
    pub adapt_epochs: Option<f64>,

    /// With --adapt-epochs, or in distill: a further data set of texts, as for --dataset; all its splits
    /// are read
    #[arg(long, value_name = "DATASET", help_heading = MASKING)]
    pub unlabelled: Option<String>,

    /// With --adapt-epochs: its peak learning rate
    #[arg(long, value_name = "RATE", help_heading = MASKING)]
    pub adapt_learning_rate: Option<f64>,

    /// Trained model to learn from: a directory, a run, an adapter, or a name on the hub
    #[arg(long, value_name = "MODEL", help_heading = DISTILLATION)]
    pub teacher: Option<String>,

    /// Layers of the teacher that the student begins with: their number, or their indices a,b,c [default: half of them, evenly spaced; none with --model or --init]
    #[arg(long, value_name = "LAYERS", help_heading = DISTILLATION)]
    pub student_layers: Option<StudentLayers>,

    /// Divisor of the logits from which the teacher's probabilities are learned
    #[arg(long, help_heading = DISTILLATION)]
    pub temperature: Option<f64>,

    /// Weight of the distance from the teacher's probabilities (or values)
    #[arg(long, value_name = "WEIGHT", help_heading = DISTILLATION)]
    pub soft_weight: Option<f64>,

    /// Weight of the loss on the labels
    #[arg(long, value_name = "WEIGHT", help_heading = DISTILLATION)]
    pub hard_weight: Option<f64>,

    /// Weight of the cosine distance from the teacher's last hidden states, as in DistilBERT, for students of its width
    #[arg(long, value_name = "WEIGHT", help_heading = DISTILLATION)]
    pub cosine_weight: Option<f64>,

    /// Weight of the distance from the attention of the teacher's last layer, as in MiniLM, for students with as many heads
    #[arg(long, value_name = "WEIGHT", help_heading = DISTILLATION)]
    pub attention_weight: Option<f64>,

    /// Seed for drawing and ordering rows, initializing the head, and dropout
    #[arg(long)]
    pub seed: Option<u64>,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long)]
    pub device: Option<String>,

    /// Precision of matrix multiplications: f32, tf32 (f32 rounded by a GPU's tensor cores), bf16 (summed in f32), or auto (bf16 where it is faster)
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,

    /// When to evaluate: no, steps or epoch
    #[arg(long, value_name = "WHEN", help_heading = EVALUATION)]
    pub eval_strategy: Option<IntervalStrategy>,

    /// Steps between evaluations
    #[arg(long, value_name = "STEPS", help_heading = EVALUATION)]
    pub eval_steps: Option<u64>,

    /// Evaluate the untrained model first, for comparison
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = EVALUATION)]
    pub eval_on_start: Option<bool>,

    /// Metric on the validation rows that selects the best model
    #[arg(long, value_name = "METRIC", help_heading = EVALUATION)]
    pub metric_for_best_model: Option<String>,

    /// Keep the best model of all evaluations as the result, not the last
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = EVALUATION)]
    pub load_best_model_at_end: Option<bool>,

    /// Stop after this many evaluations in a row without improvement; 0 = never
    #[arg(long, value_name = "EVALUATIONS", help_heading = EVALUATION)]
    pub early_stopping_patience: Option<u64>,

    /// Amount that an improvement must exceed to count
    #[arg(long, value_name = "CHANGE", help_heading = EVALUATION)]
    pub early_stopping_threshold: Option<f64>,

    /// When to save checkpoints: no, steps or epoch [default: the same as --eval-strategy; steps with --save-steps]
    #[arg(long, value_name = "WHEN", help_heading = SAVING)]
    pub save_strategy: Option<IntervalStrategy>,

    /// Steps between checkpoints
    #[arg(long, value_name = "STEPS", help_heading = SAVING)]
    pub save_steps: Option<u64>,

    /// Number of checkpoints to keep in addition to the best
    #[arg(long, value_name = "NUMBER", help_heading = SAVING)]
    pub save_total_limit: Option<usize>,

    /// Maximum total size of the checkpoints in bytes; 0 = no limit
    #[arg(long, value_name = "BYTES", help_heading = SAVING)]
    pub save_bytes_limit: Option<u64>,

    /// When to log the loss: no, steps or epoch
    #[arg(long, value_name = "WHEN", help_heading = SAVING)]
    pub logging_strategy: Option<IntervalStrategy>,

    /// Steps between log entries
    #[arg(long, value_name = "STEPS", help_heading = SAVING)]
    pub logging_steps: Option<u64>,

    /// Where to report the run: tensorboard (files in its directory) or none
    #[arg(long, value_name = "WHERE", help_heading = SAVING)]
    pub report_to: Option<ReportTo>,

    /// Run directory; must not exist [default: runs/DATASET-N]
    #[arg(long, value_name = "DIR", help_heading = SAVING)]
    pub output: Option<PathBuf>,
}

impl TrainOptions {
    /// Returns the options of CSV files.
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
const STRATEGY: &str = "Training strategy";
const MASKING: &str = "Masked language modelling";
const DISTILLATION: &str = "Distillation";
const SCRATCH: &str = "Training from scratch";
const OPTIMIZATION: &str = "Optimization";
const EVALUATION: &str = "Evaluation";
const SAVING: &str = "Saving and logging";

/// Where the weights of the model come from at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitialWeights {
    /// From a model.
    Pretrained,
    /// They are new.
    Scratch,
}

/// The layers of a teacher that a student begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of layers, or a list of their indices"
)]
pub enum StudentLayers {
    /// This many, evenly spaced.
    Number(usize),
    /// Those with these indices.
    Chosen(Vec<usize>),
}

impl FromStr for StudentLayers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |number: &str| {
            number.trim().parse().map_err(|_| {
                format!("\"{number}\" is not a whole number; expected a number of layers, such as 3, or their indices, such as 0,2,5")
            })
        };
        match text.contains(',') {
            false => Ok(Self::Number(number(text)?)),
            true => Ok(Self::Chosen(
                text.split(',').map(number).collect::<Result<_, _>>()?,
            )),
        }
    }
}

/// Class weights: `balanced`, or a number for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum ClassWeights {
    /// `rows / (classes · rows of the class)`, as in scikit-learn.
    Balanced,
    /// The given weights.
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
                format!("\"{number}\" is not a number; expected balanced, or a weight for each class, such as 1,2.5")
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

/// Parses a label name, which may begin with a hyphen, such as `-1`. A flag is rejected, because it means
/// that the value is missing.
pub fn label_name(name: &str) -> Result<String, String> {
    match name.starts_with("--") {
        true => Err("expected a name, not a flag".into()),
        // People type lists with spaces: `a, b`.
        false => match name.trim() {
            "" => Err("a name is empty; is there an extra comma?".into()),
            name => Ok(name.into()),
        },
    }
}

/// Deserializes a string or integer, or a list of them, as a list of strings.
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
        expecting = "expected a string or an integer, or a list of them"
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
