//! Compares every kernel that this processor supports with sums in f64.

use proptest::prelude::*;

use super::{
    Epilogue, Matrix, PackedMatrix, Right, choice::Choice, driver::run_on, lanes::rounded,
    multiply, multiply_here,
};
use crate::{Activation, Precision, Stream, memory::Piece, random};

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Bf16];

/// Lists the kernels that this processor supports, with the precision to which they round their
/// operands.
fn kernels() -> Vec<(Choice, Precision)> {
    #[cfg_attr(any(not(target_arch = "x86_64"), miri), expect(unused_mut))]
    let mut kernels = vec![
        (Choice::Plain, Precision::F32),
        (Choice::PlainRounded, Precision::Bf16),
    ];
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use super::{
            lanes::Avx2,
            x86::{amx::Amx, avx512::Avx512, bf16::Avx512Bf16},
        };
        if Avx2::is_available() {
            kernels.push((Choice::Avx2, Precision::F32));
            kernels.push((Choice::Avx2Rounded, Precision::Bf16));
        }
        if Avx512::is_available() {
            kernels.push((Choice::Avx512, Precision::F32));
        }
        if Amx::is_available() {
            kernels.push((Choice::Amx, Precision::Bf16));
        }
        if Avx512Bf16::is_available() {
            kernels.push((Choice::Avx512Bf16, Precision::Bf16));
        }
    }
    kernels
}

fn elements(stream: u32, len: usize) -> Vec<f32> {
    random::normal(5, Stream(stream), len, 1.0)
}

/// A matrix in memory with `gap` elements between lines that must not be read.
struct Operand {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
    stride: usize,
    transposed: bool,
}

impl Operand {
    fn new(stream: u32, rows: usize, cols: usize, transposed: bool, gap: usize) -> Self {
        let (lines, length) = if transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        let stride = length + gap;
        let mut data = elements(stream, lines * stride);
        for (index, value) in data.iter_mut().enumerate() {
            if index % stride >= length {
                *value = f32::NAN;
            }
        }
        Self {
            data,
            rows,
            cols,
            stride,
            transposed,
        }
    }

    fn matrix(&self) -> Matrix<'_> {
        let (rows, cols) = match self.transposed {
            true => (self.cols, self.rows),
            false => (self.rows, self.cols),
        };
        let matrix = Matrix::strided(&self.data, rows, cols, self.stride);
        if self.transposed {
            matrix.transpose()
        } else {
            matrix
        }
    }

    fn at(&self, row: usize, col: usize, precision: Precision) -> f64 {
        let index = match self.transposed {
            true => col * self.stride + row,
            false => row * self.stride + col,
        };
        f64::from(match precision {
            Precision::F32 | Precision::Tf32 => self.data[index],
            Precision::Bf16 => rounded(self.data[index]),
        })
    }
}

fn expected(a: &Operand, b: &Operand, precision: Precision) -> Vec<f64> {
    let element = |row, col| {
        let products = (0..a.cols).map(|k| a.at(row, k, precision) * b.at(k, col, precision));
        products.sum()
    };
    let rows = (0..a.rows).flat_map(|row| (0..b.cols).map(move |col| (row, col)));
    rows.map(|(row, col)| element(row, col)).collect()
}

fn check(found: &[f32], expected: &[f64], steps: usize) {
    // Sums of `steps` products of values near 1.
    let tolerance = 2e-6 * (steps as f64).max(1.0);
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - expected).abs() <= tolerance,
            "element {index}: {found} instead of {expected}"
        );
    }
}

