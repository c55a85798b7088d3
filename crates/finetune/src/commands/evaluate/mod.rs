//! `finetune evaluate`: evaluates one model on labelled rows, or compares two on the same rows.

mod calibration;
mod chosen_rows;
mod errors;
mod options;
mod pair;
mod subject;
mod thresholds;

use std::{path::Path, process::ExitCode};

use finetune_infer::device;
use finetune_metrics::Metric;
use serde_json::{Map, Value, json};

use self::{
    chosen_rows::Data,
    errors::Errors,
    pair::Pair,
    subject::{Evaluated, Subject},
};
use crate::{
    cli::{args::EvaluateArguments, interrupt},
    error::Failure,
    resolve::kept::Kept,
    view::{
        output::{print_json, show},
        progress::headline,
        summary,
    },
};

/// Evaluates one model or compares two.
///
/// # Errors
/// Fails if options are invalid, or if models or rows cannot be read or do not fit together.
pub fn run(arguments: &EvaluateArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    interrupt::at_once(true);
    options::check(arguments)?;
    let names = options::models(arguments)?;
    let device = device(&arguments.device)?;
    let revision = arguments.open.revision.as_deref();
    let kept = names.iter().map(|name| Kept::read(name, revision));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let data = Data::open(arguments, &kept[0])?;
    let subjects = names
        .iter()
        .zip(kept)
        .map(|(name, kept)| Subject::load(name, kept, arguments, &device));
    let subjects = subjects.collect::<Result<Vec<_>, _>>()?;
    let metrics = options::check_models(arguments, &subjects)?;
    if arguments.find_thresholds.is_some() && !Path::new(&names[0]).is_dir() {
        return Err(Failure::User(format!(
            "--find-thresholds writes into the model's directory, but {} is a name on the hub; give a directory",
            names[0]
        )));
    }
    let first = &subjects[0];
    let rows = data.choose(arguments, &first.kept, first.outputs())?;
    let evaluated = subjects
        .into_iter()
        .map(|subject| subject.evaluate(arguments, &rows));
    let evaluated = evaluated.collect::<Result<Vec<_>, _>>()?;
    let output = match evaluated.as_slice() {
        [a, b] => two(arguments, a, b, &metrics)?,
        [one] => single(arguments, one, &metrics)?,
        _ => return Err(Failure::Internal("neither one model nor two".into())),
    };
    match arguments.json {
        true => print_json(output)?,
        false => show(&output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats the output for one model.
fn single(
    arguments: &EvaluateArguments,
    model: &Evaluated,
    chosen: &[Metric],
) -> Result<String, Failure> {
    let found = match (model.all.as_labels(), arguments.find_thresholds) {
        (Some(all), Some(kind)) => Some(thresholds::Found::new(all, kind)?),
        _ => None,
    };
    let directory = Path::new(&model.name);
    if let Some(found) = &found {
        found.save(directory)?;
    }
    if arguments.json {
        let mut all = match chosen.is_empty() {
            true => model.all.json_with_intervals(),
            false => values(model, chosen),
        };
        add_details(arguments, model, &mut all)?;
        if let Some(found) = &found {
            all["thresholds_found"] = found.json();
        }
        return Ok(all.to_string());
    }
    let mut text = match chosen.is_empty() {
        true => format!(
            "{}\n{}\n{}",
            headline(&model.all.evaluation()),
            summary::describe_intervals(&model.all),
            summary::tables(&model.all)
        ),
        false => chosen_lines(model, chosen),
    };
    text += &details(arguments, model)?;
    if let Some(found) = &found {
        text += &format!("\n{}", found.text(directory));
    }
    Ok(text)
}

/// Formats the output for two models.
fn two(
    arguments: &EvaluateArguments,
    a: &Evaluated,
    b: &Evaluated,
    chosen: &[Metric],
) -> Result<String, Failure> {
    let pair = Pair::new(a, b, chosen)?;
    if arguments.json {
        let mut all = pair.json();
        for (key, model) in [("a", a), ("b", b)] {
            if !chosen.is_empty() {
                all[key] = values(model, chosen);
            }
            add_details(arguments, model, &mut all[key])?;
        }
        return Ok(all.to_string());
    }
    let mut text = pair.text();
    for (name, model) in [("A", a), ("B", b)] {
        let details = details(arguments, model)?;
        if !details.is_empty() {
            text += &format!("\n{name}: {}{details}", model.name);
        }
    }
    Ok(text)
}

/// Formats errors and calibration, if they are requested.
fn details(arguments: &EvaluateArguments, model: &Evaluated) -> Result<String, Failure> {
    let mut text = String::new();
    if let Some(count) = arguments.errors {
        text += &format!("\n{}", Errors::new(model, count)?.table());
    }
    if arguments.calibration {
        text += &format!("\n{}", calibration::table(&model.all));
    }
    Ok(text)
}

/// Adds errors and calibration to a JSON object, if they are requested.
fn add_details(
    arguments: &EvaluateArguments,
    model: &Evaluated,
    all: &mut Value,
) -> Result<(), Failure> {
    if let Some(count) = arguments.errors {
        all["errors"] = Errors::new(model, count)?.json();
    }
    if arguments.calibration {
        all["reliability"] = calibration::json(&model.all);
    }
    Ok(())
}

/// Returns the chosen metrics as a JSON object.
fn values(model: &Evaluated, chosen: &[Metric]) -> Value {
    let evaluation = model.all.evaluation();
    let values = chosen
        .iter()
        .map(|metric| (metric.to_string(), json!(evaluation.get(metric.name()))));
    values.collect::<Map<_, _>>().into()
}

fn chosen_lines(model: &Evaluated, chosen: &[Metric]) -> String {
    let evaluation = model.all.evaluation();
    let width = chosen.iter().map(|metric| metric.name().len()).max();
    let width = width.unwrap_or(0);
    let line = |metric: &Metric| match evaluation.get(metric.name()) {
        Some(value) => format!("{:width$}  {value:.4}\n", metric.name()),
        None => format!("{:width$}  -\n", metric.name()),
    };
    chosen.iter().map(line).collect()
}
