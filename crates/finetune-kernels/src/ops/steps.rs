//! The settings of optimizer steps, which are the same for all elements of a tensor.

/// The settings of a step of Adam or AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta_1: f64,
    /// Decay rate of the second moment.
    pub beta_2: f64,
    /// The term added to the square root of the second moment.
    pub epsilon: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether weight decay is applied to the parameter itself (AdamW) or added to the gradient (Adam).
    pub decoupled_weight_decay: bool,
    /// Index of this step, counted from 1, for the bias correction.
    pub step: u64,
}

impl AdamStep {
    /// Returns `1 - beta_1^step`.
    pub fn bias_correction_1(&self) -> f64 {
        1.0 - self.beta_1.powf(self.step as f64)
    }

    /// Returns `1 - beta_2^step`.
    pub fn bias_correction_2(&self) -> f64 {
        1.0 - self.beta_2.powf(self.step as f64)
    }

    /// Returns the factor by which AdamW first multiplies the parameter.
    pub(crate) fn decay_factor(&self) -> f64 {
        match self.decoupled_weight_decay {
            true => 1.0 - self.learning_rate * self.weight_decay,
            false => 1.0,
        }
    }

    /// Returns the multiple of the parameter that Adam adds to the gradient.
    pub(crate) fn coupled_decay(&self) -> f64 {
        match self.decoupled_weight_decay {
            true => 0.0,
            false => self.weight_decay,
        }
    }
}

/// The settings of a step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay rate of the momentum buffer.
    pub momentum: f64,
    /// Whether Nesterov momentum is used.
    pub nesterov: bool,
    /// Multiple of the parameter that is added to the gradient.
    pub weight_decay: f64,
}

/// The settings of a step of Adafactor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdafactorStep {
    /// Learning rate of this step, which includes the parameter's scale.
    pub learning_rate: f64,
    /// Decay rate of the second moment in this step.
    pub beta_2: f64,
    /// The term added to the squared gradient.
    pub epsilon: f64,
    /// Root mean square above which an update is scaled down.
    pub clip_threshold: f64,
}
