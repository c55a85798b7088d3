//! Shows what is in a data set and how long its rows are in tokens. Label columns only need to be
//! named where no convention applies, as for data with one column per class:
//!
//!     cargo run --release -p finetune-data --example inspect -- reviews/ model/tokenizer.json
//!     cargo run --release -p finetune-data --example inspect -- comments.csv model/tokenizer.json toxic threat insult

use std::ops::ControlFlow;
use std::process::ExitCode;

use finetune_data::{
    Columns, Dataset, Task, TextTokenizer, TokenizeOptions, TokenizedDataset, infer_task,
};

fn main() -> ExitCode {
    match inspect() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn inspect() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(tokenizer)) = (arguments.next(), arguments.next()) else {
        return Err("usage: inspect DATASET TOKENIZER_JSON [LABEL_COLUMN…]".into());
    };
    let label_columns: Vec<String> = arguments.collect();
    let tokenizer = TextTokenizer::from_file(tokenizer)?;
    let dataset = Dataset::open(path)?;
    for name in dataset.split_names() {
        let split = dataset.split(name)?;
        let columns = Columns::resolve(&split, &[], &label_columns, false)?;
        let labels = match columns.label[..] {
            [] => None,
            _ => Some(infer_task(&[&split], &columns, None, None)?),
        };
        let options = TokenizeOptions {
            max_length: 512,
            cache_dir: None,
        };
        let keep_going = |_, _| ControlFlow::Continue(());
        let labels = labels.as_ref();
        let data =
            TokenizedDataset::build(&split, &columns, labels, &tokenizer, &options, keep_going)?;
        println!(
            "{name}: {} rows, text in {}",
            split.len(),
            columns.text.join(" and ")
        );
        print_lengths(&data);
        if let Some(labels) = labels {
            print_labels(labels, &data);
        }
        println!("  fingerprint {}", data.fingerprint_hex());
    }
    Ok(())
}

fn print_lengths(data: &TokenizedDataset) {
    let lengths = data.lengths();
    println!(
        "  {} tokens at {:.0} rows/s; per row {} to {}, mean {:.1}, 95 % at most {}; {} rows cut",
        data.total_tokens(),
        data.build_report().rows_per_second,
        lengths.min,
        lengths.max,
        lengths.mean,
        lengths.p95,
        data.truncated_rows()
    );
}

fn print_labels(labels: &Task, data: &TokenizedDataset) {
    println!("  {}", labels.problem_type());
    match data.class_counts() {
        Some(counts) => {
            for (class, count) in labels.names().iter().zip(counts) {
                println!("    {class}: {count} rows");
            }
        }
        None => println!("    outputs {}", labels.names().join(", ")),
    }
}
