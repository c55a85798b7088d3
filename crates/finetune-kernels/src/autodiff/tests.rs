//! Compares the hand-written backward passes with automatic differentiation of the portable
//! implementations.

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Flex, TensorMetadata, ops::FloatTensorOps, tensor::FloatTensor,
    },
    tensor::TensorData,
};
use proptest::prelude::*;

use crate::{
    Activation, AttentionShape, Dropout, DropoutSource, MatmulOptions, Offsets, PackedTokens,
    Pooling, Precision, Site, Stream,
    backends::portable,
    ops::{
        Attention, AttentionTransfer, DropoutResidual, DropoutResidualNorm, EmbeddingNorm,
        EmbeddingSum, EmbeddingTables, EncoderOps, LayerNorm, Linear, Lora, Norm, NormBackward,
        Pool, TokenTypeTable, VocabularyCrossEntropy,
    },
    random,
};

pub(super) type B = Autodiff<Flex>;

/// The shape and values of an input, and whether it requires a gradient.
pub(super) type Input = (Vec<usize>, Vec<f32>, bool);

pub(super) fn input(shape: &[usize], stream: u32, tracked: bool) -> Input {
    let values = random::normal(7, Stream(stream), shape.iter().product(), 1.0);
    (shape.to_vec(), values, tracked)
}

/// Inputs of these shapes with values of their own; input `i` requires a gradient if bit `i` of `tracked` is
/// set.
fn inputs(shapes: &[&[usize]], tracked: u32) -> Vec<Input> {
    let numbered = (0..).zip(shapes);
    numbered
        .map(|(index, shape)| input(shape, index, tracked >> index & 1 == 1))
        .collect()
}

fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
    let data = tensor.into_data();
    data.iter::<f32>().collect()
}

/// Returns the result of `run` and the gradients of the inputs for a random gradient of the result.
pub(super) fn results(
    inputs: &[Input],
    run: &dyn Fn(Vec<FloatTensor<B>>) -> FloatTensor<B>,
) -> Vec<Option<Vec<f32>>> {
    let device = Default::default();
    let tensors: Vec<_> = inputs
        .iter()
        .map(|(shape, values, tracked)| {
            let data = TensorData::new(values.clone(), shape.clone());
            let tensor = B::float_from_data(data, &device);
            B::float_set_require_grad(tensor, *tracked)
        })
        .collect();
    let result = run(tensors.clone());
    let found = values(B::inner(result.clone()));
    let weights = TensorData::new(
        random::normal(8, Stream(0), found.len(), 1.0),
        [found.len()],
    );
    let flat = B::float_reshape(result, [found.len()].into());
    let loss = B::float_sum(B::float_mul(flat, B::float_from_data(weights, &device)));
    let mut all = vec![Some(found)];
    if inputs.iter().any(|(_, _, tracked)| *tracked) {
        let gradients = B::backward(loss);
        let gradient = |tensor| B::grad(tensor, &gradients).map(values);
        all.extend(tensors.iter().map(gradient));
    }
    all
}

fn check(
    inputs: &[Input],
    by_hand: &dyn Fn(Vec<FloatTensor<B>>) -> FloatTensor<B>,
    portable: &dyn Fn(Vec<FloatTensor<B>>) -> FloatTensor<B>,
) {
    agree(&results(inputs, by_hand), &results(inputs, portable), 1e-5);
}

/// Asserts that results are there on both sides or on neither, and differ by no more than `tolerance`,
/// relative to the largest value of each.
fn agree(found: &[Option<Vec<f32>>], expected: &[Option<Vec<f32>>], tolerance: f32) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert_eq!(found.len(), expected.len());
                let largest = expected.iter().fold(1.0f32, |all, v| all.max(v.abs()));
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() <= tolerance * largest,
                        "result {index}: {found} instead of {expected}"
                    );
                }
            }
            (None, None) => {}
            _ => panic!("result {index}: a gradient is there on one side only"),
        }
    }
}

