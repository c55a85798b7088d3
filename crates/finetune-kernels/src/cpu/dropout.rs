//! Dropout factors from the counter-based generator, computed for many blocks at once.

use super::multiversion::multiversion;

/// Number of random words, and so of elements, in a block of Philox.
const BLOCK: usize = 4;
/// Number of blocks computed at once if there are many elements, and if there are few.
const MANY: usize = 16;
const FEW: usize = 8;

/// Dropout at one site of the model in one step: the parameters from which every factor follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) key: [u32; 2],
    /// The upper half of each counter.
    pub(crate) place: [u32; 2],
    /// An element is dropped when its word is below this.
    pub(crate) threshold: u32,
    /// The factor of an element that is kept.
    pub(crate) scale: f32,
}

multiversion! {
    /// Writes the factors (0 or the scale) of the elements starting at `first`.
    pub(crate) fn fill(draws: Draws, first: u64, factors: &mut [f32]) {
        each(draws, first, factors, |_, factor| factor);
    }
}

multiversion! {
    /// Multiplies the elements starting at `first` by their factors.
    pub(crate) fn multiply(draws: Draws, first: u64, values: &mut [f32]) {
        each(draws, first, values, |value, factor| value * factor);
    }
}

/// Replaces each value by `combine` of it and its factor.
#[inline(always)]
fn each(draws: Draws, first: u64, values: &mut [f32], combine: impl Fn(f32, f32) -> f32) {
    let act = |values: &mut [f32], words: &[u32]| {
        for (value, &word) in values.iter_mut().zip(words) {
            let factor = match word >= draws.threshold {
                true => draws.scale,
                false => 0.0,
            };
            *value = combine(*value, factor);
        }
    };
    let mut block = first / BLOCK as u64;
    let mut values = values;
    let before = (first % BLOCK as u64) as usize;
    if before > 0 {
        let (head, rest) = values.split_at_mut(values.len().min(BLOCK - before));
        act(head, &words::<1>(draws, block).as_flattened()[before..]);
        values = rest;
        block += 1;
    }
    let (pieces, rest) = values.as_chunks_mut::<{ BLOCK * MANY }>();
    for piece in pieces {
        act(piece, words::<MANY>(draws, block).as_flattened());
        block += MANY as u64;
    }
    for piece in rest.chunks_mut(BLOCK * FEW) {
        act(piece, words::<FEW>(draws, block).as_flattened());
        block += FEW as u64;
    }
}

/// Computes [`philox4x32_10`](crate::random::philox4x32_10) of the `COUNT` blocks starting at `first`.
/// The 32-bit words are stored in 64 bits, which have room for their products; the upper halves are
/// ignored.
#[inline(always)]
fn words<const COUNT: usize>(draws: Draws, first: u64) -> [[u32; BLOCK]; COUNT] {
    const LOW: u64 = 0xFFFF_FFFF;
    let [mut c0, mut c1] = [[0; COUNT]; 2];
    let [mut c2, mut c3] = draws.place.map(|part| [u64::from(part); COUNT]);
    for lane in 0..COUNT {
        c0[lane] = first + lane as u64;
        c1[lane] = c0[lane] >> 32;
    }
    let mut key = draws.key;
    for _ in 0..10 {
        for lane in 0..COUNT {
            let first = (c0[lane] & LOW) * 0xD251_1F53;
            let second = (c2[lane] & LOW) * 0xCD9E_8D57;
            c0[lane] = (second >> 32) ^ c1[lane] ^ u64::from(key[0]);
            c1[lane] = second;
            c2[lane] = (first >> 32) ^ c3[lane] ^ u64::from(key[1]);
            c3[lane] = first;
        }
        key[0] = key[0].wrapping_add(0x9E37_79B9);
        key[1] = key[1].wrapping_add(0xBB67_AE85);
    }
    let mut words = [[0; BLOCK]; COUNT];
    for (lane, words) in words.iter_mut().enumerate() {
        *words = [c0[lane], c1[lane], c2[lane], c3[lane]].map(|word| word as u32);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::philox4x32_10;

    proptest! {
        #[test]
        fn factors_are_those_of_the_scalar_generator(
            key in any::<[u32; 2]>(),
            place in any::<[u32; 2]>(),
            threshold in any::<u32>(),
            // The indices of some blocks exceed 32 bits.
            first in prop_oneof![0u64..100, (1u64 << 34) - 100..(1 << 34) + 100],
            len in 0usize..200,
        ) {
            let draws = Draws { key, place, threshold, scale: 1.25 };
            let mut factors = vec![f32::NAN; len];
            fill(draws, first, &mut factors);
            let mut products = vec![3.0; len];
            multiply(draws, first, &mut products);
            for (element, (factor, product)) in (first..).zip(factors.iter().zip(products)) {
                let block = element / 4;
                let counter = [block as u32, (block >> 32) as u32, place[0], place[1]];
                let word = philox4x32_10(counter, key)[(element % 4) as usize];
                let expected = if word >= threshold { 1.25 } else { 0.0 };
                prop_assert_eq!(*factor, expected);
                prop_assert_eq!(product, 3.0 * expected);
            }
        }
    }
}
