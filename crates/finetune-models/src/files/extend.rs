//! Copies a model with more rows in its word table, whatever else its files hold.

use std::path::Path;

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_peft::{NamedTensor, write_tensors};

use super::{CONFIG, WEIGHTS, weights::Weights};
use crate::{ModelConfig, ModelError};

/// Numbers that older files store beside the weights and nobody reads.
const NOT_WEIGHTS: &str = "position_ids";

/// A row for a new token: the mean of the rows of `pieces`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// The token's id.
    pub id: usize,
    /// Ids of old tokens.
    pub pieces: Vec<usize>,
}

/// Writes `config.json` and `model.safetensors` of the model in `source` to `target`, a directory that
/// exists, with rows for new tokens in the word table and in all that has a row per token. All other
/// tensors have the same values, also those of heads that this program does not know, in f32.
///
/// # Errors
/// Fails if a file cannot be read or written, or if a new row needs one that the model does not have.
pub fn extend_vocabulary(
    source: &Path,
    target: &Path,
    rows: &[NewRow],
    device: &Device,
) -> Result<(), ModelError> {
    let config = ModelConfig::from_directory(source)?;
    let weights = Weights::open(source)?;
    let mut reader = weights.reader();
    let size = rows.iter().map(|row| row.id + 1).max().unwrap_or_default();
    let size = size.max(config.vocab_size);
    let of_tokens = config.family.token_tensors();
    let mut tensors = Vec::new();
    for name in weights.names() {
        if name.ends_with(NOT_WEIGHTS) {
            continue;
        }
        let mut values = reader.read(name, false)?;
        let mut shape = weights.shape(name).unwrap_or_default().to_vec();
        if of_tokens.contains(name) {
            let found = shape.first().copied().unwrap_or_default();
            if found != config.vocab_size {
                return Err(ModelError::Mismatch {
                    path: weights.path.clone(),
                    problems: vec![format!(
                        "{name}: the file has {found} rows, config.json says vocab_size {}",
                        config.vocab_size
                    )],
                });
            }
            extend(&mut values, found, size, rows).map_err(|missing| ModelError::Mismatch {
                path: weights.path.clone(),
                problems: vec![format!(
                    "{name}: the tokenizer has a token {missing}, but there are only {found} rows"
                )],
            })?;
            shape[0] = size;
        }
        let length = values.len();
        tensors.push(NamedTensor {
            name: name.clone(),
            shape,
            transposed: false,
            tensor: Tensor::from_data(TensorData::new(values, [length]), device),
        });
    }
    let path = target.join(CONFIG);
    let json = config.json_with_vocabulary(size);
    std::fs::write(&path, json).map_err(ModelError::write(&path))?;
    let path = target.join(WEIGHTS);
    write_tensors(&path, tensors).map_err(ModelError::write(&path))
}

/// Extends `values` from `found` to `size` rows; an error is the id of a piece without a row.
fn extend(values: &mut Vec<f32>, found: usize, size: usize, rows: &[NewRow]) -> Result<(), usize> {
    let width = values.len() / found.max(1);
    values.resize(size * width, 0.0);
    for NewRow { id, pieces } in rows {
        let mut sum = vec![0.0f64; width];
        for piece in pieces {
            if *piece >= found {
                return Err(*piece);
            }
            let row = &values[piece * width..][..width];
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let number = pieces.len().max(1) as f64;
        for (value, sum) in values[id * width..][..width].iter_mut().zip(sum) {
            *value = (sum / number) as f32;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::FAMILIES;

    /// What masked language models hold twice has a row per token, and nothing else.
    #[test]
    fn all_tensors_of_tokens_are_known() {
        for family in FAMILIES {
            let names = family.token_tensors();
            assert!(
                names[0].ends_with("word.weight") || names[0].ends_with("word_embeddings.weight")
            );
            assert!(names[1].ends_with(".bias"), "{names:?}");
            for (other, _) in family.masked_lm.same {
                assert!(names.iter().any(|name| name == other), "{other}");
            }
        }
    }

    #[test]
    fn a_new_row_is_the_mean_of_its_pieces() {
        let row = |id, pieces: &[usize]| NewRow {
            id,
            pieces: pieces.to_vec(),
        };
        let mut values = vec![1.0, 2.0, 3.0, 6.0];
        extend(&mut values, 2, 4, &[row(2, &[0, 1]), row(3, &[1])]).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0, 6.0, 2.0, 4.0, 3.0, 6.0]);
        // A table with a spare row, and a piece that it does not have.
        let mut values = vec![1.0, 3.0, 9.0];
        extend(&mut values, 3, 3, &[row(2, &[0, 1])]).unwrap();
        assert_eq!(values, [1.0, 3.0, 2.0]);
        assert_eq!(extend(&mut values, 3, 4, &[row(3, &[5])]), Err(5));
    }
}
