//! What the command writes: a page, probabilities, and the data without what was found.

use std::{io::Write as _, path::Path};

use finetune_check::{Checked, CleanedSplit, LOG, Report};
use finetune_files::{IoContext, create_file, publish_directory};
use serde_json::{Value, json};

use crate::{
    cli::{check_args::CheckArguments, interrupt},
    error::Failure,
    view::{output::say, progress::count, shell::quote_path},
};

/// Fails if something exists at the place of an output.
///
/// # Errors
/// Fails if it does.
pub fn check_free(arguments: &CheckArguments) -> Result<(), Failure> {
    let outputs = [
        ("html", &arguments.html),
        ("save-probabilities", &arguments.save_probabilities),
        ("write-clean", &arguments.write_clean),
    ];
    for (flag, path) in outputs {
        // A broken link exists too.
        if let Some(path) = path.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
            return Err(Failure::User(format!(
                "{} already exists and is not overwritten; choose another --{flag}",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Writes all that is asked for, each whole or not at all, and returns what was written of each split.
///
/// # Errors
/// Fails if something cannot be written.
pub fn write(
    arguments: &CheckArguments,
    checked: &Checked<'_>,
    page: &str,
) -> Result<Vec<CleanedSplit>, Failure> {
    if let Some(path) = &arguments.html {
        make_parent(path)?;
        create_file(path, |out| out.write_all(page.as_bytes()))?;
    }
    if let Some(path) = &arguments.save_probabilities {
        make_parent(path)?;
        if !checked.write_probabilities(path)? {
            say!(
                "note: {} is not written, since labels were not judged",
                path.display()
            );
        }
    }
    let Some(directory) = &arguments.write_clean else {
        return Ok(Vec::new());
    };
    let remove: Vec<&str> = arguments.remove.iter().map(String::as_str).collect();
    let mut written = Vec::new();
    make_parent(directory)?;
    publish_directory(directory, |partial| {
        written = checked.write_clean(partial, &remove)?;
        match interrupt::requested() {
            true => Err(Failure::Interrupted("interrupted; nothing was kept".into())),
            false => Ok(()),
        }
    })?;
    Ok(written)
}

fn make_parent(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(parent) => Ok(std::fs::create_dir_all(parent).context("make", parent)?),
        None => Ok(()),
    }
}

/// Says what was written.
pub fn described(arguments: &CheckArguments, written: &[CleanedSplit]) -> String {
    let mut text = String::new();
    if let Some(directory) = &arguments.write_clean {
        let splits = written.iter().map(|split| {
            format!(
                "{} {} rows ({} removed)",
                split.role.name(),
                count(split.kept),
                count(split.removed)
            )
        });
        let splits: Vec<_> = splits.collect();
        text += &format!(
            "\ncleaned   {}: {}; {LOG} has a line for each removed row\n",
            quote_path(directory),
            splits.join(", ")
        );
    }
    if let Some(path) = &arguments.html {
        text += &format!("\npage      {}\n", quote_path(path));
    }
    text
}

/// Returns what was found and written as JSON.
///
/// # Errors
/// Never fails in practice: all of it has a form in JSON.
pub fn json(report: &Report, written: &[CleanedSplit]) -> Result<Value, Failure> {
    let mut json = serde_json::to_value(report)
        .map_err(|error| Failure::Internal(format!("the report has no form in JSON: {error}")))?;
    if !written.is_empty() {
        let splits = written.iter().map(|split| {
            json!({"split": split.role.name(), "kept": split.kept, "removed": split.removed})
        });
        json["cleaned"] = splits.collect();
    }
    Ok(json)
}
