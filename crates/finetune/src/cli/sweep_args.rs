//! The arguments of `finetune sweep`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use finetune_sweep::Shard;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArguments {
    #[command(subcommand)]
    pub command: Option<SweepCommand>,

    /// TOML file that says which keys vary, how trials are chosen, and how many
    #[arg(required = true, value_name = "FILE.toml")]
    pub file: Option<PathBuf>,

    /// Directory for the runs and the results; a sweep that was stopped goes on there [default: runs/FILE]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Number of trials at a time, which share the processor's threads
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,

    /// Train only every Nth trial, from the Kth on, as one of N machines; they may share the directory, or have one each
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub shard: Shard,

    /// Print everything as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Bring together the directories of one sweep, whose shards were trained apart
    Merge(SweepMergeArguments),
}

#[derive(Debug, Args)]
pub struct SweepMergeArguments {
    /// Directories of the shards
    #[arg(required = true, value_name = "DIR")]
    pub from: Vec<PathBuf>,

    /// Directory for all runs and the results; may be one of the others
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,

    /// Print everything as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}
