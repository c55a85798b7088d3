//! The logs of a run: the event log and TensorBoard's files, resumed at a checkpoint.

use crate::{
    Event, EventLog, Observers, ReportTo, RunDirectory, Start, TrainError, TrainPlan,
    layout::EVENTS, watch::event_log::SavedLog,
};

impl RunDirectory {
    /// Adds the run's own observers to the caller's: `events.jsonl` before all others, and
    /// TensorBoard's files after them if the plan asks for them. Both resume at the checkpoint of
    /// `start`; repairs are reported as notes.
    ///
    /// # Errors
    /// Fails with [`TrainError::Damaged`] if the event log is damaged and cannot be restored, and with
    /// [`TrainError::File`] or [`TrainError::Tensorboard`] if a log cannot be written.
    pub(crate) fn with_logs<'a, M>(
        &self,
        plan: &TrainPlan,
        start: &Start<M>,
        mut observers: Observers<'a>,
    ) -> Result<Observers<'a>, TrainError> {
        let copy = start.checkpoint.as_ref().map(|path| path.join(EVENTS));
        let copy = copy.filter(|path| path.exists());
        let saved = SavedLog::among(&start.state.observers);
        let (log, problem) = EventLog::open(self.events(), saved, copy.as_deref())?;
        if let Some(problem) = problem {
            let message = format!(
                "{} was damaged ({problem}); it is restored from the checkpoint",
                self.events().display()
            );
            observers.emit(&Event::Note { message })?;
        }
        let observers = observers.first(log);
        match plan.saving.report_to {
            ReportTo::None => Ok(observers),
            ReportTo::Tensorboard => self.with_tensorboard(plan, start, observers),
        }
    }

    #[cfg(feature = "tensorboard")]
    fn with_tensorboard<'a, M>(
        &self,
        plan: &TrainPlan,
        start: &Start<M>,
        mut observers: Observers<'a>,
    ) -> Result<Observers<'a>, TrainError> {
        let directory = self.path().join("tensorboard");
        let states = &start.state.observers;
        let (log, note) = crate::TensorboardLog::open(&directory, plan, states, &self.events())?;
        if let Some(message) = note {
            observers.emit(&Event::Note { message })?;
        }
        Ok(observers.with(log))
    }

    #[cfg(not(feature = "tensorboard"))]
    fn with_tensorboard<'a, M>(
        &self,
        _: &TrainPlan,
        _: &Start<M>,
        mut observers: Observers<'a>,
    ) -> Result<Observers<'a>, TrainError> {
        let message = "TensorBoard's files are not written: this program was built without them";
        observers.emit(&Event::Note {
            message: message.into(),
        })?;
        Ok(observers)
    }
}
