//! What to type after a run: lines that work as they stand, and repeat its figures.

use std::path::Path;

use finetune_data::ProblemType;
use finetune_train::TrainPlan;

use crate::{
    resolve::paths,
    view::shell::{quote, quote_path},
};

/// The lines, with their ends. `validation_rows` is how many rows the training evaluated.
pub fn lines(plan: &TrainPlan, model: &Path, validation_rows: u64) -> String {
    let program = paths::program();
    let (model, dataset) = (quote_path(model), dataset(plan));
    let text = match plan.text_column.len() {
        2 => "--pair \"a text of yours\" \"and its second\"",
        _ => "\"a text of yours\"",
    };
    let rows = evaluated_rows(plan, validation_rows);
    let mut lines = format!(
        "  {program} predict --model {model} {text}\n  \
         {program} evaluate --model {model} --dataset {dataset}{rows}\n"
    );
    // A half is rarely the best threshold of a label.
    if plan.problem_type == ProblemType::MultiLabelClassification {
        lines += &format!("  {program} evaluate {model} --dataset {dataset} --find-thresholds\n");
    }
    lines
}

/// How the data set of a plan is named on a command line.
fn dataset(plan: &TrainPlan) -> String {
    let name = quote(&plan.dataset);
    match plan.dataset_revision.is_empty() {
        true => name,
        false => format!(
            "{name} --dataset-config {} --dataset-revision {}",
            quote(&plan.dataset_config),
            quote(&plan.dataset_revision)
        ),
    }
}

/// The options by which the run's own rows are evaluated again: those of the test, else of the
/// validation.
fn evaluated_rows(plan: &TrainPlan, validation_rows: u64) -> String {
    match (plan.test_split.as_str(), plan.validation_split.as_str()) {
        ("test", _) => String::new(),
        ("", validation) => {
            let name = if validation.is_empty() {
                "validation"
            } else {
                validation
            };
            let drawn = plan.eval_rows > 0 && plan.eval_rows == validation_rows;
            let number = match drawn {
                true => format!(" --eval-rows {validation_rows}"),
                false => String::new(),
            };
            format!(" --split {}{number}", quote(name))
        }
        (test, _) => format!(" --split {}", quote(test)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_the_run() {
        let rows = |test: &str, validation: &str, eval_rows, evaluated| {
            let plan = TrainPlan {
                test_split: test.into(),
                validation_split: validation.into(),
                eval_rows,
                ..TrainPlan::default()
            };
            evaluated_rows(&plan, evaluated)
        };
        assert_eq!(rows("test", "validation", 200, 200), "");
        assert_eq!(rows("train[:10%]", "", 0, 9), " --split 'train[:10%]'");
        assert_eq!(rows("", "", 200, 57), " --split validation");
        assert_eq!(
            rows("", "", 200, 200),
            " --split validation --eval-rows 200"
        );
        assert_eq!(rows("", "dev", 0, 200), " --split dev");
    }
}
