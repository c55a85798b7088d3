//! What training changes: the model, the optimizer's state, the moving average.

use burn::module::Module;
use finetune_models::SequenceClassifier;

use crate::{Ema, EmaState, Optimizer, OptimizerState, ParameterGradients, TrainError, TrainPlan};

/// A model with all that learning remembers of it.
#[derive(Debug)]
pub(crate) struct Learner {
    /// The model as it is trained.
    pub model: SequenceClassifier,
    optimizer: Optimizer,
    ema: Option<Ema>,
}

impl Learner {
    /// Goes on from these states.
    pub fn new(
        plan: &TrainPlan,
        model: SequenceClassifier,
        optimizer: OptimizerState,
        ema: EmaState,
    ) -> Result<Self, TrainError> {
        let groups = plan
            .optimization
            .parameter_groups(model.config().num_hidden_layers);
        let mut model = model.train();
        model.pack_frozen(false);
        let mut learner = Self {
            model,
            optimizer: Optimizer::new(plan.optimization.optimizer, groups),
            ema: plan.optimization.ema_decay.map(Ema::new).transpose()?,
        };
        learner.optimizer.restore(&learner.model, optimizer)?;
        if let Some(average) = &mut learner.ema {
            average.restore(&learner.model, ema)?;
        }
        Ok(learner)
    }

    /// One optimizer step. The gradients are multiplied with `gradient_scale` first.
    pub fn step(
        self,
        gradients: ParameterGradients,
        learning_rate: f64,
        momentum: Option<f64>,
        gradient_scale: f64,
    ) -> Self {
        let Self {
            model,
            mut optimizer,
            mut ema,
        } = self;
        // The model is given away: what nobody else holds is changed in place.
        let model = optimizer.step(model, gradients, learning_rate, momentum, gradient_scale);
        if let Some(ema) = &mut ema {
            ema.update(&model);
        }
        Self {
            model,
            optimizer,
            ema,
        }
    }

    /// The model that is evaluated and saved: the moving average, where there is one.
    pub fn result(&self) -> SequenceClassifier {
        let model = self.model.clone();
        match &self.ema {
            None => model,
            Some(ema) => ema.averaged(model),
        }
    }

    /// Whether [`result`](Self::result) is another than the model that is trained.
    pub fn is_averaged(&self) -> bool {
        self.ema.is_some()
    }

    /// States of the optimizer and the moving average. The tensors are shared, not copied.
    pub fn states(&self) -> (OptimizerState, EmaState) {
        let ema = self.ema.as_ref().map(Ema::state);
        (self.optimizer.state(), ema.unwrap_or_default())
    }
}
