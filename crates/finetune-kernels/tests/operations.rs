//! Compares the operations with plain loops in f64, and with themselves without packing.
#![allow(clippy::unwrap_used)]

use burn::{
    Tensor,
    tensor::{Device, Distribution, TensorData},
};
use finetune_kernels::{
    Activation, AttentionShape, Dropout, DropoutSource, EmbeddingTables, Norm, Offsets,
    PackedTokens, Precision, Site, attention, binary_cross_entropy_with_logits,
    dropout_residual_norm, embedding_norm, linear, mean_squared_error, softmax_cross_entropy,
};
use proptest::prelude::*;

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "element {index}: {found} instead of {expected}"
        );
    }
}

/// Computes the attention of one head by its definition.
fn attention_by_loops(
    [q, k, v]: [&[f64]; 3],
    offsets: &Offsets,
    hidden: usize,
    heads: usize,
) -> Vec<f64> {
    let size = hidden / heads;
    let mut out = vec![0.0; q.len()];
    for rows in offsets.ranges() {
        for head in 0..heads {
            let at = |x: &[f64], row: usize, i: usize| x[row * hidden + head * size + i];
            for query in rows.clone() {
                let score = |key| {
                    (0..size)
                        .map(|i| at(q, query, i) * at(k, key, i))
                        .sum::<f64>()
                };
                let scores: Vec<f64> = rows
                    .clone()
                    .map(|key| (score(key) / (size as f64).sqrt()).exp())
                    .collect();
                let sum: f64 = scores.iter().sum();
                for i in 0..size {
                    out[query * hidden + head * size + i] = rows
                        .clone()
                        .zip(&scores)
                        .map(|(key, score)| score / sum * at(v, key, i))
                        .sum();
                }
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn attention_is_its_definition(
        lengths in prop::collection::vec(1u32..24, 1..6),
        heads in 1usize..4,
    ) {
        let offsets = Offsets::from_lengths(lengths);
        let hidden = heads * 4;
        let [q, k, v] = [(); 3].map(|()| random([offsets.num_tokens(), hidden]));
        let expected =
            attention_by_loops([&values(&q), &values(&k), &values(&v)], &offsets, hidden, heads);
        let found = attention(q, k, v, of_all(&offsets, heads), Dropout::NONE);
        assert_close(&values(&found), &expected, 1e-5);
    }

    /// Dropout masks and gradients of a sequence do not depend on the sequences that it is packed with,
    /// apart from the position of its rows: the last sequence's padding changes, its values do not.
    #[test]
    fn attention_does_not_see_padding(first in 1u32..12, longer in 12u32..40) {
        let device = Device::flex().autodiff();
        let run = |last: u32| {
            let offsets = Offsets::from_lengths([first, last]);
            let rows = first as usize;
            let numbers = |salt: usize| {
                let value = |i: usize| ((i * 7 + salt * 13) % 23) as f32 / 23.0 - 0.5;
                let all: Vec<f32> = (0..offsets.num_tokens() * 8).map(value).collect();
                Tensor::<2>::from_data(
                    TensorData::new(all, [offsets.num_tokens(), 8]),
                    &device,
                )
            };
            let (q, k, v) = (numbers(1).require_grad(), numbers(2).require_grad(), numbers(3));
            let dropout = DropoutSource::at(5, 1).site(Site::attention(0), 0.3);
            let out = attention(q.clone(), k.clone(), v, of_all(&offsets, 2), dropout).narrow(0, 0, rows);
            let gradients = (out.clone() * out.clone()).sum().backward();
            let gradient = |x: Tensor<2>| values(&x.grad(&gradients).unwrap().narrow(0, 0, rows));
            (values(&out.inner()), gradient(q), gradient(k))
        };
        let (short, long) = (run(1), run(longer));
        assert_close(&long.0, &short.0, 1e-5);
        assert_close(&long.1, &short.1, 1e-5);
        assert_close(&long.2, &short.2, 1e-5);
    }

    #[test]
    fn norm_is_its_definition(rows in 1usize..9, hidden in 2usize..40) {
        let [x, residual] = [(); 2].map(|()| random([rows, hidden]));
        let (gamma, beta) = (random([hidden]), random([hidden]));
        let (xs, rs, gs, bs) = (values(&x), values(&residual), values(&gamma), values(&beta));
        let mut expected = Vec::new();
        for row in 0..rows {
            let sum: Vec<f64> = (0..hidden).map(|i| xs[row * hidden + i] + rs[row * hidden + i]).collect();
            let mean = sum.iter().sum::<f64>() / hidden as f64;
            let variance = sum.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / hidden as f64;
            let scale = (variance + 1e-5).sqrt();
            expected.extend((0..hidden).map(|i| (sum[i] - mean) / scale * gs[i] + bs[i]));
        }
        let norm = Norm { gamma, beta, epsilon: 1e-5 };
        let found = dropout_residual_norm(x, residual, norm, Dropout::NONE);
        assert_close(&values(&found), &expected, 1e-4);
    }

    #[test]
    fn cross_entropy_is_its_definition(rows in 1usize..9, classes in 2usize..12) {
        let logits = random([rows, classes]);
        let targets: Vec<u32> = (0..rows).map(|row| (row * 5 % classes) as u32).collect();
        let all = values(&logits);
        let loss: f64 = (0..rows)
            .map(|row| {
                let row_logits = &all[row * classes..(row + 1) * classes];
                let sum: f64 = row_logits.iter().map(|v| v.exp()).sum();
                sum.ln() - row_logits[targets[row] as usize]
            })
            .sum();
        let found = softmax_cross_entropy(logits, targets.into(), rows as f64);
        assert_close(&values(&found), &[loss / rows as f64], 1e-5);
    }
}

fn of_all(offsets: &Offsets, heads: usize) -> AttentionShape {
    AttentionShape::of_all(offsets, heads, Precision::F32)
}

#[test]
fn linear_adds_the_bias_before_the_activation() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
    let weight = Tensor::<2>::from_floats([[1.0, -1.0, 0.0], [0.5, 0.0, -3.0]], &device);
    let bias = Tensor::<1>::from_floats([0.5, 0.5, 7.0], &device);
    let y = linear(x, weight, bias, Activation::Relu, Precision::F32);
    assert_eq!(values(&y), [2.5, 0.0, 1.0]);
}

#[test]
fn embeddings_are_summed_by_token() {
    let device = Device::flex();
    let table = |rows: usize, base: f32| {
        let all: Vec<f32> = (0..rows * 2).map(|i| base + (i * i) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(all, [rows, 2]), &device)
    };
    let tables = EmbeddingTables {
        word: table(5, 0.0),
        position: table(3, 100.0),
        token_type: Some(table(2, 1000.0)),
        scale: 1.0,
    };
    let tokens = PackedTokens {
        ids: [4, 0, 2].into(),
        positions: [0, 1, 0].into(),
        type_ids: [0, 1, 1].into(),
        offsets: Offsets::from_lengths([2, 1]),
        used_rows: None,
    };
    // With two columns, a norm maps each row to (-1, 1) or (1, -1), depending on which is larger.
    let norm = Norm {
        gamma: Tensor::ones([2], &device),
        beta: Tensor::zeros([2], &device),
        epsilon: 1e-12,
    };
    let found = values(&embedding_norm(tables, norm, &tokens, Dropout::NONE));
    assert_close(&found, &[-1.0, 1.0, -1.0, 1.0, -1.0, 1.0], 1e-4);
}

/// Compares with the definitions of torch's `BCEWithLogitsLoss` and `MSELoss` and their gradients;
/// logits of 200 do not overflow.
#[test]
fn losses_of_several_outputs() {
    let device = Device::flex().autodiff();
    let logits = [200.0, -200.0, 0.5, -1.25, 0.0, 3.0];
    let targets = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0_f32];
    let tensor = || {
        let data = TensorData::new(logits.map(|x| x as f32).to_vec(), [3, 2]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let pairs = || logits.into_iter().zip(targets.map(f64::from));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let cross_entropy = pairs().map(|(x, y): (f64, f64)| {
        let p = sigmoid(x);
        match y == 1.0 {
            true => -p.ln(),
            false => x + (-x).exp().ln_1p().max(-x),
        }
    });
    let squared = pairs().map(|(x, y)| (x - y) * (x - y));
    let cases: [(Tensor<2>, Tensor<1>, f64, Vec<f64>); 2] = {
        let (x, z) = (tensor(), tensor());
        [
            (
                x.clone(),
                binary_cross_entropy_with_logits(x, &targets, &[], 6.0),
                cross_entropy.sum::<f64>() / 6.0,
                pairs().map(|(x, y)| (sigmoid(x) - y) / 6.0).collect(),
            ),
            (
                z.clone(),
                mean_squared_error(z, &targets, 6.0),
                squared.sum::<f64>() / 6.0,
                pairs().map(|(x, y)| 2.0 * (x - y) / 6.0).collect(),
            ),
        ]
    };
    for (input, loss, expected, gradient) in cases {
        assert_close(&values(&loss), &[expected], 1e-6);
        let gradients = loss.backward();
        assert_close(&values(&input.grad(&gradients).unwrap()), &gradient, 1e-6);
    }
}

/// With used rows, the word table's gradient consists of those rows of the whole gradient.
#[test]
fn the_gradient_of_used_rows_is_a_part_of_the_tables() {
    let device = Device::flex().autodiff();
    let random = |rows| Tensor::<2>::random([rows, 8], Distribution::Default, &device);
    let word = random(9).require_grad();
    let tokens = PackedTokens {
        ids: [7, 2, 2, 7, 0].into(),
        positions: [0, 1, 2, 0, 1].into(),
        type_ids: [0; 5].into(),
        offsets: Offsets::from_lengths([3, 2]),
        used_rows: None,
    };
    let position = random(3);
    let weights = random(5);
    let gradient = |tokens: &PackedTokens| {
        let tables = EmbeddingTables {
            word: word.clone(),
            position: position.clone(),
            token_type: None,
            scale: 1.0,
        };
        let norm = Norm {
            gamma: Tensor::ones([8], &device),
            beta: Tensor::zeros([8], &device),
            epsilon: 1e-12,
        };
        let result = embedding_norm(tables, norm, tokens, Dropout::NONE);
        let gradients = (result * weights.clone()).sum().backward();
        word.grad(&gradients).unwrap()
    };
    let whole = gradient(&tokens);
    let used = gradient(&tokens.clone().with_used_rows());
    assert_eq!(used.dims(), [3, 8]);
    for (place, row) in [0, 2, 7].into_iter().enumerate() {
        let line = |table: &Tensor<2>, row| values(&table.clone().narrow(0, row, 1));
        assert_eq!(line(&used, place), line(&whole, row), "row {row}");
    }
    assert_eq!(values(&whole.narrow(0, 1, 1)), [0.0; 8]);
}
