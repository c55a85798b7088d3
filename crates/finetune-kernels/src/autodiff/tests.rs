//! The hand-written backward passes against the portable bodies, differentiated step by step.

use burn::{
    backend::{Autodiff, AutodiffBackend, Flex, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::TensorData,
};
use proptest::prelude::*;

use crate::{
    Activation, AttentionShape, Dropout, DropoutSource, EncoderOps, LoraProducts, Offsets,
    PackedTokens, Precision, Products, TokenTypeTable, portable, random,
};

pub(super) type B = Autodiff<Flex>;

/// Shape and values of an input, and whether it wants a gradient.
pub(super) type Input = (Vec<usize>, Vec<f32>, bool);

pub(super) fn input(shape: &[usize], stream: u32, tracked: bool) -> Input {
    let values = random::normal(7, stream, shape.iter().product(), 1.0);
    (shape.to_vec(), values, tracked)
}

fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
    let data = tensor.into_data();
    data.iter::<f32>().collect()
}

/// The result of `run`, and the gradients that it gives the inputs when its own is random.
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
    let weights = TensorData::new(random::normal(8, 0, found.len(), 1.0), [found.len()]);
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
    let (found, expected) = (results(inputs, by_hand), results(inputs, portable));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert_eq!(found.len(), expected.len());
                let largest = expected.iter().fold(1.0f32, |all, v| all.max(v.abs()));
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() <= 1e-5 * largest,
                        "result {index}: {found} instead of {expected}"
                    );
                }
            }
            (None, None) => {}
            _ => panic!("result {index}: a gradient is there on one side only"),
        }
    }
}

/// Which inputs want a gradient: one bit each.
fn bits(mask: u32) -> impl Fn(u32) -> bool {
    move |index| mask >> index & 1 == 1
}

pub(super) fn drawn(dropped: bool) -> Dropout {
    match dropped {
        true => DropoutSource::at(3, 4).site(5, 0.3),
        false => Dropout::NONE,
    }
}

