//! The weights of a model directory, in one file or several, as safetensors or `pytorch_model.bin`.
//! Of several forms, the first in transformers' order is used.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{SafetensorsFile, WEIGHTS, raw_tensor::RawTensor, torch};
use crate::ModelError;

/// Files that contain all weights or list the files that do.
const FORMS: [&str; 4] = [
    WEIGHTS,
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// All tensors of a directory and the files that contain them.
pub(crate) struct Weights {
    /// The index of the shards, or the only file.
    pub(crate) path: PathBuf,
    files: Vec<PathBuf>,
    /// The index in `files` and the location of each tensor, by name.
    tensors: BTreeMap<String, (usize, RawTensor)>,
}

/// Reads tensors through file handles of its own, so that several threads can read at once.
pub(crate) struct Reader<'a> {
    weights: &'a Weights,
    open: Vec<Option<File>>,
}

/// The files that a model directory's weights are in: the only one, or the index of shards and then
/// those, sorted.
///
/// # Errors
/// [`ModelError::MissingFile`] if there are none; an index that is damaged.
pub fn weight_files(directory: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let (path, listed) = form(directory)?;
    let shards = match &listed {
        None => Vec::new(),
        Some(listed) => shards_of(directory, listed),
    };
    Ok([path].into_iter().chain(shards).collect())
}

/// The file that counts, and where it is an index, the shard of each tensor.
fn form(directory: &Path) -> Result<(PathBuf, Option<BTreeMap<String, String>>), ModelError> {
    let mut forms = FORMS.iter().map(|name| directory.join(name));
    let Some(path) = forms.find(|path| path.exists()) else {
        return Err(ModelError::MissingFile {
            directory: directory.into(),
            file: FORMS[0],
        });
    };
    let listed = match path.extension().is_some_and(|end| end == "json") {
        true => Some(index(&path)?),
        false => None,
    };
    Ok((path, listed))
}

/// The shards that an index lists.
fn shards_of(directory: &Path, listed: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let names: BTreeSet<&String> = listed.values().collect();
    names.into_iter().map(|name| directory.join(name)).collect()
}

impl Weights {
    pub(crate) fn open(directory: &Path) -> Result<Self, ModelError> {
        let (path, listed) = form(directory)?;
        let files: Vec<PathBuf> = match &listed {
            None => vec![path.clone()],
            Some(listed) => shards_of(directory, listed),
        };
        let mut tensors: BTreeMap<String, (usize, RawTensor)> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            if !file.exists() {
                return Err(shards(
                    &path,
                    format!("it lists {}, which does not exist", file.display()),
                ));
            }
            for (name, tensor) in tensors_of(file)? {
                if let Some((other, _)) = tensors.get(&name) {
                    let (first, second) = (files[*other].display(), file.display());
                    return Err(shards(
                        &path,
                        format!("tensor {name} is in {first} and in {second}"),
                    ));
                }
                tensors.insert(name, (number, tensor));
            }
        }
        if let Some(listed) = &listed {
            check_places(&path, listed, &files, &tensors)?;
        }
        Ok(Self {
            path,
            files,
            tensors,
        })
    }

    /// Returns the names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    /// Returns the shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(_, tensor)| &tensor.shape[..])
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            weights: self,
            open: self.files.iter().map(|_| None).collect(),
        }
    }
}

impl Reader<'_> {
    /// Reads a tensor, or the transpose of a matrix, as f32 in row-major order.
    ///
    /// # Errors
    /// Fails if the tensor is missing or unreadable, or if a value is NaN or infinite.
    pub(crate) fn read(&mut self, name: &str, transposed: bool) -> Result<Vec<f32>, ModelError> {
        let weights = self.weights;
        let Some((number, tensor)) = weights.tensors.get(name) else {
            return Err(ModelError::NoWeight { name: name.into() });
        };
        let path = &weights.files[*number];
        let file = match &mut self.open[*number] {
            Some(file) => file,
            none => none.insert(File::open(path).map_err(ModelError::read(path))?),
        };
        let values = match transposed {
            true => tensor.read_transposed(name, file, path)?,
            false => tensor.read(name, file, path)?,
        };
        match first_not_finite(&values) {
            None => Ok(values),
            Some(index) => Err(ModelError::NotFinite {
                path: path.clone(),
                tensor: name.into(),
                value: values[index],
            }),
        }
    }
}

