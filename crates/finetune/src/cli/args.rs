//! The commands and their arguments, with their help texts.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

use clap::{
    Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, builder::ValueParser,
};

use finetune_data::{CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting};
use finetune_train::PrecisionChoice;

use crate::{
    cli::{
        check_args::CheckArguments,
        default_texts::DefaultTexts,
        explain_args::ExplainArguments,
        fill_mask_args::FillMaskArguments,
        pause_args::PauseArguments,
        pretrain_options::{self, TrainsOn},
        report_args::ReportArguments,
        sweep_args::SweepArguments,
        tokenizer_args::TokenizerArguments,
        train_options::TrainOptions,
    },
    view::output::{printable, say},
};

/// Fine-tune pretrained text encoders (BERT, DistilBERT, RoBERTa, ELECTRA and related models) on labelled texts
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Parses the command line. Prints the help or an error (exit code 2) and exits if that is asked for
    /// or the command line is wrong.
    pub fn read(arguments: Vec<OsString>) -> Self {
        let matches = command().try_get_matches_from(arguments);
        let arguments = matches.and_then(|matches| Self::from_arg_matches(&matches));
        arguments.unwrap_or_else(|error| {
            // Errors quote arguments, which may contain control characters.
            let message = error.to_string();
            if printable(&message) != message {
                say!("{}", message.trim_end());
                std::process::exit(error.exit_code());
            }
            error.exit()
        })
    }
}

/// Builds the command line, with the defaults of `train`, `pretrain` and `distill` in their help. They have the
/// same options, of which each shows those that it takes.
pub fn command() -> clap::Command {
    let (train, pretrain) = (DefaultTexts::train(), DefaultTexts::pretrain());
    // A negative number is a value, so that an error about it names its option.
    let command = Arguments::command().mut_subcommands(|command| {
        command.mut_args(|argument| {
            let takes_values = argument.get_action().takes_values();
            let argument = argument.allow_negative_numbers(takes_values);
            // Those that are paths are refused by their own parser.
            let is_text = argument.get_value_parser().type_id() == ValueParser::string().type_id();
            match is_text && PLACES.contains(&argument.get_id().as_str()) {
                true => argument.value_parser(place),
                false => argument,
            }
        })
    });
    let shown = |argument: Arg, command| {
        let hides = pretrain_options::is_foreign(argument.get_id().as_str(), command);
        match hides {
            true => argument.hide(true),
            false => argument,
        }
    };
    let commands = [
        ("train", &train, TrainsOn::Labels),
        ("plan", &train, TrainsOn::Labels),
        ("pretrain", &pretrain, TrainsOn::Texts),
        ("distill", &train, TrainsOn::Teacher),
    ];
    commands
        .into_iter()
        .fold(command, |command, (name, defaults, on)| {
            command.mut_subcommand(name, |command| {
                command.mut_args(|argument| {
                    let argument = pretrain_options::described(argument, on);
                    shown(defaults.add_to(argument), on)
                })
            })
        })
}

/// Arguments that name a model, data or a file, where an empty text names nothing.
pub const PLACES: [&str; 11] = [
    "model",
    "models",
    "model_base",
    "encoder",
    "tokenizer",
    "dataset",
    "datasets",
    "vectors",
    "adapter",
    "unlabelled",
    "teacher",
];

