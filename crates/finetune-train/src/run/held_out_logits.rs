//! `predictions.safetensors` in a run directory: what the kept model says about each row that was held out.

use std::{
    collections::HashMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use finetune_data::Labels;
use finetune_files::{FileError, replace_file};
use finetune_infer::evaluation_order;
use finetune_metrics::{MetricError, Predictions};
use finetune_task::Targets;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{Accumulator, HeldOut, TrainError, layout::PREDICTIONS};

/// The newest version of the format.
const VERSION: u64 = 1;
/// The key of [`Header`] in the file's metadata.
const HEADER: &str = "finetune";

/// The logits of the kept model for the rows on which it was evaluated last, test rows if there are any, with the
/// targets and the place of each row. All are in the order of the data set.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOutLogits {
    /// Name of the split: `validation` or `test`.
    pub split: String,
    /// Number of logits per row.
    pub outputs: usize,
    /// `[rows, outputs]` in row-major order: logits, or predicted values of a regression.
    pub logits: Vec<f32>,
    /// The correct answers, never [`Labels::None`].
    pub targets: Labels,
    /// The files of the rows.
    pub files: Vec<PathBuf>,
    /// Index in `files` of each row's file, and its number in that file, from 0, `[rows]`.
    pub places: Vec<(u32, u64)>,
    /// Number of tokens of each row that the model read, `[rows]`.
    pub lengths: Vec<u32>,
}

/// What the file says besides tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format_version: u64,
    split: String,
    files: Vec<String>,
}

impl HeldOutLogits {
    /// Puts the predictions of an evaluation with this batch size into the order of the rows; `None` if the
    /// evaluation has no logits, as for masked tokens.
    ///
    /// # Errors
    /// Fails if the token cache cannot be read.
    pub(crate) fn of(
        held_out: HeldOut<'_>,
        evaluated: &Accumulator,
        batch_size: usize,
    ) -> Result<Option<Self>, TrainError> {
        let predictions = evaluated.predictions();
        let (rows, outputs) = (predictions.rows(), predictions.outputs());
        if rows == 0 {
            return Ok(None);
        }
        let data = held_out.rows();
        let order = evaluation_order(data, batch_size)?;
        let mut by_row = vec![0; rows];
        for (evaluated, &row) in order.iter().enumerate() {
            by_row[row as usize] = evaluated;
        }
        let all: Vec<u64> = (0..rows as u64).collect();
        let logits = by_row
            .iter()
            .flat_map(|&at| &predictions.logits()[at * outputs..(at + 1) * outputs]);
        let mut files = Vec::new();
        let mut numbers = HashMap::new();
        let mut places = Vec::with_capacity(rows);
        let mut lengths = Vec::with_capacity(rows);
        for &row in &all {
            let place = data.source(row)?;
            let number = *numbers.entry(place.file.clone()).or_insert_with(|| {
                files.push(std::path::absolute(&place.file).unwrap_or(place.file.to_path_buf()));
                files.len() as u32 - 1
            });
            places.push((number, place.row));
            lengths.push(data.row_len(row)?);
        }
        Ok(Some(Self {
            split: held_out.name().into(),
            outputs,
            logits: logits.copied().collect(),
            targets: data.labels(&all)?,
            files,
            places,
            lengths,
        }))
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// Returns logits and targets as metrics take them.
    ///
    /// # Errors
    /// Fails if their numbers do not fit together.
    pub fn predictions(&self) -> Result<Predictions<'_>, MetricError> {
        let targets = self.targets.targets().unwrap_or(Targets::Classes(&[]));
        Predictions::new(&self.logits, self.outputs, targets)
    }

