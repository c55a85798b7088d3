//! Whether the metric for the best model can have a value at all.

use finetune_data::{Labels, TokenizedDataset};
use finetune_metrics::{
    ClassificationAccumulator, Metric, MultiLabelAccumulator, RegressionAccumulator,
};
use finetune_models::Task;
use finetune_task::ProblemType;

use crate::{Accumulator, CustomMetrics, TrainError, TrainPlan};

/// Rows whose labels are read at once.
const ROWS: u64 = 4096;

/// Refuses a run whose `metric_for_best_model` is undefined on the validation rows whatever the model
/// predicts, as `roc_auc` is where a class has no rows: no evaluation could be the best. It is computed
/// once on the rows' labels with predictions that are made up. Metrics of the caller's own are not
/// looked at.
///
/// # Errors
/// [`TrainError::Plan`] with what the metric needs; labels that cannot be read.
pub fn check_metric(plan: &TrainPlan, validation: &TokenizedDataset) -> Result<(), TrainError> {
    let chosen = plan.metric(&CustomMetrics::default())?;
    let Ok(metric) = chosen.name().parse::<Metric>() else {
        return Ok(());
    };
    let Some(needs) = needs(metric) else {
        return Ok(());
    };
    let value = with_made_up_predictions(plan, validation)?
        .evaluation()
        .get(metric.name());
    if value.is_some_and(|value| !value.is_nan()) {
        return Ok(());
    }
    let without = validation
        .class_counts()
        .map_or_else(String::new, |counts| {
            let empty = counts.iter().zip(&plan.data.labels);
            let empty: Vec<_> = empty
                .filter(|(count, _)| **count == 0)
                .map(|(_, name)| format!("`{name}`"))
                .take(12)
                .collect();
            match empty.is_empty() {
                true => String::new(),
                false => format!("; none has {}", empty.join(", ")),
            }
        });
    let (rows, default) = (validation.len(), default_metric(plan));
    Err(TrainError::Plan(format!(
        "metric_for_best_model is {metric}, which is not defined on these {rows} validation rows, whatever the model says: it needs {needs}{without}. Choose another, such as --metric-for-best-model {default}, or other validation rows"
    )))
}

/// What the labels need to have, for a metric that can be undefined because of them.
fn needs(metric: Metric) -> Option<&'static str> {
    Some(match metric {
        Metric::RocAuc => "rows with and without each class",
        Metric::Pearson | Metric::Spearman | Metric::R2 => "numbers that are not all the same",
        Metric::Top2Accuracy => "more than 2 classes",
        Metric::Top3Accuracy => "more than 3 classes",
        Metric::Top4Accuracy => "more than 4 classes",
        Metric::Top5Accuracy => "more than 5 classes",
        _ => return None,
    })
}

/// A metric of the task that always has a value.
fn default_metric(plan: &TrainPlan) -> Metric {
    match plan.data.problem_type {
        ProblemType::Regression => Metric::Mse,
        _ => Metric::F1Macro,
    }
}

/// The validation rows' labels, with predictions of which no two rows have the same.
fn with_made_up_predictions(
    plan: &TrainPlan,
    rows: &TokenizedDataset,
) -> Result<Accumulator, TrainError> {
    let (names, width) = (plan.data.labels.clone(), plan.data.labels.len());
    let mut all = match plan.outputs() {
        Task::Classes(_) => Accumulator::Classification(ClassificationAccumulator::new(names)),
        Task::MultiLabel(_) => Accumulator::MultiLabel(MultiLabelAccumulator::new(names)),
        Task::Regression(_) => Accumulator::Regression(RegressionAccumulator::new(width)),
    };
    let made_up = |row: u64| -> Vec<f32> {
        let value = |output: u64| ((row * 7 + output * 3) % 1009) as f32 / 1009.0;
        (0..width as u64).map(value).collect()
    };
    for start in (0..rows.len()).step_by(ROWS as usize) {
        let numbers: Vec<_> = (start..rows.len().min(start + ROWS)).collect();
        match (&mut all, rows.labels(&numbers)?) {
            (Accumulator::Classification(all), Labels::Classes(classes)) => {
                for (&row, class) in numbers.iter().zip(classes) {
                    all.update(&made_up(row), class as usize, 0.0)?;
                }
            }
            (Accumulator::MultiLabel(all), Labels::MultiLabel { values, .. }) => {
                for (&row, marks) in numbers.iter().zip(values.chunks(width)) {
                    all.update(&made_up(row), marks, 0.0)?;
                }
            }
            (Accumulator::Regression(all), Labels::Values { values, .. }) => {
                for (&row, targets) in numbers.iter().zip(values.chunks(width)) {
                    all.update(&made_up(row), targets, 0.0)?;
                }
            }
            _ => {}
        }
    }
    Ok(all)
}
