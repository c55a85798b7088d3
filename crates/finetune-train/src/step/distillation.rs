//! The loss of a step that learns from a teacher.

use burn::{
    Tensor,
    tensor::{Int, TensorData},
};
use finetune_data::PackedBatch;
use finetune_infer::objective::{self, Objective};
use finetune_kernels::{DropoutSource, UsedRows, attention_transfer, cosine_distance};
use finetune_models::{HiddenStates, Inner, SequenceClassifier};

use crate::{
    BatchLosses, DistillationPlan, FeatureStore, ForwardPath, LossConfig, ParameterGradients,
    TrainError, step::total::StepTotal,
};

/// Computes the loss of a step: the weighted sum of the means of
/// - the distance from the teacher's logits, over all rows,
/// - the loss on the labels, over the rows that have one,
/// - the cosine distance from the teacher's last hidden states, over all tokens (as in DistilBERT), and
/// - the divergence from the attention of the teacher's last layer, over its heads and all tokens (as in
///   MiniLM).
///
/// Terms without a weight are not computed.
#[derive(Clone, Copy, Debug)]
pub struct DistillationLoss<'a> {
    plan: &'a DistillationPlan,
    hard: &'a LossConfig,
    frozen_layers: usize,
    features: Option<&'a FeatureStore>,
    teacher: Option<&'a SequenceClassifier>,
    labelled: u64,
}

/// The divisors of the sums over a step.
struct Denominators {
    soft: f64,
    hard: f64,
    tokens: f64,
}

/// The student's side of a batch.
struct Student {
    logits: Tensor<2>,
    inner: Inner<Option<Tensor<2>>, Option<[Tensor<2>; 2]>>,
    used_rows: Option<UsedRows>,
}

impl<'a> DistillationLoss<'a> {
    /// Learns as `plan` and, for the labels, `hard` say. The rows before `labelled` have labels.
    pub fn new(plan: &'a DistillationPlan, hard: &'a LossConfig, labelled: u64) -> Self {
        Self {
            plan,
            hard,
            frozen_layers: 0,
            features: None,
            teacher: None,
            labelled,
        }
    }

    /// Runs the first `frozen_layers` layers without dropout. `features` holds their results, if they are
    /// stored.
    pub fn with_frozen(self, frozen_layers: usize, features: Option<&'a FeatureStore>) -> Self {
        Self {
            frozen_layers,
            features,
            ..self
        }
    }

    /// Sets the teacher, whose encoder is imitated if the plan says so.
    pub fn with_teacher(self, teacher: Option<&'a SequenceClassifier>) -> Self {
        Self { teacher, ..self }
    }

    /// Computes the loss over the batches of a step, and its gradients, which do not depend on how the rows
    /// are split into batches. `logits` are the teacher's for each batch, `[rows, outputs]` in row-major
    /// order; `dropout` gives the source for each batch by its index.
    ///
    /// # Errors
    /// Fails if there are no batches, or if a batch or the teacher does not fit the model.
    pub fn backward(
        &self,
        model: &SequenceClassifier,
        batches: &[PackedBatch],
        logits: &[Vec<f32>],
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        let outputs = &model.config().outputs;
        let objective = objective::of(outputs.problem_type());
        let sum = |of: &dyn Fn(&PackedBatch) -> f64| batches.iter().map(of).sum::<f64>();
        let rows = |batch: &PackedBatch| {
            let distances = objective.distances(batch.batch_size(), outputs.num_labels());
            distances as f64
        };
        let denominators = Denominators {
            soft: sum(&rows),
            hard: sum(&|batch| self.hard.denominator(&batch.labels)),
            tokens: sum(&|batch| batch.num_tokens() as f64),
        };
        let mut total = StepTotal::default();
        for (index, (batch, teacher)) in batches.iter().zip(logits).enumerate() {
            let student = self.student(model, batch, dropout(index))?;
            let used_rows = student.used_rows.clone();
            let loss = self.loss(objective, student, batch, teacher, &denominators)?;
            if let Some(loss) = loss {
                total.add(loss, model, used_rows);
            }
        }
        let nothing = || (BatchLosses::default(), ParameterGradients::new(Vec::new()));
        Ok(total.finish().unwrap_or_else(nothing))
    }

