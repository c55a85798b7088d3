//! A complete run with the library alone:
//! `cargo run --release --example train_csv -- MODEL_DIR DATA.csv RUN_DIR`.

use std::{env, error::Error, ops::ControlFlow, path::Path};

use finetune_data::{
    Columns, Dataset, Split, TextTokenizer, TokenizeOptions, TokenizedDataset, infer_task,
};
use finetune_train::{
    BaseModel, Event, Observer, Observers, RunDirectory, RunEnd, RunInputs, RunLength, Start,
    Strategy, TrainData, TrainError, TrainPlan, device, prepare,
};

/// Prints each evaluation.
struct Printer;

impl Observer for Printer {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if let Event::Evaluated { epoch, metrics, .. } = event {
            println!("after epoch {epoch}: {metrics:?}");
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, data, run] = arguments.as_slice() else {
        return Err("usage: train_csv MODEL_DIR DATA.csv RUN_DIR".into());
    };
    let base = Path::new(model);

    let rows = Dataset::open(data)?.split("train")?;
    let columns = Columns::resolve(&rows, &[], &[], true)?;
    let labels = infer_task(&[&rows], &columns, None, None)?;
    let (training, validation) = rows.stratified_split(&columns, Some(&labels), 0.1, 42)?;
    let tokenizer = TextTokenizer::from_directory(base)?;
    let options = TokenizeOptions {
        max_length: 64,
        cache_dir: None,
    };
    let tokenize = |split: &Split| {
        let progress = |_, _| ControlFlow::Continue(());
        TokenizedDataset::build(
            split,
            &columns,
            Some(&labels),
            &tokenizer,
            &options,
            progress,
        )
    };
    let data = TrainData {
        train: tokenize(&training)?,
        validation: tokenize(&validation)?,
        test: None,
    };

    let mut plan = TrainPlan::new(&labels, Strategy::Full, "cpu".into());
    plan.model.name = model.clone();
    plan.data.dataset = arguments[1].clone();
    plan.data.text_column = columns.text.clone();
    plan.data.label_column = columns.label.clone();
    plan.data.max_length = 64;
    plan.optimization.length = RunLength::Epochs(1.0);
    plan.check()?;
    let mut run = RunDirectory::create(Path::new(run))?;
    let start = Start::fresh(prepare(
        &plan,
        &BaseModel::open(base)?,
        &device(&plan.model.device)?,
    )?);
    let observers = Observers::default().with(Printer);
    match run.execute(&plan, start, &RunInputs::new(base, data), observers)? {
        RunEnd::Complete(results) => println!(
            "{} steps, model in {}",
            results.outcome.steps,
            run.model().display()
        ),
        RunEnd::Interrupted(interruption) => println!("{interruption}"),
    }
    Ok(())
}
