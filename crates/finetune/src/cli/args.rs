//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use finetune_data::{CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting};
use finetune_train::PrecisionChoice;

use crate::{
    cli::{default_texts::DefaultTexts, train_options::TrainOptions},
    view::output::{printable, say},
};

/// Fine-tunes pretrained text encoders (BERT, DistilBERT, RoBERTa, ELECTRA and kin) on labelled texts.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the command line, or explains it and ends the program, with 2 where it is wrong.
    pub fn read(arguments: Vec<OsString>) -> Self {
        let matches = command().try_get_matches_from(arguments);
        let arguments = matches.and_then(|matches| Self::from_arg_matches(&matches));
        arguments.unwrap_or_else(|error| {
            // Errors quote what was typed, or what a script passed on.
            let message = error.to_string();
            if printable(&message) != message {
                say!("{}", message.trim_end());
                std::process::exit(error.exit_code());
            }
            error.exit()
        })
    }
}

/// The command line, with the defaults of `train`.
pub fn command() -> clap::Command {
    let defaults = DefaultTexts::new();
    // A negative number is a value, so that what is wrong with it is said of its option.
    let command = Arguments::command().mut_subcommands(|command| {
        command.mut_args(|argument| {
            let takes_values = argument.get_action().takes_values();
            argument.allow_negative_numbers(takes_values)
        })
    });
    command.mut_subcommand("train", |train| {
        train.mut_args(|argument| defaults.add_to(argument))
    })
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trains a classifier or a regression model, evaluates it and saves it
    Train(Box<TrainArguments>),
    /// Goes on with a run that was interrupted or killed, to the same bits
    Resume(ResumeArguments),
    /// Takes a step, for --auto-find-batch-size
    #[command(hide = true)]
    TrialStep,
    /// Repeats a run and compares: events, metrics and every bit of the weights
    Replay(ReplayArguments),
    /// Evaluates a saved model on labelled rows, or compares two on the same ones
    Evaluate(EvaluateArguments),
    /// Predicts the labels of texts
    Predict(PredictArguments),
    /// Shows a model's modules, what each strategy trains, and the memory that it takes
    Inspect(InspectArguments),
    /// Folds an adapter into its base model and saves the result
    Merge(MergeArguments),
}

#[derive(Debug, Args)]
pub struct TrainArguments {
    /// TOML file with options: the names below with underscores; flags win over it
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub options: TrainOptions,

    /// Sets a key of the plan to a TOML value, such as lora.r=16; over the file, under other flags
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Go on with this run instead of beginning one; auto = with the one in --output (or the data set's last) if there is one
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,

    /// With --resume: a key in which the plan may differ from the run's
    #[arg(long, value_name = "KEY", requires = "resume")]
    pub accept: Vec<String>,

    /// List the names of what is trained
    #[arg(long)]
    pub list_trainable: bool,

    /// Print one JSON object with the results on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// Directory of the run
    pub run: PathBuf,

    /// Changes a key of its plan, such as save_steps=100; what changes the result is refused
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// A key that may be changed all the same
    #[arg(long, value_name = "KEY")]
    pub accept: Vec<String>,

    /// Print one JSON object with the results on standard output
    #[arg(long)]
    pub json: bool,

    /// This is the process that trains, for --auto-find-batch-size
    #[arg(long, hide = true)]
    pub worker: bool,

    /// For the same: print the names of what is trained
    #[arg(long, hide = true)]
    pub list_trainable: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Directory of a complete run
    pub run: PathBuf,

    /// Directory of the new run, must not exist [default: RUN-replay-N]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Print one JSON object with what is equal on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Model directory, or a config.json; weights are not needed
    pub model: PathBuf,

    /// Number of labels, or their names a,b,c [default: as in config.json]
    #[arg(long)]
    pub labels: Option<String>,

    /// What is trained: full, head, last:N, layers:N,N, params:REGEX, bitfit, lora, ia3 [default: all that need no number]
    #[arg(long)]
    pub strategy: Option<String>,

    /// Sets a key of the plan to a TOML value, such as lora.r=16
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// List the names of what is trained
    #[arg(long)]
    pub list_trainable: bool,
}

#[derive(Debug, Args)]
pub struct MergeArguments {
    /// Adapter directory
    pub adapter: PathBuf,

