//! A session of a run, from the first file that is written to the last: what is done around the training
//! loop.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use burn::tensor::Device;

use crate::{
    Accumulator, Classifier, Event, Observers, RunDirectory, RunInputs, RunResults, Start,
    StopReason, TrainError, TrainPlan,
    engine::train,
    evaluate, peak_memory_bytes,
    run::{session::OpenSession, write::write_json},
};

/// How a session of a run ended.
#[derive(Clone, Debug)]
pub enum RunEnd {
    /// The run is complete.
    Complete(Box<RunResults>),
    /// An observer wanted it to be left, and another session can go on with it.
    Interrupted(Interruption),
}

/// Where an interrupted session was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Before its first step; there is nothing new to go on from.
    BeforeFirstStep,
    /// After so many steps of the run; a checkpoint is saved.
    AfterStep(u64),
    /// In the evaluation of the test rows: training is complete, and its result in this directory.
    InTest(PathBuf),
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeFirstStep => f.write_str("interrupted before the first step"),
            Self::AfterStep(step) => {
                write!(f, "interrupted after step {step}; a checkpoint is saved")
            }
            Self::InTest(model) => write!(
                f,
                "interrupted while evaluating the test rows; training is complete, its result is in {}",
                model.display()
            ),
        }
    }
}

impl RunDirectory {
    /// Works on the run by `plan` from `start` on, until it is complete or an observer interrupts it, and
    /// leaves all that belongs to a run: plan, manifest with this session, event log, TensorBoard's files
    /// if the plan wants them, checkpoints, model, evaluation of the test rows, and at last `results.json`,
    /// with which the run is complete. What a user should know of files that had to be mended comes as
    /// [`Event::Note`].
    ///
    /// A run that begins gets the hashes of `inputs` into its plan where that has none. Whoever goes on
    /// with a run takes its [`SavedPlan`](crate::SavedPlan), [`Start::newest`], and sees to it that the
    /// base model is what it was ([`ModelPlan::check_files`](crate::ModelPlan::check_files)); that the rows
    /// are, is checked here.
    ///
    /// # Errors
    /// A plan that cannot be, a run that is complete or was opened to be looked at only, other rows than
    /// the run began with; a file that cannot be read or written; what an observer returns. After a failure
    /// the run can be gone on with from its newest checkpoint.
    pub fn execute(
        &mut self,
        plan: &TrainPlan,
        start: Start,
        inputs: &RunInputs,
        mut observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        self.check_open()?;
        plan.check_with(observers.metrics())?;
        let goes_on = self.has_begun();
        let plan = match goes_on {
            true => {
                plan.data.check_fingerprints(&inputs.data.fingerprints())?;
                plan.clone()
            }
            false => inputs.identify(plan, self)?,
        };
        self.set_train_files(inputs.data.train_files()?);
        // Of a run that goes on the plan is written after the manifest: until then it is that of the
        // checkpoints.
        if !goes_on {
            self.begin(&plan, &inputs.base)?;
        }
        let (session, damage) = OpenSession::begin(self, &plan, inputs, start.state.step)?;
        if let Some(damage) = damage {
            let message = format!("{damage}; it is written anew, without the sessions so far");
            observers.emit(&Event::Note { message })?;
        }
        if goes_on {
            self.begin(&plan, &inputs.base)?;
        }
        let observers = self.with_logs(&plan, &start, observers)?;
        self.work(&plan, start, inputs, session, observers)
    }

    /// The loop and what comes after it.
    fn work(
        &self,
        plan: &TrainPlan,
        start: Start,
        inputs: &RunInputs,
        mut session: OpenSession,
        mut observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        let (trainable_parameters, parameters) = (start.prepared.trainable, start.prepared.all);
        let device = start.prepared.model.device();
        let started = Instant::now();
        let outcome = match train(plan, start, &inputs.data, self, &mut observers) {
            Err(TrainError::Interrupted) => {
                return Ok(RunEnd::Interrupted(Interruption::BeforeFirstStep));
            }
            other => other?,
        };
        session.train_seconds = started.elapsed().as_secs_f64();
        if outcome.reason == StopReason::Interrupted {
            session.end(&outcome, None)?;
            return Ok(RunEnd::Interrupted(Interruption::AfterStep(outcome.steps)));
        }
        let started = Instant::now();
        let test = match self.evaluate_test(plan, inputs, &device, &mut observers) {
            Err(TrainError::Interrupted) => {
                return Ok(RunEnd::Interrupted(Interruption::InTest(self.model())));
            }
            other => other?.map(Arc::new),
        };
        if let Some(predictions) = &test {
            let seconds = started.elapsed().as_secs_f64();
            observers.emit(&Event::Evaluated {
                split: "test",
                step: outcome.kept_step,
                epoch: outcome.kept_epoch,
                metrics: predictions.evaluation(),
                predictions: Arc::clone(predictions),
                best: false,
                seconds,
            })?;
            session.test_seconds = seconds;
        }
        let results = RunResults {
            outcome,
            test,
            trainable_parameters,
            parameters,
            peak_memory: peak_memory_bytes(),
            output: self.path().into(),
        };
        let json = results.to_json();
        session.end(&results.outcome, Some(&json))?;
        // Last: with it the run is complete.
        write_json(&self.results(), &json)?;
        Ok(RunEnd::Complete(Box::new(results)))
    }

    /// The result on the test rows, if there are any: of the model as it lies in the directory.
    fn evaluate_test(
        &self,
        plan: &TrainPlan,
        inputs: &RunInputs,
        device: &Device,
        observers: &mut Observers<'_>,
    ) -> Result<Option<Accumulator>, TrainError> {
        let Some(rows) = &inputs.data.test else {
            return Ok(None);
        };
        let kept = self.model();
        let mut best = match plan.model.strategy.is_adapter() {
            true => Classifier::load_adapter(&inputs.base, &kept, device)?,
            false => Classifier::load_on(&kept, device)?,
        };
        best.set_precision(plan.model.precision);
        let batch_size = plan.evaluation.eval_batch_size;
        evaluate(best.model(), rows, None, "test", batch_size, observers).map(Some)
    }
}
