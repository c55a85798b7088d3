//! The choice of an optimizer, and its settings.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// An optimizer and its settings: transformers' `optim`, with the names and defaults of torch and
/// transformers. The weight decay is in [`ParameterGroups`](crate::ParameterGroups).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "optim")]
pub enum OptimizerConfig {
    /// AdamW (Loshchilov & Hutter 2019), `torch.optim.AdamW`.
    #[serde(
        rename = "adamw_torch",
        alias = "adamw",
        alias = "adamw_torch_fused",
        alias = "adamw_hf"
    )]
    AdamW(AdamConfig),
    /// Adam (Kingma & Ba 2015), `torch.optim.Adam`: the weight decay is part of the gradient.
    #[serde(rename = "adam")]
    Adam(AdamConfig),
    /// Stochastic gradient descent, `torch.optim.SGD`.
    #[serde(rename = "sgd")]
    Sgd(SgdConfig),
    /// Adafactor (Shazeer & Stern 2018), transformers' `Adafactor` as its Trainer sets it.
    #[serde(rename = "adafactor")]
    Adafactor(AdafactorConfig),
}

/// The notation of optimizers, for messages and help.
pub const OPTIMIZERS: &str = "adamw_torch (or adamw), adam, sgd, adafactor";

/// Settings of Adam and AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay rate of the first moment.
    pub adam_beta1: f64,
    /// Decay rate of the second moment.
    pub adam_beta2: f64,
    /// Added to the square root of the second moment.
    pub adam_epsilon: f64,
}

/// Settings of SGD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Fraction of the momentum buffer kept in each step; 0 disables the buffer.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

/// Settings of Adafactor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdafactorConfig {
    /// Added to the squared gradient, and the smallest scale of a parameter.
    pub eps: [f64; 2],
    /// The root mean square above which a parameter's update is scaled down.
    pub clip_threshold: f64,
    /// Exponent of the second moment's decay rate, which is `1 - t^decay_rate` in step `t`.
    pub decay_rate: f64,
    /// Decay rate of a first moment, which needs as much memory as the model; `None` disables it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// Whether the learning rate is relative to the root mean square of the parameter.
    pub scale_parameter: bool,
    /// Whether the learning rate is `1 / √step`, at most 0.01, instead of the schedule's.
    pub relative_step: bool,
    /// Whether `relative_step` is limited to `step · 1e-6`.
    pub warmup_init: bool,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::AdamW(AdamConfig::default())
    }
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
        }
    }
}

impl Default for AdafactorConfig {
    fn default() -> Self {
        Self {
            eps: [1e-30, 1e-3],
            clip_threshold: 1.0,
            decay_rate: -0.8,
            beta1: None,
            scale_parameter: false,
            relative_step: false,
            warmup_init: false,
        }
    }
}

impl OptimizerConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Fails with [`TrainError::Value`] or [`TrainError::Conflict`], which name the keys.
    pub fn check(&self) -> Result<(), TrainError> {
        match self {
            Self::AdamW(adam) | Self::Adam(adam) => {
                for (key, beta) in [
                    ("adam_beta1", adam.adam_beta1),
                    ("adam_beta2", adam.adam_beta2),
                ] {
                    decay_rate(key, beta)?;
                }
                let epsilon = adam.adam_epsilon;
                require(is_positive(epsilon), "adam_epsilon", epsilon, "above 0")
            }
            Self::Sgd(sgd) => {
                decay_rate("momentum", sgd.momentum)?;
                require(
                    !sgd.nesterov || sgd.momentum > 0.0,
                    "momentum",
                    sgd.momentum,
                    "above 0, since nesterov is on",
                )
            }
            Self::Adafactor(adafactor) => adafactor.check(),
        }
    }

    /// Returns whether `one_cycle` can cycle the optimizer's momentum.
    pub fn has_momentum(&self) -> bool {
        !matches!(self, Self::Adafactor(_))
    }
}

impl AdafactorConfig {
    fn check(&self) -> Result<(), TrainError> {
        for eps in self.eps {
            require(is_positive(eps), "eps", eps, "above 0")?;
        }
        let (clip, rate) = (self.clip_threshold, self.decay_rate);
        require(is_positive(clip), "clip_threshold", clip, "above 0")?;
        require(is_positive(-rate), "decay_rate", rate, "below 0")?;
        decay_rate("beta1", self.beta1.unwrap_or(0.0))?;
        match self.warmup_init && !self.relative_step {
            true => Err(TrainError::Conflict {
                keys: ["warmup_init", "relative_step"],
                problem: "warmup_init is on, but relative_step is off; expected both".into(),
            }),
            false => Ok(()),
        }
    }
}

fn is_positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

fn decay_rate(key: &'static str, value: f64) -> Result<(), TrainError> {
    let valid = (0.0..1.0).contains(&value);
    require(valid, key, value, "of at least 0 and below 1")
}

fn require(valid: bool, key: &'static str, value: f64, expected: &str) -> Result<(), TrainError> {
    match valid {
        true => Ok(()),
        false => Err(TrainError::Value {
            key,
            found: format!("{value:?}"),
            expected: format!("a number {expected}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OptimizerConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn names_are_those_of_transformers() {
        let adamw = OptimizerConfig::default();
        for name in ["adamw_torch", "adamw", "adamw_torch_fused"] {
            assert_eq!(read(&format!("optim = \"{name}\"")).unwrap(), adamw);
        }
        let text = "optim = \"sgd\"\nmomentum = 0.9\n";
        let sgd = SgdConfig {
            momentum: 0.9,
            nesterov: false,
        };
        assert_eq!(read(text).unwrap(), OptimizerConfig::Sgd(sgd));
        for config in [
            adamw,
            OptimizerConfig::Adam(AdamConfig::default()),
            OptimizerConfig::Sgd(sgd),
            OptimizerConfig::Adafactor(AdafactorConfig::default()),
        ] {
            let again = toml::to_string(&config).unwrap();
            assert_eq!(read(&again).unwrap(), config, "{again}");
            config.check().unwrap();
        }
        let error = read("optim = \"adafactor\"\nbeta_1 = 0.9").unwrap_err();
        assert!(error.to_string().contains("beta_1"), "{error}");
        let error = read("optim = \"lion\"").unwrap_err();
        assert!(error.to_string().contains("adafactor"), "{error}");
    }

    #[test]
    fn invalid_values_are_named() {
        for (text, key) in [
            ("optim = \"adamw\"\nadam_beta1 = 1.0", "adam_beta1"),
            ("optim = \"adam\"\nadam_epsilon = 0.0", "adam_epsilon"),
            ("optim = \"sgd\"\nmomentum = -0.1", "momentum"),
            ("optim = \"sgd\"\nnesterov = true", "nesterov"),
            ("optim = \"adafactor\"\ndecay_rate = 0.8", "decay_rate"),
            ("optim = \"adafactor\"\nwarmup_init = true", "relative_step"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
