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
        // Gradual unfreezing would require computing them again.
        let fixed = layers > 0 && plan.model.strategy != Strategy::Gradual;
        let limits = plan.model.feature_cache;
        let mut fill = |rows: &TokenizedDataset, limits: FeatureLimits, used: f64| {
            if !fixed || used < 2.0 || limits.memory_bytes + limits.disk_bytes == 0 {
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
        let train = fill(&data.train, limits, steps.passes())?;
        let left = train.as_ref().map_or(limits, |train| {
            let report = train.report();
            FeatureLimits {
                memory_bytes: limits.memory_bytes - report.memory_bytes,
                disk_bytes: limits.disk_bytes - report.disk_bytes,
            }
        });
        let validation = fill(&data.validation, left, evaluations(plan, steps))?;
        Ok(Self { train, validation })
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