pub(super) fn drawn(dropped: bool) -> Dropout {
    match dropped {
        true => DropoutSource::at(3, 4).site(Site(5), 0.3),
        false => Dropout::NONE,
    }
}

pub(super) fn take<const N: usize>(tensors: Vec<FloatTensor<B>>) -> [FloatTensor<B>; N] {
    tensors.try_into().unwrap()
}

/// Creates a linear layer from x, weight, and bias.
pub(super) fn layer([x, weight, bias]: [FloatTensor<B>; 3], activation: Activation) -> Linear<B> {
    Linear {
        x,
        weight,
        bias,
        activation,
        matmul: MatmulOptions::default(),
    }
}

/// Creates an adapted linear layer from x, weight, bias, a, and b.
fn adapted(tensors: Vec<FloatTensor<B>>, activation: Activation, dropped: bool) -> Lora<B> {
    let [x, weight, bias, a, b] = take(tensors);
    Lora {
        linear: layer([x, weight, bias], activation),
        a,
        b,
        scaling: 0.5,
        dropout: drawn(dropped),
    }
}

/// Creates attention from query, key, and value.
pub(super) fn attention_of(
    tensors: Vec<FloatTensor<B>>,
    shape: &AttentionShape,
    dropped: bool,
) -> Attention<B> {
    let [query, key, value] = take(tensors);
    Attention {
        query,
        key,
        value,
        shape: shape.clone(),
        dropout: drawn(dropped),
    }
}

/// Creates the operation from x, table, and bias, with targets for its rows.
pub(super) fn vocabulary(
    tensors: Vec<FloatTensor<B>>,
    precision: Precision,
) -> VocabularyCrossEntropy<B> {
    let [x, table, bias] = take(tensors);
    let (rows, words) = (x.shape()[0], bias.shape()[0]);
    VocabularyCrossEntropy {
        x,
        table,
        bias,
        targets: (0..rows).map(|row| (row * 7 % words) as u32).collect(),
        denominator: 3.0,
        precision,
    }
}

/// Creates the operation from query, key, and the teacher's query and key.
pub(super) fn transfer_of(
    tensors: Vec<FloatTensor<B>>,
    offsets: &Offsets,
    heads: usize,
) -> AttentionTransfer<B> {
    let [query, key, teacher_query, teacher_key] = take(tensors);
    AttentionTransfer {
        query,
        key,
        teacher_query,
        teacher_key,
        offsets: offsets.clone(),
        heads,
        denominator: 7.0,
    }
}

fn norm(gamma: FloatTensor<B>, beta: FloatTensor<B>) -> Norm<B> {
    Norm {
        gamma,
        beta,
        epsilon: 1e-5,
    }
}

/// Creates the operation from x, residual, gamma, and beta.
pub(super) fn residual_norm(tensors: Vec<FloatTensor<B>>, dropped: bool) -> DropoutResidualNorm<B> {
    let [x, residual, gamma, beta] = take(tensors);
    DropoutResidualNorm {
        x,
        residual,
        norm: norm(gamma, beta),
        dropout: drawn(dropped),
    }
}

/// Creates the operation from x and residual.
pub(super) fn residual_sum(tensors: Vec<FloatTensor<B>>, dropped: bool) -> DropoutResidual<B> {
    let [x, residual] = take(tensors);
    DropoutResidual {
        x,
        residual,
        dropout: drawn(dropped),
    }
}

/// Creates the operation from x, gamma, and beta.
pub(super) fn norm_alone(tensors: Vec<FloatTensor<B>>) -> LayerNorm<B> {
    let [x, gamma, beta] = take(tensors);
    LayerNorm {
        x,
        norm: norm(gamma, beta),
    }
}

/// Creates the operation from x.
pub(super) fn pool_of(
    tensors: Vec<FloatTensor<B>>,
    offsets: &Offsets,
    pooling: Pooling,
) -> Pool<B> {
    let [x] = take(tensors);
    Pool {
        x,
        offsets: offsets.clone(),
        pooling,
    }
}