/// Refuses an empty name, which is not the same as none: what was meant is missing.
fn place(name: &str) -> Result<String, &'static str> {
    match name.trim() {
        "" => Err("it is empty, as a variable that is not set; name one, or leave it out"),
        _ => Ok(name.into()),
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a classifier or regression model, evaluate it and save it
    Train(Box<TrainArguments>),
    /// Train a masked language model on texts without labels, such as those of a domain
    Pretrain(Box<TrainArguments>),
    /// Train a smaller model to imitate a trained one, on its labels and on those of the rows
    Distill(Box<TrainArguments>),
    /// Say what `train` would do with the same arguments, and the time, memory and disk it takes, without training
    Plan(Box<PlanArguments>),
    /// Probe a run, for `plan`
    #[command(hide = true)]
    Probe,
    /// Resume an interrupted or killed run, with bit-identical results
    Resume(ResumeArguments),
    /// Run one trial step, for --auto-find-batch-size
    #[command(hide = true)]
    TrialStep,
    /// Repeat a run and compare its events, metrics and every bit of its weights
    Replay(ReplayArguments),
    /// Evaluate a saved model on labelled rows, or compare two models on the same rows
    Evaluate(EvaluateArguments),
    /// Train variants and seeds as a file describes, and compare them; or compare runs that exist
    Compare(CompareArguments),
    /// Make the report of a run: a page with its curves, errors and how to repeat it
    Report(ReportArguments),
    /// Search hyperparameters: train the trials that a file describes, and find the best
    Sweep(SweepArguments),
    /// Predict the labels of texts
    Predict(PredictArguments),
    /// Show which words speak for a prediction and which against it
    Explain(ExplainArguments),
    /// Fill masks in texts with their likeliest words, by a masked language model
    FillMask(FillMaskArguments),
    /// Look for what is wrong with a data set before training: duplicates, leaks, damage, wrong labels
    Check(Box<CheckArguments>),
    /// List the devices of this build and machine, and what others need
    Devices(DevicesArguments),
    /// Show a model's modules, what each strategy trains, and how much memory it takes
    Inspect(InspectArguments),
    /// Merge an adapter into its base model and save the result
    Merge(MergeArguments),
    /// Train a tokenizer, or add words to a model's vocabulary
    Tokenizer(TokenizerArguments),
}

#[derive(Debug, Args)]
pub struct DevicesArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TrainArguments {
    /// TOML file of options, named as below but with underscores; flags take precedence
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub options: TrainOptions,

    /// Set a key of the plan to a TOML value, such as lora.r=16; overrides the file, but not other flags
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Resume this run instead of starting a new one; auto = the run in --output (or the data set's last run), if there is one
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,

    /// With --resume: allow the plan to differ from the run's in this key
    #[arg(long, value_name = "KEY", requires = "resume")]
    pub accept: Vec<String>,

    #[command(flatten)]
    pub pause: PauseArguments,

    /// List the trained parameters or modules by name
    #[arg(long)]
    pub list_trainable: bool,

    /// Print the results as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// TOML file of options, as `train` reads it
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub options: TrainOptions,

    /// Set a key of the plan to a TOML value, such as lora.r=16; overrides the file, but not other flags
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Strategy to compare with that of the run; may be repeated; none = no other [default: full, head, last:2, bitfit, lora and ia3]
    #[arg(long, value_name = "STRATEGY")]
    pub compare: Vec<String>,

    /// Print the plan as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// Directory of the run
    pub run: PathBuf,

    /// Change a key of the run's plan, such as save_steps=100; refused if it would change the result
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Allow this key to change even if that changes the result
    #[arg(long, value_name = "KEY")]
    pub accept: Vec<String>,

    #[command(flatten)]
    pub pause: PauseArguments,

    /// Print the results as one JSON object on standard output
    #[arg(long)]
    pub json: bool,

    /// Train in this process, for --auto-find-batch-size
    #[arg(long, hide = true)]
    pub worker: bool,

    /// With --worker: list the trained parameters or modules by name
    #[arg(long, hide = true)]
    pub list_trainable: bool,
}

#[derive(Debug, Args)]
pub struct CompareArguments {
    /// TOML file that describes variants, or complete runs, each as RUN or NAME=RUN; runs of one name differ by their seed alone
    #[arg(required = true, value_name = "FILE.toml|RUN")]
    pub subjects: Vec<String>,

    /// Directory for the runs and the results; a comparison that was stopped goes on there [default: runs/FILE, or none for runs that exist]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Number of runs at a time, which share the processor's threads
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,

    /// Metric to compare [default: the file's, else the one that chooses the best model]
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,

    /// Print the comparison as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Directory of a complete run
    pub run: PathBuf,

    /// Directory of the new run; must not exist [default: RUN-replay-N]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Print the comparison as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Model directory or config.json; weights are not needed
    pub model: PathBuf,

