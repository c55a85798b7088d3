//! Replays whole runs of transformers' Trainer on `tiny_bert`.

use burn::{module::Module, tensor::Device};
use finetune_data::Labels;
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::{SavedModel, SequenceClassifier, to_file_layout};
use finetune_train::{
    Epochs, LossConfig, Optimizer, OptimizerConfig, ParameterGradients, ParameterGroups, Schedule,
    ScheduleConfig, SchedulerType, clip_factor,
};

use super::tiny_bert;
use crate::{
    fixtures::{self, Fixture, devices, largest_difference, values},
    tolerance,
};

/// As in `make_optim.py`.
const WEIGHTS: [f32; 3] = [0.25, 3.0, 1.5];
pub(super) const SAMPLES: usize = 48;

/// One row: ids, token types and class.
pub(super) struct Row(Vec<u32>, Vec<u32>, u32);

/// The 40 rows of `tiny_bert`'s ten steps.
pub(super) fn rows() -> Vec<Row> {
    let mut fixture = Fixture::open("tiny_bert/trajectory.safetensors");
    let mut rows = Vec::new();
    for step in 0..10 {
        let tokens = fixture.tokens(&format!("step{step}."));
        let labels = fixture.integers(&format!("step{step}.labels"));
        for (range, label) in tokens.offsets.ranges().zip(labels) {
            let (ids, types) = (&tokens.ids[range.clone()], &tokens.type_ids[range]);
            rows.push(Row(ids.to_vec(), types.to_vec(), label));
        }
    }
    rows
}

pub(super) fn packed(rows: &[Row]) -> (PackedTokens, Labels) {
    let (mut ids, mut types, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for Row(row_ids, row_types, _) in rows {
        ids.extend(row_ids);
        types.extend(row_types);
        positions.extend(0..row_ids.len() as u32);
    }
    let tokens = PackedTokens {
        ids: ids.into(),
        positions: positions.into(),
        type_ids: types.into(),
        offsets: Offsets::from_lengths(rows.iter().map(|row| row.0.len() as u32)),
        used_rows: None,
    };
    let labels = rows.iter().map(|row| row.2).collect();
    (tokens, Labels::Classes(labels))
}

/// How a run differs from ten steps of 4 rows with AdamW and the linear schedule.
struct Run {
    name: &'static str,
    rows_per_step: usize,
    rows_per_batch: usize,
    epochs: usize,
    learning_rate: f64,
    warmup_steps: u64,
    max_grad_norm: f64,
    schedule: SchedulerType,
    loss: LossConfig,
    optimizer: &'static str,
    groups: ParameterGroups,
}

impl Run {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            rows_per_step: 4,
            rows_per_batch: 4,
            epochs: 1,
            learning_rate: 1e-3,
            warmup_steps: 2,
            max_grad_norm: 1.0,
            schedule: SchedulerType::Linear,
            loss: LossConfig::default(),
            optimizer: "optim = \"adamw\"",
            groups: ParameterGroups::new(0.01, 2),
        }
    }

    /// Loss and gradients of a step, its batches added up.
    fn step(&self, model: &SequenceClassifier, rows: &[Row]) -> (f32, ParameterGradients) {
        let denominator = self.loss.denominator(&packed(rows).1);
        let batches = rows.chunks(self.rows_per_batch).map(|rows| {
            let (tokens, labels) = packed(rows);
            let logits = model.forward(&tokens, DropoutSource::OFF).unwrap();
            let loss = self.loss.loss(logits, &labels, denominator).unwrap();
            let gradients = ParameterGradients::backward(&loss, model);
            (values(loss)[0], gradients)
        });
        batches
            .reduce(|(loss, sum), (other, gradients)| (loss + other, sum + gradients))
            .unwrap()
    }

    fn check(&self, device: &Device) {
        let mut fixture = Fixture::open("optim/trajectories.safetensors");
        let name = self.name;
        let losses = self.sums(fixture.floats(&format!("{name}.losses")));
        let norms = fixture.floats(&format!("{name}.grad_norms"));
        let rates = fixture.doubles(&format!("{name}.learning_rates"));
        let rows = rows();
        let total = rates.len() as u64;
        let config = ScheduleConfig {
            lr_scheduler_type: self.schedule,
            ..Default::default()
        };
        let schedule = Schedule::new(&config, self.learning_rate, self.warmup_steps, total);
        let per_epoch = total / self.epochs as u64;
        let schedule = schedule.unwrap().with_epochs(Epochs::Even(per_epoch));
        let config: OptimizerConfig = toml::from_str(self.optimizer).unwrap();
        let mut optimizer = Optimizer::new(config, self.groups);
        let mut model = tiny_bert(device).train();
        let steps = (0..self.epochs).flat_map(|_| rows.chunks(self.rows_per_step));
        let mut count = 0;
        for (step, rows) in steps.enumerate() {
            let (loss, gradients) = self.step(&model, rows);
            let difference = f64::from((loss - losses[step]).abs());
            assert!(
                difference < tolerance::TRAJECTORY_LOSS,
                "{name}: loss of step {step}: {difference:e}"
            );
            let norm = gradients.global_norm();
            let difference = (norm / f64::from(norms[step]) - 1.0).abs();
            assert!(
                difference < tolerance::TRAJECTORY_NORM,
                "{name}: norm of step {step}: {difference:e}"
            );
            // The recorded rate is that of the last parameter group, which is the head's.
            let rate = schedule.at(step as u64);
            assert!((rate * self.groups.head_lr_scale - rates[step]).abs() < 1e-15);
            let clip = clip_factor(norm, self.max_grad_norm);
            model = optimizer.step(model, gradients, rate, None, clip);
            count += 1;
        }
        assert_eq!(count, rates.len(), "{name}");
        self.check_weights(&model, &mut fixture, &rates);
    }

    /// transformers' losses are those of batches; ours of steps.
    fn sums(&self, losses: Vec<f32>) -> Vec<f32> {
        let steps = 40usize.div_ceil(self.rows_per_step) * self.epochs;
        if losses.len() == steps {
            return losses;
        }
        let per_epoch = losses.len() / self.epochs;
        let epochs = losses.chunks(per_epoch);
        let steps = epochs.flat_map(|epoch| epoch.chunks(self.rows_per_step / self.rows_per_batch));
        steps.map(|batches| batches.iter().sum()).collect()
    }

    fn check_weights(&self, model: &SequenceClassifier, fixture: &mut Fixture, rates: &[f64]) {
        let manifest = fixtures::manifest();
        let zero_gradients = &manifest["models"]["tiny_bert"]["zero_gradient_parameters"];
        let zero_gradients: Vec<_> = zero_gradients.as_array().unwrap().iter().collect();
        for (parameter, tensor) in model.named_tensors() {
            let found = to_file_layout(&parameter, values(tensor));
            let stride = (found.len() / SAMPLES).max(1);
            let found: Vec<_> = found.into_iter().step_by(stride).collect();
            let expected = fixture.floats(&format!("{}.final.{}", self.name, parameter.name));
            // Where the gradient is rounding noise, so is the step of an optimizer that divides by
            // its size; see parity.rs. Both sides stray, and Adafactor's updates are of size 1 on
            // average only.
            let tolerance = match zero_gradients.iter().any(|name| **name == parameter.name) {
                true => 4.0 * rates.iter().sum::<f64>(),
                false => tolerance::TRAJECTORY_WEIGHT,
            };
            let difference = largest_difference(&found, &expected);
            assert!(
                difference < tolerance,
                "{}: {} differs by {difference:e}",
                self.name,
                parameter.name
            );
        }
    }
}

