//! Compares runs that exist.

use std::path::{Path, PathBuf};

use finetune_compare::{Comparison, ComparisonDirectory, Group, RunFacts};
use finetune_train::{Manifest, TrainPlan};
use toml::Table;

use super::{run_facts, write};
use crate::{cli::args::CompareArguments, error::Failure};

/// A run as the command line names it.
struct Named {
    /// The name of its variant, if it was given one.
    variant: Option<String>,
    path: PathBuf,
}

/// Compares complete runs. Those that were given the same name, or whose plans differ by the seed alone, are one
/// variant.
///
/// # Errors
/// Fails if a run is not complete or cannot be read, or if runs cannot be compared.
pub fn compare(arguments: &CompareArguments) -> Result<Comparison, Failure> {
    let mut groups: Vec<(Option<String>, Table, Vec<RunFacts>)> = Vec::new();
    for subject in &arguments.subjects {
        let Named { variant, path } = named(subject)?;
        let facts = run_facts::read(&path, &path.display().to_string())?;
        let plan = without_seed(&path)?;
        let same = groups
            .iter_mut()
            .find(|(name, other, _)| match (&variant, name) {
                (None, None) => *other == plan,
                (Some(this), Some(that)) => this == that,
                _ => false,
            });
        match same {
            Some((_, _, runs)) => runs.push(facts),
            None => groups.push((variant, plan, vec![facts])),
        }
    }
    let mut named: Vec<Group> = Vec::new();
    for (variant, _, mut runs) in groups {
        let mut name = variant.unwrap_or_else(|| common_name(&runs));
        if named.iter().any(|group| group.name == name)
            && let Some(first) = runs.first()
        {
            name.clone_from(&first.name);
        }
        runs.sort_by_key(|run| run.seed);
        named.push(Group {
            name,
            settings: Vec::new(),
            runs,
            incomplete: Vec::new(),
        });
    }
    let comparison = Comparison::of(named, arguments.metric.as_deref())?;
    if let Some(output) = &arguments.output {
        write(&comparison, &ComparisonDirectory::of_results(output)?)?;
    }
    Ok(comparison)
}

fn named(subject: &str) -> Result<Named, Failure> {
    let whole = Path::new(subject);
    let (variant, path) = match subject.split_once('=') {
        Some((name, path)) if !whole.exists() && !name.is_empty() => {
            (Some(name.to_owned()), PathBuf::from(path))
        }
        _ => (None, whole.to_path_buf()),
    };
    match path.as_os_str().is_empty() {
        true => Err(Failure::User(format!(
            "{subject:?} names no run; expected RUN or NAME=RUN"
        ))),
        false => Ok(Named { variant, path }),
    }
}

/// The plan of a run without what differs from seed to seed.
fn without_seed(run: &Path) -> Result<Table, Failure> {
    let plan: TrainPlan = Manifest::read(run)?
        .map(|manifest| manifest.plan)
        .unwrap_or_default();
    let mut plan = Table::try_from(&plan).map_err(|error| Failure::Internal(error.to_string()))?;
    // Drawn rows and their fingerprints follow from the seed.
    for key in ["seed", "output", "dataset_fingerprints"] {
        plan.remove(key);
    }
    Ok(plan)
}

/// What the names of the runs begin with, or the name of the only one.
fn common_name(runs: &[RunFacts]) -> String {
    let names: Vec<String> = runs
        .iter()
        .map(|run| {
            let name = run.directory.file_name();
            name.map_or_else(
                || run.name.clone(),
                |name| name.to_string_lossy().into_owned(),
            )
        })
        .collect();
    let Some((first, others)) = names.split_first() else {
        return String::new();
    };
    if others.is_empty() {
        return first.clone();
    }
    let same = |length: &usize| {
        let start: String = first.chars().take(*length).collect();
        others.iter().all(|name| name.starts_with(&start))
    };
    let length = (0..=first.chars().count()).rev().find(same).unwrap_or(0);
    let start: String = first.chars().take(length).collect();
    let trimmed = start.trim_end_matches(|c: char| c.is_ascii_digit() || "-_.".contains(c));
    let trimmed = trimmed.strip_suffix("seed").unwrap_or(trimmed);
    let trimmed = trimmed.trim_end_matches(['-', '_', '.']);
    match trimmed.is_empty() {
        true => first.clone(),
        false => trimmed.to_owned(),
    }
}