    /// Number of labels, or their names a,b,c [default: from config.json]
    #[arg(long)]
    pub labels: Option<String>,

    /// What to train: full, head, last:N, layers:N,N, params:REGEX, bitfit, lora, ia3 or contrastive [default: a table of the common ones]
    #[arg(long)]
    pub strategy: Option<String>,

    /// Set a key of the plan to a TOML value, such as lora.r=16
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// List the trained parameters or modules by name
    #[arg(long)]
    pub list_trainable: bool,
}

#[derive(Debug, Args)]
pub struct MergeArguments {
    /// Adapter directory
    pub adapter: PathBuf,

    /// Directory of the merged model; must not exist
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,

    /// Base model: a directory or a name on the hub [default: the one that the adapter names]
    #[arg(long, visible_alias = "model-base")]
    pub model: Option<String>,

    /// Names of the labels in order, a,b,c, if neither the adapter nor its base model has any
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub labels: Vec<String>,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

/// Settings that a saved model may lack.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Base model of an adapter: a directory or a name on the hub [default: the one that the adapter names]
    #[arg(long, value_name = "DIR")]
    pub model_base: Option<String>,

    /// Names of the labels in order, a,b,c, for a model that has none (LABEL_0, …)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub labels: Vec<String>,
}

/// Which form of a data set on the hub is meant.
#[derive(Debug, Args)]
pub struct HubArguments {
    /// Configuration of a data set on the hub, such as mrpc of glue [default: the only or default one]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub dataset_config: String,

    /// Revision of a data set on the hub: a branch, tag or commit [default: main]
    #[arg(
        long,
        value_name = "REVISION",
        default_value = "",
        hide_default_value = true
    )]
    pub dataset_revision: String,
}

/// The columns of a data set.
#[derive(Debug, Args)]
pub struct ColumnArguments {
    /// Text column; two (a,b) for pairs of texts [default: by convention: text, sentence, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub text_column: Vec<String>,
}

/// The dialect of CSV files.
#[derive(Debug, Args)]
pub struct CsvArguments {
    /// Field delimiter of CSV files: a character, or tab [default: detected]
    #[arg(long, value_name = "CHARACTER")]
    pub csv_delimiter: Option<CsvDelimiter>,

    /// Quotes around CSV fields: double, single or none (quotes are ordinary characters and every line is a row) [default: double]
    #[arg(long, value_name = "QUOTES")]
    pub csv_quoting: Option<CsvQuoting>,

    /// How quotes are escaped inside quoted CSV fields: doubled or backslash [default: detected]
    #[arg(long, value_name = "HOW")]
    pub csv_escape: Option<CsvEscape>,

    /// Character that begins comment lines of CSV files, such as #; none = no comments [default: detected above the header]
    #[arg(long, value_name = "CHARACTER")]
    pub csv_comment: Option<CsvComment>,

    /// Encoding of CSV and text files, such as utf-8, utf-16 or windows-1252 [default: detected]
    #[arg(long, value_name = "ENCODING")]
    pub csv_encoding: Option<CsvEncoding>,
}

impl CsvArguments {
    /// Returns the arguments as options of the reader.
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
    /// Saved model: a directory or a name on the hub; two to compare them
    #[arg(value_name = "MODEL", required_unless_present = "model")]
    pub models: Vec<String>,

    /// Same as MODEL
    #[arg(long, conflicts_with = "models")]
    pub model: Option<String>,

    #[command(flatten)]
    pub open: ModelArguments,

    /// Data set: a file, a directory with one file per split, a glob of shards, or a name on the hub [default: the one that the model was trained on]
    #[arg(long)]
    pub dataset: Option<String>,

    #[command(flatten)]
    pub hub: HubArguments,