/// Creates the operation from the word, position, and token type tables, gamma, and beta.
pub(super) fn embedding(
    tensors: Vec<FloatTensor<B>>,
    tokens: &PackedTokens,
    types: bool,
    dropped: bool,
) -> EmbeddingNorm<B> {
    let [word, position, token_type, gamma, beta] = take(tensors);
    EmbeddingNorm {
        tables: tables([word, position, token_type], types),
        norm: norm(gamma, beta),
        tokens: tokens.clone(),
        dropout: drawn(dropped),
    }
}

/// Creates the operation without a norm from the word, position, and token type tables.
pub(super) fn embedding_sum_of(
    tensors: Vec<FloatTensor<B>>,
    tokens: &PackedTokens,
    types: bool,
    dropped: bool,
) -> EmbeddingSum<B> {
    EmbeddingSum {
        tables: tables(take(tensors), types),
        tokens: tokens.clone(),
        dropout: drawn(dropped),
    }
}

/// Returns the bits of `tracked` without that of the token types, if there are none.
fn of_tables(tracked: u32, types: bool) -> u32 {
    if types { tracked } else { tracked & !0b100 }
}

fn tables([word, position, token_type]: [FloatTensor<B>; 3], types: bool) -> EmbeddingTables<B> {
    EmbeddingTables {
        word,
        position,
        token_type: match types {
            true => TokenTypeTable::Table(token_type),
            false => TokenTypeTable::Absent,
        },
        scale: if types { 1.0 } else { 2.5 },
    }
}

