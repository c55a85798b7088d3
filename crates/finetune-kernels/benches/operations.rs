//! Benchmarks single operations at the shapes of a training step, on Burn's CPU backend:
//! `cargo xtask bench --only operations`, or
//! `cargo bench --workspace --bench operations -- FILTER` for some of them.
//!
//! Rates in items are floating-point operations per second, counting matrix multiplications only; rates
//! in bytes count the tensors that an operation must read and write once.

use std::{fmt, time::Duration};

use burn::{
    Tensor,
    tensor::{Device, Distribution},
};
use divan::{
    Bencher, Divan,
    counter::{BytesCount, ItemsCount},
};
use finetune_kernels::{
    Activation, AdamStep, AttentionShape, Dropout, DropoutSource, EmbeddingTables, Norm, Offsets,
    PackedTokens, Precision, Site, activate, adam_step, dropout_residual_norm, embedding_norm,
    linear, softmax_cross_entropy, vocabulary_cross_entropy,
};

/// Number of tokens in a batch of 16 film reviews.
const TOKENS: usize = 432;
/// Number of sequences in a batch.
const BATCH: usize = 16;
/// Width and number of heads of DistilBERT.
const HIDDEN: usize = 768;
const HEADS: usize = 12;

fn main() {
    Divan::default()
        .max_time(Duration::from_secs(1))
        .config_with_args()
        .main();
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Creates a random tensor that requires gradients.
fn trained<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    normal(shape, device).require_grad()
}

fn bytes(floats: usize) -> BytesCount {
    BytesCount::new(4 * floats)
}

fn tenth() -> Dropout {
    DropoutSource::at(1, 2).site(Site::attention(0), 0.1)
}

/// The linear layers of DistilBERT, then those of MiniLM.
#[derive(Clone, Copy)]
struct Layer {
    input: usize,
    output: usize,
    precision: Precision,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} {:?}", self.input, self.output, self.precision)
    }
}

fn layers() -> impl Iterator<Item = Layer> {
    let of = |precision| {
        let widths = [
            (768, 768),
            (768, 3072),
            (3072, 768),
            (384, 384),
            (384, 1536),
            (1536, 384),
        ];
        widths.map(|(input, output)| Layer {
            input,
            output,
            precision,
        })
    };
    [Precision::F32, Precision::Bf16].into_iter().flat_map(of)
}

impl Layer {
    /// Returns the number of floating-point operations of a matrix multiplication.
    fn flop(&self) -> usize {
        2 * TOKENS * self.input * self.output
    }
}

#[divan::bench(args = layers())]
fn linear_forward(bencher: Bencher, layer: &Layer) {
    let device = Device::flex();
    let x = normal([TOKENS, layer.input], &device);
    let weight = normal([layer.input, layer.output], &device);
    let bias = normal([layer.output], &device);
    bencher
        .counter(ItemsCount::new(layer.flop()))
        .bench_local(|| {
            let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
            linear(x, weight, bias, Activation::Identity, layer.precision)
        });
}

#[divan::bench(args = layers())]
fn linear_forward_backward(bencher: Bencher, layer: &Layer) {
    let device = Device::flex().autodiff();
    let x = trained([TOKENS, layer.input], &device);
    let weight = trained([layer.input, layer.output], &device);
    let bias = trained([layer.output], &device);
    let upstream = normal([TOKENS, layer.output], &device);
    bencher
        .counter(ItemsCount::new(3 * layer.flop()))
        .bench_local(|| {
            let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
            let y = linear(x, weight, bias, Activation::Identity, layer.precision);
            (y * upstream.clone()).sum().backward()
        });
}

/// A batch of sequences of one length.
#[derive(Clone, Copy)]
struct Sequences {
    length: usize,
    precision: Precision,
}

impl fmt::Display for Sequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BATCH} of {} {:?}", self.length, self.precision)
    }
}

fn sequences() -> impl Iterator<Item = Sequences> {
    let of = |precision| [16, 27, 128, 512].map(|length| Sequences { length, precision });
    [Precision::F32, Precision::Bf16].into_iter().flat_map(of)
}

