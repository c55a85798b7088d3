use super::*;
use crate::{
    Activation, Precision,
    ops::{EncoderOps, Linear, MatmulOptions},
};

#[test]
fn linear_layers() {
    for (rows, inside, outside) in [(1, 1, 1), (3, 5, 7), (70, 128, 33), (33, 64, 256)] {
        for tracked in [0b000, 0b111, 0b001, 0b010, 0b100] {
            for activation in [
                Activation::Identity,
                Activation::Gelu,
                Activation::GeluTanh,
                Activation::Relu,
                Activation::Silu,
                Activation::Tanh,
            ] {
                for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
                    let shapes: [&[usize]; 3] = [&[rows, inside], &[inside, outside], &[outside]];
                    // What is rounded may differ in its last bit, and so by a bf16 after rounding.
                    let tolerance = match precision {
                        Precision::F32 => 3e-5,
                        Precision::Tf32 | Precision::Bf16 => 4e-3,
                    };
                    assert_agrees!(inputs(&shapes, tracked), tolerance, tensors => {
                        let [x, weight, bias] = take(tensors);
                        B::linear(Linear {
                            x,
                            weight,
                            bias,
                            activation,
                            matmul: MatmulOptions::from(precision),
                        })
                    });
                }
            }
        }
    }
}