pub(super) const ACTIVATIONS: [Activation; 6] = [
    Activation::Identity,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
    Activation::Silu,
    Activation::Tanh,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn matmul(
        [rows, inner, columns] in [1usize..20, 1usize..40, 1usize..40],
        precision in prop::sample::select(&[Precision::F32, Precision::Bf16][..]),
        tracked in 0u32..4,
    ) {
        let mut inputs = inputs(&[&[rows, inner], &[inner, columns]], tracked);
        // Integers below 2^8 are exact in bf16, so both precisions give the same result.
        for value in inputs.iter_mut().flat_map(|(_, values, _)| values) {
            *value = (*value * 4.0).round();
        }
        let run = |precision: Precision| {
            results(&inputs, &|tensors| {
                let [a, b] = take(tensors);
                <B as EncoderOps>::matmul(a, b, precision.into())
            })
        };
        let (found, expected) = (run(precision), run(Precision::F32));
        // The gradient of the result is not an integer, and so it is rounded in bf16.
        assert_eq!(found[0], expected[0]);
        agree(&found[1..], &expected[1..], 1e-2);
    }

    #[test]
    fn linear(
        [rows, columns, out] in [1usize..20, 1usize..40, 1usize..40],
        activation in prop::sample::select(&ACTIVATIONS[..]),
        tracked in 0u32..8,
    ) {
        let inputs = inputs(&[&[rows, columns], &[columns, out], &[out]], tracked);
        check(
            &inputs,
            &|tensors| {
                let [x, weight, bias] = take(tensors);
                <B as EncoderOps>::linear(layer([x, weight, bias], activation))
            },
            &|tensors| {
                let [x, weight, bias] = take(tensors);
                portable::linear(layer([x, weight, bias], activation))
            },
        );
    }

    #[test]
    fn lora(
        [rows, columns, rank, out] in [1usize..20, 1usize..40, 1usize..10, 1usize..40],
        activation in prop::sample::select(&ACTIVATIONS[..2]),
        dropped in any::<bool>(),
        tracked in 0u32..32,
    ) {
        let inputs = inputs(&[&[rows, columns], &[columns, out], &[out], &[columns, rank], &[rank, out]], tracked);
        check(
            &inputs,
            &|tensors| {
                <B as EncoderOps>::lora(adapted(tensors, activation, dropped))
            },
            &|tensors| {
                portable::lora(adapted(tensors, activation, dropped))
            },
        );
    }

    #[test]
    fn activate(
        [rows, columns] in [1usize..20, 1usize..40],
        activation in prop::sample::select(&ACTIVATIONS[..]),
        tracked in any::<bool>(),
    ) {
        check(
            &[input(&[rows, columns], 0, tracked)],
            &|tensors| {
                let [x] = take(tensors);
                B::activate(x, activation)
            },
            &|tensors| {
                let [x] = take(tensors);
                portable::activate::<B>(x, activation)
            },
        );
    }

    #[test]
    fn vocabulary_cross_entropy(
        [rows, width, words] in [1usize..20, 1usize..40, 2usize..80],
        tracked in 0u32..8,
    ) {
        let inputs = inputs(&[&[rows, width], &[words, width], &[words]], tracked);
        check(
            &inputs,
            &|tensors| {
                let operation = vocabulary(tensors, Precision::F32);
                <B as EncoderOps>::vocabulary_cross_entropy(operation)
            },
            &|tensors| portable::vocabulary_cross_entropy(vocabulary(tensors, Precision::F32)),
        );
    }

    #[test]
    fn affine([rows, columns] in [0usize..150, 1usize..40], tracked in 0u32..8) {
        check(
            &inputs(&[&[rows, columns], &[columns], &[columns]], tracked),
            &|tensors| {
                let [x, scale, shift] = take(tensors);
                B::affine(x, scale, shift)
            },
            &|tensors| {
                let [x, scale, shift] = take(tensors);
                portable::affine::<B>(x, scale, shift)
            },
        );
    }

    #[test]
    fn column_products([rows, columns] in [0usize..150, 1usize..40], tracked in 0u32..4) {
        check(
            &inputs(&[&[rows, columns], &[rows, columns]], tracked),
            &|tensors| {
                let [x, y] = take(tensors);
                B::column_products(x, y)
            },
            &|tensors| {
                let [x, y] = take(tensors);
                portable::column_products::<B>(x, y)
            },
        );
    }

    #[test]
    fn attention_transfer(
        lengths in prop::collection::vec(1u32..40, 1..6),
        heads in 1usize..4,
        sizes in prop::sample::select(&[[1usize, 4], [17, 8], [32, 32]][..]),
        tracked in 0u32..4,
    ) {
        let offsets = Offsets::from_lengths(lengths);
        let [own, teachers] = sizes.map(|size| [offsets.num_tokens(), heads * size]);
        // The teacher has no gradients.
        check(
            &inputs(&[&own, &own, &teachers, &teachers], tracked),
            &|tensors| B::attention_transfer(transfer_of(tensors, &offsets, heads)),
            &|tensors| portable::attention_transfer(transfer_of(tensors, &offsets, heads)),
        );
    }

    #[test]
    fn dropout([rows, columns] in [1usize..20, 1usize..40], dropped in any::<bool>()) {
        check(
            &[input(&[rows, columns], 0, true)],
            &|tensors| {
                let [x] = take(tensors);
                <B as EncoderOps>::dropout(x, drawn(dropped))
            },
            &|tensors| {
                let [x] = take(tensors);
                portable::dropout::<B>(x, drawn(dropped))
            },
        );
    }

    #[test]
    fn attention(
        lengths in prop::collection::vec(1u32..24, 1..6),
        heads in 1usize..4,
        head_size in prop::sample::select(&[1usize, 4, 17, 64][..]),
        queries in prop::sample::select(&QUERIES[..]),
        dropped in any::<bool>(),
        tracked in 0u32..8,
    ) {
        check_attention(&Offsets::from_lengths(lengths), [heads, head_size], queries, dropped, tracked);
    }

    #[test]
    fn dropout_residual_norm(
        [rows, columns] in [1usize..20, 8usize..40],
        dropped in any::<bool>(),
        tracked in 0u32..16,
    ) {
        let inputs = inputs(&[&[rows, columns], &[rows, columns], &[columns], &[columns]], tracked);
        check(
            &inputs,
            &|tensors| {
                B::dropout_residual_norm(residual_norm(tensors, dropped))
            },
            &|tensors| {
                portable::NormKept::dropout_residual_norm(residual_norm(tensors, dropped)).0
            },
        );
    }

    #[test]
    fn dropout_residual(
        [rows, columns] in [1usize..40, 1usize..40],
        dropped in any::<bool>(),
        tracked in 0u32..4,
    ) {
        let inputs = inputs(&[&[rows, columns], &[rows, columns]], tracked);
        check(
            &inputs,
            &|tensors| B::dropout_residual(residual_sum(tensors, dropped)),
            &|tensors| portable::dropout_residual(residual_sum(tensors, dropped)),
        );
    }

    #[test]
    fn layer_norm([rows, columns] in [1usize..40, 8usize..40], tracked in 0u32..8) {
        let inputs = inputs(&[&[rows, columns], &[columns], &[columns]], tracked);
        check(
            &inputs,
            &|tensors| B::norm(norm_alone(tensors)),
            &|tensors| portable::NormKept::layer_norm(norm_alone(tensors)).0,
        );
    }

    #[test]
    fn pool(
        lengths in prop::collection::vec(1u32..24, 1..6),
        columns in 1usize..40,
        pooling in prop::sample::select(&Pooling::ALL[..]),
        tracked in any::<bool>(),
    ) {
        let offsets = Offsets::from_lengths(lengths);
        check(
            &[input(&[offsets.num_tokens(), columns], 0, tracked)],
            &|tensors| B::pool(pool_of(tensors, &offsets, pooling)),
            &|tensors| portable::pool(pool_of(tensors, &offsets, pooling)),
        );
    }

    #[test]
    fn embedding_sum(
        lengths in prop::collection::vec(1u32..8, 1..5),
        columns in 1usize..28,
        types in any::<bool>(),
        dropped in any::<bool>(),
        tracked in 0u32..8,
    ) {
        let tokens = tokens_of(Offsets::from_lengths(lengths));
        let inputs = inputs(
            &[&[11, columns], &[8, columns], &[2, columns]],
            of_tables(tracked, types),
        );
        check(
            &inputs,
            &|tensors| B::embedding_sum(embedding_sum_of(tensors, &tokens, types, dropped)),
            &|tensors| {
                portable::dropped_embedding_sum(embedding_sum_of(tensors, &tokens, types, dropped))
            },
        );
    }

    #[test]
    fn embedding_norm(
        lengths in prop::collection::vec(1u32..8, 1..5),
        columns in 8usize..28,
        types in any::<bool>(),
        dropped in any::<bool>(),
        tracked in 0u32..32,
    ) {
        let tokens = tokens_of(Offsets::from_lengths(lengths));
        let inputs = inputs(
            &[&[11, columns], &[8, columns], &[2, columns], &[columns], &[columns]],
            of_tables(tracked, types),
        );
        check(
            &inputs,
            &|tensors| {
                B::embedding_norm(embedding(tensors, &tokens, types, dropped))
            },
            &|tensors| {
                portable::NormKept::embedding_norm(embedding(tensors, &tokens, types, dropped)).0
            },
        );
    }
}

