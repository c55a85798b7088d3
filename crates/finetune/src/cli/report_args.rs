//! The arguments of `finetune report`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Directory of a run: complete, going on, or one that was interrupted or has died
    pub run: PathBuf,

    /// The page to write; another report there is replaced [default: RUN/report.html]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Show the page in the browser
    #[arg(long)]
    pub open: bool,

    /// Colour the words of this many of the most wrong rows by what they add to the prediction, a second or so each
    #[arg(long, value_name = "ROWS", default_value = "0", value_parser = clap::value_parser!(u32).range(..=20))]
    pub explain: u32,
}
