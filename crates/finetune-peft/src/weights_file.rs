//! `adapter_model.safetensors`, read.

use std::{collections::BTreeMap, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::{
    PeftError,
    files::{PICKLE, WEIGHTS},
};

/// Shape and values of a tensor.
pub(crate) type FileTensor = (Vec<usize>, Vec<f32>);

/// The tensors of the adapter in a directory, by the names of the modules that they belong to: without
/// peft's prefix, and without what its wrappers put between.
pub(crate) fn read(directory: &Path) -> Result<BTreeMap<String, FileTensor>, PeftError> {
    let path = directory.join(WEIGHTS);
    let bytes = bytes(directory, &path)?;
    let mut tensors: BTreeMap<String, FileTensor> = BTreeMap::new();
    for (full_name, view) in parse(&bytes, &path)?.iter() {
        let Some(name) = own_name(full_name) else {
            continue;
        };
        let problem = |problem| PeftError::WeightsContent {
            path: path.clone(),
            tensor: full_name.into(),
            problem,
        };
        let (pairs, _) = view.data().as_chunks::<2>();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => {
                let (quads, _) = view.data().as_chunks::<4>();
                quads
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect()
            }
            Dtype::F16 => pairs
                .iter()
                .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
                .collect(),
            Dtype::BF16 => pairs
                .iter()
                .map(|bytes| bf16::from_le_bytes(*bytes).to_f32())
                .collect(),
            other => {
                return Err(problem(format!(
                    "it is {other:?}; expected F32, F16 or BF16"
                )));
            }
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(problem(format!(
                "it holds {value}, so the training went wrong or the file is damaged; train or fetch it again"
            )));
        }
        let tensor = (view.shape().to_vec(), values);
        match tensors.get(&name) {
            Some(other) if *other != tensor => {
                return Err(problem(format!(
                    "another tensor of the file stands for {name} too, with other values"
                )));
            }
            _ => drop(tensors.insert(name, tensor)),
        }
    }
    Ok(tensors)
}

/// The shapes of the same tensors.
pub(crate) fn shapes(directory: &Path) -> Result<BTreeMap<String, Vec<usize>>, PeftError> {
    let path = directory.join(WEIGHTS);
    let bytes = bytes(directory, &path)?;
    let file = parse(&bytes, &path)?;
    let shapes = file.iter();
    let shapes = shapes.filter_map(|(name, view)| Some((own_name(name)?, view.shape().to_vec())));
    Ok(shapes.collect())
}

fn bytes(directory: &Path, path: &Path) -> Result<Vec<u8>, PeftError> {
    let pickle = directory.join(PICKLE);
    if !path.exists() && pickle.exists() {
        return Err(PeftError::Pickle {
            pickle,
            directory: directory.into(),
        });
    }
    std::fs::read(path).map_err(PeftError::file("read", path))
}

fn parse<'a>(bytes: &'a [u8], path: &Path) -> Result<SafeTensors<'a>, PeftError> {
    SafeTensors::deserialize(bytes).map_err(|error| PeftError::Weights {
        path: path.into(),
        problem: error.to_string(),
    })
}

/// `base_model.model.classifier.modules_to_save.bias` to `classifier.bias`; `None` for what peft
/// writes of the untouched originals.
fn own_name(name: &str) -> Option<String> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name);
    let mut kept = Vec::new();
    let mut before = "";
    for part in name.split('.') {
        match part {
            "original_module" => return None,
            "base_layer" | "modules_to_save" => {}
            // peft leaves the adapter's name in where a saved module holds others.
            "default" if before == "modules_to_save" => {}
            _ => kept.push(part),
        }
        before = part;
    }
    Some(kept.join("."))
}

#[cfg(test)]
mod tests {
    use super::own_name;

    #[test]
    fn names_lose_their_wrappers() {
        let of = |name| own_name(name).unwrap_or_default();
        assert_eq!(
            of("base_model.model.distilbert.transformer.layer.0.attention.q_lin.lora_A.weight"),
            "distilbert.transformer.layer.0.attention.q_lin.lora_A.weight"
        );
        assert_eq!(
            of("base_model.model.classifier.modules_to_save.bias"),
            "classifier.bias"
        );
        assert_eq!(
            of("base_model.model.classifier.modules_to_save.default.dense.bias"),
            "classifier.dense.bias"
        );
        assert_eq!(
            of("base_model.model.a.query.base_layer.bias"),
            "a.query.bias"
        );
        assert_eq!(
            of("base_model.model.bert.pooler.modules_to_save.default.dense.bias"),
            "bert.pooler.dense.bias"
        );
        assert_eq!(
            own_name("base_model.model.classifier.original_module.bias"),
            None
        );
    }
}
