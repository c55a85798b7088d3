//! The state that training changes: the model, the optimizer's state and the moving average.

use finetune_kernels::Factor;
use finetune_models::{SequenceClassifier, visit_parameters};

use crate::{
    Ema, EmaState, Event, Optimizer, OptimizerState, ParameterGradients, Strategy, TrainError,
    TrainPlan, Trainable, TrainedModel, lowest_trained_layer,
};

/// A model with the state of its training.
#[derive(Debug)]
pub(crate) struct Learner<M = SequenceClassifier> {
    /// The model being trained.
    pub model: M,
    optimizer: Optimizer,
    ema: Option<Ema>,
    /// Whether frozen layers use dropout.
    frozen_dropout: bool,
    /// Number of encoder layers in and below which nothing is trained.
    untrained_layers: usize,
}

impl<M: TrainedModel> Learner<M> {
    /// Resumes from the given states. Trains what `strategy` names, or else whatever in `model` takes
    /// gradients.
    ///
    /// # Errors
    /// Fails if the strategy or a state does not fit the model.
    pub fn new(
        plan: &TrainPlan,
        model: M,
        strategy: Option<Strategy>,
        optimizer: OptimizerState,
        ema: EmaState,
    ) -> Result<Self, TrainError> {
        let groups = plan
            .optimization
            .parameter_groups(model.config().num_hidden_layers);
        let model = match strategy {
            None => model,
            Some(strategy) => trainable(plan, &strategy, &model)?.apply(model),
        };
        let mut model = model.train();
        model.pack_frozen();
        let mut learner = Self {
            untrained_layers: lowest_trained_layer(&model),
            model,
            optimizer: Optimizer::new(plan.optimization.optimizer, groups),
            ema: plan.optimization.ema_decay.map(Ema::new).transpose()?,
            frozen_dropout: plan.model.frozen_dropout,
        };
        learner.optimizer.restore(&learner.model, optimizer)?;
        if let Some(average) = &mut learner.ema {
            average.restore(&learner.model, ema)?;
        }
        Ok(learner)
    }

    /// Trains what `strategy` names from here on.
    ///
    /// # Errors
    /// Fails if the strategy does not fit the model.
    pub fn training(self, plan: &TrainPlan, strategy: &Strategy) -> Result<Self, TrainError> {
        let trainable = trainable(plan, strategy, &self.model)?;
        let mut model = trainable.apply(self.model);
        model.pack_frozen();
        Ok(Self {
            untrained_layers: lowest_trained_layer(&model),
            model,
            ..self
        })
    }

    /// Returns the event that more parameters are trained from `step` on.
    pub fn unfrozen(&self, step: u64) -> Event {
        let mut trainable_parameters = 0;
        visit_parameters(&self.model, &mut |_, parameter| {
            if parameter.is_trained() {
                trainable_parameters += parameter.shape().iter().product::<usize>() as u64;
            }
        });
        Event::Unfrozen {
            step,
            lowest_layer: self.untrained_layers,
            trainable_parameters,
        }
    }

    /// Returns the number of lowest encoder layers that run without dropout and are a
    /// fixed function of the text. Frozen layers run without dropout unless the plan says otherwise:
    /// noise in features that nothing adapts to only blurs them, and the head should learn from the
    /// features it will see in prediction.
    pub fn frozen_layers(&self) -> usize {
        match self.frozen_dropout {
            true => 0,
            false => self.untrained_layers,
        }
    }

    /// Returns the learner with a changed model.
    pub fn map_model(self, change: impl FnOnce(M) -> M) -> Self {
        Self {
            model: change(self.model),
            ..self
        }
    }

    /// Takes one optimizer step. The gradients are first multiplied by `gradient_scale`.
    pub fn step(
        self,
        gradients: ParameterGradients,
        learning_rate: f64,
        momentum: Option<f64>,
        gradient_scale: impl Into<Factor>,
    ) -> Self {
        let Self {
            model,
            mut optimizer,
            mut ema,
            ..
        } = self;
        // The model is passed by value, so that tensors that are not shared are updated in place.
        let model = optimizer.step(model, gradients, learning_rate, momentum, gradient_scale);
        if let Some(ema) = &mut ema {
            ema.update(&model);
        }
        Self {
            model,
            optimizer,
            ema,
            ..self
        }
    }

    /// Returns the model to evaluate and save: the moving average, if there is one.
    pub fn result(&self) -> M {
        let model = self.model.clone();
        match &self.ema {
            None => model,
            Some(ema) => ema.averaged(model),
        }
    }

    /// Returns whether [`result`](Self::result) differs from the model being trained.
    pub fn is_averaged(&self) -> bool {
        self.ema.is_some()
    }

    /// Returns the states of the optimizer and the moving average. Their tensors are shared, not
    /// copied.
    pub fn states(&self) -> (OptimizerState, EmaState) {
        let ema = self.ema.as_ref().map(Ema::state);
        (self.optimizer.state(), ema.unwrap_or_default())
    }
}

/// Selects the parameters of `model` that `plan` trains while a strategy is in force.
fn trainable<M: TrainedModel>(
    plan: &TrainPlan,
    strategy: &Strategy,
    model: &M,
) -> Result<Trainable, TrainError> {
    let config = model.config();
    let chosen = Trainable::among(M::parameters_of(config), strategy, config)?;
    chosen.but_frozen(&plan.model)
}
