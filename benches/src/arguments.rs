//! The command line of `cargo xtask bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Measure against PyTorch on this machine, and write benches/README.md and benches/results.json
///
/// Each job is run several times, ours and the peer's in turn, with every run in a separate process.
/// The tables show medians; a ratio is the median of the rounds' ratios. Peak memory is the process's
/// largest resident set. The targets of the project are listed with the values found.
///
/// Without --with-peer or --peer-python, only ours is measured. Results of jobs that are not run stay in
/// the files. Nothing else should run at the same time.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Install the peer into a virtual environment in the user's cache on first use (about 6 GB)
    #[arg(long, conflicts_with = "peer_python")]
    pub with_peer: bool,
    /// Python in which the peer is installed already (see benches/peer/requirements.txt)
    #[arg(long, value_name = "PATH")]
    pub peer_python: Option<PathBuf>,
    /// Jobs to run [default: all but operations]
    #[arg(long, value_name = "JOBS", value_delimiter = ',')]
    pub only: Vec<Job>,
    /// Number of rounds, in each of which every contestant runs once
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    pub repeats: usize,
    /// Steps of 16 short rows to measure in a run, after some that are not measured [default: those of
    /// an epoch, so that each row counts; 30 for the job flat]
    #[arg(long, value_parser = at_least_one)]
    pub steps: Option<usize>,
    /// Training rows; the job head trains on them for 3 epochs
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub rows: usize,
    /// Short texts to predict; there are a quarter as many long ones
    #[arg(long, default_value_t = 1024, value_parser = at_least_one)]
    pub texts: usize,
    /// Directory with train.parquet and validation.parquet (columns text and label) [default: the
    /// project's movie_reviews]
    #[arg(long, value_name = "DIR")]
    pub dataset: Option<PathBuf>,
    /// Directory for README.md and results.json [default: benches]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the results of this run as one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// A job to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Job {
    /// Full fine-tuning of DistilBERT's size
    Full,
    /// LoRA of rank 8 on a model of DistilBERT's size
    Lora,
    /// The head alone, 3 epochs, including the time for computing features
    Head,
    /// Full fine-tuning of all-MiniLM-L6-v2
    Minilm,
    /// From the start of the process to the first step
    Start,
    /// Prediction with MiniLM, 32 texts at a time
    Predict,
    /// Cost per token over batch sizes, numbers of rows, and at length 512
    Flat,
    /// Microbenchmarks of single operations
    Operations,
}

impl Job {
    /// Returns the name on the command line and in the files.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

impl Arguments {
    /// Returns the jobs to run, each once, in order.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        let wanted = |job: &&Job| match self.only.is_empty() {
            true => **job != Job::Operations,
            false => self.only.contains(job),
        };
        Job::value_variants()
            .iter()
            .filter(wanted)
            .copied()
            .collect()
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number from 1 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Result<Arguments, String> {
        Cli::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))
            .map(|cli| cli.arguments)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn jobs_run_once_and_in_their_order() {
        let jobs = |line| parse(line).unwrap().jobs();
        assert_eq!(jobs("--only lora,full,lora"), [Job::Full, Job::Lora]);
        assert!(!jobs("").contains(&Job::Operations));
        assert_eq!(jobs("").len(), Job::value_variants().len() - 1);
        assert_eq!(Job::Minilm.name(), "minilm");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, message) in [
            ("--only no", "operations"),
            ("--repeats 0", "from 1 on"),
            ("--with-peer --peer-python p", "cannot be used with"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
