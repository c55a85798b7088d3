//! Optimizer steps: the same values as on the CPU, in place, and never into a tensor that something else holds.

use burn::{
    backend::{
        Backend, Cube, Flex,
        tensor::{Device, FloatTensor},
    },
    tensor::TensorData,
};

use super::*;
use crate::{
    AdafactorStep, AdamStep, SgdStep, TableRows,
    ops::{Factor, OptimizerOps, optimizer::square_parts},
};

/// One element, less and more than a cube has, and parts of different sizes.
const LENGTHS: [usize; 5] = [1, 33, 1024, 4097, 70_001];

fn tensor<B: Backend>(
    device: &Device<B>,
    shape: impl Into<burn::tensor::Shape>,
    values: Vec<f32>,
) -> FloatTensor<B> {
    B::float_from_data(TensorData::new(values, shape.into()), device)
}

fn drawn_values(stream: u32, length: usize) -> Vec<f32> {
    random::normal(5, Stream(stream), length, 1.0)
}

/// Values of a moment, which are not negative.
fn squares(stream: u32, length: usize) -> Vec<f32> {
    let values = drawn_values(stream, length).into_iter();
    values.map(|value| value * value + 0.1).collect()
}

/// The same factor as a number and as a tensor.
fn factors<B: Backend>(device: &Device<B>, value: f64) -> [Factor<B>; 2] {
    let on_device = tensor::<B>(device, [1], vec![value as f32]);
    [Factor::Host(value), Factor::Device(on_device)]
}

fn adam(decoupled_weight_decay: bool, weight_decay: f64, step: u64) -> AdamStep {
    AdamStep {
        learning_rate: 3e-3,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay,
        decoupled_weight_decay,
        step,
    }
}

const ADAFACTOR: AdafactorStep = AdafactorStep {
    learning_rate: 1e-2,
    beta_2: 0.6,
    epsilon: 1e-30,
    clip_threshold: 0.5,
};

/// Asserts that `run`, which is generic over the backend `B` and gets its device, returns the same tensors on
/// the GPU as on the CPU.
macro_rules! assert_same_tensors {
    ($device:ident => $run:expr) => {
        if let Some(gpu) = &*GPU {
            let expected: Vec<Vec<f32>> = {
                type B = Flex;
                let $device = &Device::<B>::default();
                $run.into_iter().map(values::<B>).collect()
            };
            let found: Vec<Vec<f32>> = {
                type B = Cube;
                let $device = gpu;
                $run.into_iter().map(values::<B>).collect()
            };
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.len(), expected.len());
                for (element, (found, expected)) in found.iter().zip(expected).enumerate() {
                    assert!(
                        (found - expected).abs() <= 1e-6 * (1.0 + expected.abs()),
                        "tensor {index}, element {element}: {found} instead of {expected}"
                    );
                }
            }
        }
    };
}

#[test]
fn adam_steps() {
    for length in LENGTHS {
        for decoupled in [true, false] {
            for factor in 0..2 {
                assert_same_tensors!(device => {
                    let [p, g, m] = [0, 1, 2].map(|stream| {
                        tensor::<B>(device, [length], drawn_values(stream, length))
                    });
                    let v = tensor::<B>(device, [length], squares(3, length));
                    let factor = factors::<B>(device, 0.3)[factor].clone();
                    let (p, m, v) = B::adam_step(p, g, m, v, factor, adam(decoupled, 0.1, 7));
                    [p, m, v]
                });
            }
        }
    }
}

/// Rows that have a gradient in this step, had one before, or never had one, over several steps; also a step
/// without any.
#[test]
fn adam_steps_of_rows() {
    const ROWS: usize = 150;
    for columns in [1, 33, 300] {
        for (decoupled, decay) in [(true, 0.1), (true, 0.0), (false, 0.1)] {
            assert_same_tensors!(device => {
                let length = ROWS * columns;
                let start = || tensor::<B>(device, [length], drawn_values(0, length));
                let zeros = || tensor::<B>(device, [length], vec![0.0; length]);
                let (mut p, mut m, mut v) = (start(), zeros(), zeros());
                let mut ever_used = [false; ROWS];
                for step in 1..=4u32 {
                    let uses = if step == 3 { 0 } else { 20 };
                    let used: Vec<u32> = (0..uses).map(|index| index * 3 + 11 * step).collect();
                    used.iter().for_each(|&row| ever_used[row as usize] = true);
                    let number = used.len() * columns;
                    let shape = [used.len(), columns];
                    let gradient = tensor::<B>(device, shape, drawn_values(step, number));
                    let rows = TableRows { used: used.into(), ever_used: ever_used.into() };
                    let factor = factors::<B>(device, 0.3)[step as usize % 2].clone();
                    let settings = adam(decoupled, decay, step.into());
                    (p, m, v) = B::adam_rows_step(p, gradient, m, v, rows, factor, settings);
                }
                [p, m, v]
            });
        }
    }
}

