//! `cargo xtask lab`: the best-known course lab on fine-tuning. A small transformer is trained from
//! scratch on reviews; another is trained on news and carried over to the reviews, where everything,
//! the head, or chosen layers are trained. docs/lab.md is its text.
//!
//! Everything is done by commands of `finetune`, each in a folder of its own, so that the lab goes on
//! where it was stopped: what is there is kept, and an interrupted run is resumed.

mod arguments;
mod leaks;
mod lesson;
mod report;
mod session;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use finetune_data::{Columns, Dataset, Inferred, Split, Task};
use finetune_files::{DirectoryLock, LockError, is_partial, replace_file};
use serde_json::Value;

use self::arguments::{RECIPES, Settings};
use self::lesson::{Lesson, WORDS};
use self::report::Row;
use self::session::{End, Session};
use crate::datasets::Catalog;
use crate::datasets::text::sha256_hex;
use crate::table::thousands;
use crate::workspace::shell_line;
use crate::{binary, workspace};

pub use self::arguments::{Arguments, Data};

/// The file with settings and results.
const RESULTS: &str = "lab.json";
/// The file that [`DirectoryLock`] creates.
const LOCK: &str = ".lock";
/// The folder with the table of `finetune compare`.
const COMPARISON: &str = "compare";
/// The file with the table.
const TABLE: &str = "lab.md";

/// What the user has to change before the lab can begin.
#[derive(Debug)]
pub struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// A data set of the lab.
struct Source {
    /// Its key in `--data`.
    key: &'static str,
    /// Its name on command lines.
    name: String,
    dataset: Dataset,
}

/// Runs the lab, and returns the exit code of the command that failed or was stopped, or 0.
///
/// # Errors
/// [`Refused`] if the arguments do not fit the data or the folder; other errors if something cannot
/// be built, read or written.
pub fn lab(arguments: &Arguments) -> Result<ExitCode> {
    let [news, reviews] = sources(arguments)?;
    let program = binary::build("finetune", &[])?;
    lab_with(&program, arguments, [news, reviews])
}

fn lab_with(program: &Path, arguments: &Arguments, sources: [Source; 2]) -> Result<ExitCode> {
    let begin = Instant::now();
    let [news, reviews] = &sources;
    let test = reviews.split("test")?.ok_or_else(|| {
        refused(format!(
            "{} has no test split, but the table compares accuracies on test rows; give a directory \
             with train and test files",
            reviews.origin()
        ))
    })?;
    let training = [news.training()?, reviews.training()?];
    news.check_labels(&training[0], None)?;
    reviews.check_labels(&training[1], Some(&test))?;
    let hashes = [news.hash()?, reviews.hash()?];
    let [news_hash, reviews_hash] = hashes;
    let named = [
        (news.name.clone(), news_hash),
        (reviews.name.clone(), reviews_hash),
    ];
    let settings = Settings::new(arguments, named);
    let folder = &arguments.output;
    let _lock = begin_folder(folder, &settings)?;

    let rows = |split: &Split| thousands(split.len() as usize);
    println!(
        "news     {}: {} training rows\nreviews  {}: {} training rows, {} test rows",
        news.name,
        rows(&training[0]),
        reviews.name,
        rows(&training[1]),
        rows(&test)
    );
    let keys = [leaks::keys(&training[0])?, leaks::keys(&training[1])?];
    for line in leaks::describe(&leaks::keys(&test)?, [&keys[0], &keys[1]]) {
        println!("leaks    {line}");
    }
    drop(keys);
    println!(
        "runs     {} seeds; {} epochs of {} rows, at most {} tokens, learning rate {} (head alone: \
         {})\nwords    one vocabulary of at most {} words, from the training texts of both, as the \
         course's GloVe knows the words of both\nfolder   {}\n",
        arguments.seeds,
        settings.epochs,
        settings.batch_size,
        settings.max_length,
        settings.learning_rate,
        settings.head_learning_rate,
        thousands(settings.vocab_size),
        workspace::display(folder),
    );

    let session = Session::new(program.to_owned(), folder.clone())?;
    if let End::Failed(code) = session.make(WORDS, &lesson::vocabulary(&settings, folder))? {
        return Ok(stopped(code));
    }
    for seed in 1..=arguments.seeds.get() {
        for lesson in Lesson::ALL {
            let name = lesson.run(seed);
            let known = session.found(&name)?.is_some();
            let command = lesson.arguments(&settings, folder, seed);
            if let End::Failed(code) = session.train(&name, &command)? {
                return Ok(stopped(code));
            }
            if let Some(found) = session.found(&name)? {
                let accuracy = found.accuracy.map_or_else(
                    || "no test rows".to_owned(),
                    |accuracy| format!("test accuracy {accuracy:.4}"),
                );
                let known = if known { ", complete already" } else { "" };
                println!("{name}: {accuracy}, {:.0} s{known}", found.seconds);
            }
        }
    }

    let rows = rows_of(&session, arguments.seeds.get())?;
    write(
        &folder.join(RESULTS),
        &json_text(&report::json(&settings, &rows))?,
    )?;
    write(&folder.join(TABLE), &report::markdown(&settings, &rows))?;
    println!(
        "\n{}\n{}\nsaved {} and {} in {}; this took {:.0} s",
        report::text(&rows),
        report::legend(&settings, &rows),
        RESULTS,
        TABLE,
        workspace::display(folder),
        begin.elapsed().as_secs_f64()
    );
    compare(program, folder, arguments.seeds.get())
}