    /// Directory to write the merged model to; must not exist
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,

    /// Base model: a directory, or a name on the hub [default: as the adapter says]
    #[arg(long, visible_alias = "model-base")]
    pub model: Option<String>,

    /// Names of the labels in order, a,b,c, where neither the adapter nor its base model has any
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub labels: Vec<String>,

    /// auto, cpu, ndarray, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

/// What a saved model may leave open.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Of an adapter: its base model, a directory or a name on the hub [default: as the adapter says]
    #[arg(long, value_name = "DIR")]
    pub model_base: Option<String>,

    /// Names of the labels in order, a,b,c, of a model that has none (LABEL_0, …)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub labels: Vec<String>,
}

/// The columns of a data set.
#[derive(Debug, Args)]
pub struct ColumnArguments {
    /// Text column; twice (or a,b) for pairs [default: by convention: text, sentence, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub text_column: Vec<String>,
}

/// How CSV files are written.
#[derive(Debug, Args)]
pub struct CsvArguments {
    /// What stands between the fields of CSV files: a character, or tab [default: recognised]
    #[arg(long, value_name = "CHARACTER")]
    pub csv_delimiter: Option<CsvDelimiter>,

    /// What stands around fields: double, single or none (quotes are characters like others, every line is a row) [default: double]
    #[arg(long, value_name = "QUOTES")]
    pub csv_quoting: Option<CsvQuoting>,

    /// How a quote is written inside quotes: doubled or backslash [default: recognised]
    #[arg(long, value_name = "HOW")]
    pub csv_escape: Option<CsvEscape>,

    /// The character that begins lines that are no rows, such as #; none for none [default: recognised above the header]
    #[arg(long, value_name = "CHARACTER")]
    pub csv_comment: Option<CsvComment>,

    /// Encoding of CSV and text files, such as utf-8, utf-16 or windows-1252 [default: recognised]
    #[arg(long, value_name = "ENCODING")]
    pub csv_encoding: Option<CsvEncoding>,
}

impl CsvArguments {
    pub fn options(&self) -> CsvOptions {
        CsvOptions {
            delimiter: self.csv_delimiter,
            quoting: self.csv_quoting,
            escape: self.csv_escape,
            comment: self.csv_comment,
            encoding: self.csv_encoding,
        }
    }
}

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Saved model: a directory, or a name on the hub; two to compare
    #[arg(value_name = "MODEL", required_unless_present = "model")]
    pub models: Vec<String>,

    /// Saved model: the same as MODEL
    #[arg(long, conflicts_with = "models")]
    pub model: Option<String>,

    #[command(flatten)]
    pub open: ModelArguments,

    /// File, directory with one file per split, glob of shards, or a name on the hub [default: what the model was trained on]
    #[arg(long)]
    pub dataset: Option<String>,

    /// Configuration of a data set on the hub, such as mrpc of glue [default: the only or default one]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub dataset_config: String,

