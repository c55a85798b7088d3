//! Computes attention over packed sequences, with gradients: `cargo run --example packed_attention`.

use burn::tensor::{Device, Distribution, Tensor};
use finetune_kernels::{AttentionShape, DropoutSource, Offsets, Precision, Site, attention};

fn main() {
    let device = Device::flex().autodiff();
    let lengths = [4, 1, 7];
    let offsets = Offsets::from_lengths(lengths);
    let random = || Tensor::<2>::random([12, 8], Distribution::Default, &device);
    let (query, key, value) = (random().require_grad(), random(), random());

    let dropout = DropoutSource::at(42, 0).site(Site::attention(0), 0.1);
    let shape = AttentionShape::of_all(&offsets, 2, Precision::F32);
    let context = attention(query.clone(), key, value, shape, dropout);
    println!(
        "{} sequences of {lengths:?} tokens: context {:?}",
        offsets.batch_size(),
        context.dims()
    );

    let gradients = context.sum().backward();
    if let Some(gradient) = query.grad(&gradients) {
        println!("gradient of the queries:\n{gradient}");
    }
}