/// Ends in the table of `finetune compare`, of the runs on the reviews. Those on the news have another task.
fn compare(program: &Path, folder: &Path, seeds: u32) -> Result<ExitCode> {
    let lessons = Lesson::ALL
        .into_iter()
        .filter(|lesson| *lesson != Lesson::Pretraining);
    let runs = lessons.flat_map(|lesson| {
        (1..=seeds).map(move |seed| {
            let run = workspace::display(&folder.join(lesson.run(seed)));
            format!("{}={run}", lesson.name())
        })
    });
    let mut command = vec!["compare".to_owned()];
    command.extend(runs);
    command.extend([
        "--output".into(),
        workspace::display(&folder.join(COMPARISON)),
    ]);
    println!(
        "\n$ {}",
        shell_line([&workspace::display(program)].into_iter().chain(&command))
    );
    let status = binary::run(program, &command)?;
    Ok(ExitCode::from(binary::exit_code(status)))
}

/// Finds the data sets that `--data` names, or else builds the project's own.
fn sources(arguments: &Arguments) -> Result<[Source; 2]> {
    let catalog = Catalog::new(workspace::datasets());
    let names = match &arguments.data {
        Some(data) => [data.news.clone(), data.reviews.clone()],
        None => {
            let mut folders = Vec::new();
            for name in RECIPES {
                let built = catalog.build(name, false)?;
                folders.push(workspace::display(&built.folder));
            }
            let [news, reviews] = [&folders[0], &folders[1]];
            [news.clone(), reviews.clone()]
        }
    };
    let [news, reviews] = names;
    Ok([
        Source::open("news", news)?,
        Source::open("reviews", reviews)?,
    ])
}

impl Source {
    fn open(key: &'static str, name: String) -> Result<Self> {
        let dataset = Dataset::open(&name)
            .map_err(|error| refused(format!("--data {key}={name}: {error}")))?;
        Ok(Self { key, name, dataset })
    }

    /// Where it comes from, for messages.
    fn origin(&self) -> String {
        format!("--data {}={}", self.key, self.name)
    }

    /// The split that plays this part, if there is one.
    fn split(&self, role: &str) -> Result<Option<Split>> {
        let Some((name, _)) = self.dataset.default_split(role) else {
            return Ok(None);
        };
        let split = self.dataset.split(&name);
        split
            .map(Some)
            .map_err(|error| refused(format!("{}: {error}", self.origin())))
    }

    fn training(&self) -> Result<Split> {
        self.split("train")?
            .ok_or_else(|| refused(format!("{} has no training split", self.origin())))
    }

    /// Checks that an accuracy can be computed, on the test rows if they are given; it is only needed after
    /// hours.
    fn check_labels(&self, training: &Split, test: Option<&Split>) -> Result<()> {
        let refuse = |problem: String| refused(format!("{}: {problem}", self.origin()));
        let failed = |error: finetune_data::Error| refuse(error.to_string());
        // Messages about columns name flags of `finetune`.
        let columns = Columns::resolve(training, &[], &[], true).map_err(|error| {
            refuse(format!(
                "{error} (the lab has no flags for columns: call them `text` and `label`)"
            ))
        })?;
        if let Some(test) = test {
            let is_there = |column: &String| test.schema().field_with_name(column).is_ok();
            let has_labels = columns.label.iter().all(is_there);
            if !has_labels || test.labels_are_hidden(&columns).map_err(failed)? {
                return Err(refuse(
                    "its test rows have no labels, but the table compares accuracies on them; give a \
                     directory whose test file has labels"
                        .into(),
                ));
            }
        }
        let splits: Vec<_> = [Some(training), test].into_iter().flatten().collect();
        let inferred = Inferred::of(&splits, &columns, None, None).map_err(failed)?;
        match inferred.task {
            Task::Classes(_) => Ok(()),
            other => Err(refuse(format!(
                "its labels make a {}, but the table compares accuracies of classes; give a \
                 directory with one class per row",
                other.problem_type()
            ))),
        }
    }

