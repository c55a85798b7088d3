//! The choice of the model that a run leaves as `RUN/model`.

use finetune_checkpoint::CheckpointDirectory;
use finetune_peft::AdapterFile;

use crate::{
    EvaluationRecord, Event, Learner, LostBest, Observers, RunDirectory, TrainError, TrainState,
    TrainedModel,
};

/// The model that a run keeps.
pub(crate) struct KeptModel {
    /// Optimizer steps done by it.
    pub step: u64,
    /// Its evaluation, if there was one.
    pub evaluation: Option<EvaluationRecord>,
    /// The better model that should have been kept.
    pub lost_best: Option<LostBest>,
}

impl KeptModel {
    /// Returns the model that should be kept: the best one if it is wanted and exists, otherwise the
    /// last one.
    pub fn intended(state: &TrainState, wants_best: bool) -> Self {
        match state.best.as_ref().filter(|_| wants_best) {
            Some(best) => Self {
                step: best.step,
                evaluation: Some(best.evaluation.clone()),
                lost_best: None,
            },
            None => Self {
                step: state.step,
                evaluation: state.last_evaluation.clone(),
                lost_best: None,
            },
        }
    }

    /// Saves it as `RUN/model`. The last model is in memory; an earlier one is taken from its
    /// checkpoint. If that is damaged, the last model is kept and recorded as such.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written, or an observer fails.
    pub fn save<M: TrainedModel>(
        mut self,
        checkpoints: &CheckpointDirectory,
        learner: &Learner<M>,
        adapter: Option<&AdapterFile>,
        state: &TrainState,
        run: &RunDirectory,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        if self.step != state.step {
            let path = checkpoints.path_of(self.step);
            match run.adopt(&path) {
                Ok(notes) => {
                    for message in notes {
                        observers.emit(&Event::Note { message })?;
                    }
                    return Ok(self);
                }
                Err(TrainError::Checkpoint(error)) if error.is_damage() || !path.exists() => {
                    self = Self::last(state, error.to_string());
                    let message = format!("the last model is kept, not the best: {error}");
                    observers.emit(&Event::Note { message })?;
                }
                // Reading or writing may succeed later, so no other model takes its place.
                Err(error) => return Err(error),
            }
        }
        run.save_model(&learner.result(), adapter)?;
        Ok(self)
    }

    /// Returns the last model, for a run whose best model is lost.
    fn last(state: &TrainState, problem: String) -> Self {
        let lost_best = state.best.as_ref().map(|best| LostBest {
            step: best.step,
            value: best.value,
            problem,
        });
        Self {
            lost_best,
            ..Self::intended(state, false)
        }
    }
}
