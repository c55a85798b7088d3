//! Counter-based random numbers: stateless and the same on every platform.
//!
//! A draw is a pure function of a seed and its purpose: a [`Site`] of dropout (and a step), or a
//! [`Stream`] of new weights. The numbers of sites and streams must never change, or runs would not be
//! reproducible.

/// A place in a model where dropout is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site(pub(crate) u32);

impl Site {
    /// The sum of the embeddings.
    pub const EMBEDDINGS: Self = Self(0);

    /// Number of sites per encoder layer.
    const OF_LAYER: u32 = 3;

    /// The first site inside of feed-forward blocks, beyond the other sites of any model's layers.
    const FIRST_FEED_FORWARD: u32 = 1 << 19;

    /// The first site of adapters, beyond those of any model's layers.
    const FIRST_ADAPTER: u32 = 1 << 20;

    /// The attention probabilities of encoder layer `layer`, counted from 0.
    pub const fn attention(layer: usize) -> Self {
        Self::of_layer(layer, 0)
    }

    /// The output of attention in encoder layer `layer`.
    pub const fn attention_output(layer: usize) -> Self {
        Self::of_layer(layer, 1)
    }

    /// The output of the feed-forward block in encoder layer `layer`.
    pub const fn layer_output(layer: usize) -> Self {
        Self::of_layer(layer, 2)
    }

    /// The activations of the feed-forward block in encoder layer `layer`.
    pub const fn feed_forward(layer: usize) -> Self {
        Self(Self::FIRST_FEED_FORWARD + layer as u32)
    }

    /// The input of the final linear layer of a head on an encoder of `layers` layers.
    pub const fn head(layers: usize) -> Self {
        Self::of_layer(layers, 0)
    }

    /// The input of the head itself, in models that apply dropout there too.
    pub const fn head_input(layers: usize) -> Self {
        Self::of_layer(layers, 1)
    }

    /// The input of the adapter of linear layer `linear`, counted over the whole model.
    pub const fn adapter(linear: usize) -> Self {
        Self(Self::FIRST_ADAPTER + linear as u32)
    }

    const fn of_layer(layer: usize, site: u32) -> Self {
        Self(1 + layer as u32 * Self::OF_LAYER + site)
    }
}

/// The purpose for which new weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream(pub(crate) u32);

impl Stream {
    /// The dense layer of a head.
    pub const HEAD_DENSE: Self = Self(1);

    /// The final linear layer of a head.
    pub const CLASSIFIER: Self = Self(2);

    /// The first stream of adapters, beyond those of heads.
    const FIRST_ADAPTER: u32 = 1 << 16;

    /// The first stream of encoders, beyond those of adapters.
    const FIRST_ENCODER: u32 = 1 << 20;

    /// The adapter of linear layer `linear`, counted over the whole model.
    pub const fn adapter(linear: usize) -> Self {
        Self(Self::FIRST_ADAPTER + linear as u32)
    }

    /// Parameter `number` of an encoder.
    pub const fn encoder(number: usize) -> Self {
        Self(Self::FIRST_ENCODER + number as u32)
    }
}

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
pub(crate) fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let multiply = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = multiply(0xD251_1F53, counter[0]);
        let (high1, low1) = multiply(0xCD9E_8D57, counter[2]);
        counter = [
            high1 ^ counter[1] ^ key[0],
            low1,
            high0 ^ counter[3] ^ key[1],
            low0,
        ];
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    counter
}

/// Draws `len` values from a normal distribution with mean 0, as a pure function of `seed` and `stream`,
/// by the Box–Muller transform.
pub fn normal(seed: u64, stream: Stream, len: usize, standard_deviation: f64) -> Vec<f32> {
    draw(seed, stream, len, |bits| {
        let pair = |first: u32, second: u32| {
            let radius = (-2.0 * unit(first).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * unit(second)).sin_cos();
            [radius * cosine, radius * sine]
        };
        let ([a, b], [c, d]) = (pair(bits[0], bits[1]), pair(bits[2], bits[3]));
        [a, b, c, d].map(|value| (standard_deviation * value) as f32)
    })
}

/// Draws `len` values from a uniform distribution over `low..=high`, as a pure function of `seed` and
/// `stream`.
pub fn uniform(seed: u64, stream: Stream, len: usize, low: f64, high: f64) -> Vec<f32> {
    draw(seed, stream, len, |bits| {
        bits.map(|bits| (low + (high - low) * unit(bits)) as f32)
    })
}

/// Maps random bits to (0, 1], where the logarithm is finite.
fn unit(bits: u32) -> f64 {
    (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0)
}

/// Draws `len` values, four at a time from four random words.
fn draw(seed: u64, stream: Stream, len: usize, four: impl Fn([u32; 4]) -> [f32; 4]) -> Vec<f32> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut values = Vec::with_capacity(len + 3);
    for block in 0..len.div_ceil(4) as u64 {
        // Dropout's counters end in (step, site). No run reaches this step, so the draws never coincide.
        let counter = [block as u32, (block >> 32) as u32, u32::MAX, stream.0];
        values.extend(four(philox4x32_10(counter, key)));
    }
    values.truncate(len);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the authors' Random123 library (`kat_vectors`).
    #[test]
    fn philox_matches_random123() {
        assert_eq!(
            philox4x32_10([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normal_has_its_moments() {
        let values = normal(3, Stream(1), 200_001, 0.02);
        assert_eq!(values.len(), 200_001);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 200_001.0;
        let square = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 200_001.0;
        assert!(mean.abs() < 2e-4, "{mean}");
        assert!((square.sqrt() - 0.02).abs() < 2e-4, "{}", square.sqrt());
        assert_ne!(normal(3, Stream(2), 8, 1.0), normal(3, Stream(1), 8, 1.0));
    }

    /// The numbers from which existing runs have drawn.
    #[test]
    fn sites_and_streams_have_their_numbers() {
        assert_eq!(Site::EMBEDDINGS.0, 0);
        let sites = [
            Site::attention(5),
            Site::attention_output(5),
            Site::layer_output(5),
            Site::head(6),
            Site::head_input(6),
            Site::feed_forward(5),
            Site::adapter(2),
        ];
        assert_eq!(
            sites.map(|site| site.0),
            [16, 17, 18, 19, 20, (1 << 19) + 5, (1 << 20) + 2]
        );
        let streams = [
            Stream::HEAD_DENSE,
            Stream::CLASSIFIER,
            Stream::adapter(2),
            Stream::encoder(3),
        ];
        assert_eq!(
            streams.map(|stream| stream.0),
            [1, 2, (1 << 16) + 2, (1 << 20) + 3]
        );
    }
}
