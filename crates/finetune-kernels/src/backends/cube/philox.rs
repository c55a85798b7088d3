//! Dropout factors: Philox4x32-10 as in `random.rs`, so that a GPU drops what the CPU drops.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::{Dropout, cpu::dropout::Draws};

/// Dropout at one site in one step, as a kernel's argument.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct Site {
    key_0: u32,
    key_1: u32,
    step: u32,
    site: u32,
    threshold: u32,
    scale: f32,
}

/// Returns the argument for `dropout`; a kernel reads it only if something is dropped.
pub(super) fn site(dropout: &Dropout) -> SiteLaunch {
    let Draws {
        key,
        place,
        threshold,
        scale,
    } = dropout.draws();
    SiteLaunch::new(key[0], key[1], place[0], place[1], threshold, scale)
}

/// Returns the factor of element `element`, 0 or the scale.
#[cube]
pub(super) fn factor(site: &Site, element: u32) -> f32 {
    factor_in(site, element / 4, 0u32, element % 4)
}

/// Returns the factor of word `word` (0 to 3) of the block whose number has these halves.
#[cube]
pub(super) fn factor_in(site: &Site, low: u32, high: u32, word: u32) -> f32 {
    let words = words(site, low, high);
    let mut drawn = words.0;
    if word == 1 {
        drawn = words.1;
    } else if word == 2 {
        drawn = words.2;
    } else if word == 3 {
        drawn = words.3;
    }
    kept(site, drawn)
}

/// Returns the factor of an element whose random word is `drawn`.
#[cube]
pub(super) fn kept(site: &Site, drawn: u32) -> f32 {
    select(drawn >= site.threshold, site.scale, 0.0f32)
}

/// Computes the four words of a block.
#[cube]
pub(super) fn words(site: &Site, low: u32, high: u32) -> (u32, u32, u32, u32) {
    let mut c0 = low;
    let mut c1 = high;
    let mut c2 = site.step;
    let mut c3 = site.site;
    let mut key_0 = site.key_0;
    let mut key_1 = site.key_1;
    #[unroll]
    for _ in 0..10u32 {
        let high_0 = u32::mul_hi(c0, 0xD251_1F53u32);
        let low_0 = c0 * 0xD251_1F53u32;
        let high_1 = u32::mul_hi(c2, 0xCD9E_8D57u32);
        let low_1 = c2 * 0xCD9E_8D57u32;
        c0 = high_1 ^ c1 ^ key_0;
        c1 = low_1;
        c2 = high_0 ^ c3 ^ key_1;
        c3 = low_0;
        key_0 += 0x9E37_79B9u32;
        key_1 += 0xBB67_AE85u32;
    }
    (c0, c1, c2, c3)
}
