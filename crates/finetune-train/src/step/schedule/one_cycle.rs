//! torch's `OneCycleLR` (Smith & Topin 2018, "Super-Convergence").

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::config::require;
use crate::TrainError;

/// How values move between two points of the cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnealStrategy {
    /// Half a cosine.
    #[default]
    Cos,
    /// A straight line.
    Linear,
}

/// Settings of the cycle, with torch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycleConfig {
    /// Share of the steps in which the learning rate rises.
    pub pct_start: f64,
    /// The cycle starts at the peak divided by this.
    pub div_factor: f64,
    /// It ends at the start divided by this.
    pub final_div_factor: f64,
    /// How it moves.
    pub anneal_strategy: AnnealStrategy,
    /// Back to the start in as many steps as the rise took, and only then down to the end.
    pub three_phase: bool,
    /// Whether the momentum (Adam's first beta) falls while the learning rate rises, and back.
    pub cycle_momentum: bool,
    /// Momentum at the peak.
    pub base_momentum: f64,
    /// Momentum at the start and at the end.
    pub max_momentum: f64,
}

impl Default for OneCycleConfig {
    fn default() -> Self {
        Self {
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            anneal_strategy: AnnealStrategy::Cos,
            three_phase: false,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
        }
    }
}

impl OneCycleConfig {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let share = "a share from 0 to 1";
        let above_0 = "a number above 0";
        let momentum = "0 or more and less than 1";
        let is_share = (0.0..=1.0).contains(&self.pct_start);
        require(is_share, "pct_start", self.pct_start, share)?;
        for (key, value) in [
            ("div_factor", self.div_factor),
            ("final_div_factor", self.final_div_factor),
        ] {
            require(value > 0.0 && value.is_finite(), key, value, above_0)?;
        }
        for (key, value) in [
            ("base_momentum", self.base_momentum),
            ("max_momentum", self.max_momentum),
        ] {
            require((0.0..1.0).contains(&value), key, value, momentum)?;
        }
        Ok(())
    }
}

/// A point of the cycle: learning rate and momentum.
type Point = (f64, f64);

/// The cycle over a number of steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OneCycle {
    /// Each phase's last step, which need not be whole, and its two ends.
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

    /// Past the last step, where torch refuses to go on, the end.
    fn value_at(&self, step: u64, of: impl Fn(Point) -> f64) -> f64 {
        let step = step as f64;
        let mut first = 0.0;
        let mut value = 0.0;
        for &(last, from, to) in &self.phases {
            // A phase of no length is over at once.
            let share = match last - first {
                0.0 => 1.0,
                length => ((step - first) / length).min(1.0),
            };
            value = self.anneal(of(from), of(to), share);
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
