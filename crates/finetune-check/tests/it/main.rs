//! Checks of data with planted problems.
#![allow(clippy::unwrap_used, clippy::panic)]

mod planted;
mod small;

use std::path::{Path, PathBuf};

use finetune_check::{Checked, CheckedSplit, Data, Options, Report, Role, Watch};
use finetune_data::{Columns, Dataset, Inferred};
use serde_json::Value;

/// Checks a directory with a file per split, and hands the result to `look`.
pub fn checked<T>(directory: &Path, options: &Options, look: impl FnOnce(&Checked<'_>) -> T) -> T {
    let dataset = Dataset::open(directory.to_str().unwrap()).unwrap();
    let roles = [Role::Train, Role::Validation, Role::Test];
    let splits: Vec<CheckedSplit> = roles
        .into_iter()
        .filter(|role| dataset.has_split(role.name()))
        .map(|role| CheckedSplit {
            role,
            split: dataset.split(role.name()).unwrap(),
            incomplete: None,
        })
        .collect();
    let columns = Columns::resolve(&splits[0].split, &[], &[], true).unwrap();
    let whole: Vec<_> = splits.iter().map(|split| &split.split).collect();
    let inferred = Inferred::of(&whole, &columns, None, None).unwrap();
    let data = Data {
        name: "data",
        splits: &splits,
        columns: &inferred.columns,
        task: Some(&inferred.task),
        tokenizer: None,
    };
    let watch = Watch {
        rows: &mut |_| {},
        stopped: &|| false,
    };
    look(&Checked::new(&data, options, watch).unwrap())
}

/// The number of rows of a finding; 0 if there is none.
pub fn count(report: &Report, name: &str) -> u64 {
    let found = report.findings.iter().find(|finding| finding.name == name);
    found.map_or(0, |finding| finding.count)
}

/// The lines of the log of removed rows.
pub fn log(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join(finetune_check::LOG)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A real data set of the machine; `None`, with the reason printed, if it is not there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("../shared/datasets").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