/// Draws shapes around the bounds of panels, groups of panels, and blocks of steps. They are small
/// under Miri, which takes minutes for a million multiplications.
fn sides() -> impl Strategy<Value = [usize; 3]> {
    let side = || match cfg!(miri) {
        true => prop_oneof![1usize..10, 45usize..50],
        false => prop_oneof![1usize..40, 90usize..130],
    };
    let steps = match cfg!(miri) {
        true => prop_oneof![1usize..10, 10usize..40, 380usize..390],
        false => prop_oneof![1usize..40, 380usize..420, 760usize..800],
    };
    (side(), steps, side()).prop_map(|(rows, steps, cols)| [rows, steps, cols])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 96 }))]

    #[test]
    fn every_kernel_multiplies(
        [rows, steps, cols] in sides(),
        [left, right] in any::<[bool; 2]>(),
        gap in 0usize..3,
        [accumulate, biased] in any::<[bool; 2]>(),
    ) {
        let a = Operand::new(0, rows, steps, left, gap);
        let b = Operand::new(1, steps, cols, right, gap);
        let bias = elements(2, cols);
        for (choice, precision) in kernels() {
            let mut sums = expected(&a, &b, precision);
            let mut out = vec![f32::NAN; rows * cols];
            if accumulate {
                out.fill(0.5);
                sums.iter_mut().for_each(|sum| *sum += 0.5);
            }
            if biased {
                let biases = bias.iter().cycle();
                sums.iter_mut().zip(biases).for_each(|(sum, &bias)| *sum += f64::from(bias));
            }
            let bias = biased.then_some(&bias[..]);
            let epilogue = Epilogue { accumulate, bias, ..Epilogue::default() };
            run_on(choice, &mut out, a.matrix(), Right::Plain(b.matrix()), epilogue);
            check(&out, &sums, steps);
        }
    }

    #[test]
    fn a_row_is_the_same_bits_among_any_others(
        [rows, steps, cols] in sides(),
        accumulate in any::<bool>(),
    ) {
        let a = Operand::new(0, rows, steps, false, 0);
        let b = Operand::new(1, steps, cols, false, 0);
        let bias = elements(2, cols);
        for (choice, _) in kernels() {
            let multiply = |a, rows| {
                let mut out = vec![0.5; rows * cols];
                let epilogue = Epilogue { accumulate, bias: Some(&bias), ..Epilogue::default() };
                run_on(choice, &mut out, a, Right::Plain(b.matrix()), epilogue);
                out
            };
            let all = multiply(a.matrix(), rows);
            for row in [0, rows / 2, rows - 1] {
                let one = Matrix::new(&a.data[row * steps..][..steps], 1, steps);
                prop_assert_eq!(&all[row * cols..][..cols], &multiply(one, 1));
            }
        }
    }

    #[test]
    fn rows_in_place_and_packed_give_the_same_bits([rows, steps, cols] in sides()) {
        let operand = |stride| Operand::new(0, rows, steps, false, stride - steps);
        let (packed, mut in_place) = (operand(1024), operand(1025));
        for (to, from) in in_place.data.chunks_mut(1025).zip(packed.data.chunks(1024)) {
            to[..steps].copy_from_slice(&from[..steps]);
        }
        let b = Operand::new(1, steps, cols, false, 0);
        for (choice, _) in kernels() {
            let results = [&packed, &in_place].map(|a| {
                let mut out = vec![0.0; rows * cols];
                let right = Right::Plain(b.matrix());
                run_on(choice, &mut out, a.matrix(), right, Epilogue::default());
                out
            });
            prop_assert_eq!(&results[0], &results[1]);
        }
    }

    #[test]
    fn the_epilogue_is_applied([rows, steps, cols] in sides(), kept in any::<bool>()) {
        let a = Operand::new(0, rows, steps, false, 0);
        let b = Operand::new(1, steps, cols, false, 0);
        let bias = elements(2, cols);
        let mut sums = expected(&a, &b, Precision::F32);
        for row in sums.chunks_mut(cols) {
            row.iter_mut().zip(&bias).for_each(|(sum, &bias)| *sum += f64::from(bias));
        }
        let activated: Vec<f64> = sums.iter().map(|sum| sum.max(0.0)).collect();
        let (mut out, mut other) = (vec![f32::NAN; rows * cols], vec![f32::NAN; rows * cols]);
        let epilogue = Epilogue {
            bias: Some(&bias),
            activation: Some(Activation::Relu),
            activated: kept.then_some(&mut other[..]),
            ..Epilogue::default()
        };
        multiply(&mut out, a.matrix(), Right::Plain(b.matrix()), epilogue, Precision::F32);
        if kept {
            check(&out, &sums, steps);
            check(&other, &activated, steps);
        } else {
            check(&out, &activated, steps);
        }
    }

    #[test]
    fn past_the_caches_come_the_same_bits(
        [rows, steps, _] in sides(),
        cols in prop_oneof![Just(32usize), Just(48), Just(96), 97usize..130],
        [left, accumulate] in any::<[bool; 2]>(),
        offset in prop_oneof![Just(0usize), Just(1), Just(16)],
    ) {
        let a = Operand::new(0, rows, steps, left, 0);
        let b = Operand::new(1, steps, cols, false, 0);
        for (choice, _) in kernels() {
            let results = [false, true].map(|streamed| {
                let mut memory = Piece::new(offset + rows * cols);
                memory.as_mut_slice().fill(0.5);
                let out = &mut memory.as_mut_slice()[offset..][..rows * cols];
                let epilogue = Epilogue { accumulate, streamed, ..Epilogue::default() };
                run_on(choice, out, a.matrix(), Right::Plain(b.matrix()), epilogue);
                out.to_vec()
            });
            prop_assert_eq!(&results[0], &results[1]);
        }
    }

    #[test]
    fn a_packed_operand_gives_the_same_bits([rows, steps, cols] in sides(), right in any::<bool>()) {
        let a = Operand::new(0, rows, steps, false, 0);
        let b = Operand::new(1, steps, cols, right, 1);
        for precision in PRECISIONS {
            let (mut plain, mut packed) = (vec![0.0; rows * cols], vec![0.0; rows * cols]);
            let all = PackedMatrix::new(b.matrix(), precision);
            let epilogue = Epilogue::default;
            multiply(&mut plain, a.matrix(), Right::Plain(b.matrix()), epilogue(), precision);
            multiply(&mut packed, a.matrix(), Right::Packed(&all), epilogue(), precision);
            prop_assert_eq!(plain, packed);
        }
    }

    #[test]
    fn a_small_multiplication_gives_the_same_bits(
        [rows, steps, cols] in [1usize..60, 1usize..130, 1usize..60],
        [left, right, accumulate] in any::<[bool; 3]>(),
        gap in 0usize..3,
    ) {
        let a = Operand::new(0, rows, steps, left, gap);
        let b = Operand::new(1, steps, cols, right, gap);
        for precision in PRECISIONS {
            let (mut out, mut here) = (vec![0.5; rows * cols], vec![0.5; rows * (cols + gap)]);
            let epilogue = Epilogue { accumulate, ..Epilogue::default() };
            multiply(&mut out, a.matrix(), Right::Plain(b.matrix()), epilogue, precision);
            multiply_here(&mut here, cols + gap, a.matrix(), b.matrix(), accumulate, precision);
            let lines = here.chunks(cols + gap);
            prop_assert!(lines.clone().all(|line| line[cols..].iter().all(|&x| x == 0.5)));
            let here: Vec<f32> = lines.flat_map(|line| line[..cols].to_vec()).collect();
            prop_assert_eq!(out, here);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore)]
