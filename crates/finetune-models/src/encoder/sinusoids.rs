//! The fixed position table of Vaswani et al. 2017.

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};

/// Returns the table `[positions, width]`: element `2i` of position `p` is `sin(p / 10000^(2i / width))`,
/// and element `2i + 1` the cosine. `width` is even.
pub(super) fn sinusoids(positions: usize, width: usize, device: &Device) -> Tensor<2> {
    let angle = |position: usize, pair: usize| {
        let exponent = 2.0 * pair as f64 / width as f64;
        position as f64 / 10_000_f64.powf(exponent)
    };
    let rows = (0..positions).flat_map(|position| {
        (0..width).map(move |column| {
            let angle = angle(position, column / 2);
            let value = if column % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            value as f32
        })
    });
    let values: Vec<f32> = rows.collect();
    Tensor::from_data(TensorData::new(values, [positions, width]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of PyTorch's tutorial on transformers, in f64.
    #[test]
    fn rows_are_sines_and_cosines_of_falling_frequencies() {
        let table = sinusoids(3, 4, &Device::flex());
        let found: Vec<f32> = table.into_data().iter::<f32>().collect();
        let expected = [
            [0.0, 1.0, 0.0, 1.0],
            [0.841_471, 0.540_302_3, 0.009_999_83, 0.999_95],
            [0.909_297_4, -0.416_146_84, 0.019_998_67, 0.999_800_03],
        ];
        for (found, expected) in found.iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
