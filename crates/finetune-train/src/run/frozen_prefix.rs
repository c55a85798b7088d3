//! The part of a run that is a fixed function of the text, computed once where that pays off.

use std::path::Path;

use finetune_data::TokenizedDataset;

use crate::{
    Event, FeatureLimits, FeatureStore, Interval, Learner, Observers, Steps, Strategy, TrainData,
    TrainError, TrainPlan,
};

/// The results of the layers in and below which nothing is trained, where they are stored.
#[derive(Debug)]
pub struct FrozenPrefix {
    train: Option<FeatureStore>,
    validation: Option<FeatureStore>,
}

impl FrozenPrefix {
    /// Computes and stores the results of the frozen layers for rows that are used more than once.
    pub(crate) fn fill(
        plan: &TrainPlan,
        learner: &Learner,
        data: &TrainData,
        steps: &Steps,
        run: &Path,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        let (model, layers) = (&learner.model, learner.frozen_layers());
        let limits = plan.model.feature_cache;
        let [of_train, of_validation] = Self::is_stored(plan, layers, steps);
        let mut fill = |rows: &TokenizedDataset, limits: FeatureLimits, is_stored: bool| {
            if !is_stored || limits.memory_bytes + limits.disk_bytes == 0 {
                return Ok(None);
            }
            observers.emit(&Event::Caching { rows: rows.len() })?;
            let mut progress = |rows| {
                observers.emit(&Event::CachingProgress { rows })?;
                match observers.interrupted() {
                    true => Err(TrainError::Interrupted),
                    false => Ok(()),
                }
            };
            FeatureStore::fill(model, rows, layers, limits, run, &mut progress).map(Some)
        };
        let train = fill(&data.train, limits, of_train)?;
        let left = train.as_ref().map_or(limits, |train| {
            let report = train.report();
            FeatureLimits {
                memory_bytes: limits.memory_bytes - report.memory_bytes,
                disk_bytes: limits.disk_bytes - report.disk_bytes,
            }
        });
        let validation = fill(&data.validation, left, of_validation)?;
        Ok(Self { train, validation })
    }

    /// Returns whether the results of `frozen_layers` layers are stored for the training and for the validation
    /// rows: those that are used more than once.
    pub(crate) fn is_stored(plan: &TrainPlan, frozen_layers: usize, steps: &Steps) -> [bool; 2] {
        let limits = plan.model.feature_cache;
        // Gradual unfreezing would require computing them again.
        let fixed = frozen_layers > 0 && plan.model.strategy != Strategy::Gradual;
        let any = fixed && limits.memory_bytes + limits.disk_bytes > 0;
        [steps.passes(), evaluations(plan, steps)].map(|used| any && used >= 2.0)
    }

    /// Returns the results for the training rows.
    pub fn train(&self) -> Option<&FeatureStore> {
        self.train.as_ref()
    }

    /// Returns the results for the validation rows.
    pub fn validation(&self) -> Option<&FeatureStore> {
        self.validation.as_ref()
    }
}

/// Returns the number of evaluations in a run.
fn evaluations(plan: &TrainPlan, steps: &Steps) -> f64 {
    let during = match plan.evaluation.eval {
        Interval::No => 0.0,
        Interval::Epoch => steps.passes().ceil(),
        Interval::Steps(every) => (steps.total as f64 / every.get() as f64).ceil(),
    };
    during + f64::from(u8::from(plan.evaluation.eval_on_start))
}
