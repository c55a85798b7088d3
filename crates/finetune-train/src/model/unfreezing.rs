//! Which part of the model is trained at a step: all that the strategy names from the start, or for
//! `gradual` one more layer after each interval, from the top (Howard & Ruder 2018).

use finetune_models::{ModelConfig, SequenceClassifier, visit_parameters};

use crate::{Event, Strategy, TrainError, TrainPlan, Trainable, lowest_trained_layer};

/// When layers are unfrozen.
#[derive(Clone, Debug)]
pub struct Unfreezing {
    /// Steps from one layer to the next; `None`: nothing changes.
    interval: Option<f64>,
    layers: usize,
}

impl Unfreezing {
    /// By a plan whose epochs have `per_epoch` steps on average.
    pub fn new(plan: &TrainPlan, per_epoch: f64, config: &ModelConfig) -> Self {
        let gradual = matches!(plan.model.strategy, Strategy::Gradual);
        Self {
            interval: gradual.then_some(plan.model.unfreeze_every * per_epoch),
            layers: config.num_hidden_layers,
        }
    }

    /// The strategy in force at `step`, from 0: the head alone, then with more and more layers, at
    /// last everything.
    fn at(&self, step: u64) -> Option<Strategy> {
        let unfrozen = (step as f64 / self.interval?) as usize;
        Some(match unfrozen {
            0 => Strategy::Head,
            unfrozen if unfrozen <= self.layers => Strategy::Last(unfrozen),
            _ => Strategy::Full,
        })
    }

    /// Whether more is trained from `step` on than at the step before.
    pub fn changes_at(&self, step: u64) -> bool {
        step > 0 && self.at(step) != self.at(step - 1)
    }

    /// Lets gradients reach what is trained at `step`.
    pub fn apply(
        &self,
        model: SequenceClassifier,
        step: u64,
    ) -> Result<SequenceClassifier, TrainError> {
        match self.at(step) {
            None => Ok(model),
            Some(strategy) => {
                let mut model = Trainable::new(&strategy, model.config())?.apply(model);
                model.pack_frozen(false);
                Ok(model)
            }
        }
    }

    /// The event of a change at `step`.
    pub fn event(model: &SequenceClassifier, step: u64) -> Event {
        let mut trainable_parameters = 0;
        visit_parameters(model, &mut |_, parameter| {
            if parameter.is_trained() {
                trainable_parameters += parameter.shape().iter().product::<usize>() as u64;
            }
        });
        Event::Unfrozen {
            step,
            lowest_layer: lowest_trained_layer(model),
            trainable_parameters,
        }
    }
}
