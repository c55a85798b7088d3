//! Settings of one optimizer step, the same for all elements of a tensor.

/// One step of Adam or AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta_1: f64,
    /// Decay rate of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether the decay acts on the parameter itself (AdamW) or is added to the gradient (Adam).
    pub decoupled_weight_decay: bool,
    /// Number of this step, counted from 1, for the bias correction.
    pub step: u64,
    /// Factor that the gradient is multiplied by first (global-norm clipping).
    pub gradient_scale: f64,
}

impl AdamStep {
    /// `1 - beta_1^step`
    pub fn bias_correction_1(&self) -> f64 {
        1.0 - self.beta_1.powf(self.step as f64)
    }

    /// `1 - beta_2^step`
    pub fn bias_correction_2(&self) -> f64 {
        1.0 - self.beta_2.powf(self.step as f64)
    }

    /// Factor that AdamW multiplies the parameter by first.
    pub(crate) fn decay_factor(&self) -> f64 {
        match self.decoupled_weight_decay {
            true => 1.0 - self.learning_rate * self.weight_decay,
            false => 1.0,
        }
    }

    /// Share of the parameter that Adam adds to the gradient.
    pub(crate) fn coupled_decay(&self) -> f64 {
        match self.decoupled_weight_decay {
            true => 0.0,
            false => self.weight_decay,
        }
    }
}

/// One step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Share of the momentum buffer that is kept.
    pub momentum: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// Share of the parameter that is added to the gradient.
    pub weight_decay: f64,
    /// Factor that the gradient is multiplied by first (global-norm clipping).
    pub gradient_scale: f64,
}

/// One step of Adafactor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdafactorStep {
    /// Learning rate of this step, which includes the parameter's scale.
    pub learning_rate: f64,
    /// Decay rate of the second moment in this step.
    pub beta_2: f64,
    /// Added to the squared gradient.
    pub epsilon: f64,
    /// Root mean square above which an update is scaled down.
    pub clip_threshold: f64,
    /// Factor that the gradient is multiplied by first (global-norm clipping).
    pub gradient_scale: f64,
}
