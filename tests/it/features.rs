//! Features of a frozen prefix are computed once and cached.

use burn::{module::Module, tensor::Device};
use finetune_data::{
    BatchSize, Dataset, PackedBatch, Sampler, SamplerOptions, TextTokenizer, TokenizedDataset,
};
use finetune_kernels::{DropoutSource, softmax_cross_entropy};
use finetune_models::{SequenceClassifier, Task};
use finetune_train::{
    FeatureLimits, FeatureStore, ForwardPath, Optimizer, OptimizerConfig, ParameterGradients,
    ParameterGroups, Strategy, TrainError, Trainable,
};

use crate::{
    command::{Scratch, split},
    fixtures::{self, devices, largest_difference, values},
    samples,
};

const MODELS: [&str; 2] = ["tiny_bert", "tiny_distilbert"];
/// Bytes of memory and of disk: nothing, all in memory, all on disk, some of each, one row.
const LIMITS: [(u64, u64); 5] = [
    (0, 0),
    (u64::MAX, 0),
    (0, u64::MAX),
    (20_000, 30_000),
    (0, 128),
];

struct Case {
    scratch: Scratch,
    data: TokenizedDataset,
    model: SequenceClassifier,
}

impl Case {
    fn new(model: &str, device: &Device) -> Self {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        let directory = fixtures::path(model);
        let tokenizer = TextTokenizer::from_file(directory.join("tokenizer.json")).unwrap();
        let dataset = Dataset::open(scratch.path("data").display().to_string()).unwrap();
        let data = dataset.split("train").unwrap();
        let data = data.tokenize(&tokenizer, 64).unwrap();
        let outputs = Task::Classes(samples::CLASSES.map(String::from).to_vec());
        let (model, _) = SequenceClassifier::load(&directory, Some(outputs), 7, device).unwrap();
        Self {
            scratch,
            data,
            model,
        }
    }

    fn fill(&self, layers: usize, (memory_bytes, disk_bytes): (u64, u64)) -> FeatureStore {
        let limits = FeatureLimits {
            memory_bytes,
            disk_bytes,
        };
        let directory = self.scratch.path("");
        let mut last = 0;
        let mut progress = |done| {
            assert!(done > last);
            last = done;
            Ok(())
        };
        let store = FeatureStore::fill(
            &self.model,
            &self.data,
            layers,
            limits,
            &directory,
            &mut progress,
        )
        .unwrap();
        let report = store.report();
        assert_eq!(last, report.memory_rows + report.disk_rows);
        assert_eq!(last + report.computed_rows, self.data.len());
        assert!(report.memory_bytes <= memory_bytes && report.disk_bytes <= disk_bytes);
        store
    }

    /// The batches of an epoch in training.
    fn batches(&self, epoch: u64) -> Vec<PackedBatch> {
        let options = SamplerOptions {
            batch: BatchSize::Rows(7),
            seed: 3,
            shuffle: true,
            length_buckets: None,
        };
        let sampler = Sampler::new(&self.data, options).unwrap();
        let rows = sampler.epoch(epoch).unwrap();
        rows.map(|rows| self.data.batch(&rows.unwrap()).unwrap())
            .collect()
    }
}