    /// Returns the targets as the file has them: little-endian, a `u32` per class, a byte per mark or an `f64` per
    /// value.
    pub fn target_bytes(&self) -> Vec<u8> {
        match &self.targets {
            Labels::None => Vec::new(),
            Labels::Classes(classes) => classes.iter().flat_map(|c| c.to_le_bytes()).collect(),
            Labels::MultiLabel { values, .. } => values.iter().map(|&mark| mark.into()).collect(),
            Labels::Values { values, .. } => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    /// Writes the file of a run, under a temporary name that is synced and renamed.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`].
    pub(crate) fn write(&self, run: &Path) -> Result<(), TrainError> {
        let broken = |problem: String| TrainError::Internal(format!("{PREDICTIONS}: {problem}"));
        let header = Header {
            format_version: VERSION,
            split: self.split.clone(),
            files: self
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect(),
        };
        let header = serde_json::to_string(&header).map_err(|error| broken(error.to_string()))?;
        let rows = self.rows();
        let logits: Vec<u8> = self.logits.iter().flat_map(|x| x.to_le_bytes()).collect();
        let files = self.places.iter().flat_map(|(file, _)| file.to_le_bytes());
        let files: Vec<u8> = files.collect();
        let numbers = self.places.iter().flat_map(|(_, row)| row.to_le_bytes());
        let numbers: Vec<u8> = numbers.collect();
        let lengths: Vec<u8> = self.lengths.iter().flat_map(|x| x.to_le_bytes()).collect();
        let targets = self.target_bytes();
        let (target_type, target_shape) = match &self.targets {
            Labels::MultiLabel { width, .. } => (Dtype::U8, vec![rows, *width]),
            Labels::Values { width, .. } => (Dtype::F64, vec![rows, *width]),
            Labels::Classes(_) | Labels::None => (Dtype::U32, vec![rows]),
        };
        let views = [
            ("logits", Dtype::F32, vec![rows, self.outputs], &logits),
            ("targets", target_type, target_shape, &targets),
            ("file", Dtype::U32, vec![rows], &files),
            ("row", Dtype::U64, vec![rows], &numbers),
            ("tokens", Dtype::U32, vec![rows], &lengths),
        ];
        let views = views.into_iter().map(|(name, kind, shape, bytes)| {
            let view = TensorView::new(kind, shape, bytes);
            Ok((name, view.map_err(|error| broken(error.to_string()))?))
        });
        let views = views.collect::<Result<Vec<_>, TrainError>>()?;
        let metadata = HashMap::from([(HEADER.to_owned(), header)]);
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|error| broken(error.to_string()))?;
        Ok(replace_file(&run.join(PREDICTIONS), |file| {
            file.write_all(&bytes)
        })?)
    }

    /// Reads the file of a run; `None` if there is none, as in runs that are not complete, and in those of
    /// earlier versions.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`] if it cannot be read, with [`TrainError::NoRun`] if a newer version wrote
    /// it, and with [`TrainError::Damaged`] if its content is invalid.
    pub fn read(run: &Path) -> Result<Option<Self>, TrainError> {
        let path = run.join(PREDICTIONS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::new("read", &path, error).into()),
        };
        let damaged = |problem: String| TrainError::Damaged {
            path: path.clone(),
            problem,
        };
        let header = header(&bytes).map_err(damaged)?;
        if header.format_version > VERSION {
            return Err(TrainError::NoRun {
                path: run.into(),
                problem: format!(
                    "{PREDICTIONS}: a newer version wrote it (format_version {}, this program reads up to {VERSION}); update finetune",
                    header.format_version
                ),
            });
        }
        parse(&bytes, header).map(Some).map_err(damaged)
    }
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let header = metadata.metadata().as_ref();
    let header = header.and_then(|all| all.get(HEADER));
    let header = header.ok_or("its header does not describe the rows")?;
    serde_json::from_str(header).map_err(|error| error.to_string())
}

