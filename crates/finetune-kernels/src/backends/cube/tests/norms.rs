use super::*;
use crate::ops::{DropoutResidualNorm, EncoderOps, LayerNorm, Norm};

#[test]
fn norms() {
    for (rows, columns) in [(1, 1), (3, 5), (70, 128), (33, 768), (9, 129)] {
        for tracked in [0b0000, 0b1111, 0b0001, 0b0010, 0b1100] {
            for dropped in [false, true] {
                let shapes: [&[usize]; 4] =
                    [&[rows, columns], &[rows, columns], &[columns], &[columns]];
                assert_agrees!(inputs(&shapes, tracked), 3e-5, tensors => {
                    let [x, residual, gamma, beta] = take(tensors);
                    B::dropout_residual_norm(DropoutResidualNorm {
                        x,
                        residual,
                        norm: Norm { gamma, beta, epsilon: 1e-5 },
                        dropout: drawn(dropped),
                    })
                });
            }
        }
        let shapes: [&[usize]; 3] = [&[rows, columns], &[columns], &[columns]];
        assert_agrees!(inputs(&shapes, 0b111), 3e-5, tensors => {
            let [x, gamma, beta] = take(tensors);
            B::norm(LayerNorm { x, norm: Norm { gamma, beta, epsilon: 1e-5 } })
        });
    }
}