#[test]
fn sgd_steps() {
    for length in LENGTHS {
        for nesterov in [true, false] {
            assert_same_tensors!(device => {
                let [p, g, m] = [0, 1, 2]
                    .map(|stream| tensor::<B>(device, [length], drawn_values(stream, length)));
                let step = SgdStep {
                    learning_rate: 0.1,
                    momentum: 0.9,
                    nesterov,
                    weight_decay: 0.02,
                };
                let [host, on_device] = factors::<B>(device, 0.7);
                let plain = B::sgd_step(p.clone(), g.clone(), host.clone(), step);
                let same = B::sgd_step(p.clone(), g.clone(), on_device.clone(), step);
                let (p, m) = B::sgd_momentum_step(p, g.clone(), m, on_device, step);
                let (p, m) = B::sgd_momentum_step(p, g, m, host, step);
                [plain, same, p, m]
            });
        }
    }
}

#[test]
fn adafactor_updates() {
    for (length, clip_threshold) in LENGTHS.into_iter().zip([0.5, 1e3].into_iter().cycle()) {
        for factor in 0..2 {
            assert_same_tensors!(device => {
                let g = tensor::<B>(device, [length], drawn_values(1, length));
                let v = tensor::<B>(device, [length], squares(3, length));
                let step = AdafactorStep { clip_threshold, ..ADAFACTOR };
                let factor = factors::<B>(device, 0.3)[factor].clone();
                let (update, v) = B::adafactor_update(g, v, factor, step);
                [update, v]
            });
        }
    }
}

#[test]
fn factored_adafactor_updates() {
    for (rows, columns) in [(1, 1), (1, 300), (300, 1), (33, 65), (301, 517)] {
        for (factor, clip_threshold) in [(0, 0.5), (1, 1e3)] {
            assert_same_tensors!(device => {
                let length = rows * columns;
                let g = tensor::<B>(device, [rows, columns], drawn_values(1, length));
                let row_moment = tensor::<B>(device, [rows], squares(2, rows));
                let column_moment = tensor::<B>(device, [columns], squares(3, columns));
                let step = AdafactorStep { clip_threshold, ..ADAFACTOR };
                let factor = factors::<B>(device, 0.3)[factor].clone();
                let (update, row_moment, column_moment) =
                    B::adafactor_factored_update(g, row_moment, column_moment, factor, step);
                [update, row_moment, column_moment]
            });
        }
    }
}

#[test]
fn averages_sums_and_zeros() {
    for length in LENGTHS {
        assert_same_tensors!(device => {
            let [x, y] = [0, 1]
                .map(|stream| tensor::<B>(device, [length], drawn_values(stream, length)));
            let average = B::moving_average(x.clone(), y.clone(), 0.9);
            let unchanged = B::moving_average(x.clone(), y.clone(), 1.0);
            let zeros = B::zeros(length, x.clone());
            [average, unchanged, B::square_sum(x.clone()), B::sum(x, y), zeros]
        });
    }
}

/// Tensors of many sizes, of which one has no elements, above and below the largest norm.
#[test]
fn clipping_of_many_tensors() {
    for max_norm in [1.0, 1e6, f64::INFINITY] {
        assert_same_tensors!(device => {
            let lengths: Vec<usize> = LENGTHS.into_iter().chain([0, 2_000_000]).collect();
            let parts = lengths.iter().map(|&length| square_parts(length)).sum();
            let mut sums = tensor::<B>(device, [parts], vec![0.0; parts]);
            let mut place = 0;
            for (&length, stream) in lengths.iter().zip(0..) {
                let gradient = tensor::<B>(device, [length], drawn_values(stream, length));
                sums = B::put_square_sums(sums, gradient, place);
                place += square_parts(length);
            }
            let (norm, factor) = B::clip_factor(sums, max_norm);
            [norm, factor]
        });
    }
}

/// Other owners of a tensor keep its values, and a tensor without them is overwritten.
#[test]
fn shared_tensors_are_copied_and_others_are_not() {
    let Some(gpu) = &*GPU else { return };
    type B = Cube;
    let full = |value: f32| tensor::<B>(gpu, [6], vec![value; 6]);
    let [p, g, m, v] = [1.0, 0.5, 0.25, 0.125].map(full);
    let held = [&p, &g, &m, &v].map(Clone::clone);
    let step = adam(true, 0.1, 1);
    drop(B::adam_step(
        p.clone(),
        g.clone(),
        m.clone(),
        v.clone(),
        Factor::Host(1.0),
        step,
    ));
    drop(B::moving_average(p.clone(), g.clone(), 0.5));
    drop(B::adafactor_update(g, v, Factor::Host(1.0), ADAFACTOR));
    let sgd = SgdStep {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    drop(B::sgd_momentum_step(
        p,
        m.clone(),
        m,
        Factor::Host(1.0),
        sgd,
    ));
    for (tensor, value) in held.into_iter().zip([1.0, 0.5, 0.25, 0.125]) {
        assert_eq!(values::<B>(tensor), [value; 6]);
    }
    let alone = full(1.0);
    assert!(alone.can_mut());
    let before = alone.handle.memory.descriptor().id;
    let after = B::sgd_step(alone, full(0.5), Factor::Host(1.0), sgd);
    assert_eq!(after.handle.memory.descriptor().id, before);
}
