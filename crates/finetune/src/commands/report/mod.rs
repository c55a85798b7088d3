//! `finetune report`: a page about a run, which every complete run leaves too, with a model card.

mod attributions;
mod card;
mod facts;
mod rows;

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use finetune_files::{IoContext, replace_file};
use finetune_report::{GENERATOR, page};
use finetune_train::layout;

use crate::{
    cli::{interrupt, report_args::ReportArguments},
    error::Failure,
    resolve::special_files,
    view::{
        output::{say, show},
        shell::quote_path,
    },
};

/// Bytes of a page in which it says what made it.
const HEAD: u64 = 2048;

/// Makes the report of a run.
///
/// # Errors
/// Fails if there is no run, if a file of it cannot be read or a newer version wrote it, or if the page cannot be
/// written.
pub fn run(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    interrupt::at_once(true);
    let output = arguments.output.clone();
    let output = output.unwrap_or_else(|| arguments.run.join(layout::REPORT));
    if arguments.output.is_some() {
        check_replaceable(&output)?;
    }
    let mut read = facts::read(&arguments.run)?;
    if arguments.explain > 0 {
        attributions::add(&arguments.run, &mut read, arguments.explain as usize)?;
    }
    let bytes = write(&page(&read.facts)?, &output)?;
    if arguments.output.is_none() && read.results.is_some() {
        card::write(&arguments.run, &read)?;
    }
    show(&format!(
        "report of {} in {} ({:.0} kB)\n",
        arguments.run.display(),
        quote_path(&output),
        bytes as f64 / 1e3
    ))?;
    if arguments.open {
        open(&output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes report and model card of a run that is complete. The run is, whatever happens here, so that an error is
/// only a note.
pub fn leave(run: &Path) {
    let left = facts::read(run).and_then(|read| {
        card::write(run, &read)?;
        write(&page(&read.facts)?, &run.join(layout::REPORT))
    });
    if let Err(error) = left {
        let line = format!("{error}");
        let problem = line.strip_prefix("error: ").unwrap_or(&line);
        say!("note: the run has no report: {problem}");
    }
}

fn write(page: &str, output: &Path) -> Result<u64, Failure> {
    replace_file(output, |out| out.write_all(page.as_bytes()))?;
    Ok(page.len() as u64)
}

/// Refuses to replace anything but a report.
fn check_replaceable(output: &Path) -> Result<(), Failure> {
    special_files::refuse_file(output, "a file to write the report to")?;
    if output.is_dir() {
        return Err(Failure::User(format!(
            "{} is a directory; name a file with --output",
            output.display()
        )));
    }
    if output.symlink_metadata().is_err() {
        return Ok(());
    }
    let mut head = String::new();
    let file = fs::File::open(output).context("read", output)?;
    let is_text = file.take(HEAD).read_to_string(&mut head).is_ok();
    match is_text && head.contains(GENERATOR) {
        true => Ok(()),
        false => Err(Failure::User(format!(
            "{} already exists, is not a report and is not overwritten; choose another --output",
            output.display()
        ))),
    }
}

/// Has the system show a file.
fn open(path: &Path) -> Result<(), Failure> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let child = Command::new(program)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.map(drop).map_err(|error| {
        Failure::Internal(format!(
            "the report is made, but {program} cannot be started to show it: {error}; open {} yourself",
            path.display()
        ))
    })
}
