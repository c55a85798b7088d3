//! The choice of a schedule, and its settings.

use serde::{Deserialize, Serialize};

use super::check::conflict;
use crate::{OneCycleConfig, TrainError};

/// The shape of the learning rate over a run: transformers' `lr_scheduler_type`, and torch's `OneCycleLR`,
/// `StepLR` and `ExponentialLR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchedulerType {
    /// Warm-up, then a linear decrease to 0.
    #[default]
    Linear,
    /// Warm-up, then a decrease along a cosine; see [`ScheduleConfig::num_cycles`].
    Cosine,
    /// Warm-up, then a cosine from the peak to 0, repeated `num_cycles` times.
    CosineWithRestarts,
    /// Warm-up, then a decrease to `lr_end` along a polynomial of degree `power`.
    Polynomial,
    /// The peak throughout; a warm-up is ignored, as in transformers.
    Constant,
    /// Warm-up, then the peak.
    ConstantWithWarmup,
    /// Warm-up, then a decrease with the inverse square root of the step.
    InverseSqrt,
    /// torch's `OneCycleLR` (Smith & Topin 2018), which includes its own warm-up.
    OneCycle,
    /// torch's `StepLR`: the peak, multiplied by `gamma` after each `step_size`.
    Step,
    /// torch's `ExponentialLR`: the peak, multiplied by `gamma` after each epoch.
    Exponential,
}

impl SchedulerType {
    /// All schedules.
    pub const ALL: [Self; 10] = [
        Self::Linear,
        Self::Cosine,
        Self::CosineWithRestarts,
        Self::Polynomial,
        Self::Constant,
        Self::ConstantWithWarmup,
        Self::InverseSqrt,
        Self::OneCycle,
        Self::Step,
        Self::Exponential,
    ];

    /// Returns the name in options and plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::CosineWithRestarts => "cosine_with_restarts",
            Self::Polynomial => "polynomial",
            Self::Constant => "constant",
            Self::ConstantWithWarmup => "constant_with_warmup",
            Self::InverseSqrt => "inverse_sqrt",
            Self::OneCycle => "one_cycle",
            Self::Step => "step",
            Self::Exponential => "exponential",
        }
    }

    /// Returns whether the schedule begins with the warm-up of a plan: the rate of `constant` does not
    /// change, as in transformers, and `one_cycle` has a rise of its own.
    pub fn has_warmup(self) -> bool {
        !matches!(self, Self::Constant | Self::OneCycle)
    }
}

/// The unit in which `step` and `exponential` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepUnit {
    /// Passes over the training rows: torch's `scheduler.step()` at the end of each epoch.
    #[default]
    #[serde(alias = "epoch")]
    Epochs,
    /// Optimizer steps: torch's `scheduler.step()` after each of them.
    #[serde(alias = "step")]
    Steps,
}

impl StepUnit {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A schedule and its settings, with the names and defaults of transformers and torch. Settings that do
/// not apply to the chosen type have no effect; [`refuse_foreign`](Self::refuse_foreign) finds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The type of the schedule.
    pub lr_scheduler_type: SchedulerType,
    /// Waves of `cosine` (default: 0.5, one descent), or descents of `cosine_with_restarts` (default:
    /// 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_cycles: Option<f64>,
    /// Degree of `polynomial`.
    pub power: f64,
    /// Final learning rate of `polynomial`.
    pub lr_end: f64,
    /// Number of steps after which `inverse_sqrt` starts to fall noticeably (default: the warm-up
    /// steps, or 10,000 without a warm-up).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timescale: Option<u64>,
    /// Epochs or steps between two falls of `step` (default: 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_size: Option<f64>,
    /// Factor of each fall of `step` (default: 0.1) and `exponential` (which has no default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Unit of `step_size`, and of the falls of `exponential`.
    #[serde(skip_serializing_if = "StepUnit::is_default")]
    pub step_unit: StepUnit,
    /// Settings of `one_cycle`.
    pub one_cycle: OneCycleConfig,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            lr_scheduler_type: SchedulerType::default(),
            num_cycles: None,
            power: 1.0,
            lr_end: 1e-7,
            timescale: None,
            step_size: None,
            gamma: None,
            step_unit: StepUnit::default(),
            one_cycle: OneCycleConfig::default(),
        }
    }
}