fn parse(bytes: &[u8], header: Header) -> Result<HeldOutLogits, String> {
    let text = |error: safetensors::SafeTensorError| error.to_string();
    let tensors = SafeTensors::deserialize(bytes).map_err(text)?;
    let of_kind = |name: &str, kind| match tensors.tensor(name).map_err(text)? {
        found if found.dtype() == kind => Ok(found),
        found => Err(format!("{name} is {:?}; expected {kind:?}", found.dtype())),
    };
    let logits = of_kind("logits", Dtype::F32)?;
    let &[rows, outputs] = logits.shape() else {
        return Err(format!("logits have the shape {:?}", logits.shape()));
    };
    let (file, row) = (of_kind("file", Dtype::U32)?, of_kind("row", Dtype::U64)?);
    let places: Vec<(u32, u64)> = words(file.data())
        .map(u32::from_le_bytes)
        .zip(words(row.data()).map(u64::from_le_bytes))
        .collect();
    let lengths = of_kind("tokens", Dtype::U32)?;
    let lengths: Vec<u32> = words(lengths.data()).map(u32::from_le_bytes).collect();
    if places.len() != rows || lengths.len() != rows {
        return Err(format!("its tensors do not have {rows} rows each"));
    }
    let is_known = |(file, _): &(u32, u64)| (*file as usize) < header.files.len();
    if let Some(row) = places.iter().position(|place| !is_known(place)) {
        return Err(format!("row {row} is in a file that it does not name"));
    }
    let targets = tensors.tensor("targets").map_err(text)?;
    let bytes = targets.data();
    let width = outputs;
    let targets = match targets.dtype() {
        Dtype::U32 => Labels::Classes(words(bytes).map(u32::from_le_bytes).collect()),
        Dtype::U8 => {
            let values = bytes.iter().map(|mark| *mark != 0).collect();
            Labels::MultiLabel { width, values }
        }
        Dtype::F64 => {
            let values = words(bytes).map(f64::from_le_bytes).collect();
            Labels::Values { width, values }
        }
        other => return Err(format!("targets are {other:?}")),
    };
    let held_out = HeldOutLogits {
        split: header.split,
        outputs,
        logits: words(logits.data()).map(f32::from_le_bytes).collect(),
        targets,
        files: header.files.into_iter().map(PathBuf::from).collect(),
        places,
        lengths,
    };
    held_out.predictions().map_err(|error| error.to_string())?;
    Ok(held_out)
}

/// Splits bytes into words.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(targets: Labels) -> HeldOutLogits {
        HeldOutLogits {
            split: "test".into(),
            outputs: 2,
            logits: vec![0.5, -0.25, 1.0, 2.0],
            targets,
            files: vec!["a.csv".into(), "b.csv".into()],
            places: vec![(0, 7), (1, u64::from(u32::MAX) + 1)],
            lengths: vec![3, 9],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(HeldOutLogits::read(run.path()).unwrap(), None);
        for targets in [
            Labels::Classes(vec![1, 0]),
            Labels::MultiLabel {
                width: 2,
                values: vec![true, false, false, true],
            },
            Labels::Values {
                width: 2,
                values: vec![0.1, -2.0, 3.5, 4.0],
            },
        ] {
            let written = example(targets);
            written.write(run.path()).unwrap();
            let read = HeldOutLogits::read(run.path()).unwrap();
            assert_eq!(read, Some(written));
        }
    }

    #[test]
    fn damage_is_named() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join(PREDICTIONS);
        example(Labels::Classes(vec![1, 2]))
            .write(run.path())
            .unwrap();
        let error = HeldOutLogits::read(run.path()).unwrap_err().to_string();
        assert!(
            error.contains("predictions.safetensors is damaged"),
            "{error}"
        );
        let mut unknown_file = example(Labels::Classes(vec![1, 0]));
        unknown_file.files.pop();
        unknown_file.write(run.path()).unwrap();
        let error = HeldOutLogits::read(run.path()).unwrap_err().to_string();
        assert!(error.contains("row 1 is in a file"), "{error}");
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 8);
        fs::write(&path, &bytes).unwrap();
        assert!(HeldOutLogits::read(run.path()).is_err());
        let newer = br#"{"__metadata__":{"finetune":"{\"format_version\":2,\"split\":\"test\",\"files\":[]}"}}"#;
        let mut bytes = (newer.len() as u64).to_le_bytes().to_vec();
        bytes.extend(newer);
        fs::write(&path, &bytes).unwrap();
        let error = HeldOutLogits::read(run.path()).unwrap_err().to_string();
        assert!(error.contains("newer version"), "{error}");
    }
}