    /// Split expression, such as test or train[:10%]; validation also means the rows that training held out [default: the rows evaluated at the end of training, else test, else validation, else all]
    #[arg(long)]
    pub split: Option<String>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Label column; several (a,b,c) for one class or value each [default: the columns named after the model's outputs, if it has several; else by convention: label, labels, class, target, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub label_column: Vec<String>,

    /// Match the names in the data to the model's labels by position if they do not match by name
    #[arg(long)]
    pub labels_by_position: bool,

    /// Separator of the labels in one cell, such as ; in anger;joy
    #[arg(long, value_name = "CHARACTER")]
    pub label_separator: Option<char>,

    /// Skip rows without a text or a label, and report how many
    #[arg(long)]
    pub skip_invalid: bool,

    /// Number of rows to draw at random; 0 = all [default: all, or as many as in training for its own validation rows]
    #[arg(long, value_name = "ROWS")]
    pub eval_rows: Option<u64>,

    /// Rows per batch [default: as in training, else 32]
    #[arg(long)]
    pub batch_size: Option<usize>,

    /// Maximum length of a row in tokens; longer rows are truncated [default: as in training, else 256, or the model's maximum]
    #[arg(long)]
    pub max_length: Option<usize>,

    /// Seed for drawing rows [default: as in training, else 42]
    #[arg(long)]
    pub seed: Option<u64>,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, default_value = "auto")]
    pub device: String,

    /// Precision of matrix multiplications: f32, tf32 (f32 rounded by a GPU's tensor cores), bf16 (summed in f32), or auto (bf16 where it is faster) [default: as in training, else auto]
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,

    /// Metrics to print, a,b,c [default: all metrics of the task, with tables]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub metrics: Vec<String>,

    /// List this many of the most confident errors (for regression, the largest) with their texts
    #[arg(long, value_name = "ROWS")]
    pub errors: Option<usize>,

    /// Print the calibration: reliability bins, expected calibration error and Brier score
    #[arg(long)]
    pub calibration: bool,

    /// Find the best probability thresholds for the labels of a multi-label model, and save them in its config.json [default split: validation]
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "per-label")]
    pub find_thresholds: Option<Thresholds>,

    /// Print the metrics as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The scope of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Thresholds {
    /// One for each label, for the best macro F1
    PerLabel,
    /// One for all labels, for the best micro F1
    Global,
}

#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Texts to predict [default: one text per line of standard input]
    pub texts: Vec<String>,

    /// Pair of texts, for a model that was trained on pairs; may be repeated
    #[arg(long, num_args = 2, value_names = ["FIRST", "SECOND"], conflicts_with_all = ["texts", "file"])]
    pub pair: Vec<String>,

    /// Saved model: a model or run directory, or a name on the hub
    #[arg(long)]
    pub model: String,

    #[command(flatten)]
    pub open: ModelArguments,

    /// File of texts: Parquet, Arrow, CSV, JSON lines, or .txt with one text per line
    #[arg(long, conflicts_with = "texts")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Format of the predictions [default: by the extension of --output, else table]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Same as --format json-lines
    #[arg(long, visible_alias = "json-lines", conflicts_with = "format")]
    pub json: bool,

    /// File to write instead of standard output; must not exist. With --file and .csv, .tsv, .jsonl, .parquet or .arrow, it contains all columns of the input and the predictions
    #[arg(long)]
    pub output: Option<PathBuf>,

    /// Skip rows without a text instead of giving them empty predictions
    #[arg(long)]
    pub skip_invalid: bool,

    /// Maximum number of texts per batch; batches of long texts are smaller
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,

    /// Maximum length of a text in tokens; longer texts are truncated [default: as in training, else 256, or the model's maximum]
    #[arg(long)]
    pub max_length: Option<usize>,

    /// Write timings as JSON, for benchmarks
    #[arg(long, hide = true, value_name = "FILE")]
    pub timings: Option<PathBuf>,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, default_value = "auto")]
    pub device: String,

    /// Precision of matrix multiplications: f32, tf32 (f32 rounded by a GPU's tensor cores), bf16 (summed in f32), or auto (bf16 where it is faster) [default: as in training, else auto]
    #[arg(long, value_name = "TYPE")]
    pub precision: Option<PrecisionChoice>,
}

/// An output format of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One JSON object per line
    #[value(alias = "jsonl")]
    JsonLines,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// Parquet file (needs --output)
    Parquet,
    /// Arrow IPC stream, as datasets writes it (needs --output)
    Arrow,
}