impl ScheduleConfig {
    /// Checks the settings of the chosen type, given the peak learning rate.
    ///
    /// # Errors
    /// Fails with [`TrainError::Value`], which names the key.
    pub fn check(&self, learning_rate: f64) -> Result<(), TrainError> {
        let above_0 = |value: f64| value > 0.0 && value.is_finite();
        require(
            above_0(learning_rate),
            "learning_rate",
            learning_rate,
            "a number above 0, such as 5e-5",
        )?;
        match self.lr_scheduler_type {
            SchedulerType::Cosine | SchedulerType::CosineWithRestarts => {
                let cycles = self.num_cycles.unwrap_or(1.0);
                require(above_0(cycles), "num_cycles", cycles, "a number above 0")
            }
            SchedulerType::Polynomial => {
                require(above_0(self.power), "power", self.power, "a number above 0")?;
                require(
                    (0.0..learning_rate).contains(&self.lr_end),
                    "lr_end",
                    self.lr_end,
                    &format!("0 or more and less than the learning rate, {learning_rate:e}"),
                )
            }
            SchedulerType::InverseSqrt => {
                let steps = self.timescale.unwrap_or(1);
                require(steps > 0, "timescale", steps as f64, "at least 1 step")
            }
            SchedulerType::OneCycle => self.one_cycle.check(),
            SchedulerType::Step | SchedulerType::Exponential => self.check_stepped(),
            _ => Ok(()),
        }
    }

