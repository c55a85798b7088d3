//! The parts of the model trained at a step: all that the strategy names, or for `gradual` one more
//! layer after each interval, starting at the top (Howard & Ruder 2018).

use finetune_models::ModelConfig;

use crate::{Strategy, TrainPlan};

/// The steps at which layers are unfrozen.
#[derive(Clone, Debug)]
pub struct Unfreezing {
    /// Steps between one layer and the next; `None` if nothing changes.
    interval: Option<f64>,
    layers: usize,
}

impl Unfreezing {
    /// Creates the timetable of a plan whose epochs have `per_epoch` steps on average.
    pub fn new(plan: &TrainPlan, per_epoch: f64, config: &ModelConfig) -> Self {
        let gradual = matches!(plan.model.strategy, Strategy::Gradual);
        Self {
            interval: gradual.then_some(plan.model.unfreeze_every * per_epoch),
            layers: config.num_hidden_layers,
        }
    }

    /// Returns the strategy in force at `step`, from 0: first the head alone, then more and more
    /// layers, finally everything. `None` means the plan's strategy throughout.
    pub fn in_force(&self, step: u64) -> Option<Strategy> {
        let unfrozen = (step as f64 / self.interval?) as usize;
        Some(match unfrozen {
            0 => Strategy::Head,
            unfrozen if unfrozen <= self.layers => Strategy::Last(unfrozen),
            _ => Strategy::Full,
        })
    }

    /// Returns the strategy that takes effect at `step`, unless it is the first one or nothing changes.
    pub fn begins_at(&self, step: u64) -> Option<Strategy> {
        let before = self.in_force(step.checked_sub(1)?);
        self.in_force(step)
            .filter(|now| before.as_ref() != Some(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfreezing(interval: Option<f64>) -> Unfreezing {
        Unfreezing {
            interval,
            layers: 2,
        }
    }

    #[test]
    fn layers_join_from_the_top_at_intervals() {
        let gradual = unfreezing(Some(2.5));
        let begins: Vec<_> = (0..12)
            .filter_map(|step| Some((step, gradual.begins_at(step)?)))
            .collect();
        assert_eq!(
            begins,
            [
                (3, Strategy::Last(1)),
                (5, Strategy::Last(2)),
                (8, Strategy::Full)
            ]
        );
        assert_eq!(gradual.in_force(0), Some(Strategy::Head));
        assert_eq!(gradual.in_force(4), Some(Strategy::Last(1)));
    }

    #[test]
    fn without_an_interval_the_plan_decides() {
        let fixed = unfreezing(None);
        assert_eq!((fixed.in_force(3), fixed.begins_at(3)), (None, None));
    }
}
