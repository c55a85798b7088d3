//! Compares gradients with finite differences in f64: those that Burn derives from the portable
//! implementations, and the hand-written ones with portable implementations. The fast implementations
//! are compared with these elsewhere.

use burn::{
    backend::{AutodiffBackend, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::TensorData,
};

use super::tests::{
    ACTIVATIONS, B, attention_of, embedding, embedding_sum_of, layer, norm_alone, pool_of,
    residual_norm, residual_sum, take, transfer_of, vocabulary,
};
use crate::{
    AttentionShape, Offsets, PackedTokens, Pooling, Precision, Stream,
    backends::portable,
    ops::{EncoderOps, NormBackward},
    random,
};

type Run<'a> = &'a dyn Fn(Vec<FloatTensor<B>>) -> FloatTensor<B>;

/// The shape and values of an input.
type Input = (Vec<usize>, Vec<f64>);

fn input(shape: &[usize], stream: u32) -> Input {
    let values = random::normal(7, Stream(stream), shape.iter().product(), 1.0);
    (shape.to_vec(), values.into_iter().map(f64::from).collect())
}

fn tensors(inputs: &[Input]) -> Vec<FloatTensor<B>> {
    let tensors = inputs.iter().map(|(shape, values)| {
        let data = TensorData::new(values.clone(), shape.clone());
        B::float_set_require_grad(B::float_from_data(data, &Default::default()), true)
    });
    tensors.collect()
}

/// Returns a weighted sum of the result.
fn loss(result: FloatTensor<B>) -> FloatTensor<B> {
    let count = B::inner(result.clone()).into_data().num_elements();
    let weights: Vec<f64> = (0..count)
        .map(|i| ((i * 37 + 11) % 23) as f64 / 11.0 - 1.0)
        .collect();
    let weights = B::float_from_data(TensorData::new(weights, [count]), &Default::default());
    let flat = B::float_reshape(result, [count].into());
    B::float_sum(B::float_mul(flat, weights))
}

fn check(inputs: &[Input], run: Run<'_>) {
    let value = |inputs: &[Input]| {
        let data = B::inner(loss(run(tensors(inputs)))).into_data();
        data.as_slice::<f64>().unwrap()[0]
    };
    let parents = tensors(inputs);
    let gradients = B::backward(loss(run(parents.clone())));
    let mut moved = inputs.to_vec();
    for (index, parent) in parents.iter().enumerate() {
        let data = B::grad(parent, &gradients).unwrap().into_data();
        for (element, &found) in data.as_slice::<f64>().unwrap().iter().enumerate() {
            const STEP: f64 = 1e-5;
            let start = inputs[index].1[element];
            moved[index].1[element] = start + STEP;
            let above = value(&moved);
            moved[index].1[element] = start - STEP;
            let below = value(&moved);
            moved[index].1[element] = start;
            let expected = (above - below) / (2.0 * STEP);
            assert!(
                (found - expected).abs() < 1e-7 * (1.0 + expected.abs()),
                "element {element} of input {index}: {found} instead of {expected}"
            );
        }
    }
}

#[test]
fn linear() {
    for activation in ACTIVATIONS {
        let inputs = [input(&[3, 5], 0), input(&[5, 4], 1), input(&[4], 2)];
        check(&inputs, &|tensors| {
            let [x, weight, bias] = take(tensors);
            portable::linear(layer([x, weight, bias], activation))
        });
        // The hand-written gradients.
        check(&inputs, &|tensors| {
            let [x, weight, bias] = take(tensors);
            <B as EncoderOps>::linear(layer([x, weight, bias], activation))
        });
    }
}

#[test]
fn affine() {
    let inputs = [input(&[3, 4], 0), input(&[4], 1), input(&[4], 2)];
    check(&inputs, &|tensors| {
        let [x, scale, shift] = take(tensors);
        <B as EncoderOps>::affine(x, scale, shift)
    });
}

#[test]
fn column_products() {
    check(&[0, 1].map(|stream| input(&[3, 4], stream)), &|tensors| {
        let [x, y] = take(tensors);
        <B as EncoderOps>::column_products(x, y)
    });
}

/// The hand-written derivatives.
#[test]
fn activate() {
    for activation in ACTIVATIONS {
        check(&[input(&[4, 7], 0)], &|tensors| {
            let [x] = take(tensors);
            B::activate(x, activation)
        });
    }
}

#[test]
fn attention() {
    let offsets = Offsets::from_lengths([3, 1, 5]);
    for queries in [[3, 1, 5], [1; 3], [2, 0, 1]] {
        let queries = Offsets::from_lengths(queries);
        let shape = AttentionShape::of_some(&queries, &offsets, 2, Precision::F32);
        let rows = [&shape.queries, &shape.keys, &shape.keys].map(Offsets::num_tokens);
        let inputs = [0, 1, 2].map(|index| input(&[rows[index], 6], index as u32));
        check(&inputs, &|tensors| {
            portable::attention(attention_of(tensors, &shape, true))
        });
        // The hand-written gradients.
        check(&inputs, &|tensors| {
            let operation = attention_of(tensors, &shape, true);
            <B as EncoderOps>::attention(operation)
        });
    }
}

#[test]
fn dropout_residual_norm() {
    let inputs = [
        input(&[4, 6], 0),
        input(&[4, 6], 1),
        input(&[6], 2),
        input(&[6], 3),
    ];
    check(&inputs, &|tensors| {
        portable::NormKept::dropout_residual_norm(residual_norm(tensors, true)).0
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| {
        B::dropout_residual_norm(residual_norm(tensors, true))
    });
}

#[test]
fn dropout_residual() {
    let inputs = [input(&[4, 6], 0), input(&[4, 6], 1)];
    check(&inputs, &|tensors| {
        portable::dropout_residual(residual_sum(tensors, true))
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| {
        B::dropout_residual(residual_sum(tensors, true))
    });
}

#[test]
fn layer_norm() {
    let inputs = [input(&[4, 6], 0), input(&[6], 1), input(&[6], 2)];
    check(&inputs, &|tensors| {
        portable::NormKept::layer_norm(norm_alone(tensors)).0
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| B::norm(norm_alone(tensors)));
}

#[test]
fn pool() {
    let offsets = Offsets::from_lengths([3, 1, 2]);
    for pooling in Pooling::ALL {
        let inputs = [input(&[6, 4], 0)];
        check(&inputs, &|tensors| {
            portable::pool(pool_of(tensors, &offsets, pooling))
        });
        // The hand-written gradients.
        check(&inputs, &|tensors| {
            B::pool(pool_of(tensors, &offsets, pooling))
        });
    }
}

#[test]
fn embedding_sum() {
    let tokens = tokens();
    let inputs = [input(&[5, 6], 0), input(&[3, 6], 1), input(&[2, 6], 2)];
    check(&inputs, &|tensors| {
        portable::dropped_embedding_sum(embedding_sum_of(tensors, &tokens, true, true))
    });
    // The hand-written gradients, without token types, whose words are scaled.
    check(&inputs, &|tensors| {
        B::embedding_sum(embedding_sum_of(tensors, &tokens, true, true))
    });
    check(&inputs[..2], &|mut tensors| {
        tensors.push(tensors[0].clone());
        B::embedding_sum(embedding_sum_of(tensors, &tokens, false, true))
    });
}

fn tokens() -> PackedTokens {
    PackedTokens {
        ids: [4, 0, 2, 4, 4].into(),
        positions: [0, 1, 2, 0, 1].into(),
        type_ids: [0, 1, 1, 0, 1].into(),
        offsets: Offsets::from_lengths([3, 2]),
        used_rows: None,
    }
}

#[test]
fn embedding_norm() {
    let tokens = tokens();
    let inputs = [
        input(&[5, 6], 0),
        input(&[3, 6], 1),
        input(&[2, 6], 2),
        input(&[6], 3),
        input(&[6], 4),
    ];
    check(&inputs, &|tensors| {
        portable::NormKept::embedding_norm(embedding(tensors, &tokens, true, true)).0
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| {
        B::embedding_norm(embedding(tensors, &tokens, true, true))
    });
}

#[test]
fn vocabulary_cross_entropy() {
    let inputs = [input(&[4, 3], 0), input(&[6, 3], 1), input(&[6], 2)];
    check(&inputs, &|tensors| {
        portable::vocabulary_cross_entropy(vocabulary(tensors, Precision::F32))
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| {
        B::vocabulary_cross_entropy(vocabulary(tensors, Precision::F32))
    });
}

/// With respect to the student's queries and keys alone.
#[test]
fn attention_transfer() {
    let offsets = Offsets::from_lengths([3, 1, 4]);
    let fixed: [FloatTensor<B>; 2] = [2, 3].map(|stream| {
        let (shape, values) = input(&[8, 6], stream);
        B::float_from_data(TensorData::new(values, shape), &Default::default())
    });
    let all = |student: Vec<FloatTensor<B>>| student.into_iter().chain(fixed.clone()).collect();
    let inputs = [input(&[8, 4], 0), input(&[8, 4], 1)];
    check(&inputs, &|tensors| {
        portable::attention_transfer(transfer_of(all(tensors), &offsets, 2))
    });
    // The hand-written gradients.
    check(&inputs, &|tensors| {
        B::attention_transfer(transfer_of(all(tensors), &offsets, 2))
    });
}

#[test]
fn softmax_cross_entropy() {
    check(&[input(&[4, 3], 0)], &|tensors| {
        let [logits] = take(tensors);
        portable::softmax_cross_entropy::<B>(logits, &[2, 0, 1, 1], 3.0)
    });
}