fn threads_do_not_change_a_bit() {
    let a = Operand::new(0, 700, 900, false, 0);
    let b = Operand::new(1, 900, 333, true, 0);
    for precision in PRECISIONS {
        let results = [1, 2, 4, 16].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let mut out = vec![0.0; 700 * 333];
            pool.unwrap().install(|| {
                let right = Right::Plain(b.matrix());
                multiply(&mut out, a.matrix(), right, Epilogue::default(), precision);
            });
            out
        });
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
        assert_eq!(results[0], results[3]);
    }
}

#[test]
fn no_steps_are_a_sum_of_zero() {
    let (mut out, mut here) = ([f32::NAN; 6], [f32::NAN; 6]);
    let (a, b) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3));
    let epilogue = Epilogue {
        bias: Some(&[1.0, 2.0, 3.0]),
        ..Epilogue::default()
    };
    multiply(&mut out, a, Right::Plain(b), epilogue, Precision::F32);
    multiply_here(&mut here, 3, a, b, false, Precision::F32);
    assert_eq!((out, here), ([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], [0.0; 6]));
}

#[test]
fn bf16_rounds_to_nearest_even() {
    for (value, expected) in [
        (1.0, 1.0),
        (1.003_906_2, 1.0),
        (1.003_906_4, 1.007_812_5),
        (1.011_718_8, 1.015_625),
        (f32::INFINITY, f32::INFINITY),
        (f32::MAX, f32::INFINITY),
    ] {
        assert_eq!(rounded(value), expected);
        assert_eq!(rounded(-value), -expected);
    }
    assert!(rounded(f32::NAN).is_nan());
}
