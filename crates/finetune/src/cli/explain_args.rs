//! The arguments of `finetune explain`.

use std::path::PathBuf;

use clap::Args;
use finetune_infer::Baseline;

use crate::cli::args::{ColumnArguments, CsvArguments, ModelArguments};

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Saved model: a model or run directory, or a name on the hub
    pub model: String,

    /// Texts whose predictions are explained [default: one text per line of standard input]
    pub texts: Vec<String>,

    /// Pair of texts, for a model that was trained on pairs; may be repeated
    #[arg(long, num_args = 2, value_names = ["FIRST", "SECOND"], conflicts_with_all = ["texts", "file"])]
    pub pair: Vec<String>,

    #[command(flatten)]
    pub open: ModelArguments,

    /// File of texts: Parquet, Arrow, CSV, JSON lines, or .txt with one text per line
    #[arg(long, conflicts_with = "texts")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Class to explain, or value of a regression with several [default: the predicted class, or the first value]
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,

    /// Token that stands in the place of each word where the path begins: padding or mask
    #[arg(long, value_name = "TOKEN", default_value = "padding")]
    pub baseline: Baseline,

    /// Points of the path from the baseline to the text [default: 32, doubled until less than 5 % of the difference is unexplained, up to 1,024]
    #[arg(long, value_name = "POINTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: Option<u32>,

    /// Maximum length of a text in tokens; longer texts are truncated [default: as in training, else 256, or the model's maximum]
    #[arg(long)]
    pub max_length: Option<usize>,

    /// Print one JSON object per text
    #[arg(long)]
    pub json: bool,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}