    /// Refuses settings that the chosen type does not have, unless they have their defaults, as in the
    /// plan of a run.
    ///
    /// # Errors
    /// Fails with [`TrainError::Conflict`], which says what has the setting.
    pub fn refuse_foreign(&self) -> Result<(), TrainError> {
        use SchedulerType as Type;
        let default = Self::default();
        let settings: [(&'static str, bool, &[Type]); 8] = [
            (
                "num_cycles",
                self.num_cycles.is_some(),
                &[Type::Cosine, Type::CosineWithRestarts],
            ),
            ("power", self.power != default.power, &[Type::Polynomial]),
            ("lr_end", self.lr_end != default.lr_end, &[Type::Polynomial]),
            ("timescale", self.timescale.is_some(), &[Type::InverseSqrt]),
            ("step_size", self.step_size.is_some(), &[Type::Step]),
            (
                "gamma",
                self.gamma.is_some(),
                &[Type::Step, Type::Exponential],
            ),
            (
                "step_unit",
                !self.step_unit.is_default(),
                &[Type::Step, Type::Exponential],
            ),
            (
                "one_cycle",
                self.one_cycle != default.one_cycle,
                &[Type::OneCycle],
            ),
        ];
        let chosen = self.lr_scheduler_type;
        for (key, given, of) in settings {
            conflict(
                given && !of.contains(&chosen),
                [key, "lr_scheduler_type"],
                || {
                    let of: Vec<_> = of.iter().map(|kind| kind.name()).collect();
                    format!(
                        "lr_scheduler_kwargs.{key} is a setting of schedule {}, but lr_scheduler_type is {}; leave it out, or change the schedule",
                        of.join(" and "),
                        chosen.name()
                    )
                },
            )?;
        }
        Ok(())
    }

    fn check_stepped(&self) -> Result<(), TrainError> {
        let factor = "a number above 0, such as 0.1";
        match self.gamma {
            Some(gamma) => require(gamma > 0.0 && gamma.is_finite(), "gamma", gamma, factor)?,
            None if self.lr_scheduler_type == SchedulerType::Exponential => {
                return Err(TrainError::Value {
                    key: "gamma",
                    found: "not set".into(),
                    expected:
                        "the factor of exponential, such as --set lr_scheduler_kwargs.gamma=0.9"
                            .into(),
                });
            }
            None => {}
        }
        let size = self.step_size.unwrap_or(1.0);
        match self.step_unit {
            StepUnit::Epochs => require(
                size > 0.0 && size.is_finite(),
                "step_size",
                size,
                "a number of epochs above 0, such as 1",
            ),
            StepUnit::Steps => require(
                size >= 1.0 && size.fract() == 0.0,
                "step_size",
                size,
                "a whole number of steps, at least 1",
            ),
        }
    }
}

/// Fails with an error that names `key` unless `condition` holds.
pub(super) fn require(
    condition: bool,
    key: &'static str,
    value: f64,
    expected: &str,
) -> Result<(), TrainError> {
    match condition {
        true => Ok(()),
        false => Err(TrainError::Value {
            key,
            found: format!("{value:?}"),
            expected: expected.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_transformers() {
        let names = SchedulerType::ALL.map(|kind| serde_json::to_string(&kind).unwrap());
        let names = names.map(|name| name.trim_matches('"').to_string());
        assert_eq!(names, SchedulerType::ALL.map(SchedulerType::name));
        assert_eq!(
            names,
            [
                "linear",
                "cosine",
                "cosine_with_restarts",
                "polynomial",
                "constant",
                "constant_with_warmup",
                "inverse_sqrt",
                "one_cycle",
                "step",
                "exponential"
            ]
        );
        let text = "lr_scheduler_type = \"polynomial\"\npower = 2.0";
        let config: ScheduleConfig = toml::from_str(text).unwrap();
        assert_eq!(config.lr_scheduler_type, SchedulerType::Polynomial);
        assert_eq!((config.power, config.lr_end), (2.0, 1e-7));
        let again = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ScheduleConfig>(&again).unwrap(), config);
    }

    #[test]
    fn invalid_values_are_named() {
        for (text, key) in [
            (
                "lr_scheduler_type = \"cosine\"\nnum_cycles = 0.0",
                "num_cycles",
            ),
            ("lr_scheduler_type = \"polynomial\"\npower = -1.0", "power"),
            ("lr_scheduler_type = \"polynomial\"\nlr_end = 0.1", "lr_end"),
            (
                "lr_scheduler_type = \"inverse_sqrt\"\ntimescale = 0",
                "timescale",
            ),
            (
                "lr_scheduler_type = \"one_cycle\"\none_cycle.pct_start = 1.5",
                "pct_start",
            ),
            (
                "lr_scheduler_type = \"one_cycle\"\none_cycle.div_factor = 0.0",
                "div_factor",
            ),
            (
                "lr_scheduler_type = \"one_cycle\"\none_cycle.max_momentum = 1.0",
                "max_momentum",
            ),
            ("lr_scheduler_type = \"step\"\nstep_size = 0", "step_size"),
            (
                "lr_scheduler_type = \"step\"\nstep_unit = \"steps\"\nstep_size = 1.5",
                "step_size",
            ),
            ("lr_scheduler_type = \"step\"\ngamma = -0.1", "gamma"),
            ("lr_scheduler_type = \"exponential\"", "gamma"),
        ] {
            let config: ScheduleConfig = toml::from_str(text).unwrap();
            let error = config.check(5e-5).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        let config = ScheduleConfig::default();
        assert!(config.check(f64::NAN).is_err());
    }

    /// Each setting is refused by every schedule but its own, and accepted with its default.
    #[test]
    fn settings_of_other_schedules_are_refused() {
        for (setting, own) in [
            ("num_cycles = 2.0", &["cosine", "cosine_with_restarts"][..]),
            ("power = 2.0", &["polynomial"]),
            ("lr_end = 1e-6", &["polynomial"]),
            ("timescale = 9", &["inverse_sqrt"]),
            ("step_size = 2.0", &["step"]),
            ("gamma = 0.5", &["step", "exponential"]),
            ("step_unit = \"steps\"", &["step", "exponential"]),
            ("one_cycle.div_factor = 2.0", &["one_cycle"]),
        ] {
            for name in SchedulerType::ALL.map(SchedulerType::name) {
                let text = format!("lr_scheduler_type = \"{name}\"\n{setting}");
                let config: ScheduleConfig = toml::from_str(&text).unwrap();
                match config.refuse_foreign() {
                    Ok(()) => assert!(own.contains(&name), "{text}"),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(!own.contains(&name), "{error}");
                        let key = setting.split([' ', '.']).next().unwrap();
                        assert!(error.contains(key) && error.contains(own[0]), "{error}");
                        assert!(error.contains(&format!("is {name};")), "{error}");
                    }
                }
            }
        }
        for kind in SchedulerType::ALL {
            let config = ScheduleConfig {
                lr_scheduler_type: kind,
                ..ScheduleConfig::default()
            };
            let written = toml::to_string(&config).unwrap();
            let read: ScheduleConfig = toml::from_str(&written).unwrap();
            read.refuse_foreign().unwrap();
        }
    }
}