/// Returns the index of the first value that is NaN or infinite.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Without a branch inside a block, the search runs at memory bandwidth.
    const BLOCK: usize = 4096;
    const EXPONENT: u32 = 0x7f80_0000;
    let odd = |value: &f32| value.to_bits() & EXPONENT == EXPONENT;
    let any_odd = |block: &[f32]| block.iter().fold(false, |any, value| any | odd(value));
    let block = values.chunks(BLOCK).position(any_odd)?;
    let start = block * BLOCK;
    Some(start + values[start..].iter().position(odd)?)
}

fn tensors_of(file: &Path) -> Result<BTreeMap<String, RawTensor>, ModelError> {
    if file.extension().is_some_and(|end| end == "bin") {
        return torch::open(file);
    }
    let file = SafetensorsFile::open(file)?;
    let names = file.names().into_iter();
    names
        .map(|name| {
            let tensor = file.raw(&name)?;
            Ok((name, tensor))
        })
        .collect()
}

/// Reads the index of shards: the file name of each tensor.
fn index(path: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let text = std::fs::read(path).map_err(ModelError::read(path))?;
    let index: Value = serde_json::from_slice(&text)
        .map_err(|error| shards(path, format!("it is not JSON ({error})")))?;
    let Some(map) = index.get("weight_map").and_then(Value::as_object) else {
        return Err(shards(path, "it has no weight_map".into()));
    };
    let end = match path.to_string_lossy().contains("safetensors") {
        true => ".safetensors",
        false => ".bin",
    };
    let mut listed = BTreeMap::new();
    for (tensor, file) in map {
        let file = file.as_str().filter(|file| {
            // Only files beside the index are allowed; no path may lead elsewhere.
            file.ends_with(end) && !file.starts_with('.') && !file.contains(['/', '\\', ':'])
        });
        let Some(file) = file else {
            let problem = format!(
                "it says that {tensor} is in {}, which names no {end} file beside it",
                map[tensor]
            );
            return Err(shards(path, problem));
        };
        listed.insert(tensor.clone(), file.to_string());
    }
    match listed.is_empty() {
        true => Err(shards(path, "its weight_map is empty".into())),
        false => Ok(listed),
    }
}

/// Checks that every tensor is in the file that the index says, and that the index lists all of them.
fn check_places(
    path: &Path,
    listed: &BTreeMap<String, String>,
    files: &[PathBuf],
    tensors: &BTreeMap<String, (usize, RawTensor)>,
) -> Result<(), ModelError> {
    let name_of = |number: usize| {
        files[number]
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
    };
    for (tensor, file) in listed {
        match tensors.get(tensor) {
            None => {
                let problem = format!("it says that {tensor} is in {file}, which does not have it");
                return Err(shards(path, problem));
            }
            Some((number, _)) if name_of(*number) != *file => {
                let found = name_of(*number);
                let problem = format!("it says that {tensor} is in {file}, but it is in {found}");
                return Err(shards(path, problem));
            }
            Some(_) => {}
        }
    }
    match tensors
        .iter()
        .find(|(tensor, _)| !listed.contains_key(*tensor))
    {
        None => Ok(()),
        Some((tensor, (number, _))) => {
            let found = name_of(*number);
            Err(shards(
                path,
                format!("it does not list {tensor}, which is in {found}"),
            ))
        }
    }
}

fn shards(path: &Path, problem: String) -> ModelError {
    ModelError::Shards {
        path: path.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::first_not_finite;

    #[test]
    fn the_first_value_that_is_not_finite() {
        let mut values = vec![f32::MAX; 10_000];
        assert_eq!(first_not_finite(&values), None);
        values[9_999] = f32::NEG_INFINITY;
        assert_eq!(first_not_finite(&values), Some(9_999));
        values[4_100] = f32::NAN;
        assert_eq!(first_not_finite(&values), Some(4_100));
        assert_eq!(first_not_finite(&[]), None);
    }
}
