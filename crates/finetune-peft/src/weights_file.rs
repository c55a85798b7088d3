//! `adapter_model.safetensors`, read.

use std::{collections::BTreeMap, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::PeftError;

/// Shape and values of a tensor.
pub(crate) type FileTensor = (Vec<usize>, Vec<f32>);

/// The tensors of an adapter by the names of the modules that they belong to: without peft's
/// prefix, and without what its wrappers put between.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, FileTensor>, PeftError> {
    let invalid = |problem: String| PeftError::Weights {
        path: path.into(),
        problem,
    };
    let bytes = std::fs::read(path).map_err(PeftError::file("read", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| invalid(error.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let Some(name) = own_name(name) else {
            continue;
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
                return Err(invalid(format!(
                    "tensor {name} is {other:?}; expected F32, F16 or BF16"
                )));
            }
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(invalid(format!(
                "the weight {name} holds {value}; its training had diverged, or it is damaged"
            )));
        }
        tensors.insert(name, (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// `base_model.model.classifier.modules_to_save.bias` to `classifier.bias`; `None` for what peft
/// writes of the untouched originals.
fn own_name(name: &str) -> Option<String> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name);
    let skipped = ["base_layer", "modules_to_save"];
    let parts: Vec<_> = name.split('.').collect();
    match parts.contains(&"original_module") {
        true => None,
        false => {
            let kept = parts.into_iter().filter(|part| !skipped.contains(part));
            Some(kept.collect::<Vec<_>>().join("."))
        }
    }
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
            of("base_model.model.a.query.base_layer.bias"),
            "a.query.bias"
        );
        assert_eq!(
            own_name("base_model.model.classifier.original_module.bias"),
            None
        );
    }
}
