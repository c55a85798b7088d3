//! A session of a run: the training loop, and the files written before and after it.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use burn::tensor::Device;
use finetune_models::MaskedLm;

use crate::{
    Accumulator, Contrastive, Distilled, Event, HeldOut, HeldOutLogits, Learning, MaskedLearning,
    Observers, RunDirectory, RunInputs, RunResults, Start, StopReason, Strategy, Supervised,
    TeacherResults, TrainError, TrainPlan, TrainedModel,
    engine::{Trained, train},
    peak_memory_bytes,
    run::{session::OpenSession, write::write_json},
};

/// How a session of a run ended.
#[derive(Clone, Debug)]
pub enum RunEnd {
    /// The run is complete.
    Complete(Box<RunResults>),
    /// An observer interrupted it, or it was to pause; another session can resume the run.
    Interrupted(Interruption),
}

/// Where a session was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Before its first step; there is nothing new to resume from.
    BeforeFirstStep,
    /// After this step of the run; a checkpoint has been saved.
    AfterStep(u64),
    /// At the point where it was to pause, after this step; a checkpoint has been saved.
    AtPause(u64),
    /// While evaluating the test rows. Training is complete, and its result is in this directory.
    InTest(PathBuf),
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeFirstStep => f.write_str("interrupted before the first step"),
            Self::AfterStep(step) => {
                write!(f, "interrupted after step {step}; a checkpoint is saved")
            }
            Self::AtPause(step) => write!(f, "paused after step {step}; a checkpoint is saved"),
            Self::InTest(model) => write!(
                f,
                "interrupted while evaluating the test rows; training is complete, its result is in {}",
                model.display()
            ),
        }
    }
}

impl RunDirectory {
    /// Runs a session: trains by `plan` from `start` until the run is complete or an observer
    /// interrupts it. It writes every file of the run: plan, manifest, event log, TensorBoard's files
    /// if the plan asks for them, checkpoints, model, and last `results.json`, which marks the run as
    /// complete. Repaired files are reported as [`Event::Note`].
    ///
    /// The plan of a new run is completed with the hashes of `inputs` where it has none. To resume a
    /// run, pass its [`SavedPlan`](crate::SavedPlan) and [`Start::newest`], and check the base model
    /// first ([`ModelPlan::check_files`](crate::ModelPlan::check_files)); the rows are checked here.
    ///
    /// # Errors
    /// Fails if the plan is invalid, the run is complete or was opened for reading only, the rows have
    /// changed, a file cannot be read or written, or an observer fails. The run can then be resumed
    /// from its newest checkpoint.
    pub fn execute(
        &mut self,
        plan: &TrainPlan,
        start: Start,
        inputs: &RunInputs,
        observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        if plan.pretraining.is_some() {
            let problem = "the plan pretrains; run it with RunDirectory::pretrain";
            return Err(TrainError::Internal(problem.into()));
        }
        match plan.model.strategy {
            _ if plan.distillation.is_some() => {
                self.session::<Distilled>(plan, start, inputs, observers)
            }
            Strategy::Contrastive => self.session::<Contrastive>(plan, start, inputs, observers),
            _ => self.session::<Supervised>(plan, start, inputs, observers),
        }
    }

    /// Runs a session of a run that pretrains a masked language model; otherwise the same as
    /// [`execute`](Self::execute). The masks are drawn for the tokenizer in the directory of the base
    /// model.
    ///
    /// # Errors
    /// Fails like `execute`, and if the tokenizer has no mask token or the texts nothing to mask.
    pub fn pretrain(
        &mut self,
        plan: &TrainPlan,
        start: Start<MaskedLm>,
        inputs: &RunInputs,
        observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        // Checked before anything of the run is written.
        MaskedLearning::masker(plan, inputs)?;
        self.session::<MaskedLearning>(plan, start, inputs, observers)
    }

    /// Runs a session of any kind of training.
    fn session<L: Learning>(
        &mut self,
        plan: &TrainPlan,
        start: Start<L::Model>,
        inputs: &RunInputs,
        mut observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        self.check_open()?;
        plan.check_with(observers.metrics())?;
        let resumes = self.has_begun();
        let plan = match resumes {
            true => {
                plan.check_fingerprints(&inputs.data.fingerprints())?;
                plan.clone()
            }
            false => inputs.identify(plan, self)?,
        };
        self.set_train_files(inputs.data.train_files()?);
        // When a run is resumed, its plan is written after the manifest: until then the plan of the
        // checkpoints applies.
        if !resumes {
            self.begin(&plan, &inputs.base)?;
        }
        let (session, damage) = OpenSession::begin(self, &plan, inputs, start.state.step)?;
        if let Some(damage) = damage {
            let message = format!("{damage}; it is rewritten without the earlier sessions");
            observers.emit(&Event::Note { message })?;
        }
        if resumes {
            self.begin(&plan, &inputs.base)?;
        }
        let observers = self.with_logs(&plan, &start, observers)?;
        self.work::<L>(&plan, start, inputs, session, observers)
    }

