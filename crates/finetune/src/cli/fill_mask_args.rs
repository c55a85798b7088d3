//! The arguments of `finetune fill-mask`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ColumnArguments, CsvArguments};

#[derive(Debug, Args)]
pub struct FillMaskArguments {
    /// Masked language model: a model or run directory, or a name on the hub
    pub model: String,

    /// Texts with one or more masks, such as `a [MASK] film` [default: one text per line of standard input]
    pub texts: Vec<String>,

    /// File of texts: Parquet, Arrow, CSV, JSON lines, or .txt with one text per line
    #[arg(long, conflicts_with = "texts")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Number of words for each mask
    #[arg(long, default_value_t = 5, value_name = "WORDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: u32,

    /// Print one JSON object per text
    #[arg(long)]
    pub json: bool,

    /// Revision on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Device: auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}