fn check(run: Run) {
    for device in devices() {
        run.check(&device);
    }
}

/// 12 rows a step in batches of 3, with 4 rows in the last step of an epoch.
#[test]
fn accumulation() {
    check(Run {
        rows_per_step: 12,
        rows_per_batch: 3,
        epochs: 2,
        ..Run::new("accumulation")
    });
}

#[test]
fn accumulation_with_weights_and_smoothing() {
    check(Run {
        rows_per_step: 12,
        rows_per_batch: 3,
        epochs: 2,
        loss: LossConfig {
            label_smoothing_factor: 0.1,
            class_weights: WEIGHTS.to_vec(),
        },
        ..Run::new("accumulation_weighted")
    });
}

#[test]
fn cosine_with_warmup() {
    check(Run {
        schedule: SchedulerType::Cosine,
        ..Run::new("cosine")
    });
}

#[test]
fn label_smoothing() {
    check(Run {
        loss: LossConfig {
            label_smoothing_factor: 0.1,
            ..Default::default()
        },
        ..Run::new("label_smoothing")
    });
}

#[test]
fn class_weights() {
    check(Run {
        loss: LossConfig {
            class_weights: WEIGHTS.to_vec(),
            ..Default::default()
        },
        ..Run::new("class_weights")
    });
}

#[test]
fn layerwise_learning_rates() {
    check(Run {
        groups: ParameterGroups {
            layerwise_lr_decay: 0.8,
            head_lr_scale: 2.0,
            ..ParameterGroups::new(0.01, 2)
        },
        ..Run::new("layerwise")
    });
}

#[test]
fn adafactor() {
    check(Run {
        optimizer: "optim = \"adafactor\"",
        ..Run::new("adafactor")
    });
}

#[test]
fn sgd_with_momentum() {
    check(Run {
        optimizer: "optim = \"sgd\"\nmomentum = 0.9",
        learning_rate: 1e-2,
        ..Run::new("sgd")
    });
}

#[test]
fn adam() {
    check(Run {
        optimizer: "optim = \"adam\"",
        ..Run::new("adam")
    });
}

/// The settings of the course's lab: plain SGD at 1, a tenth of it after each epoch, gradients of norm
/// 0.1 at most.
#[test]
fn sgd_with_step_schedule() {
    check(Run {
        epochs: 3,
        optimizer: "optim = \"sgd\"",
        learning_rate: 1.0,
        warmup_steps: 0,
        max_grad_norm: 0.1,
        schedule: SchedulerType::Step,
        groups: ParameterGroups::new(0.0, 2),
        ..Run::new("lab")
    });
}