/// The tokens of each sequence that attend to all of its tokens.
#[derive(Clone, Copy, Debug)]
enum Queries {
    All,
    First,
    /// A part of the tokens, and none of some sequences but the first.
    Some,
}

const QUERIES: [Queries; 3] = [Queries::All, Queries::First, Queries::Some];

/// Returns tokens of a table of 11 words, 8 positions, and 2 types.
fn tokens_of(offsets: Offsets) -> PackedTokens {
    let count = offsets.num_tokens() as u32;
    let positions = offsets.ranges().flat_map(|range| 0..range.len() as u32);
    PackedTokens {
        ids: (0..count).map(|token| token * 5 % 11).collect(),
        positions: positions.collect(),
        type_ids: (0..count).map(|token| token % 2).collect(),
        offsets,
        used_rows: None,
    }
}

/// Columns with several equal maxima: the gradient goes to the first.
#[test]
fn pooling_by_the_maximum_with_ties() {
    let offsets = Offsets::from_lengths([3, 1, 4]);
    let values: [f32; 8] = [1.0, 5.0, 1.0, 0.0, 0.0, 5.0, -1.0, -1.0];
    let values: Vec<f32> = values.iter().flat_map(|&v| [v, v.min(1.0)]).collect();
    let inputs = [(vec![8, 2], values, true)];
    let found = results(&inputs, &|tensors| {
        B::pool(pool_of(tensors, &offsets, Pooling::Max))
    });
    assert_eq!(
        found[0].as_deref(),
        Some(&[5.0, 1.0, 0.0, 0.0, 5.0, 1.0][..])
    );
    let gradient = found[1].as_ref().unwrap();
    let has_gradient = |column| -> Vec<usize> {
        (0..8)
            .filter(|row| gradient[2 * row + column] != 0.0)
            .collect()
    };
    assert_eq!([has_gradient(0), has_gradient(1)], [[1, 3, 5], [0, 3, 5]]);
}

