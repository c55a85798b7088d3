//! Settings of the one-cycle schedule.

use serde::{Deserialize, Serialize};

use super::schedule::require;
use crate::TrainError;

/// The interpolation between two points of the cycle.
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
    /// Fraction of the steps in which the learning rate rises.
    pub pct_start: f64,
    /// Ratio of the peak learning rate to the initial one.
    pub div_factor: f64,
    /// Ratio of the initial learning rate to the final one.
    pub final_div_factor: f64,
    /// Shape of each phase.
    pub anneal_strategy: AnnealStrategy,
    /// Whether a phase back to the initial values, as long as the rise, precedes the descent to the
    /// end.
    pub three_phase: bool,
    /// Whether the momentum (Adam's first beta) moves opposite to the learning rate.
    pub cycle_momentum: bool,
    /// Momentum at the peak of the learning rate.
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
