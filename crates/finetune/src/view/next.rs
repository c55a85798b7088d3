//! The commands to type after a run, which work as they are and reproduce its results.

use std::{num::NonZeroU64, path::Path};

use finetune_infer::objective;
use finetune_train::TrainPlan;

use crate::view::shell::{program, quote, quote_path};

/// Returns the lines, each with its line feed. `validation_rows` is the number of rows that training
/// evaluated.
pub fn lines(plan: &TrainPlan, model: &Path, validation_rows: u64) -> String {
    let program = program();
    let (model, dataset) = (quote_path(model), dataset(plan));
    if plan.pretraining.is_some() {
        return format!("  {program} fill-mask {model} \"a [MASK] text\"\n");
    }
    let text = match plan.data.text_column.len() {
        2 => "--pair \"your text\" \"its second text\"",
        _ => "\"your text\"",
    };
    let rows = evaluated_rows(plan, validation_rows);
    let mut lines = format!(
        "  {program} predict --model {model} {text}\n  \
         {program} evaluate --model {model} --dataset {dataset}{rows}\n"
    );
    // The default threshold of 0.5 is rarely a label's best.
    if objective::of(plan.data.problem_type).has_thresholds() {
        lines += &format!("  {program} evaluate {model} --dataset {dataset} --find-thresholds\n");
    }
    lines
}

/// Formats a plan's data set as command-line arguments.
fn dataset(plan: &TrainPlan) -> String {
    let name = quote(&plan.data.dataset);
    match &plan.data.dataset_revision {
        None => name,
        Some(revision) => format!(
            "{name} --dataset-config {} --dataset-revision {}",
            quote(plan.data.dataset_config.as_deref().unwrap_or_default()),
            quote(revision)
        ),
    }
}

/// Returns the options that evaluate the run's test rows again, or else its validation rows.
fn evaluated_rows(plan: &TrainPlan, validation_rows: u64) -> String {
    match plan.data.test_split.as_deref() {
        Some("test") => String::new(),
        Some(test) => format!(" --split {}", quote(test)),
        None => {
            let name = plan.data.validation_split.as_deref();
            let drawn = plan.data.eval_rows.map(NonZeroU64::get) == Some(validation_rows);
            let number = match drawn {
                true => format!(" --eval-rows {validation_rows}"),
                false => String::new(),
            };
            format!(" --split {}{number}", quote(name.unwrap_or("validation")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_select_the_rows_of_the_run() {
        let rows = |test: &str, validation: &str, eval_rows, evaluated| {
            let named = |name: &str| Some(name.to_string()).filter(|name| !name.is_empty());
            let mut plan = TrainPlan::default();
            plan.data.test_split = named(test);
            plan.data.validation_split = named(validation);
            plan.data.eval_rows = NonZeroU64::new(eval_rows);
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