/// A maximum over something that is not a number is not a number.
#[test]
fn pooling_passes_on_what_is_not_a_number() {
    let offsets = Offsets::from_lengths([3]);
    let inputs = [(vec![3, 1], vec![1.0, f32::NAN, 2.0], false)];
    for pooling in [Pooling::Mean, Pooling::Max] {
        let found = results(&inputs, &|tensors| {
            B::pool(pool_of(tensors, &offsets, pooling))
        });
        assert!(found[0].as_ref().unwrap()[0].is_nan(), "{pooling}");
    }
}

fn check_attention(
    offsets: &Offsets,
    [heads, head_size]: [usize; 2],
    queries: Queries,
    dropped: bool,
    tracked: u32,
) {
    let lengths = offsets.ranges().enumerate().map(|(sequence, range)| {
        let length = range.len() as u32;
        match queries {
            Queries::All => length,
            Queries::First => 1,
            Queries::Some if sequence == 0 => length.div_ceil(3),
            Queries::Some => length * (sequence as u32 % 3) / 3,
        }
    });
    let queries = Offsets::from_lengths(lengths);
    let shape = AttentionShape::of_some(&queries, offsets, heads, Precision::F32);
    let columns = heads * head_size;
    let [queries, keys] = [&shape.queries, &shape.keys].map(Offsets::num_tokens);
    let inputs = inputs(
        &[&[queries, columns], &[keys, columns], &[keys, columns]],
        tracked,
    );
    check(
        &inputs,
        &|tensors| {
            let operation = attention_of(tensors, &shape, dropped);
            <B as EncoderOps>::attention(operation)
        },
        &|tensors| portable::attention(attention_of(tensors, &shape, dropped)),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Sequences of several blocks of queries, whose heads are distributed over threads.
    #[test]
    fn attention_of_long_sequences(
        lengths in prop::collection::vec(1u32..=512, 1..4),
        [heads, head_size] in [1usize..4, 8usize..40],
        queries in prop::sample::select(&QUERIES[..]),
        dropped in any::<bool>(),
        tracked in 0u32..8,
    ) {
        check_attention(&Offsets::from_lengths(lengths), [heads, head_size], queries, dropped, tracked);
    }
}

/// Batches of many short sequences, of a single long one, and of sequences around the size of a block.
#[test]
fn attention_of_extreme_batches() {
    for lengths in [vec![1; 300], vec![512], vec![128, 129, 255, 256, 257]] {
        let offsets = Offsets::from_lengths(lengths);
        for queries in QUERIES {
            check_attention(&offsets, [2, 16], queries, true, 7);
        }
    }
}

/// Multiplications in bf16 are off by no more than its precision.
#[test]
fn attention_in_bf16() {
    let offsets = Offsets::from_lengths([40, 3, 130]);
    let inputs = inputs(&[&[173, 64], &[173, 64], &[173, 64]], 0b111);
    let run = |precision| {
        results(&inputs, &|tensors| {
            let shape = AttentionShape::of_all(&offsets, 2, precision);
            <B as EncoderOps>::attention(attention_of(tensors, &shape, true))
        })
    };
    for (rough, exact) in run(Precision::Bf16).iter().zip(run(Precision::F32)) {
        let (rough, exact) = (rough.as_ref().unwrap(), exact.unwrap());
        let square = |x: f32| f64::from(x) * f64::from(x);
        let error: f64 = rough.iter().zip(&exact).map(|(a, b)| square(a - b)).sum();
        let size: f64 = exact.iter().map(|x| square(*x)).sum();
        let relative = (error / size).sqrt();
        assert!(relative > 0.0 && relative < 1e-2, "{relative}");
    }
}

/// Multiplications in bf16 are those of the portable implementation, which rounds the same operands.
#[test]
fn vocabulary_cross_entropy_in_bf16() {
    let inputs = inputs(&[&[30, 64], &[90, 64], &[90]], 0b111);
    let run = |precision| {
        results(&inputs, &|tensors| {
            <B as EncoderOps>::vocabulary_cross_entropy(vocabulary(tensors, precision))
        })
    };
    let inner: Vec<_> = inputs
        .iter()
        .map(|(shape, values, _)| {
            let data = TensorData::new(values.clone(), shape.clone());
            Flex::float_from_data(data, &Default::default())
        })
        .collect();
    let [x, table, bias] = inner.try_into().unwrap();
    let portable = VocabularyCrossEntropy::<Flex> {
        x,
        table,
        bias,
        targets: (0..30).map(|row| row * 7 % 90).collect(),
        denominator: 3.0,
        precision: Precision::Bf16,
    };
    let (loss, gradients) = portable::vocabulary_gradients(portable, [true; 3]);
    let mut found = run(Precision::Bf16).into_iter();
    let exact = run(Precision::F32);
    assert_eq!(found.len(), 4);
    let weight = random::normal(8, Stream(0), 1, 1.0)[0];
    let loss = values(loss);
    assert!((found.next().unwrap().unwrap()[0] - loss[0]).abs() < 1e-4);
    assert_ne!(exact[0].as_ref().unwrap()[0], loss[0]);
    for (found, expected) in found.zip(gradients) {
        let expected = values(expected.unwrap());
        let largest = expected.iter().fold(0.0f32, |all, v| all.max(v.abs()));
        for (found, expected) in found.unwrap().iter().zip(expected) {
            // The gradients of the logits may be rounded to neighbouring numbers.
            assert!((found - weight * expected).abs() <= 2e-3 * weight.abs() * largest);
        }
    }
}

/// More elements than a thread processes at a time.
#[test]
fn dropout_of_many_elements() {
    check(
        &[input(&[400, 100], 0, true)],
        &|tensors| {
            let [x] = take(tensors);
            <B as EncoderOps>::dropout(x, drawn(true))
        },
        &|tensors| {
            let [x] = take(tensors);
            portable::dropout::<B>(x, drawn(true))
        },
    );
}

/// Scores so far apart that a probability is 0 do not make the divergence infinite or NaN.
#[test]
fn attention_transfer_of_extreme_scores() {
    let offsets = Offsets::from_lengths([3]);
    let of = |scale: f32| {
        let (shape, mut values, _) = input(&[3, 4], 0, true);
        values.iter_mut().for_each(|value| *value *= scale);
        (shape, values, scale > 0.0)
    };
    let inputs = [of(30.0), of(30.0), of(-30.0), of(30.0)];
    let run = |tensors| B::attention_transfer(transfer_of(tensors, &offsets, 1));
    let found = results(&inputs, &run);
    for values in found.iter().take(3).flatten() {
        assert!(values.iter().all(|value| value.is_finite()), "{found:?}");
    }
    assert!(found[0].as_ref().unwrap()[0] > 100.0, "{found:?}");
}
