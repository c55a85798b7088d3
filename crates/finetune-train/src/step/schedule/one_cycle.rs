//! torch's `OneCycleLR` (Smith & Topin 2018, "Super-Convergence").

use std::f64::consts::PI;

use crate::{AnnealStrategy, OneCycleConfig};

/// A point of the cycle: learning rate and momentum.
type Point = (f64, f64);

/// The cycle over a given number of steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OneCycle {
    /// The last step of each phase, not necessarily whole, and the points at its two ends.
    phases: Vec<(f64, Point, Point)>,
    anneal: AnnealStrategy,
    cycle_momentum: bool,
}

impl OneCycle {
    pub(super) fn new(config: OneCycleConfig, max_lr: f64, total_steps: u64) -> Self {
        let start = (max_lr / config.div_factor, config.max_momentum);
        let peak = (max_lr, config.base_momentum);
        let end = (start.0 / config.final_div_factor, config.max_momentum);
        let total = total_steps as f64;
        let rise = config.pct_start * total - 1.0;
        let phases = match config.three_phase {
            false => vec![(rise, start, peak), (total - 1.0, peak, end)],
            true => vec![
                (rise, start, peak),
                (2.0 * config.pct_start * total - 2.0, peak, start),
                (total - 1.0, start, end),
            ],
        };
        Self {
            phases,
            anneal: config.anneal_strategy,
            cycle_momentum: config.cycle_momentum,
        }
    }

    pub(super) fn learning_rate_at(&self, step: u64) -> f64 {
        self.value_at(step, |point| point.0)
    }

    pub(super) fn momentum_at(&self, step: u64) -> Option<f64> {
        self.cycle_momentum
            .then(|| self.value_at(step, |point| point.1))
    }

    /// Interpolates a value. Steps after the last one, which torch refuses, get the final value.
    fn value_at(&self, step: u64, component: impl Fn(Point) -> f64) -> f64 {
        let step = step as f64;
        let mut first = 0.0;
        let mut value = 0.0;
        for &(last, from, to) in &self.phases {
            // A phase without length is over at once.
            let share = match last - first {
                0.0 => 1.0,
                length => ((step - first) / length).min(1.0),
            };
            value = self.anneal(component(from), component(to), share);
            if step <= last {
                break;
            }
            first = last;
        }
        value
    }

    fn anneal(&self, from: f64, to: f64, share: f64) -> f64 {
        match self.anneal {
            AnnealStrategy::Cos => to + (from - to) / 2.0 * ((PI * share).cos() + 1.0),
            AnnealStrategy::Linear => (to - from) * share + from,
        }
    }
}
