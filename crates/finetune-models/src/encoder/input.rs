//! Checks batches and gives their tokens the family's positions and token types.

use finetune_kernels::PackedTokens;

use crate::{
    ModelConfig, ModelError,
    family::{Positions, TokenTypes},
};

/// How a family numbers positions and token types, and how many rows each embedding table has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputRules {
    words: usize,
    positions: usize,
    token_types: usize,
    position_rule: Positions,
    type_rule: TokenTypes,
}

impl InputRules {
    pub fn new(config: &ModelConfig) -> Self {
        Self {
            words: config.vocab_size,
            positions: config.max_position_embeddings,
            token_types: config.type_vocab_size,
            position_rule: config.positions,
            type_rule: config.family.token_types,
        }
    }

    /// Returns the batch with the family's positions and types.
    ///
    /// # Errors
    /// Fails if the batch is empty or would index beyond an embedding table.
    pub fn apply(&self, tokens: &PackedTokens) -> Result<PackedTokens, ModelError> {
        check_shape(tokens)?;
        let mut tokens = tokens.clone();
        if let Positions::AfterPadding(padding) = self.position_rule {
            tokens.positions = after_padding(&tokens, padding).into();
        }
        if self.type_rule == TokenTypes::Zero {
            tokens.type_ids = vec![0; tokens.ids.len()].into();
        }
        let limits = [
            ("token id", &tokens.ids, self.words, "vocab_size"),
            (
                "position",
                &tokens.positions,
                self.positions,
                "max_position_embeddings",
            ),
            (
                "token type",
                &tokens.type_ids,
                self.token_types,
                "type_vocab_size",
            ),
        ];
        for (what, values, limit, key) in limits {
            if key == "type_vocab_size" && limit == 0 {
                // The model has none, and those of the tokenizer are ignored.
                continue;
            }
            if let Some(&value) = values.iter().find(|&&value| value as usize >= limit) {
                return Err(ModelError::OutOfRange {
                    what,
                    value,
                    key,
                    limit,
                });
            }
        }
        Ok(tokens)
    }
}

fn check_shape(tokens: &PackedTokens) -> Result<(), ModelError> {
    let count = tokens.offsets.num_tokens();
    let lengths = [
        ("ids", &tokens.ids),
        ("positions", &tokens.positions),
        ("type_ids", &tokens.type_ids),
    ];
    for (name, values) in lengths {
        if values.len() != count {
            return Err(ModelError::BatchLength {
                what: name,
                found: values.len(),
                tokens: count,
            });
        }
    }
    if tokens.offsets.batch_size() == 0 || tokens.offsets.ranges().any(|rows| rows.is_empty()) {
        return Err(ModelError::EmptyBatch);
    }
    Ok(())
}

/// Numbers positions like transformers' `create_position_ids_from_input_ids`: from `padding + 1`
/// upwards, except that a padding token always has position `padding`.
fn after_padding(tokens: &PackedTokens, padding: u32) -> Vec<u32> {
    let mut positions = Vec::with_capacity(tokens.ids.len());
    for range in tokens.offsets.ranges() {
        let mut last = padding;
        positions.extend(tokens.ids[range].iter().map(|&id| match id == padding {
            true => padding,
            false => {
                last += 1;
                last
            }
        }));
    }
    positions
}

#[cfg(test)]
mod tests {
    use finetune_kernels::Offsets;

    use super::*;

    #[test]
    fn padding_inside_a_text_is_not_counted() {
        let tokens = PackedTokens {
            ids: vec![0, 7, 3, 8, 2, 0, 3, 3, 2].into(),
            positions: vec![0, 1, 2, 3, 4, 0, 1, 2, 3].into(),
            type_ids: vec![0; 9].into(),
            offsets: Offsets::from_lengths([5, 4]),
            used_rows: None,
        };
        assert_eq!(
            after_padding(&tokens, 3),
            [4, 5, 3, 6, 7, 4, 3, 3, 5],
            "as transformers numbers them with pad_token_id 3"
        );
    }
}