impl Sequences {
    fn tokens(&self) -> usize {
        BATCH * self.length
    }

    /// Returns the number of floating-point operations of the multiplications with keys and with values.
    fn flop(&self) -> usize {
        4 * self.tokens() * self.length * HIDDEN
    }

    fn attention(&self, [query, key, value]: [Tensor<2>; 3], dropout: Dropout) -> Tensor<2> {
        let offsets = Offsets::from_lengths(vec![self.length as u32; BATCH]);
        let shape = AttentionShape::of_all(&offsets, HEADS, self.precision);
        finetune_kernels::attention(query, key, value, shape, dropout)
    }
}

#[divan::bench(args = sequences())]
fn attention_forward(bencher: Bencher, sequences: &Sequences) {
    let inputs = [(); 3].map(|()| normal([sequences.tokens(), HIDDEN], &Device::flex()));
    bencher
        .counter(ItemsCount::new(sequences.flop()))
        .bench_local(|| sequences.attention(inputs.clone(), Dropout::NONE));
}

/// Attention with dropout, as in training.
#[divan::bench(args = sequences())]
fn attention_forward_backward(bencher: Bencher, sequences: &Sequences) {
    let device = Device::flex().autodiff();
    let inputs = [(); 3].map(|()| trained([sequences.tokens(), HIDDEN], &device));
    let upstream = normal([sequences.tokens(), HIDDEN], &device);
    bencher
        .counter(ItemsCount::new(3 * sequences.flop()))
        .bench_local(|| {
            let context = sequences.attention(inputs.clone(), tenth());
            (context * upstream.clone()).sum().backward()
        });
}

fn norm(device: &Device) -> Norm {
    Norm {
        gamma: Tensor::ones([HIDDEN], device),
        beta: Tensor::zeros([HIDDEN], device),
        epsilon: 1e-12,
    }
}

fn trained_norm(device: &Device) -> Norm {
    let norm = norm(device);
    Norm {
        gamma: norm.gamma.require_grad(),
        beta: norm.beta.require_grad(),
        ..norm
    }
}

#[divan::bench]
fn dropout_residual_norm_forward(bencher: Bencher) {
    let device = Device::flex();
    let [x, residual] = [(); 2].map(|()| normal([TOKENS, HIDDEN], &device));
    let norm = norm(&device);
    bencher
        .counter(bytes(3 * TOKENS * HIDDEN))
        .bench_local(|| dropout_residual_norm(x.clone(), residual.clone(), norm.clone(), tenth()));
}

#[divan::bench]
fn dropout_residual_norm_forward_backward(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let [x, residual] = [(); 2].map(|()| trained([TOKENS, HIDDEN], &device));
    let upstream = normal([TOKENS, HIDDEN], &device);
    let norm = trained_norm(&device);
    bencher.counter(bytes(6 * TOKENS * HIDDEN)).bench_local(|| {
        let y = dropout_residual_norm(x.clone(), residual.clone(), norm.clone(), tenth());
        (y * upstream.clone()).sum().backward()
    });
}

fn tables(device: &Device) -> EmbeddingTables {
    EmbeddingTables {
        word: normal([30522, HIDDEN], device),
        position: normal([512, HIDDEN], device),
        token_type: None,
        scale: 1.0,
    }
}

fn trained_tables(device: &Device) -> EmbeddingTables {
    let tables = tables(device);
    EmbeddingTables {
        word: tables.word.require_grad(),
        position: tables.position.require_grad(),
        ..tables
    }
}

/// 16 sequences of 27 tokens.
fn tokens() -> PackedTokens {
    let length = TOKENS / BATCH;
    PackedTokens {
        ids: (0..TOKENS as u32)
            .map(|token| token * 7919 % 30522)
            .collect(),
        positions: (0..TOKENS).map(|token| (token % length) as u32).collect(),
        type_ids: vec![0; TOKENS].into(),
        offsets: Offsets::from_lengths([length as u32; BATCH]),
        used_rows: None,
    }
    .with_used_rows()
}

