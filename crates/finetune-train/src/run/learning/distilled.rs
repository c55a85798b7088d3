//! Learning from a teacher, and from labels where there are any.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::module::Module;
use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_files::IoContext;
use finetune_infer::{evaluation_order, objective};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use super::supervised::Supervised;
use crate::{
    Accumulator, BatchLosses, DistillationLoss, DistillationPlan, Event, HeldOut, Learner,
    Learning, LossConfig, Observers, ParameterGradients, RunInputs, Steps, TeacherInputs,
    TrainError, TrainPlan, layout,
    run::teacher_logits::{LogitsKey, TeacherLogits},
};

/// A sequence classifier, or a regression model, that imitates another one.
#[derive(Debug)]
pub(crate) struct Distilled {
    supervised: Supervised,
    distillation: DistillationPlan,
    loss: LossConfig,
    outputs: finetune_task::Task,
    eval_batch_size: usize,
    /// Number of training rows with labels.
    labelled: u64,
    train: TeacherLogits,
    validation: TeacherLogits,
    test: Option<TeacherLogits>,
    /// The teacher itself, if its encoder is imitated.
    teacher: Option<SequenceClassifier>,
}

impl Learning for Distilled {
    type Model = SequenceClassifier;

    fn begin(
        plan: &TrainPlan,
        learner: &Learner<SequenceClassifier>,
        inputs: &RunInputs,
        steps: &Steps,
        run: &Path,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        let (Some(distillation), Some(teacher)) = (&plan.distillation, &inputs.teacher) else {
            let problem = "a run learns from a teacher, but its inputs have none";
            return Err(TrainError::Internal(problem.into()));
        };
        let same_tokens = teacher.data.is_none();
        let config = learner.model.config();
        teacher
            .teacher
            .check_encoder(distillation, config, same_tokens)?;
        let mut asked = Asked {
            plan,
            distillation,
            inputs: teacher,
            learner,
            loaded: None,
        };
        let data = teacher.data.as_ref().unwrap_or(&inputs.data);
        let directory = run.join(layout::TEACHER);
        fs::create_dir_all(&directory).context("make", &directory)?;
        let mut logits = |rows: &TokenizedDataset, own: &TokenizedDataset, split| {
            let path = directory.join(format!("{split}.logits"));
            asked.logits(path, rows, own.len(), split, observers)
        };
        let train = logits(&data.train, &inputs.data.train, "train")?;
        let validation = logits(&data.validation, &inputs.data.validation, "validation")?;
        let test = match (&data.test, &inputs.data.test) {
            (Some(rows), Some(own)) => Some(logits(rows, own, "test")?),
            _ => None,
        };
        let teacher = match distillation.imitates_encoder() {
            true => Some(asked.loaded()?.clone()),
            false => None,
        };
        Ok(Self {
            supervised: Supervised::begin(plan, learner, inputs, steps, run, observers)?,
            distillation: distillation.clone(),
            loss: plan.optimization.loss(),
            outputs: plan.outputs(),
            eval_batch_size: plan.evaluation.eval_batch_size,
            labelled: inputs.data.train.labelled(),
            train,
            validation,
            test,
            teacher,
        })
    }

    fn backward(
        &self,
        learner: &Learner<SequenceClassifier>,
        batches: &[PackedBatch],
        _epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        let logits = batches.iter().map(|batch| self.train.read(&batch.rows));
        let logits = logits.collect::<Result<Vec<_>, _>>()?;
        DistillationLoss::new(&self.distillation, &self.loss, self.labelled)
            .with_frozen(learner.frozen_layers(), self.supervised.train_features())
            .with_teacher(self.teacher.as_ref())
            .backward(&learner.model, batches, &logits, dropout)
    }

    fn evaluate(
        &self,
        model: &SequenceClassifier,
        held_out: HeldOut<'_>,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        self.supervised.evaluate(model, held_out, observers)
    }

