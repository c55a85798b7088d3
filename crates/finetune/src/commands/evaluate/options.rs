//! Validates the options of `evaluate`, before any work or once the models are loaded.

use finetune_data::{NameList, match_names};
use finetune_infer::objective::{self, Objective};
use finetune_metrics::Metric;
use finetune_models::Task;

use super::subject::Subject;
use crate::{
    cli::{args::EvaluateArguments, batch_size},
    error::Failure,
    resolve::run_model,
};

/// Returns the names of one model, or of two to compare. The name of a run stands for its model.
///
/// # Errors
/// Fails if the number of models does not fit the options, or if a run has no model yet.
pub fn models(arguments: &EvaluateArguments) -> Result<Vec<String>, Failure> {
    let named = arguments.models.iter().map(String::as_str);
    let names: Vec<_> = named.chain(arguments.model.as_deref()).collect();
    let refuse = |problem: &str| Err(Failure::User(problem.into()));
    match names.len() {
        1 => {}
        2 if arguments.find_thresholds.is_some() => {
            return refuse("--find-thresholds is for one model; name only one");
        }
        2 => {}
        _ => return refuse("name one model, or two to compare"),
    }
    names.into_iter().map(run_model::resolve).collect()
}

/// Checks the options that do not depend on the models.
///
/// # Errors
/// Fails if the batch size is out of range or a metric is unknown.
pub fn check(arguments: &EvaluateArguments) -> Result<(), Failure> {
    arguments.batch_size.map_or(Ok(()), batch_size::check)?;
    for name in &arguments.metrics {
        name.parse::<Metric>()
            .map_err(|error| Failure::User(format!("--metrics: {error}")))?;
    }
    Ok(())
}

/// Checks the options against the models, and returns the requested metrics.
///
/// # Errors
/// Fails if an option or a metric does not apply to the models, or if they cannot be compared.
pub fn check_models(
    arguments: &EvaluateArguments,
    subjects: &[Subject],
) -> Result<Vec<Metric>, Failure> {
    if let [a, b] = subjects {
        same_labels(a, b)?;
    }
    let Some(outputs) = subjects.first().map(Subject::outputs) else {
        return Ok(Vec::new());
    };
    let task = outputs.problem_type();
    type Applies = fn(&dyn Objective) -> bool;
    let options: [(&str, bool, Applies); 2] = [
        ("--calibration", arguments.calibration, |objective| {
            objective.has_calibration()
        }),
        (
            "--find-thresholds",
            arguments.find_thresholds.is_some(),
            |objective| objective.has_thresholds(),
        ),
    ];
    for (option, given, applies) in options {
        if given && !applies(objective::of(task)) {
            let objectives = objective::ALL.into_iter();
            let tasks: Vec<_> = objectives
                .filter(|objective| applies(*objective))
                .map(|objective| objective.problem_type().name())
                .collect();
            return Err(Failure::User(format!(
                "{option} is for {} models, but this is a model for {task}",
                tasks.join(" and ")
            )));
        }
    }
    let metrics = arguments.metrics.iter();
    let metrics = metrics.map(|name| {
        Metric::parse(name, task).map_err(|error| Failure::User(format!("--metrics: {error}")))
    });
    metrics.collect()
}

/// Checks that two models have the same task and, in any order, matching names of outputs. The name of a
/// single value does not matter.
fn same_labels(a: &Subject, b: &Subject) -> Result<(), Failure> {
    let (first, second) = (a.outputs(), b.outputs());
    let list = |outputs| NameList {
        whose: "",
        names: Task::names(outputs),
    };
    let match_all = || {
        let matched = match_names(list(first), list(second), false).ok()?;
        matched.one_to_one(second.num_labels())
    };
    let same = first.problem_type() == second.problem_type()
        && (match_all().is_some() || first.is_single_number() && second.is_single_number());
    if same {
        return Ok(());
    }
    let describe = |subject: &Subject| {
        let outputs = subject.outputs();
        let shown: Vec<_> = outputs
            .names()
            .iter()
            .take(12)
            .map(String::as_str)
            .collect();
        format!(
            "{} is for {} ({}{})",
            subject.name,
            outputs.problem_type(),
            shown.join(", "),
            if outputs.num_labels() > shown.len() {
                ", …"
            } else {
                ""
            }
        )
    };
    Err(Failure::User(format!(
        "two models can only be compared on the same labels, but {} and {}",
        describe(a),
        describe(b)
    )))
}
