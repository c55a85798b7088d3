use super::*;
use crate::{
    Offsets, PackedTokens,
    ops::{
        DropoutResidual, EmbeddingNorm, EmbeddingSum, EmbeddingTables, EncoderOps, Norm,
        TokenTypeTable,
    },
};

const WORDS: usize = 37;
const POSITIONS: usize = 50;

fn tokens(lengths: &[u32]) -> PackedTokens {
    let count: u32 = lengths.iter().sum();
    let positions = lengths.iter().flat_map(|&length| 0..length);
    PackedTokens {
        ids: (0..count).map(|token| token * 11 % WORDS as u32).collect(),
        positions: positions.collect(),
        type_ids: (0..count).map(|token| token % 5 / 4).collect(),
        offsets: Offsets::from_lengths(lengths.iter().copied()),
        used_rows: None,
    }
}

#[test]
fn embeddings() {
    for (lengths, hidden) in [(&[1][..], 1), (&[3, 1, 7], 20), (&[40, 50, 33, 1, 20], 256)] {
        for used in [false, true] {
            let tokens = match used {
                true => tokens(lengths).with_used_rows(),
                false => tokens(lengths),
            };
            for dropped in [false, true] {
                let shapes: [&[usize]; 5] = [
                    &[WORDS, hidden],
                    &[POSITIONS, hidden],
                    &[2, hidden],
                    &[hidden],
                    &[hidden],
                ];
                for tracked in [0b00000, 0b11111, 0b00001, 0b11000] {
                    assert_agrees!(inputs(&shapes, tracked), 3e-5, tensors => {
                        let [word, position, token_type, gamma, beta] = take(tensors);
                        B::embedding_norm(EmbeddingNorm {
                            tables: EmbeddingTables {
                                word,
                                position,
                                token_type: TokenTypeTable::Table(token_type),
                                scale: 1.5,
                            },
                            norm: Norm { gamma, beta, epsilon: 1e-5 },
                            tokens: tokens.clone(),
                            dropout: drawn(dropped),
                        })
                    });
                }
                assert_agrees!(inputs(&shapes[..2], 0b11), tensors => {
                    let [word, position] = take(tensors);
                    B::embedding_sum(EmbeddingSum {
                        tables: EmbeddingTables {
                            word,
                            position,
                            token_type: TokenTypeTable::Absent,
                            scale: 1.0,
                        },
                        tokens: tokens.clone(),
                        dropout: drawn(dropped),
                    })
                });
            }
        }
    }
}

#[test]
fn dropout() {
    for (rows, columns) in [(1, 1), (3, 5), (70, 128)] {
        let shapes: [&[usize]; 2] = [&[rows, columns], &[rows, columns]];
        for dropped in [false, true] {
            assert_agrees!(inputs(&shapes[..1], 0b1), tensors => {
                let [x] = take(tensors);
                B::dropout(x, drawn(dropped))
            });
            assert_agrees!(inputs(&shapes, 0b11), tensors => {
                let [x, residual] = take(tensors);
                B::dropout_residual(DropoutResidual { x, residual, dropout: drawn(dropped) })
            });
        }
    }
}