    /// Runs the student on a batch.
    fn student(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        dropout: DropoutSource,
    ) -> Result<Student, TrainError> {
        let wanted = self.wanted();
        if wanted == Inner::default() {
            let path = ForwardPath::new(self.frozen_layers, self.features);
            let (logits, used_rows) = path.logits_and_used_rows(model, batch, dropout)?;
            return Ok(Student {
                logits,
                inner: Inner::default(),
                used_rows,
            });
        }
        let tokens = batch.tokens.clone().with_used_rows();
        let encoder = &model.encoder;
        let hidden: HiddenStates = match self.frozen_layers {
            0 => encoder.embed(&tokens, dropout)?,
            frozen => {
                let off = DropoutSource::OFF;
                encoder.run(encoder.embed(&tokens, off)?, frozen, &tokens.offsets, off)
            }
        };
        let (logits, inner) = model.forward_with(hidden, wanted, &tokens.offsets, dropout);
        Ok(Student {
            logits,
            inner,
            used_rows: tokens.used_rows,
        })
    }

    /// Returns what of the encoders is compared.
    fn wanted(&self) -> Inner<bool, bool> {
        Inner {
            hidden: self.plan.cosine_weight > 0.0,
            attention: self.plan.attention_weight > 0.0,
        }
    }

    /// Computes the contribution of a batch to the loss, `[1]`; `None` if no term has a weight for its rows.
    fn loss(
        &self,
        objective: &dyn Objective,
        student: Student,
        batch: &PackedBatch,
        teacher: &[f32],
        denominators: &Denominators,
    ) -> Result<Option<Tensor<1>>, TrainError> {
        let DistillationPlan {
            temperature,
            soft_weight,
            hard_weight,
            cosine_weight,
            attention_weight,
            ..
        } = *self.plan;
        let Student { logits, inner, .. } = student;
        let mut terms = Vec::new();
        if soft_weight > 0.0 {
            let logits = logits.clone();
            let distance = objective.distance(logits, teacher, temperature, denominators.soft)?;
            terms.push(distance * soft_weight);
        }
        let labelled = batch.rows.iter().enumerate();
        let labelled = labelled.filter(|(_, row)| **row < self.labelled);
        let labelled: Vec<i32> = labelled.map(|(index, _)| index as i32).collect();
        // With class weights, rows may count for nothing.
        if hard_weight > 0.0 && !labelled.is_empty() && denominators.hard > 0.0 {
            let logits = match labelled.len() == batch.rows.len() {
                true => logits,
                false => select(logits, labelled),
            };
            let loss = self.hard.loss(logits, &batch.labels, denominators.hard)?;
            terms.push(loss * hard_weight);
        }
        if let Some(model) = self.teacher.filter(|_| self.plan.imitates_encoder()) {
            let tokens = &batch.tokens;
            let off = DropoutSource::OFF;
            let hidden = model.encoder.embed(tokens, off)?;
            let (_, teacher) = model.forward_with(hidden, self.wanted(), &tokens.offsets, off);
            if let (Some(student), Some(teacher)) = (inner.hidden, teacher.hidden) {
                let teacher = Tensor::from_inner(teacher);
                let distance = cosine_distance(student, teacher, denominators.tokens);
                terms.push(distance * cosine_weight);
            }
            if let (Some(student), Some(teacher)) = (inner.attention, teacher.attention) {
                let heads = model.config().num_attention_heads;
                let denominator = denominators.tokens * heads as f64;
                let teacher = teacher.map(Tensor::from_inner);
                let divergence =
                    attention_transfer(student, teacher, &tokens.offsets, heads, denominator);
                terms.push(divergence * attention_weight);
            }
        }
        Ok(terms.into_iter().reduce(|sum, term| sum + term))
    }
}

/// Selects rows of `[rows, columns]`.
fn select(x: Tensor<2>, rows: Vec<i32>) -> Tensor<2> {
    let (shape, device) = ([rows.len()], x.device().inner());
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), &device);
    x.select(0, rows)
}