    /// Runs the loop and the work that follows it.
    fn work<L: Learning>(
        &self,
        plan: &TrainPlan,
        start: Start<L::Model>,
        inputs: &RunInputs,
        mut session: OpenSession,
        mut observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        let (trainable_parameters, parameters) = (start.prepared.trainable, start.prepared.all);
        let device = start.prepared.model.device();
        let started = Instant::now();
        let trained = match train::<L>(plan, start, inputs, self, &mut observers) {
            Err(TrainError::Interrupted) => {
                return Ok(RunEnd::Interrupted(Interruption::BeforeFirstStep));
            }
            other => other?,
        };
        let Trained {
            outcome,
            learning,
            predictions,
        } = trained;
        session.train_seconds = started.elapsed().as_secs_f64();
        if outcome.reason.is_resumable() {
            session.end(&outcome, None)?;
            return Ok(RunEnd::Interrupted(match outcome.reason {
                StopReason::Paused => Interruption::AtPause(outcome.steps),
                _ => Interruption::AfterStep(outcome.steps),
            }));
        }
        let started = Instant::now();
        let test = match self.test(&learning, plan, inputs, &device, &mut observers) {
            Err(TrainError::Interrupted) => {
                return Ok(RunEnd::Interrupted(Interruption::InTest(self.model())));
            }
            other => other?.map(Arc::new),
        };
        let validation = match (&test, predictions) {
            (None, None) if outcome.kept_evaluation.is_some() => {
                match self.validation(&learning, plan, inputs, &device, &mut observers) {
                    Err(TrainError::Interrupted) => {
                        return Ok(RunEnd::Interrupted(Interruption::InTest(self.model())));
                    }
                    other => Some(Arc::new(other?)),
                }
            }
            (_, predictions) => predictions,
        };
        let teacher = TeacherResults::of(&learning, &inputs.data, test.as_deref())?;
        if let Some(predictions) = &test {
            let agreement = teacher.as_ref().and_then(|teacher| teacher.test_agreement);
            let seconds = started.elapsed().as_secs_f64();
            observers.emit(&Event::Evaluated {
                split: "test",
                step: outcome.kept_step,
                epoch: outcome.kept_epoch,
                metrics: predictions.evaluation().with_agreement(agreement),
                predictions: Arc::clone(predictions),
                best: false,
                seconds,
            })?;
            session.test_seconds = seconds;
        }
        let batch_size = plan.evaluation.eval_batch_size;
        match (&test, &inputs.data.test, &validation) {
            (Some(predictions), Some(rows), _) => {
                HeldOutLogits::of(HeldOut::Test(rows), predictions, batch_size)?
            }
            (_, _, Some(predictions)) => {
                let rows = HeldOut::Validation(&inputs.data.validation);
                HeldOutLogits::of(rows, predictions, batch_size)?
            }
            _ => None,
        }
        .map(|logits| logits.write(self.path()))
        .transpose()?;
        let results = RunResults {
            outcome,
            test,
            teacher,
            trainable_parameters,
            parameters,
            peak_memory: peak_memory_bytes(),
            output: self.path().into(),
        };
        let json = results.to_json();
        session.end(&results.outcome, Some(&json))?;
        // Written last, since it marks the run as complete.
        write_json(&self.results(), &json)?;
        Ok(RunEnd::Complete(Box::new(results)))
    }

    /// Evaluates the kept model on the validation rows again, for a session that has not done so.
    fn validation<L: Learning>(
        &self,
        learning: &L,
        plan: &TrainPlan,
        inputs: &RunInputs,
        device: &Device,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        let kept = L::Model::load_kept(plan, &inputs.base, &self.model(), device)?;
        let rows = HeldOut::Validation(&inputs.data.validation);
        learning.evaluate(&kept, rows, observers)
    }

    /// Evaluates the kept model on the test rows, if there are any.
    fn test<L: Learning>(
        &self,
        learning: &L,
        plan: &TrainPlan,
        inputs: &RunInputs,
        device: &Device,
        observers: &mut Observers<'_>,
    ) -> Result<Option<Accumulator>, TrainError> {
        let Some(rows) = &inputs.data.test else {
            return Ok(None);
        };
        let kept = L::Model::load_kept(plan, &inputs.base, &self.model(), device)?;
        let test = learning.evaluate(&kept, HeldOut::Test(rows), observers)?;
        Ok(Some(test))
    }
}
