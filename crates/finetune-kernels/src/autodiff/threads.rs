//! Checks that results and gradients are bit-identical for any number of threads.

use rayon::ThreadPoolBuilder;

use super::tests::{
    ACTIVATIONS, B, Input, attention_of, drawn, embedding, embedding_sum_of, input, layer,
    norm_alone, pool_of, residual_norm, residual_sum, results, take, transfer_of, vocabulary,
};
use crate::{AttentionShape, Offsets, PackedTokens, Pooling, Precision, ops::EncoderOps};
use burn::backend::tensor::FloatTensor;

fn check(inputs: &[Input], run: &(dyn Fn(Vec<FloatTensor<B>>) -> FloatTensor<B> + Sync)) {
    let [one, two, four] = [1, 2, 4].map(|threads| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let all = pool.install(|| results(inputs, run));
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        all.into_iter().map(|one| one.map(bits)).collect::<Vec<_>>()
    });
    assert!(one.iter().all(Option::is_some));
    assert!(one == two && two == four);
}

/// More rows than a thread processes at a time.
const ROWS: usize = 203;

#[test]
fn linear_and_activation() {
    for activation in ACTIVATIONS {
        let inputs = [
            input(&[ROWS, 150], 0, true),
            input(&[150, 170], 1, true),
            input(&[170], 2, true),
        ];
        check(&inputs, &|tensors| {
            let [x, weight, bias] = take(tensors);
            <B as EncoderOps>::linear(layer([x, weight, bias], activation))
        });
    }
}

#[test]
fn affine() {
    let inputs = [
        input(&[ROWS, 96], 0, true),
        input(&[96], 1, true),
        input(&[96], 2, true),
    ];
    check(&inputs, &|tensors| {
        let [x, scale, shift] = take(tensors);
        <B as EncoderOps>::affine(x, scale, shift)
    });
}

#[test]
fn column_products() {
    let inputs = [0, 1].map(|index| input(&[ROWS, 96], index, true));
    check(&inputs, &|tensors| {
        let [x, y] = take(tensors);
        <B as EncoderOps>::column_products(x, y)
    });
}

#[test]
fn attention() {
    let offsets = Offsets::from_lengths([70, 1, 130, 2]);
    for queries in [[70, 1, 130, 2], [1; 4], [0, 1, 40, 0]] {
        let queries = Offsets::from_lengths(queries);
        let shape = AttentionShape::of_some(&queries, &offsets, 3, Precision::F32);
        let rows = [&shape.queries, &shape.keys, &shape.keys].map(Offsets::num_tokens);
        let inputs = [0, 1, 2].map(|index| input(&[rows[index], 48], index as u32, true));
        check(&inputs, &|tensors| {
            let operation = attention_of(tensors, &shape, true);
            <B as EncoderOps>::attention(operation)
        });
    }
}

#[test]
fn dropout_residual_norm() {
    let inputs = [
        input(&[ROWS, 96], 0, true),
        input(&[ROWS, 96], 1, true),
        input(&[96], 2, true),
        input(&[96], 3, true),
    ];
    check(&inputs, &|tensors| {
        B::dropout_residual_norm(residual_norm(tensors, true))
    });
}

#[test]
fn dropout_residual() {
    let inputs = [0, 1].map(|index| input(&[ROWS, 96], index, true));
    check(&inputs, &|tensors| {
        B::dropout_residual(residual_sum(tensors, true))
    });
}

#[test]
fn layer_norm() {
    let inputs = [
        input(&[ROWS, 96], 0, true),
        input(&[96], 1, true),
        input(&[96], 2, true),
    ];
    check(&inputs, &|tensors| B::norm(norm_alone(tensors)));
}

#[test]
fn pool() {
    let offsets = Offsets::from_lengths([70, 1, 130, 2]);
    for pooling in Pooling::ALL {
        check(&[input(&[ROWS, 100], 0, true)], &|tensors| {
            B::pool(pool_of(tensors, &offsets, pooling))
        });
    }
}

#[test]
fn embedding_sum() {
    let tokens = tokens();
    let inputs = [
        input(&[11, 96], 0, true),
        input(&[ROWS, 96], 1, true),
        input(&[2, 96], 2, true),
    ];
    check(&inputs, &|tensors| {
        B::embedding_sum(embedding_sum_of(tensors, &tokens, true, true))
    });
}

fn tokens() -> PackedTokens {
    let count = ROWS as u32;
    PackedTokens {
        ids: (0..count).map(|token| token * 5 % 11).collect(),
        positions: (0..count).collect(),
        type_ids: (0..count).map(|token| token % 2).collect(),
        offsets: Offsets::from_lengths([count]),
        used_rows: None,
    }
}

#[test]
fn embedding_norm() {
    let tokens = tokens();
    let inputs = [
        input(&[11, 96], 0, true),
        input(&[ROWS, 96], 1, true),
        input(&[2, 96], 2, true),
        input(&[96], 3, true),
        input(&[96], 4, true),
    ];
    check(&inputs, &|tensors| {
        B::embedding_norm(embedding(tensors, &tokens, true, true))
    });
}

#[test]
fn vocabulary_cross_entropy() {
    for precision in [Precision::F32, Precision::Bf16] {
        let inputs = [
            input(&[ROWS, 96], 0, true),
            input(&[3500, 96], 1, true),
            input(&[3500], 2, true),
        ];
        check(&inputs, &|tensors| {
            B::vocabulary_cross_entropy(vocabulary(tensors, precision))
        });
    }
}

#[test]
fn attention_transfer() {
    let offsets = Offsets::from_lengths([70, 1, 130, 2]);
    let inputs = [0, 1].map(|stream| input(&[ROWS, 48], stream, true));
    check(&inputs, &|tensors| {
        // The teacher takes no gradient: its queries are the student's keys.
        let [query, key] = take(tensors);
        let all = vec![query.clone(), key.clone(), key, query];
        B::attention_transfer(transfer_of(all, &offsets, 3))
    });
}

#[test]
fn dropout() {
    check(&[input(&[ROWS, 170], 0, true)], &|tensors| {
        let [x] = take(tensors);
        <B as EncoderOps>::dropout(x, drawn(true))
    });
}
