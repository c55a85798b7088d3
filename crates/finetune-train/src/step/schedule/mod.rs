//! The learning rate of each step, and the momentum with `one_cycle`.

pub(crate) mod epochs;
mod one_cycle;
mod stepped;

use std::f64::consts::PI;

use self::{one_cycle::OneCycle, stepped::Stepped};
use crate::{Epochs, ScheduleConfig, SchedulerType, TrainError};

/// The learning rate as a function of the step: transformers' schedules under the same names, and
/// torch's `OneCycleLR`, `StepLR` and `ExponentialLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    learning_rate: f64,
    warmup_steps: u64,
    total_steps: u64,
    after_warmup: AfterWarmup,
}

/// The course after the warm-up, with its settings.
#[derive(Clone, Debug, PartialEq)]
enum AfterWarmup {
    Constant,
    Linear,
    Cosine { num_cycles: f64 },
    CosineWithRestarts { num_cycles: f64 },
    Polynomial { power: f64, lr_end: f64 },
    InverseSqrt { timescale: f64 },
    OneCycle(OneCycle),
    Stepped(Stepped),
}

impl Schedule {
    /// Creates a schedule over `total_steps` optimizer steps with the peak `learning_rate`, to which it
    /// rises in the first `warmup_steps`. As in transformers and torch, `constant` and `one_cycle`
    /// ignore the warm-up. All steps are one epoch, unless [`with_epochs`](Self::with_epochs) says more.
    ///
    /// # Errors
    /// Fails with [`TrainError::Value`], which names the key of an invalid value, or with
    /// [`TrainError::NoSteps`].
    pub fn new(
        config: &ScheduleConfig,
        learning_rate: f64,
        warmup_steps: u64,
        total_steps: u64,
    ) -> Result<Self, TrainError> {
        config.check(learning_rate)?;
        if total_steps == 0 {
            return Err(TrainError::NoSteps);
        }
        let after_warmup = match config.lr_scheduler_type {
            SchedulerType::Constant | SchedulerType::ConstantWithWarmup => AfterWarmup::Constant,
            SchedulerType::Linear => AfterWarmup::Linear,
            SchedulerType::Cosine => AfterWarmup::Cosine {
                num_cycles: config.num_cycles.unwrap_or(0.5),
            },
            SchedulerType::CosineWithRestarts => AfterWarmup::CosineWithRestarts {
                num_cycles: config.num_cycles.unwrap_or(1.0),
            },
            SchedulerType::Polynomial => AfterWarmup::Polynomial {
                power: config.power,
                lr_end: config.lr_end,
            },
            SchedulerType::InverseSqrt => AfterWarmup::InverseSqrt {
                timescale: match (config.timescale, warmup_steps) {
                    (Some(timescale), _) => timescale as f64,
                    (None, 0) => 10_000.0,
                    (None, steps) => steps as f64,
                },
            },
            SchedulerType::OneCycle => {
                AfterWarmup::OneCycle(OneCycle::new(config.one_cycle, learning_rate, total_steps))
            }
            SchedulerType::Step => {
                let size = config.step_size.unwrap_or(1.0);
                AfterWarmup::Stepped(Stepped::new(config, size, warmup_steps, total_steps))
            }
            SchedulerType::Exponential => {
                AfterWarmup::Stepped(Stepped::new(config, 1.0, warmup_steps, total_steps))
            }
        };
        let without_warmup = matches!(
            config.lr_scheduler_type,
            SchedulerType::Constant | SchedulerType::OneCycle
        );
        Ok(Self {
            learning_rate,
            warmup_steps: if without_warmup { 0 } else { warmup_steps },
            total_steps,
            after_warmup,
        })
    }

    /// Returns the schedule with these epochs, which `step` and `exponential` count.
    pub fn with_epochs(mut self, epochs: Epochs) -> Self {
        if let AfterWarmup::Stepped(stepped) = &mut self.after_warmup {
            stepped.set_epochs(epochs);
        }
        self
    }