#[divan::bench]
fn embedding_norm_forward(bencher: Bencher) {
    let device = Device::flex();
    let (tables, norm, tokens) = (tables(&device), norm(&device), tokens());
    bencher
        .counter(bytes(3 * TOKENS * HIDDEN))
        .bench_local(|| embedding_norm(tables.clone(), norm.clone(), &tokens, tenth()));
}

#[divan::bench]
fn embedding_norm_forward_backward(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let (tables, norm, tokens) = (trained_tables(&device), trained_norm(&device), tokens());
    let upstream = normal([TOKENS, HIDDEN], &device);
    bencher.counter(bytes(6 * TOKENS * HIDDEN)).bench_local(|| {
        let y = embedding_norm(tables.clone(), norm.clone(), &tokens, tenth());
        (y * upstream.clone()).sum().backward()
    });
}

#[divan::bench]
fn gelu_forward(bencher: Bencher) {
    let x = normal([TOKENS, 4 * HIDDEN], &Device::flex());
    bencher
        .counter(bytes(2 * 4 * TOKENS * HIDDEN))
        .bench_local(|| activate(x.clone(), Activation::Gelu));
}

#[divan::bench]
fn gelu_forward_backward(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let x = trained([TOKENS, 4 * HIDDEN], &device);
    let upstream = normal([TOKENS, 4 * HIDDEN], &device);
    bencher
        .counter(bytes(5 * 4 * TOKENS * HIDDEN))
        .bench_local(|| {
            (activate(x.clone(), Activation::Gelu) * upstream.clone())
                .sum()
                .backward()
        });
}

#[divan::bench(args = [2, 1000])]
fn softmax_cross_entropy_forward_backward(bencher: Bencher, classes: usize) {
    let logits = trained([BATCH, classes], &Device::flex().autodiff());
    let targets: Vec<u32> = (0..BATCH).map(|row| (row % classes) as u32).collect();
    bencher.counter(bytes(2 * BATCH * classes)).bench_local(|| {
        let targets = targets.clone().into();
        softmax_cross_entropy(logits.clone(), targets, BATCH as f64).backward()
    });
}

/// The decoder of a masked language model of MiniLM's or DistilBERT's width.
#[derive(Clone, Copy)]
struct Decoder {
    width: usize,
    precision: Precision,
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to 30522 {:?}", self.width, self.precision)
    }
}

fn decoders() -> impl Iterator<Item = Decoder> {
    let of = |precision| [384, 768].map(|width| Decoder { width, precision });
    [Precision::F32, Precision::Bf16].into_iter().flat_map(of)
}

/// The masked tokens of 32 sequences of 128.
#[divan::bench(args = decoders())]
fn vocabulary_cross_entropy_forward_backward(bencher: Bencher, decoder: &Decoder) {
    const MASKED: usize = 614;
    let device = Device::flex().autodiff();
    let x = trained([MASKED, decoder.width], &device);
    let table = trained([30522, decoder.width], &device);
    let bias = trained([30522], &device);
    let targets = (0..MASKED as u32).map(|row| row * 7919 % 30522).collect();
    bencher
        .counter(ItemsCount::new(3 * 2 * MASKED * 30522 * decoder.width))
        .bench_local(|| {
            let (x, table, bias) = (x.clone(), table.clone(), bias.clone());
            vocabulary_cross_entropy(x, table, bias, &targets, 614.0, decoder.precision).backward()
        });
}

/// A tensor of a million elements, and one with as many elements as MiniLM.
#[divan::bench(args = [1_000_000, 23_000_000])]
fn adamw_step(bencher: Bencher, elements: usize) {
    let device = Device::flex();
    let gradient = normal([elements], &device);
    let moments = || Tensor::<1>::zeros([elements], &device);
    let mut state = Some((normal([elements], &device), moments(), moments()));
    let mut step = 0;
    // Four tensors are read and three written. They have no other owner, so the step works in place.
    bencher.counter(bytes(7 * elements)).bench_local(|| {
        step += 1;
        let settings = AdamStep {
            learning_rate: 1e-5,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            decoupled_weight_decay: true,
            step,
        };
        state = state.take().map(|(parameter, first, second)| {
            adam_step(parameter, gradient.clone(), first, second, 0.5, settings)
        });
    });
}
