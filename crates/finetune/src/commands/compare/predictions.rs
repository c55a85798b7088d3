//! Reads the logits of the rows on which a run was evaluated last, for paired tests.

use std::path::Path;

use finetune_compare::{RunFacts, table::RowPredictions};
use finetune_metrics::RowScores;
use finetune_train::{HeldOutLogits, TrainError};

use crate::error::Failure;

/// How far metrics of the stored logits may be from those of the run, whose sums have another order.
const TOLERANCE: f64 = 1e-6;

/// Adds the predictions to the evaluation whose rows they are of. Without a file, or with one that does not give
/// the run's own metrics, the evaluation says so instead.
///
/// # Errors
/// Fails if the file cannot be read or is damaged.
pub fn add(run: &Path, facts: &mut RunFacts) -> Result<(), Failure> {
    let held_out = HeldOutLogits::read(run).map_err(|error| {
        let is_damage = matches!(error, TrainError::Damaged { .. });
        Failure::from(error).with_message(|problem| match is_damage {
            true => format!("{problem}; remove it to compare the run without tests on rows"),
            false => problem,
        })
    })?;
    let Some(held_out) = held_out else {
        return Ok(());
    };
    let evaluation = match held_out.split.as_str() {
        "test" => &mut facts.test,
        _ => &mut facts.validation,
    };
    let Some(evaluation) = evaluation else {
        return Ok(());
    };
    let predictions = held_out.predictions().map_err(TrainError::from)?;
    let numbers: Vec<u64> = (0..held_out.rows() as u64).collect();
    let scores = RowScores::new(&predictions, &[], &numbers).map_err(TrainError::from)?;
    let rows: Vec<u32> = (0..scores.rows()).collect();
    let differs = scores.metrics().iter().find(|metric| {
        let stored = evaluation.metrics.get(metric.name());
        stored.is_some_and(|stored| (scores.score(**metric, &rows) - stored).abs() > TOLERANCE)
    });
    evaluation.predictions = match differs {
        None if u64::from(scores.rows()) == evaluation.rows => Ok(RowPredictions::new(
            scores,
            &held_out.files,
            &held_out.places,
            &held_out.target_bytes(),
        )),
        None => Err("the predictions of a run are of another number of rows".into()),
        Some(metric) => Err(format!("the predictions of a run do not give its {metric}")),
    };
    Ok(())
}
