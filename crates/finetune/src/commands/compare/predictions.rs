//! Reads the logits of the rows on which a run was evaluated last, for paired tests.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use finetune_compare::{RunFacts, table::RowPredictions};
use finetune_files::FileError;
use finetune_metrics::{Predictions, RowScores, Targets};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::error::Failure;

/// The file in a run directory.
const FILE: &str = "predictions.safetensors";
/// The newest version of its format that is read.
const VERSION: u64 = 1;
/// How far metrics of the stored logits may be from those of the run, whose sums have another order.
const TOLERANCE: f64 = 1e-6;

/// Adds the predictions to the evaluation whose rows they are of. Without a file, or with one that does not give
/// the run's own metrics, the evaluation says so instead.
///
/// # Errors
/// Fails if the file cannot be read or is damaged.
pub fn add(run: &Path, facts: &mut RunFacts) -> Result<(), Failure> {
    let path = run.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::new("read", &path, error).into()),
    };
    let (split, predictions) = parse(&bytes).map_err(|problem| {
        Failure::User(format!(
            "{} is damaged: {problem}; remove it to compare the run without tests on rows",
            path.display()
        ))
    })?;
    let evaluation = match split.as_str() {
        "test" => &mut facts.test,
        _ => &mut facts.validation,
    };
    let Some(evaluation) = evaluation else {
        return Ok(());
    };
    let scores = &predictions.scores;
    let rows: Vec<u32> = (0..scores.rows()).collect();
    let differs = scores.metrics().iter().find(|metric| {
        let stored = evaluation.metrics.get(metric.name());
        stored.is_some_and(|stored| (scores.score(**metric, &rows) - stored).abs() > TOLERANCE)
    });
    evaluation.predictions = match differs {
        None if u64::from(scores.rows()) == evaluation.rows => Ok(predictions),
        None => Err("the predictions of a run are of another number of rows".into()),
        Some(metric) => Err(format!("the predictions of a run do not give its {metric}")),
    };
    Ok(())
}

/// Reads the split and the predictions.
fn parse(bytes: &[u8]) -> Result<(String, RowPredictions), String> {
    let text = |error: safetensors::SafeTensorError| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let facts = header
        .metadata()
        .as_ref()
        .and_then(|all| all.get("finetune"));
    let facts = facts.ok_or("its header does not describe the rows")?;
    let facts: Value = serde_json::from_str(facts).map_err(|error| error.to_string())?;
    if facts["format_version"]
        .as_u64()
        .is_none_or(|version| version > VERSION)
    {
        return Err("a newer version wrote it; update finetune".into());
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(text)?;
    let of_kind = |name: &str, kind| match tensors.tensor(name).map_err(text)? {
        found if found.dtype() == kind => Ok(found),
        found => Err(format!("{name} is {:?}; expected {kind:?}", found.dtype())),
    };
    let logits = of_kind("logits", Dtype::F32)?;
    let &[rows, outputs] = logits.shape() else {
        return Err(format!("logits have the shape {:?}", logits.shape()));
    };
    let logits: Vec<f32> = words(logits.data()).map(f32::from_le_bytes).collect();
    let (file, row) = (of_kind("file", Dtype::U32)?, of_kind("row", Dtype::U64)?);
    let places: Vec<(u32, u64)> = words(file.data())
        .map(u32::from_le_bytes)
        .zip(words(row.data()).map(u64::from_le_bytes))
        .collect();
    if places.len() != rows {
        return Err(format!("its tensors do not have {rows} rows each"));
    }
    let targets = tensors.tensor("targets").map_err(text)?;
    let bytes = targets.data();
    let (classes, marks, values): (Vec<u32>, Vec<bool>, Vec<f64>);
    let answers = match targets.dtype() {
        Dtype::U32 => {
            classes = words(bytes).map(u32::from_le_bytes).collect();
            Targets::Classes(&classes)
        }
        Dtype::U8 => {
            marks = bytes.iter().map(|mark| *mark != 0).collect();
            Targets::MultiLabel(&marks)
        }
        Dtype::F64 => {
            values = words(bytes).map(f64::from_le_bytes).collect();
            Targets::Values(&values)
        }
        other => return Err(format!("targets are {other:?}")),
    };
    let predictions =
        Predictions::new(&logits, outputs, answers).map_err(|error| error.to_string())?;
    let numbers: Vec<u64> = (0..rows as u64).collect();
    let scores = RowScores::new(&predictions, &[], &numbers).map_err(|error| error.to_string())?;
    let files: Vec<PathBuf> = facts["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .collect();
    let split = facts["split"].as_str().unwrap_or("test").to_owned();
    Ok((split, RowPredictions::new(scores, &files, &places, bytes)))
}

/// Splits bytes into words.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
