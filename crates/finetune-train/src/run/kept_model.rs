//! Which model a run leaves as `RUN/model`.

use finetune_checkpoint::CheckpointDirectory;
use finetune_peft::AdapterFile;

use crate::{
    EvaluationRecord, Event, Learner, LostBest, Observers, RunDirectory, TrainError, TrainState,
};

/// The model that is kept.
pub(crate) struct KeptModel {
    /// Steps done by it.
    pub step: u64,
    /// Its evaluation, if there was one.
    pub evaluation: Option<EvaluationRecord>,
    /// The better one that should have been.
    pub lost_best: Option<LostBest>,
}

impl KeptModel {
    /// What is to be kept: the best model, if that is wanted and there is one, or the last.
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

    /// Makes it `RUN/model`. The last model is at hand; an earlier one is in its checkpoint, and where
    /// that is damaged the last one is kept, under its own name.
    pub fn save(
        mut self,
        checkpoints: &CheckpointDirectory,
        learner: &Learner,
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
                // What could not be read or written now may be another time: nothing takes its place.
                Err(error) => return Err(error),
            }
        }
        run.save_model(&learner.result(), adapter)?;
        Ok(self)
    }

    /// The last model, because the best is lost.
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