    /// A hash of everything that training reads.
    fn hash(&self) -> Result<String> {
        let mut hashes = String::new();
        for role in ["train", "validation", "test"] {
            if let Some(split) = self.split(role)? {
                hashes.push_str(role);
                hashes.push_str(&sha256_hex(&split.content_hash()?));
            }
        }
        Ok(sha256_hex(hashes.as_bytes()))
    }
}

fn refused(message: String) -> anyhow::Error {
    Refused(message).into()
}

/// Makes the folder, or checks that it is one of a lab with the same settings, and keeps other labs out of it.
fn begin_folder(folder: &Path, settings: &Settings) -> Result<DirectoryLock> {
    let shown = workspace::display(folder);
    if folder.exists() && !folder.is_dir() {
        return Err(refused(format!(
            "--output {shown} is a file; name a folder for the runs"
        )));
    }
    let path = folder.join(RESULTS);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    if !path.exists() {
        refuse_others(folder)?;
    }
    let lock = DirectoryLock::take(folder).map_err(|error| match error {
        LockError::Taken { .. } => refused(error.to_string()),
        LockError::File(error) => error.into(),
    })?;
    match fs::read_to_string(&path) {
        Ok(text) => continue_in(folder, settings, &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => begin_with(folder, settings)?,
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot read {}", workspace::display(&path)));
        }
    }
    Ok(lock)
}

/// Refuses a folder that has something else in it.
fn refuse_others(folder: &Path) -> Result<()> {
    let shown = workspace::display(folder);
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {shown}"))? {
        let name = entry?.file_name();
        if !is_partial(&name) && name != LOCK {
            return Err(refused(format!(
                "{shown} is not the folder of a lab: it has {} but no {RESULTS}; choose another with \
                 --output",
                name.display()
            )));
        }
    }
    Ok(())
}

/// Checks that `text`, the content of `lab.json`, has the same settings. If no run has begun with others, they
/// are replaced.
fn continue_in(folder: &Path, settings: &Settings, text: &str) -> Result<()> {
    let shown = workspace::display(folder);
    let earlier = serde_json::from_str::<Value>(text)
        .and_then(|value| serde_json::from_value::<Settings>(value["settings"].clone()))
        .map_err(|error| {
            refused(format!(
                "{} is damaged or from another version ({error}); choose another folder with --output, \
                 or remove {shown}",
                workspace::display(&folder.join(RESULTS))
            ))
        })?;
    let differences = settings.differences(&earlier);
    if differences.is_empty() {
        return Ok(());
    }
    if has_runs(folder)? {
        return Err(refused(format!(
            "the runs in {shown} have other settings: {}; choose another folder with --output, or remove \
             {shown}",
            differences.join("; ")
        )));
    }
    let words = folder.join(WORDS);
    if words.exists() {
        let removed = fs::remove_dir_all(&words);
        removed.with_context(|| format!("cannot remove {}", workspace::display(&words)))?;
    }
    begin_with(folder, settings)
}

fn begin_with(folder: &Path, settings: &Settings) -> Result<()> {
    write(
        &folder.join(RESULTS),
        &json_text(&report::json(settings, &[]))?,
    )
}

/// Whether a run has begun in the folder of a lab.
fn has_runs(folder: &Path) -> Result<bool> {
    let context = || format!("cannot read {}", workspace::display(folder));
    for entry in fs::read_dir(folder).with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        if name != WORDS && !is_partial(&name) && folder.join(&name).is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the runs with seeds up to this one found.
fn rows_of(session: &Session, seeds: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for lesson in Lesson::ALL {
        let mut found = Vec::new();
        for seed in 1..=seeds {
            found.extend(session.found(&lesson.run(seed))?);
        }
        rows.push(Row { lesson, found });
    }
    Ok(rows)
}

fn json_text(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn write(path: &Path, text: &str) -> Result<()> {
    replace_file(path, |file| file.write_all(text.as_bytes()))?;
    Ok(())
}

fn stopped(code: u8) -> ExitCode {
    match code {
        2 => eprintln!(
            "the lab has stopped, since that command was refused; mend the data, or set what it names \
             with an option of the lab"
        ),
        _ => eprintln!("the lab has stopped; the same command goes on from here"),
    }
    ExitCode::from(code)
}
