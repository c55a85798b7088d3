//! `cargo xtask COMMAND`: everything one does in this workspace besides editing.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use xtask::datasets::Catalog;
#[cfg(unix)]
use xtask::storm;
use xtask::{
    binary, checks, compare, gpu_check, lab, memory, parity, random_model, train, workspace,
};

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
    /// Train: `finetune train ARGS…`, with data set and binary built first
    ///
    /// All arguments are the binary's; `--help` shows them. `--dataset` also takes the name of a
    /// folder in `datasets/` (default: movie_reviews), and `--device cuda`, `ndarray` or `wgpu` builds
    /// with that Cargo feature.
    #[command(disable_help_flag = true)]
    Train {
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGS"
        )]
        args: Vec<OsString>,
    },
    /// Check formatting, lints and documentation, and run all tests
    Test {
        /// Also run parity on the ndarray backend and type-check the CUDA build (always done in CI)
        #[arg(long)]
        backends: bool,
        /// Run only tests whose name contains one of these, without the other checks
        filter: Vec<String>,
    },
    Datasets(DatasetsArgs),
    /// Fetch what the tests need: the default data set, the base model and models converted from it
    Prepare,
    /// Make the models that the tests need and that are too large to commit
    Fixtures {
        /// Also rewrite `tests/fixtures`, with this Python (see its requirements.txt)
        #[arg(long)]
        python: Option<PathBuf>,
        /// Name or directory of the base model
        #[arg(long)]
        model: Option<String>,
    },
    GpuCheck(gpu_check::Arguments),
    Lab(lab::Arguments),
    /// Compare strategies on few and more texts with several seeds, some minutes on 2 cores
    ///
    /// Runs `finetune compare xtask/compare.toml --output runs/compare`, with data set and binary built
    /// first; further arguments are the binary's, such as --jobs 2.
    Compare {
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGS"
        )]
        args: Vec<OsString>,
    },
    /// Measure memory and time of training a model of DistilBERT's size, and check the limits
    Memory,
    /// Make a model with random weights for measuring time and memory
    Model {
        /// Which model to make
        #[arg(value_parser = ["distilbert-random"])]
        name: String,
        /// Output directory for weights, tokenizer and `texts.csv` with 48 tokens per text
        directory: PathBuf,
        /// Seed of the weights
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    #[cfg(unix)]
    Storm(storm::Arguments),
    /// Measure against PyTorch on this machine, and write benches/README.md and
    /// benches/results.json
    ///
    /// Built first, since it is a separate crate; `--help` shows its options.
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGS"
        )]
        args: Vec<OsString>,
    },
    /// Compare with transformers on this machine; installs it (about 6 GB) on first use
    Parity {
        /// Virtual environment to use or create [default: one in the user's cache]
        #[arg(long, value_name = "DIR")]
        venv: Option<PathBuf>,
        /// Name or directory of the base model
        #[arg(long)]
        model: Option<String>,
    },
}

/// Build data sets from their recipes (skips those that are already built)
#[derive(Args)]
struct DatasetsArgs {
    /// Name of a folder in `datasets/`, or `all`
    #[arg(default_value = "all")]
    name: String,
    /// Build even if everything is already there
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            match error.downcast_ref::<lab::Refused>() {
                Some(_) => ExitCode::from(2),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Train { args } => {
            let status = train::train(&args)?;
            return Ok(ExitCode::from(binary::exit_code(status)));
        }
        Command::Test { backends, filter } => checks::test(&filter, backends),
        Command::Datasets(args) => datasets(&args),
        Command::Prepare => checks::prepare(),
        Command::Fixtures { python, model } => make_fixtures(python, model.as_deref()),
        Command::Compare { args } => {
            let status = compare::compare(&args)?;
            return Ok(ExitCode::from(binary::exit_code(status)));
        }
        Command::GpuCheck(arguments) => gpu_check::gpu_check(&arguments),
        Command::Lab(arguments) => return lab::lab(&arguments),
        Command::Memory => memory::memory(),
        Command::Model {
            directory, seed, ..
        } => random_model::distilbert(&directory, seed),
        #[cfg(unix)]
        Command::Storm(arguments) => storm::storm(&arguments),
        Command::Bench { args } => {
            let bench = binary::build("finetune-bench", &[])?;
            let status = binary::run(&bench, &args)?;
            return Ok(ExitCode::from(binary::exit_code(status)));
        }
        Command::Parity { venv, model } => parity::parity(venv, model.as_deref()),
    }?;
    Ok(ExitCode::SUCCESS)
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

fn make_fixtures(python: Option<PathBuf>, model: Option<&str>) -> Result<()> {
    let base = checks::prepare_models(model)?;
    if let Some(python) = python {
        parity::remake_fixtures(&python, &base.dir)?;
    }
    Ok(())
}
