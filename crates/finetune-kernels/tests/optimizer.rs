//! Compares the CPU backend's single-pass optimizer steps with the portable ones, which handle tensors
//! that are not contiguous. Both are compared with torch and transformers in the workspace's `tests`.
#![allow(clippy::unwrap_used)]

use burn::{
    Tensor,
    tensor::{Device, Distribution, TensorData},
};
use finetune_kernels::{
    AdafactorStep, AdamStep, Factor, SgdStep, TableRows, adafactor_factored_update,
    adafactor_update, adam_rows_step, adam_step, clipping, moving_average, scatter_rows,
    sgd_momentum_step, sgd_step, square_sum, sum, zeros,
};

/// Large enough for several pieces of work per thread, with a remainder.
const SHAPE: [usize; 2] = [301, 517];

fn random() -> Tensor<2> {
    Tensor::random(SHAPE, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn assert_close<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(found.dims(), expected.dims());
    for (index, (found, expected)) in values(found).iter().zip(values(expected)).enumerate() {
        assert!(
            (found - expected).abs() <= 2e-6 * (1.0 + expected.abs()),
            "element {index}: {found} instead of {expected}"
        );
    }
}

/// A factor in a tensor.
fn device_factor(value: f32) -> Factor {
    Factor::Device(Tensor::from_floats([value], &Device::flex()))
}

const ADAM: AdamStep = AdamStep {
    learning_rate: 3e-3,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.01,
    decoupled_weight_decay: true,
    step: 7,
};

/// Three steps of `torch.optim.AdamW` by its formulas, in f64.
#[test]
fn adamw_is_its_definition() {
    let device = Device::flex();
    let start = [0.5, -1.5, 2.0];
    let mut parameter = Tensor::<1>::from_floats(start.map(|v| v as f32), &device);
    let (mut m, mut v) = (parameter.zeros_like(), parameter.zeros_like());
    let (mut p, mut first, mut second) = (start, [0.0f64; 3], [0.0f64; 3]);
    for step in 1..=3u64 {
        let gradient = [0.1 * step as f64, -0.7, 3.0];
        let settings = AdamStep {
            learning_rate: 1e-2,
            weight_decay: 0.1,
            step,
            ..ADAM
        };
        let tensor = Tensor::<1>::from_floats(gradient.map(|v| v as f32), &device);
        (parameter, m, v) = adam_step(parameter, tensor, m, v, 0.5, settings);
        for i in 0..3 {
            let g = gradient[i] * 0.5;
            p[i] *= 1.0 - 1e-2 * 0.1;
            first[i] += (g - first[i]) * 0.1;
            second[i] = second[i] * 0.999 + g * g * 0.001;
            let denominator = second[i].sqrt() / (1.0 - 0.999f64.powi(step as i32)).sqrt() + 1e-8;
            p[i] -= 1e-2 / (1.0 - 0.9f64.powi(step as i32)) * first[i] / denominator;
        }
    }
    for (found, expected) in [(parameter, p), (m, first), (v, second)] {
        let expected = Tensor::<1>::from_floats(expected.map(|v| v as f32), &device);
        assert_close(found, expected);
    }
}

#[test]
fn adam_in_one_pass() {
    for decoupled_weight_decay in [true, false] {
        let step = AdamStep {
            decoupled_weight_decay,
            ..ADAM
        };
        let [p, g, m, v] = [random(), random(), random(), random().abs()];
        let t = |tensor: &Tensor<2>| tensor.clone().transpose();
        let portable = adam_step(t(&p), t(&g), t(&m), t(&v), 0.3, step);
        let fast = adam_step(p, g, m, v, device_factor(0.3), step);
        assert_close(fast.0, portable.0.transpose());
        assert_close(fast.1, portable.1.transpose());
        assert_close(fast.2, portable.2.transpose());
    }
}

#[test]
fn sgd_in_one_pass() {
    for nesterov in [true, false] {
        let step = SgdStep {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov,
            weight_decay: 0.02,
        };
        let [p, g, m] = [(); 3].map(|()| random());
        let t = |tensor: &Tensor<2>| tensor.clone().transpose();
        let portable = sgd_momentum_step(t(&p), t(&g), t(&m), device_factor(0.7), step);
        let plain = sgd_step(t(&p), t(&g), device_factor(0.7), step);
        assert_close(
            sgd_step(p.clone(), g.clone(), 0.7, step),
            plain.clone().transpose(),
        );
        let fast = sgd_momentum_step(p.clone(), g.clone(), m, 0.7, step);
        assert_close(fast.0, portable.0.transpose());
        assert_close(fast.1, portable.1.transpose());
        // With an empty buffer and without Nesterov momentum, the momentum has no effect.
        if !nesterov {
            let first = sgd_momentum_step(p.clone(), g, p.zeros_like(), 0.7, step);
            assert_close(first.0, plain.transpose());
        }
    }
}

/// Linear weights are `[in, out]` here and `[out, in]` in torch. The two agree because the update of the
/// transposed gradient is the transposed update.
#[test]
fn adafactor_in_one_pass_and_transposed() {
    for clip_threshold in [1e3, 0.5] {
        let step = AdafactorStep {
            learning_rate: 1e-2,
            beta_2: 0.6,
            epsilon: 1e-30,
            clip_threshold,
        };
        let [g, v] = [random(), random().abs() + 0.1];
        let t = |tensor: &Tensor<2>| tensor.clone().transpose();
        let portable = adafactor_update(t(&g), t(&v), device_factor(0.3), step);
        let fast = adafactor_update(g.clone(), v, 0.3, step);
        assert_close(fast.0, portable.0.transpose());
        assert_close(fast.1, portable.1.transpose());

        // A realistic moment: both means of the same matrix.
        let before = random().powf_scalar(2.0) + 0.1;
        let rows = before.clone().mean_dim(1).squeeze_dim::<1>(1);
        let columns = before.mean_dim(0).squeeze_dim::<1>(0);
        let portable = adafactor_factored_update(t(&g), columns.clone(), rows.clone(), 0.3, step);
        let fast = adafactor_factored_update(g, rows, columns, device_factor(0.3), step);
        assert_close(fast.0, portable.0.transpose());
        assert_close(fast.1, portable.2);
        assert_close(fast.2, portable.1);
    }
}

#[test]
fn average_and_norm_in_one_pass() {
    let [average, value] = [random(), random()];
    let portable = moving_average(average.clone().transpose(), value.clone().transpose(), 0.9);
    let fast = moving_average(average.clone(), value.clone(), 0.9);
    assert_close(fast, portable.transpose());
    assert_close(moving_average(average.clone(), value, 1.0), average.clone());
    let exact: f64 = values(average.clone()).iter().map(|v| v * v).sum();
    for sum in [square_sum(average.clone()), square_sum(average.transpose())] {
        let sum = f64::from(sum.into_scalar::<f32>());
        assert!((sum / exact - 1.0).abs() < 1e-6, "{sum} and {exact}");
    }
}

/// As `torch.nn.utils.clip_grad_norm_` does, for norms above and below the most.
#[test]
fn clipping_scales_to_the_largest_norm() {
    let gradients = || {
        [
            random().reshape([-1]),
            Tensor::from_floats([3.0, -4.0], &Device::flex()),
        ]
    };
    assert!(clipping(Vec::new(), 1.0).is_none());
    for max_norm in [0.5, 1e6, f64::INFINITY] {
        let gradients = gradients();
        let squares = gradients
            .iter()
            .flat_map(|gradient| values(gradient.clone()));
        let norm = squares.map(|v| v * v).sum::<f64>().sqrt();
        let [found, factor] = clipping(gradients.to_vec(), max_norm).unwrap();
        let found = f64::from(found.into_scalar::<f32>());
        assert!((found / norm - 1.0).abs() < 1e-6, "{found} and {norm}");
        let factor = f64::from(factor.into_scalar::<f32>());
        let expected = (max_norm / (norm + 1e-6)).min(1.0);
        assert!(
            (factor / expected - 1.0).abs() < 1e-6,
            "{factor} and {expected}"
        );
    }
}

#[test]
fn sums_in_one_pass() {
    let [x, y] = [random(), random()];
    let expected = x.clone() + y.clone();
    let transposed = sum(x.clone().transpose(), y.clone().transpose()).transpose();
    assert_eq!(values(transposed), values(expected.clone()));
    assert_eq!(values(sum(x, y)), values(expected));
}

/// Other owners of a tensor keep its values: a snapshot costs nothing until the next step.
#[test]
fn shared_tensors_are_not_overwritten() {
    let data = |value: f32| TensorData::new(vec![value; 6], [2, 3]);
    let device = Device::flex();
    let [p, g, m, v] = [1.0, 0.5, 0.25, 0.125].map(|v| Tensor::<2>::from_data(data(v), &device));
    let held = [&p, &g, &m, &v].map(Clone::clone);
    drop(adam_step(
        p.clone(),
        g.clone(),
        m.clone(),
        v.clone(),
        0.3,
        ADAM,
    ));
    drop(moving_average(p.clone(), g.clone(), 0.5));
    drop(sum(p.clone(), g.clone()));
    let sgd = SgdStep {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    drop(sgd_momentum_step(p, g.clone(), m, 1.0, sgd));
    let adafactor = AdafactorStep {
        learning_rate: 0.1,
        beta_2: 0.5,
        epsilon: 1e-30,
        clip_threshold: 1.0,
    };
    drop(adafactor_update(g, v, 1.0, adafactor));
    for (tensor, value) in held.into_iter().zip([1.0, 0.5, 0.25, 0.125]) {
        assert_eq!(values(tensor), [value; 6]);
    }
}

/// Steps on some rows of a table equal those on the whole table bit for bit, for rows that have a
/// gradient in this step, had one before, or never had one.
#[test]
fn adam_of_rows_is_adam_of_the_table() {
    const TABLE: [usize; 2] = [150, 33];
    let device = Device::flex();
    for (weight_decay, decoupled_weight_decay) in [(0.1, true), (0.0, true), (0.1, false)] {
        let start = random().slice([0..TABLE[0], 0..TABLE[1]]);
        let start = Tensor::<2>::from_data(start.into_data(), &device);
        let length = TABLE[0] * TABLE[1];
        let zeros = || zeros(length, &start);
        let (mut whole, mut m, mut v) = (start.clone().reshape([length]), zeros(), zeros());
        let (mut parts, mut part_m, mut part_v) = (whole.clone(), zeros(), zeros());
        let mut ever_used = [false; TABLE[0]];
        for step in 1..=4u32 {
            let used: Vec<u32> = (0..20).map(|index| index * 3 + 11 * step).collect();
            used.iter().for_each(|&row| ever_used[row as usize] = true);
            let gradient = random().slice([0..used.len(), 0..TABLE[1]]);
            let gradient = Tensor::<2>::from_data(gradient.into_data(), &device);
            let settings = AdamStep {
                weight_decay,
                decoupled_weight_decay,
                step: step.into(),
                ..ADAM
            };
            let dense = scatter_rows(gradient.clone(), used.clone(), TABLE[0]);
            (whole, m, v) = adam_step(whole, dense.reshape([length]), m, v, 0.3, settings);
            let rows = TableRows {
                used: used.into(),
                ever_used: ever_used.into(),
            };
            (parts, part_m, part_v) =
                adam_rows_step(parts, gradient, part_m, part_v, rows, 0.3, settings);
        }
        for (found, expected) in [(parts, whole), (part_m, m), (part_v, v)] {
            assert_eq!(values(found), values(expected));
        }
    }
}

#[test]
fn same_bits_for_any_number_of_threads() {
    let [p, g, m, v] = [random(), random(), random(), random().abs() + 0.1];
    let (rows, columns) = (v.clone().mean_dim(1), v.clone().mean_dim(0));
    let sgd = SgdStep {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.02,
    };
    let adafactor = AdafactorStep {
        learning_rate: 1e-2,
        beta_2: 0.6,
        epsilon: 1e-30,
        clip_threshold: 0.5,
    };
    let copy = |tensor: &Tensor<2>| Tensor::<2>::from_data(tensor.to_data(), &Device::flex());
    let run = || {
        let [p, g, m, v] = [&p, &g, &m, &v].map(copy);
        let sum = square_sum(g.clone()).reshape([1, 1]);
        let plain = sgd_step(p.clone(), g.clone(), 0.7, sgd);
        let with_momentum = sgd_momentum_step(p.clone(), g.clone(), m.clone(), 0.7, sgd);
        let average = moving_average(p.clone(), g.clone(), 0.9);
        let whole = adafactor_update(g.clone(), v.clone(), 0.3, adafactor);
        let (rows, columns) = (copy(&rows).squeeze_dim(1), copy(&columns).squeeze_dim(0));
        let factored = adafactor_factored_update(g.clone(), rows, columns, 0.3, adafactor);
        let adam = adam_step(p, g, m, v, 0.3, ADAM);
        let results = [
            sum,
            plain,
            with_momentum.0,
            with_momentum.1,
            average,
            whole.0,
            whole.1,
            factored.0,
            adam.0,
            adam.1,
            adam.2,
        ];
        results.map(|tensor| {
            tensor
                .into_data()
                .iter::<f32>()
                .map(f32::to_bits)
                .collect::<Vec<_>>()
        })
    };
    let [one, two, four] = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(run)
    });
    assert!(one == two && two == four);
}