pub(super) fn take<const N: usize>(tensors: Vec<FloatTensor<B>>) -> [FloatTensor<B>; N] {
    tensors.try_into().unwrap()
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
    fn linear(
        [rows, columns, out] in [1usize..20, 1usize..40, 1usize..40],
        activation in prop::sample::select(&ACTIVATIONS[..]),
        tracked in 0u32..8,
    ) {
        let tracked = bits(tracked);
        let inputs = [
            input(&[rows, columns], 0, tracked(0)),
            input(&[columns, out], 1, tracked(1)),
            input(&[out], 2, tracked(2)),
        ];
        check(
            &inputs,
            &|tensors| {
                let [x, weight, bias] = take(tensors);
                <B as EncoderOps>::linear(x, weight, bias, activation, Products::default())
            },
            &|tensors| {
                let [x, weight, bias] = take(tensors);
                portable::linear::<B>(x, weight, bias, activation, Precision::F32)
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
        let tracked = bits(tracked);
        let inputs = [
            input(&[rows, columns], 0, tracked(0)),
            input(&[columns, out], 1, tracked(1)),
            input(&[out], 2, tracked(2)),
            input(&[columns, rank], 3, tracked(3)),
            input(&[rank, out], 4, tracked(4)),
        ];
        let lora = LoraProducts {
            scaling: 0.5,
            dropout: drawn(dropped),
            products: Products::default(),
        };
        check(
            &inputs,
            &|tensors| {
                let [x, weight, bias, a, b] = take(tensors);
                <B as EncoderOps>::lora(x, weight, bias, a, b, activation, lora.clone())
            },
            &|tensors| {
                let [x, weight, bias, a, b] = take(tensors);
                portable::lora::<B>(x, weight, bias, a, b, activation, &lora)
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
                activation.apply::<B>(x)
            },
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
        first in any::<bool>(),
        dropped in any::<bool>(),
        tracked in 0u32..8,
    ) {
        check_attention(&Offsets::from_lengths(lengths), [heads, head_size], first, dropped, tracked);
    }

    #[test]
    fn dropout_residual_norm(
        [rows, columns] in [1usize..20, 8usize..40],
        dropped in any::<bool>(),
        tracked in 0u32..16,
    ) {
        let tracked = bits(tracked);
        let inputs = [
            input(&[rows, columns], 0, tracked(0)),
            input(&[rows, columns], 1, tracked(1)),
            input(&[columns], 2, tracked(2)),
            input(&[columns], 3, tracked(3)),
        ];
        check(
            &inputs,
            &|tensors| {
                let [x, residual, gamma, beta] = take(tensors);
                B::dropout_residual_norm(x, residual, gamma, beta, 1e-5, drawn(dropped))
            },
            &|tensors| {
                let [x, residual, gamma, beta] = take(tensors);
                let dropout = drawn(dropped);
                portable::dropout_residual_norm::<B>(x, residual, gamma, beta, 1e-5, dropout).0
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
        let offsets = Offsets::from_lengths(lengths);
        let count = offsets.num_tokens() as u32;
        let tokens = PackedTokens {
            ids: (0..count).map(|token| token * 5 % 11).collect(),
            positions: offsets.ranges().flat_map(|range| 0..range.len() as u32).collect(),
            type_ids: (0..count).map(|token| token % 2).collect(),
            offsets, used_rows: None, };
        let tracked = bits(tracked);
        let inputs = [
            input(&[11, columns], 0, tracked(0)),
            input(&[8, columns], 1, tracked(1)),
            input(&[2, columns], 2, tracked(2) && types),
            input(&[columns], 3, tracked(3)),
            input(&[columns], 4, tracked(4)),
        ];
        let table = |table| match types {
            true => TokenTypeTable::Table(table),
            false => TokenTypeTable::Absent,
        };
        check(
            &inputs,
            &|tensors| {
                let [word, position, token_type, gamma, beta] = take(tensors);
                let tokens = tokens.clone();
                let token_type = table(token_type);
                B::embedding_norm(
                    word, position, token_type, gamma, beta, tokens, 1e-5, drawn(dropped),
                )
            },
            &|tensors| {
                let [word, position, token_type, gamma, beta] = take(tensors);
                let (result, _) = portable::embedding_norm::<B>(
                    word, position, table(token_type), gamma, beta, &tokens, 1e-5, drawn(dropped),
                );
                result
            },
        );
    }
}

fn check_attention(
    offsets: &Offsets,
    [heads, head_size]: [usize; 2],
    first: bool,
    dropped: bool,
    tracked: u32,
) {
    let shape = match first {
        true => AttentionShape::of_first(offsets, heads, Precision::F32),
        false => AttentionShape::of_all(offsets, heads, Precision::F32),
    };
    let tracked = bits(tracked);
    let inputs = [0, 1, 2].map(|index| {
        let offsets = [&shape.queries, &shape.keys][usize::from(index > 0)];
        let rows = offsets.num_tokens();
        input(&[rows, heads * head_size], index, tracked(index))
    });
    check(
        &inputs,
        &|tensors| {
            let [query, key, value] = take(tensors);
            <B as EncoderOps>::attention(query, key, value, shape.clone(), drawn(dropped))
        },
        &|tensors| {
            let [query, key, value] = take(tensors);
            portable::attention::<B>(query, key, value, &shape, drawn(dropped))
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Several blocks of queries, and heads shared among threads.
    #[test]
    fn attention_of_long_sequences(
        lengths in prop::collection::vec(1u32..=512, 1..4),
        [heads, head_size] in [1usize..4, 8usize..40],
        first in any::<bool>(),
        dropped in any::<bool>(),
        tracked in 0u32..8,
    ) {
        check_attention(&Offsets::from_lengths(lengths), [heads, head_size], first, dropped, tracked);
    }
}

/// Of many short sequences, and of one that is as long as any.
#[test]
fn attention_of_extreme_batches() {
    for lengths in [vec![1; 300], vec![512], vec![128, 129, 255, 256, 257]] {
        let offsets = Offsets::from_lengths(lengths);
        check_attention(&offsets, [2, 16], false, true, 7);
        check_attention(&offsets, [2, 16], true, true, 7);
    }
}

/// Products in bf16 are off by its precision, and no more.
#[test]
fn attention_in_bf16() {
    let offsets = Offsets::from_lengths([40, 3, 130]);
    let inputs = [0, 1, 2].map(|index| input(&[173, 64], index, true));
    let run = |precision| {
        results(&inputs, &|tensors| {
            let [query, key, value] = take(tensors);
            let shape = AttentionShape::of_all(&offsets, 2, precision);
            <B as EncoderOps>::attention(query, key, value, shape, drawn(true))
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

/// More elements than one thread takes at a time.
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
