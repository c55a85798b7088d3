//! Reads `adapter_model.safetensors`.

use std::{collections::BTreeMap, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::{
    PeftError,
    files::{PICKLE, WEIGHTS},
};

/// The shape and the values of a tensor.
pub(crate) type FileTensor = (Vec<usize>, Vec<f32>);

/// Reads the tensors of the adapter in a directory. Their names lose peft's prefix and the parts that
/// its wrappers insert.
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
                "it holds {value}, so the training diverged or the file is damaged; train or fetch it again"
            )));
        }
        let tensor = (view.shape().to_vec(), values);
        match tensors.get(&name) {
            Some(other) if *other != tensor => {
                return Err(problem(format!(
                    "another tensor of the file also represents {name}, with other values"
                )));
            }
            _ => drop(tensors.insert(name, tensor)),
        }
    }
    Ok(tensors)
}

/// Reads the shapes of the same tensors.
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

/// Maps `base_model.model.classifier.modules_to_save.bias` to `classifier.bias`; returns `None` for the
/// unchanged originals that peft also writes.
fn own_name(name: &str) -> Option<String> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name);
    let mut kept = Vec::new();
    let mut before = "";
    for part in name.split('.') {
        match part {
            "original_module" => return None,
            "base_layer" | "modules_to_save" => {}
            // peft keeps the adapter's name if a saved module contains others.
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
