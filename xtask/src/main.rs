//! `cargo xtask COMMAND`: everything that one does in this workspace besides editing.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use xtask::datasets::Catalog;
use xtask::workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about,
    version,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Datasets(DatasetsArgs),
}

/// Build data sets from their recipes (those that are built already are left alone)
#[derive(Args)]
struct DatasetsArgs {
    /// Name of a folder in `datasets/`, or `all`
    #[arg(default_value = "all")]
    name: String,
    /// Build even if everything is there already
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Datasets(args) => datasets(&args).map(|()| ExitCode::SUCCESS),
    }
}

fn datasets(args: &DatasetsArgs) -> Result<()> {
    let catalog = Catalog::new(workspace::datasets());
    let names = match args.name.as_str() {
        "all" => catalog.names()?,
        name => vec![name.to_owned()],
    };
    for name in names {
        let built = catalog.build(&name, args.force)?;
        let state = if built.fresh { "built" } else { "up to date" };
        println!("{name}: {state}, {}", workspace::display(&built.folder));
        println!("{}", built.stamp.table());
    }
    Ok(())
}