    /// Returns the learning rate of step `step`, from 0. A warm-up starts with 0, as in transformers.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * (step as f64 / self.warmup_steps as f64);
        }
        let since = (step - self.warmup_steps) as f64;
        let length = self.total_steps as f64 - self.warmup_steps as f64;
        let progress = since / length.max(1.0);
        let factor = match &self.after_warmup {
            AfterWarmup::Constant => 1.0,
            AfterWarmup::Linear => {
                ((self.total_steps as f64 - step as f64) / length.max(1.0)).max(0.0)
            }
            AfterWarmup::Cosine { num_cycles } => half_cosine(num_cycles * 2.0 * progress),
            AfterWarmup::CosineWithRestarts { .. } if progress >= 1.0 => 0.0,
            AfterWarmup::CosineWithRestarts { num_cycles } => {
                half_cosine((num_cycles * progress) % 1.0)
            }
            AfterWarmup::Polynomial { lr_end, .. } if since >= length => {
                lr_end / self.learning_rate
            }
            AfterWarmup::Polynomial { power, lr_end } => {
                let range = self.learning_rate - lr_end;
                (range * (1.0 - since / length).powf(*power) + lr_end) / self.learning_rate
            }
            AfterWarmup::InverseSqrt { timescale } => {
                let shift = timescale - self.warmup_steps as f64;
                1.0 / ((step as f64 + shift) / timescale).sqrt()
            }
            AfterWarmup::OneCycle(cycle) => return cycle.learning_rate_at(step),
            AfterWarmup::Stepped(stepped) => stepped.factor(step),
        };
        self.learning_rate * factor
    }

    /// Returns the value that replaces SGD's momentum or Adam's first beta in step `step`, from 0, for
    /// `one_cycle` with `cycle_momentum`; `None` for all others.
    pub fn momentum_at(&self, step: u64) -> Option<f64> {
        match &self.after_warmup {
            AfterWarmup::OneCycle(cycle) => cycle.momentum_at(step),
            _ => None,
        }
    }

    /// Returns the number of warm-up steps; 0 for `constant` and `one_cycle`.
    pub fn warmup_steps(&self) -> u64 {
        self.warmup_steps
    }
}

/// Falls from 1 at 0 to 0 at 1, and continues as the cosine does.
fn half_cosine(turns: f64) -> f64 {
    (0.5 * (1.0 + (PI * turns).cos())).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(lr_scheduler_type: SchedulerType, warmup: u64, total: u64) -> Schedule {
        let config = ScheduleConfig {
            lr_scheduler_type,
            gamma: Some(0.5),
            ..Default::default()
        };
        Schedule::new(&config, 1.0, warmup, total).unwrap()
    }

    /// Expects the values of `transformers.get_linear_schedule_with_warmup(optimizer, 2, 10)`.
    #[test]
    fn linear_is_the_default() {
        let schedule = Schedule::new(&ScheduleConfig::default(), 1.0, 2, 10).unwrap();
        let rates: Vec<_> = (0..10).map(|step| schedule.at(step)).collect();
        assert_eq!(
            rates,
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
    }

    /// Where transformers or torch would divide by zero, the rate is still a number.
    #[test]
    fn runs_of_warmup_only_and_of_one_step() {
        for kind in SchedulerType::ALL {
            for (warmup, total) in [(0, 1), (1, 1), (3, 3), (5, 3)] {
                let schedule = schedule(kind, warmup, total);
                for step in 0..8 {
                    let rate = schedule.at(step);
                    assert!((0.0..=1.0).contains(&rate), "{kind:?} {step}: {rate}");
                }
            }
        }
    }

    /// Epochs of 3, 4 and 2 steps, as batches by tokens give.
    #[test]
    fn uneven_epochs_end_where_they_end() {
        let uneven = Epochs::Ends(vec![3, 7, 9]);
        let rates = |schedule: &Schedule| -> Vec<f64> { (0..10).map(|s| schedule.at(s)).collect() };
        let whole = schedule(SchedulerType::Exponential, 0, 9).with_epochs(uneven.clone());
        assert_eq!(
            rates(&whole),
            [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
        );
        // A warm-up of one epoch postpones all falls by an epoch.
        let warm = schedule(SchedulerType::Step, 3, 9).with_epochs(uneven);
        let third = 1.0 / 3.0;
        assert_eq!(
            rates(&warm),
            [0.0, third, 2.0 * third, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
        );
    }

    /// In floating point, 7/3 - 1/3 may be less than 2.
    #[test]
    fn a_period_that_is_over_has_passed() {
        for steps in 1..60 {
            let config = ScheduleConfig {
                lr_scheduler_type: SchedulerType::Step,
                gamma: Some(0.5),
                ..Default::default()
            };
            for warmup in 0..steps {
                let schedule = Schedule::new(&config, 1.0, warmup, 10 * steps).unwrap();
                let schedule = schedule.with_epochs(Epochs::Even(steps));
                for epoch in 1..5 {
                    let end = warmup + epoch * steps;
                    let expected = 0.5f64.powi(epoch as i32);
                    assert_eq!(schedule.at(end), expected, "{steps} {warmup}");
                    assert_eq!(schedule.at(end - 1), 2.0 * expected, "{steps} {warmup}");
                }
            }
        }
    }

    #[test]
    fn schedules_without_warmup_say_so() {
        assert_eq!(schedule(SchedulerType::Constant, 3, 9).warmup_steps(), 0);
        assert_eq!(schedule(SchedulerType::OneCycle, 3, 9).warmup_steps(), 0);
        assert_eq!(schedule(SchedulerType::InverseSqrt, 3, 9).warmup_steps(), 3);
        assert_eq!(schedule(SchedulerType::Constant, 3, 9).momentum_at(0), None);
    }
}
