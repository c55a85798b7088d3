//! Attention over sequences of many lengths.

use burn::backend::ops::FloatTensorOps;

use super::*;
use crate::{
    AttentionShape, Offsets, Precision,
    backends::portable::UPLOADS,
    ops::{Attention, AttentionBackward, EncoderGradients, EncoderOps},
};

/// Compares attention of `queries` to `keys`, the lengths of the sequences, with the CPU's.
fn compare(queries: &[u32], keys: &[u32], heads: usize, size: usize, tracked: u32, dropped: bool) {
    let [query_rows, key_rows] =
        [queries, keys].map(|lengths| lengths.iter().sum::<u32>() as usize);
    let width = heads * size;
    let shapes: [&[usize]; 3] = [&[query_rows, width], &[key_rows, width], &[key_rows, width]];
    let keys = Offsets::from_lengths(keys.iter().copied());
    let queries = Offsets::from_lengths(queries.iter().copied());
    let shape = AttentionShape::of_some(&queries, &keys, heads, Precision::F32);
    assert_agrees!(inputs(&shapes, tracked), 1e-5, tensors => {
        let [query, key, value] = take(tensors);
        B::attention(Attention {
            query,
            key,
            value,
            shape: shape.clone(),
            dropout: drawn(dropped),
        })
    });
}

#[test]
fn head_sizes() {
    // The last ones have no kernel.
    for (heads, size) in [
        (2, 64),
        (12, 32),
        (3, 4),
        (1, 20),
        (1, 128),
        (2, 3),
        (1, 1024),
    ] {
        for dropped in [false, true] {
            let lengths = [5, 1, 40, 16];
            compare(&lengths, &lengths, heads, size, 0b111, dropped);
        }
    }
}

#[test]
fn lengths() {
    for lengths in [
        &[1][..],
        &[16],
        &[17],
        &[31, 32, 33],
        &[1, 0, 3],
        &[0],
        &[300, 2, 64, 65],
        &[4; 70],
    ] {
        for dropped in [false, true] {
            compare(lengths, lengths, 2, 32, 0b111, dropped);
        }
    }
}

#[test]
fn some_queries_of_all_keys() {
    for (queries, keys) in [
        (&[1; 3][..], &[3, 1, 70][..]),
        (&[0, 2, 0], &[3, 5, 40]),
        (&[40, 1], &[1, 2]),
        (&[2, 1], &[0, 2]),
        (&[0], &[2]),
    ] {
        for dropped in [false, true] {
            compare(queries, keys, 3, 16, 0b111, dropped);
        }
    }
}

#[test]
fn wanted_gradients() {
    for tracked in 0..8 {
        for dropped in [false, true] {
            compare(&[3, 40, 1], &[3, 40, 1], 2, 32, tracked, dropped);
        }
    }
}

#[test]
fn the_bounds_are_uploaded_once() {
    let Some(gpu) = &*GPU else {
        return;
    };
    let tensor = || {
        let data = TensorData::new(random::normal(7, Stream(0), 6 * 8, 1.0), [6, 8]);
        Cube::float_from_data(data, gpu)
    };
    let offsets = Offsets::from_lengths([4, 2]);
    let before = UPLOADS.get();
    let mut results = Vec::new();
    for _ in 0..6 {
        let operation = Attention::<Cube> {
            query: tensor(),
            key: tensor(),
            value: tensor(),
            shape: AttentionShape::of_all(&offsets, 2, Precision::F32),
            dropout: drawn(true),
        };
        let (result, kept) = <Cube as EncoderGradients>::AttentionKept::attention(operation);
        let gradients = kept.gradients(result, [true; 3]);
        results.push(gradients.map(|x| values::<Cube>(x.unwrap())));
    }
    assert_eq!(UPLOADS.get() - before, 1);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn a_long_sequence() {
    compare(&[1], &[8192], 1, 32, 0b111, true);
    compare(&[2049], &[2049], 1, 8, 0b111, false);
}
