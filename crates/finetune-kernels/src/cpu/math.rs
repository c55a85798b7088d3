//! Elementary functions without branches or table lookups, so that loops over them are vectorized.
//! `FMA` is whether fused multiply-add is a single instruction.

use std::f32::consts::LOG2_E;

/// Computes `a · b + c`.
#[inline(always)]
pub(super) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    match FMA {
        true => a.mul_add(b, c),
        false => a * b + c,
    }
}

/// Evaluates the polynomial with these coefficients, from the highest power down.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = mul_add::<FMA>(sum, x, *coefficient);
    }
    sum
}

/// Limits `x` to `-limit..=limit`; NaN stays NaN. `clamp` is slower.
#[inline(always)]
fn limited(x: f32, limit: f32) -> f32 {
    let x = if x > limit { limit } else { x };
    if x < -limit { -limit } else { x }
}

/// Computes `e^x` within 2 units in the last place, down to subnormal results.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    /// Adding this rounds to an integer, which ends up in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    /// The logarithm of 2 in two parts. Products of the first part with small integers are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

    // Beyond these limits the result is infinity or 0.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let rounded = mul_add::<FMA>(x, LOG2_E, ROUND);
    let power = rounded - ROUND;
    let rest = mul_add::<FMA>(power, -LN_2[0], x);
    let rest = mul_add::<FMA>(power, -LN_2[1], rest);
    // From Cephes (S. Moshier), `expf`.
    let tail = polynomial::<FMA, 6>(
        rest,
        [
            1.987_569_1e-4,
            1.398_2e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            5.0e-1,
        ],
    );
    let value = mul_add::<FMA>(tail * rest, rest, rest) + 1.0;
    // Two factors are used, because the power of 2 itself may not be a normal number.
    let power = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = power >> 1;
    value * power_of_two(half) * power_of_two(power.wrapping_sub(half))
}

/// Computes `2^power` for powers from -126 to 127.
#[inline(always)]
fn power_of_two(power: i32) -> f32 {
    f32::from_bits((power.wrapping_add(127) as u32) << 23)
}

/// Computes the error function within 6e-7, by the rational approximation of Eigen.
#[inline(always)]
pub(super) fn erf<const FMA: bool>(x: f32) -> f32 {
    // Beyond 4 the result is within half a unit in the last place of 1. It must be exactly 1, so that
    // GELU of a large value is that value.
    let is_one = x.abs() >= 4.0;
    let one = 1.0f32.copysign(x);
    let x = limited(x, 4.0);
    let square = x * x;
    let numerator = polynomial::<FMA, 7>(
        square,
        [
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let denominator = polynomial::<FMA, 5>(
        square,
        [
            -1.456_607_2e-5,
            -2.133_740_5e-4,
            -1.682_827e-3,
            -7.373_329e-3,
            -1.426_474e-2,
        ],
    );
    match is_one {
        true => one,
        false => x * numerator / denominator,
    }
}

/// Computes the hyperbolic tangent within 4e-7, by the rational approximation of Eigen.
#[inline(always)]
pub(super) fn tanh<const FMA: bool>(x: f32) -> f32 {
    // Beyond this limit the result is within half a unit in the last place of 1.
    let x = limited(x, 7.905_311);
    let square = x * x;
    let numerator = polynomial::<FMA, 7>(
        square,
        [
            -2.760_768_5e-16,
            2.000_188e-13,
            -8.604_672e-11,
            5.122_297e-8,
            1.485_722_4e-5,
            6.372_619e-4,
            4.893_524_6e-3,
        ],
    );
    let denominator = polynomial::<FMA, 4>(
        square,
        [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3],
    );
    x * numerator / denominator
}

/// Computes `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a dense grid over the range in which functions vary, and points outside of it.
    fn grid(limit: f32) -> impl Iterator<Item = f32> {
        let steps = 400_000;
        let dense = (-steps..=steps).map(move |step| limit * step as f32 / steps as f32);
        let tiny = [0.0, -0.0, f32::MIN_POSITIVE, -1e-40, 1e-10, -1e-4];
        let far = [100.0, -100.0, 1e10, -1e10, f32::MAX, f32::MIN];
        let infinite = [f32::INFINITY, f32::NEG_INFINITY];
        dense.chain(tiny).chain(far).chain(infinite)
    }

    /// Compares both ways of rounding with `exact`, within an absolute and a relative error.
    fn check(
        both: [fn(f32) -> f32; 2],
        exact: fn(f64) -> f64,
        limit: f32,
        [absolute, relative]: [f64; 2],
    ) {
        for function in both {
            for x in grid(limit) {
                let (found, expected) = (f64::from(function(x)), exact(f64::from(x)));
                let error = (found - expected).abs() - relative * expected.abs();
                assert!(
                    found == expected || error <= absolute,
                    "{found} instead of {expected} at {x}"
                );
            }
            assert!(function(f32::NAN).is_nan());
        }
    }

    #[test]
    fn exp_is_exact_to_two_units_in_the_last_place() {
        // Infinity if the value exceeds f32.
        let exact = |x: f64| f64::from(x.exp() as f32);
        check([exp::<true>, exp::<false>], exact, 110.0, [2e-45, 2.4e-7]);
    }

    #[test]
    fn erf_is_exact_to_six_digits() {
        check([erf::<true>, erf::<false>], libm::erf, 6.0, [6e-7, 0.0]);
    }

    #[test]
    fn tanh_is_exact_to_six_digits() {
        check([tanh::<true>, tanh::<false>], f64::tanh, 12.0, [4e-7, 0.0]);
    }

    #[test]
    fn sigmoid_is_exact_to_six_digits() {
        let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        check(
            [sigmoid::<true>, sigmoid::<false>],
            exact,
            110.0,
            [2e-7, 0.0],
        );
    }
}
