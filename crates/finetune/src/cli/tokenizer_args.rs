//! The arguments of `finetune tokenizer`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use finetune_data::TokenizerKind;

use crate::cli::args::{ColumnArguments, CsvArguments, HubArguments};

#[derive(Debug, Args)]
pub struct TokenizerArguments {
    #[command(subcommand)]
    pub command: TokenizerCommand,
}

#[derive(Debug, Subcommand)]
pub enum TokenizerCommand {
    /// Train a tokenizer on the texts of a data set
    Train(TokenizerTrainArguments),
    /// Add frequent words of a domain to a model's vocabulary, each beginning as the mean of the pieces that it was split into
    Extend(TokenizerExtendArguments),
}

/// The texts that a vocabulary is made from.
#[derive(Debug, Args)]
pub struct TextArguments {
    /// Data sets, of which all texts are used: each a file (Parquet, Arrow, CSV, JSON lines, or .txt with one text per line), a directory with one file per split, a glob of shards, or a name on the hub
    #[arg(value_name = "DATA", required = true)]
    pub datasets: Vec<String>,

    #[command(flatten)]
    pub hub: HubArguments,

    /// Rows to read: a split expression, such as train[:80%] or train+unsupervised
    #[arg(long, default_value = "train")]
    pub split: String,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Skip rows without a text, and report how many
    #[arg(long)]
    pub skip_invalid: bool,
}

#[derive(Debug, Args)]
pub struct TokenizerTrainArguments {
    #[command(flatten)]
    pub texts: TextArguments,

    /// Kind of the vocabulary: word-piece (BERT's), bpe (RoBERTa's, of bytes), unigram (SentencePiece's) or words (whole words and punctuation, as torchtext's basic_english separates them)
    #[arg(long, default_value = "word-piece")]
    pub kind: TokenizerKind,

    /// Number of tokens, special ones included
    #[arg(long, value_name = "TOKENS", default_value_t = 30_000)]
    pub vocab_size: usize,

    /// Turn texts to lower case
    #[arg(long)]
    pub lowercase: bool,

    /// Directory of the tokenizer; must not exist
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct TokenizerExtendArguments {
    /// Model: a directory, a run, or a name on the hub
    pub model: String,

    #[command(flatten)]
    pub texts: TextArguments,

    /// Number of words to add: those that save most tokens
    #[arg(long, value_name = "WORDS")]
    pub add: NonZeroUsize,

    /// Revision of the model on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Directory of the extended model; must not exist
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}
