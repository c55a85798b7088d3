//! `finetune evaluate`.

use std::process::ExitCode;

use finetune_data::{Columns, Dataset, LabelSchema};
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
    let columns = Columns::resolve(
        &rows,
        &arguments.columns.text_column,
        arguments.label_column.as_deref(),
        true,
    )?;

    let revision = arguments.revision.as_deref();
    let classifier = model::classifier(&arguments.model, revision, None, &device)?;
    let labels = match classifier.outputs() {
        Outputs::Classes(names) => {
            LabelSchema::infer(&[&rows], &columns, Some(names), Some(false))?
        }
        Outputs::MultiLabel(_) => {
            return Err(Failure::User(
                "multi-label evaluation is not supported yet".into(),
            ));
        }
        Outputs::Regression(_) => LabelSchema::infer(&[&rows], &columns, None, Some(true))?,
    };
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
