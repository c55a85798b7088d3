//! What a command prints when it is done.

use finetune_train::{Accumulator, Evaluation};

/// The tables of an evaluation: scikit-learn's report and the confusion matrix, or the errors.
pub fn tables(accumulator: &Accumulator) -> String {
    match accumulator {
        Accumulator::Classification(all) => {
            let matrix = all.confusion_matrix().named(all.class_names());
            let matrix = matrix.map(|matrix| matrix.to_string()).unwrap_or_default();
            format!("{}\n{matrix}", all.report())
        }
        Accumulator::MultiLabel(all) => format!("{}\n", all.report()),
        Accumulator::Regression(all) => {
            let summary = all.summary();
            format!(
                "mse {:.4}  rmse {:.4}  mae {:.4}  R² {:.4}  pearson {:.4}\n",
                summary.mse, summary.rmse, summary.mae, summary.r2, summary.pearson
            )
        }
    }
}

/// Metrics as JSON.
pub fn json(evaluation: &Evaluation) -> serde_json::Value {
    serde_json::to_value(evaluation).unwrap_or_default()
}