    /// Its revision: a branch, tag or commit [default: main]
    #[arg(
        long,
        value_name = "REVISION",
        default_value = "",
        hide_default_value = true
    )]
    pub dataset_revision: String,

    /// Split expression, such as test or train[:10%]; validation also means the rows that training held out [default: what the training evaluated at its end, else test, else validation, else all]
    #[arg(long)]
    pub split: Option<String>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Label column; several (a,b,c) for a class or a number each [default: the columns named as the model's outputs, if it has several; else by convention: label, labels, class, target, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub label_column: Vec<String>,

    /// Take names in the data that match none of the model's labels by their position
    #[arg(long)]
    pub labels_by_position: bool,

    /// What separates the labels of a row in one cell, such as ; in anger;joy
    #[arg(long, value_name = "CHARACTER")]
    pub label_separator: Option<char>,

    /// Leave out rows without a text or a label, and say how many
    #[arg(long)]
    pub skip_invalid: bool,

    /// Number of rows, drawn at random; 0 = all [default: all; of the training's own validation rows as many as there]
    #[arg(long, value_name = "ROWS")]
    pub eval_rows: Option<u64>,

    /// Rows per batch [default: as in training, else 32]
    #[arg(long)]
    pub batch_size: Option<usize>,

    /// Longest row in tokens; longer ones are cut [default: as in training, else 256, or the model's longest]
    #[arg(long)]
    pub max_length: Option<usize>,

    /// Seed of the rows drawn [default: as in training, else 42]
    #[arg(long)]
    pub seed: Option<u64>,

    /// auto, cpu, ndarray, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,

    /// Number type of the matrix multiplications: f32, bf16 (summed in f32), or auto (bf16 where it is faster) [default: as in training, else auto]
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,

    /// Metrics to print, a,b,c [default: those of the task, with tables]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub metrics: Vec<String>,

    /// List this many of the most confident errors with their texts; of a regression the largest
    #[arg(long, value_name = "ROWS")]
    pub errors: Option<usize>,

    /// Print how accuracy follows confidence: reliability bins, expected calibration error, Brier score
    #[arg(long)]
    pub calibration: bool,

    /// Find from which probability on a label of a multi-label model is best predicted, and keep it in the model's config.json [default split: validation]
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "per-label")]
    pub find_thresholds: Option<Thresholds>,

    /// Print one JSON object with the metrics on standard output
    #[arg(long)]
    pub json: bool,
}

/// For what a threshold is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Thresholds {
    /// Each label its own, for the best macro F1
    PerLabel,
    /// One for all labels, for the best micro F1
    Global,
}

#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Texts; none: one text per line of standard input
    pub texts: Vec<String>,

    /// A pair of texts, for a model that was trained on pairs; any number of times
    #[arg(long, num_args = 2, value_names = ["FIRST", "SECOND"], conflicts_with_all = ["texts", "file"])]
    pub pair: Vec<String>,

    /// Saved model: a directory (of a model or a run), or a name on the hub
    #[arg(long)]
    pub model: String,

    #[command(flatten)]
    pub open: ModelArguments,

    /// File of texts instead: Parquet, Arrow, CSV, JSON lines, or .txt with one text per line
    #[arg(long, conflicts_with = "texts")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Form of the predictions [default: as the name of --output ends, else table]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Short for --format json-lines
    #[arg(long, visible_alias = "json-lines", conflicts_with = "format")]
    pub json: bool,

    /// File to write to instead of standard output; must not exist. Of a --file to .csv, .tsv, .jsonl, .parquet or .arrow: all its columns, and the predictions beside them
    #[arg(long)]
    pub output: Option<PathBuf>,

    /// Leave out rows without a text, instead of giving them empty predictions
    #[arg(long)]
    pub skip_invalid: bool,

    /// Most texts per batch; long ones make smaller batches
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,

    /// Longest text in tokens; longer ones are cut [default: as in training, else 256, or the model's longest]
    #[arg(long)]
    pub max_length: Option<usize>,

    /// Writes where the time went, as JSON, for benchmarks
    #[arg(long, hide = true, value_name = "FILE")]
    pub timings: Option<PathBuf>,

    /// auto, cpu, ndarray, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,

    /// Number type of the matrix multiplications: f32, bf16 (summed in f32), or auto (bf16 where it is faster) [default: as in training, else auto]
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,
}

/// A form of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One JSON object per line
    #[value(alias = "jsonl")]
    JsonLines,
    /// Comma-separated values
    Csv,
    /// Values separated by tabs
    Tsv,
    /// A Parquet file (needs --output)
    Parquet,
    /// Arrow's stream, as datasets writes it (needs --output)
    Arrow,
}