    fn teacher(&self, held_out: HeldOut<'_>) -> Result<Option<Accumulator>, TrainError> {
        let Some(logits) = self.logits(held_out) else {
            return Ok(None);
        };
        let objective = objective::of(self.outputs.problem_type());
        let mut all = objective.accumulator(&self.outputs, None)?;
        let order = evaluation_order(held_out.rows(), self.eval_batch_size)?;
        for rows in order.chunks(self.eval_batch_size) {
            let labels = held_out.rows().labels(rows)?;
            all.update(&logits.read(rows)?, logits.outputs(), &labels)?;
        }
        Ok(Some(all))
    }

    fn agreement(
        &self,
        held_out: HeldOut<'_>,
        student: &Accumulator,
    ) -> Result<Option<f64>, TrainError> {
        let Some(logits) = self.logits(held_out) else {
            return Ok(None);
        };
        let objective = objective::of(self.outputs.problem_type());
        let outputs = logits.outputs();
        let mut all = objective.accumulator(&self.outputs, None)?;
        let order = evaluation_order(held_out.rows(), self.eval_batch_size)?;
        for (&row, student) in order.iter().zip(student.predictions().iter()) {
            let teacher = objective.predicted_labels(&logits.read(&[row])?, outputs);
            all.update(student, outputs, &teacher)?;
        }
        Ok(all.evaluation().summary.get(objective.agreement()))
    }
}

impl Distilled {
    fn logits(&self, held_out: HeldOut<'_>) -> Option<&TeacherLogits> {
        match held_out {
            HeldOut::Validation(_) => Some(&self.validation),
            HeldOut::Test(_) => self.test.as_ref(),
        }
    }
}

/// A teacher whose weights are loaded when they are first needed.
struct Asked<'a> {
    plan: &'a TrainPlan,
    distillation: &'a DistillationPlan,
    inputs: &'a TeacherInputs,
    learner: &'a Learner<SequenceClassifier>,
    loaded: Option<SequenceClassifier>,
}

impl Asked<'_> {
    fn loaded(&mut self) -> Result<&SequenceClassifier, TrainError> {
        if let Some(model) = self.loaded.take() {
            return Ok(self.loaded.insert(model));
        }
        let (teacher, plan) = (&self.inputs.teacher, self.plan);
        teacher.check_unchanged(self.distillation)?;
        let device = self.learner.model.device().inner();
        let by_position = plan.data.labels_by_position;
        let mut model = teacher.load(&plan.outputs(), by_position, &device)?;
        model.set_precision(plan.model.precision);
        Ok(self.loaded.insert(model.valid()))
    }

    /// Returns the logits of the teacher's `rows`, of which there are `expected`: those in the file, if it is
    /// intact and belongs to them.
    fn logits(
        &mut self,
        path: PathBuf,
        rows: &TokenizedDataset,
        expected: u64,
        split: &'static str,
        observers: &mut Observers<'_>,
    ) -> Result<TeacherLogits, TrainError> {
        if rows.len() != expected {
            let problem = format!("the teacher has {} rows of {expected}", rows.len());
            return Err(TrainError::Internal(problem));
        }
        let model = &self.plan.model;
        let more = format!(
            "{:?} {:?} {}",
            self.plan.outputs(),
            model.precision,
            model.device
        );
        let key = LogitsKey::new(&self.distillation.teacher_sha256, rows, &more);
        if path.exists() {
            match TeacherLogits::open(&path, key) {
                Ok(logits) if logits.rows() == expected => return Ok(logits),
                Ok(_) => {}
                Err(reason) => {
                    let path = path.display();
                    let message =
                        format!("{path} is not used: {reason}; the teacher is asked again");
                    observers.emit(&Event::Note { message })?;
                }
            }
        }
        let model = self.loaded()?;
        TeacherLogits::compute(&path, key, model, rows, split, observers)
    }
}
