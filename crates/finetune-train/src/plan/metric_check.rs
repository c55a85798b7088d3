//! Check that the metric for the best model can be defined.

use finetune_data::TokenizedDataset;
use finetune_infer::objective;
use finetune_metrics::Metric;

use crate::{Accumulator, CustomMetrics, TrainError, TrainPlan};

/// Number of rows whose labels are read at a time.
const ROWS: u64 = 4096;

/// Refuses a run whose `metric_for_best_model` is undefined on the validation rows whatever the model
/// predicts, as `roc_auc` is if a class has no rows: no evaluation could be the best. The check
/// computes the metric once, on the rows' labels and made-up predictions. Custom metrics are not
/// checked.
///
/// # Errors
/// Fails with [`TrainError::UndefinedMetric`], which says what the metric needs, or if labels cannot be
/// read.
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
    let rows = validation.len();
    let default = objective::of(plan.data.problem_type).defined_metric();
    Err(TrainError::UndefinedMetric {
        metric,
        rows,
        needs,
        without,
        default,
    })
}

/// Returns what a metric requires of the labels, if it can be undefined because of them.
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

/// Accumulates the labels of the validation rows with made-up predictions that vary from row to row.
fn with_made_up_predictions(
    plan: &TrainPlan,
    rows: &TokenizedDataset,
) -> Result<Accumulator, TrainError> {
    let width = plan.data.labels.len();
    let mut all = objective::of(plan.data.problem_type).accumulator(&plan.outputs(), None)?;
    let made_up = |row: u64| {
        let value = move |output: u64| ((row * 7 + output * 3) % 1009) as f32 / 1009.0;
        (0..width as u64).map(value)
    };
    for start in (0..rows.len()).step_by(ROWS as usize) {
        let numbers: Vec<_> = (start..rows.len().min(start + ROWS)).collect();
        let logits: Vec<f32> = numbers.iter().flat_map(|&row| made_up(row)).collect();
        all.update(&logits, width, &rows.labels(&numbers)?)?;
    }
    Ok(all)
}
