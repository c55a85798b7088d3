//! What is refused before any work, or as soon as the models are known.

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

/// The models' names: one, or two to compare. A run's name is its model's.
pub fn models(arguments: &EvaluateArguments) -> Result<Vec<String>, Failure> {
    let named = arguments.models.iter().map(String::as_str);
    let names: Vec<_> = named.chain(arguments.model.as_deref()).collect();
    let refuse = |problem: &str| Err(Failure::User(problem.into()));
    match names.len() {
        1 => {}
        2 if arguments.find_thresholds.is_some() => {
            return refuse("--find-thresholds is for one model; name one");
        }
        2 => {}
        _ => return refuse("name one model, or two to compare"),
    }
    names.into_iter().map(run_model::resolve).collect()
}

/// Numbers that make no sense, and metrics that nobody knows.
pub fn check(arguments: &EvaluateArguments) -> Result<(), Failure> {
    arguments.batch_size.map_or(Ok(()), batch_size::check)?;
    for name in &arguments.metrics {
        name.parse::<Metric>()
            .map_err(|error| Failure::User(format!("--metrics: {error}")))?;
    }
    Ok(())
}

/// Options that the models have no use for, and models that cannot be compared. Gives the metrics
/// that were asked for.
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
    type Can = fn(&dyn Objective) -> bool;
    let options: [(&str, bool, Can); 2] = [
        ("--calibration", arguments.calibration, |of| {
            of.has_calibration()
        }),
        (
            "--find-thresholds",
            arguments.find_thresholds.is_some(),
            |of| of.has_thresholds(),
        ),
    ];
    for (option, given, has) in options {
        if given && !has(objective::of(task)) {
            let kinds = objective::ALL.into_iter().filter(|of| has(*of));
            let kinds: Vec<_> = kinds.map(|of| of.problem_type().name()).collect();
            return Err(Failure::User(format!(
                "{option} is for {} models, but this is one for {task}",
                kinds.join(" and ")
            )));
        }
    }
    let metrics = arguments.metrics.iter();
    let metrics = metrics.map(|name| {
        Metric::parse(name, task).map_err(|error| Failure::User(format!("--metrics: {error}")))
    });
    metrics.collect()
}

/// Two models answer the same question where they have the same kind of labels, by names that match in
/// whatever order; a single number needs no name.
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
        "two models are compared on the same labels, but {} and {}",
        describe(a),
        describe(b)
    )))
}
