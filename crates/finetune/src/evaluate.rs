//! `finetune evaluate`.

use std::process::ExitCode;

use finetune_data::{Columns, Dataset, LabelSchema, ProblemType, Split};
use finetune_models::Outputs;
use finetune_train::{Observers, device, evaluate};

use crate::{
    args::EvaluateArguments,
    data::{describe, tokenize},
    error::Failure,
    interrupt, model,
    output::print,
    progress::{ProgressView, headline},
    summary,
};

pub fn run(arguments: &EvaluateArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    let device = device(&arguments.device)?;
    if arguments.batch_size == 0 {
        return Err(Failure::User(
            "--batch-size is 0; expected at least 1".into(),
        ));
    }
    let dataset = Dataset::open(&arguments.dataset)?;
    let split = match &arguments.split {
        Some(expression) => expression.clone(),
        None => ["test", "validation"]
            .into_iter()
            .find(|name| dataset.has_split(name))
            .unwrap_or("train")
            .to_string(),
    };
    let rows = dataset.split(&split)?;
    let revision = arguments.revision.as_deref();
    let classifier = model::classifier(&arguments.model, revision, None, &device)?;
    let columns = columns(arguments, &rows, classifier.outputs())?;
    let labels = labels(&rows, &columns, classifier.outputs())?;
    let rows = rows.shuffle_take(arguments.seed, arguments.eval_rows)?;
    let longest = classifier.model().config().max_position_embeddings;
    let max_length = arguments.max_length.unwrap_or(256).min(longest);
    let data = tokenize(&rows, &columns, &labels, classifier.tokenizer(), max_length)?;
    eprintln!("data    {split}: {}", describe(&data));

    let mut observers = Observers::default()
        .with(interrupt::OnSignal)
        .with(ProgressView::default());
    let all = evaluate(
        classifier.model(),
        &data,
        None,
        "rows",
        arguments.batch_size,
        &mut observers,
    )?;
    drop(observers);
    let metrics = all.evaluation();
    print(&match arguments.json {
        true => format!("{}\n", summary::json(&metrics)),
        false => format!("{}\n\n{}\n", headline(&metrics), summary::tables(&all)),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The columns of the rows. The label columns of a model of several outputs are by default those
/// that are named as its outputs, if all are there.
fn columns(
    arguments: &EvaluateArguments,
    rows: &Split,
    outputs: &Outputs,
) -> Result<Columns, Failure> {
    let is_column = |name: &String| rows.schema().field_with_name(name).is_ok();
    let own = match outputs {
        Outputs::Classes(_) => &[],
        Outputs::MultiLabel(names) | Outputs::Regression(names) => names.as_slice(),
    };
    let named = arguments.label_column.as_slice();
    let label = match named.is_empty() && own.iter().all(is_column) {
        true => own,
        false => named,
    };
    let text = &arguments.columns.text_column;
    Ok(Columns::resolve(rows, text, label, true)?)
}

/// The labels as the model has them: its kind, its names in its order.
fn labels(rows: &Split, columns: &Columns, outputs: &Outputs) -> Result<LabelSchema, Failure> {
    let (problem_type, names) = match outputs {
        Outputs::Classes(names) => (ProblemType::SingleLabelClassification, Some(names)),
        Outputs::MultiLabel(names) => (ProblemType::MultiLabelClassification, Some(names)),
        // A single number needs no name.
        Outputs::Regression(names) => (
            ProblemType::Regression,
            Some(names).filter(|names| names.len() > 1),
        ),
    };
    let names = names.map(Vec::as_slice);
    let labels = LabelSchema::infer(&[rows], columns, names, Some(problem_type))?;
    Ok(labels)
}