#[test]
fn kept_features_are_the_computed_ones() {
    for device in devices() {
        for name in MODELS {
            let case = Case::new(name, &device);
            for layers in 0..=case.model.encoder.layers.len() {
                let stores = LIMITS.map(|limits| case.fill(layers, limits));
                let size = FeatureStore::size_of(&case.data, layers, case.model.config());
                assert_eq!(stores[1].report().memory_bytes, size);
                assert_eq!(stores[2].report().disk_bytes, size);
                let mixed = stores[3].report();
                assert!(mixed.memory_rows > 0 && mixed.disk_rows > 0, "{mixed:?}");
                let again = case.fill(layers, LIMITS[1]);
                for batch in case.batches(0) {
                    let features =
                        |store: &FeatureStore| values(store.features(&case.model, &batch).unwrap());
                    let [computed, memory, disk, mixed, one] = stores.each_ref().map(features);
                    assert_eq!(features(&again), memory);
                    assert_eq!(memory, disk);
                    for kept in [&memory, &mixed, &one] {
                        let difference = largest_difference(kept, &computed);
                        assert!(difference < 1e-6, "{name} {layers}: {difference}");
                    }
                    let logits = |store: Option<&FeatureStore>| {
                        let off = DropoutSource::OFF;
                        let path = ForwardPath::new(layers, store);
                        values(path.logits(&case.model, &batch, off).unwrap())
                    };
                    let difference = largest_difference(&logits(Some(&stores[1])), &logits(None));
                    assert!(difference < 1e-6, "{name} {layers}: {difference}");
                }
            }
        }
    }
}

/// Losses of two epochs.
fn losses(case: &Case, strategy: Strategy, limits: Option<(u64, u64)>) -> Vec<f32> {
    let trainable = Trainable::new(&strategy, case.model.config()).unwrap();
    let mut model = trainable.apply(case.model.clone()).train();
    let layers = finetune_train::lowest_trained_layer(&model);
    let store = limits.map(|limits| case.fill(layers, limits));
    let mut optimizer = Optimizer::new(
        OptimizerConfig::default(),
        ParameterGroups::new(0.01, model.encoder.layers.len()),
    );
    let mut losses = Vec::new();
    for batch in (0..2).flat_map(|epoch| case.batches(epoch)) {
        let dropout = DropoutSource::at(1, losses.len() as u32);
        let path = ForwardPath::new(layers, store.as_ref());
        let logits = path.logits(&model, &batch, dropout).unwrap();
        let finetune_data::Labels::Classes(targets) = &batch.labels else {
            unreachable!()
        };
        let rows = batch.batch_size() as f64;
        let loss = softmax_cross_entropy(logits, targets.as_slice().into(), rows);
        let gradients = ParameterGradients::backward(&loss, &model);
        model = optimizer.step(model, gradients, 1e-3, None, 1.0);
        losses.push(loss.into_scalar());
    }
    losses
}

#[test]
fn training_is_the_same_with_kept_features() {
    for name in MODELS {
        let case = Case::new(name, &Device::flex());
        for strategy in [Strategy::Head, Strategy::Last(1)] {
            let [none, memory, disk, mixed] = [None, Some(1), Some(2), Some(3)].map(|index| {
                let limits = index.map(|index: usize| LIMITS[index]);
                losses(&case, strategy.clone(), limits)
            });
            let (first, second) = none.split_at(none.len() / 2);
            assert!(
                second.iter().sum::<f32>() < first.iter().sum::<f32>(),
                "{strategy} learns nothing"
            );
            assert_eq!(memory, disk);
            for kept in [memory, mixed] {
                let difference = largest_difference(&kept, &none);
                assert!(difference < 1e-6, "{name} {strategy}: {difference}");
            }
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let case = Case::new("tiny_bert", &Device::flex());
    let limits = FeatureLimits {
        memory_bytes: 0,
        disk_bytes: 1 << 20,
    };
    let nowhere = case.scratch.path("nowhere");
    let fill = |directory, progress: &mut dyn FnMut(u64) -> Result<(), TrainError>| {
        FeatureStore::fill(&case.model, &case.data, 1, limits, directory, progress).unwrap_err()
    };
    let error = fill(&nowhere, &mut |_| Ok(())).to_string();
    for word in ["nowhere", "feature_cache.disk_bytes=0"] {
        assert!(error.contains(word), "{error}");
    }
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
        .train(&split(
            "--dataset data --max-steps 1 --strategy head --set feature_cache.disk_bytes=0",
        ))
        .succeeded();
    let stop = &mut |_| Err(TrainError::Internal("stopped".into()));
    let error = fill(&case.scratch.path(""), stop).to_string();
    assert_eq!(error, "stopped");
}
