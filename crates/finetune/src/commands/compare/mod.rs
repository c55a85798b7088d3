//! `finetune compare`: trains the variants that a file describes, or takes runs that exist, and compares them.

mod described;
mod existing;
mod predictions;
mod run_facts;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use finetune_compare::{Comparison, ComparisonDirectory, table::Failed};

use crate::{
    cli::args::CompareArguments,
    error::Failure,
    view::{
        comparison_table,
        output::{print_json, say, show},
    },
};

/// What a command line names.
enum Subjects {
    /// A file that describes runs to make.
    Description(PathBuf),
    /// Runs that exist.
    Runs,
}

/// Compares runs.
///
/// # Errors
/// Fails if the description or a run is wrong, if runs cannot be compared, or if a file cannot be read or
/// written. Runs that fail are reported in the table instead.
pub fn run(arguments: &CompareArguments) -> Result<ExitCode, Failure> {
    let comparison = match subjects(&arguments.subjects)? {
        Subjects::Description(file) => described::compare(&file, arguments)?,
        Subjects::Runs => existing::compare(arguments)?,
    };
    match arguments.json {
        true => print_json(comparison.json()?.trim_end())?,
        false => show(&comparison_table::text(&comparison))?,
    }
    let mut incomplete = comparison.rows.iter().flat_map(|row| &row.incomplete);
    let has_failed = incomplete.any(|run| matches!(run.reason, Failed::Failed { .. }));
    Ok(ExitCode::from(u8::from(has_failed)))
}

fn subjects(names: &[String]) -> Result<Subjects, Failure> {
    let is_description = |name: &&String| {
        let path = Path::new(name.as_str());
        path.extension()
            .is_some_and(|extension| extension == "toml")
            && !path.is_dir()
    };
    match (names.iter().find(is_description), names.len()) {
        (None, _) => Ok(Subjects::Runs),
        (Some(file), 1) => Ok(Subjects::Description(file.into())),
        (Some(file), _) => Err(Failure::User(format!(
            "{file} describes runs to make, and others are named beside it; compare either one description or \
             runs that exist"
        ))),
    }
}

/// Writes the results, and says where.
fn write(comparison: &Comparison, directory: &ComparisonDirectory) -> Result<(), Failure> {
    use finetune_compare::directory::{CSV, JSON, MARKDOWN};
    directory.write(comparison)?;
    say!(
        "saved {JSON}, {CSV} and {MARKDOWN} in {}",
        directory.path().display()
    );
    Ok(())
}
