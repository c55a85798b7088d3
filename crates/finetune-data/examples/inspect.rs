//! What is in a data set, and how long it is in tokens:
//!
//!     cargo run --release -p finetune-data --example inspect -- reviews/ model/tokenizer.json

use std::process::ExitCode;

use finetune_data::{Columns, Dataset, LabelSchema, TextTokenizer};

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
        return Err("usage: inspect DATASET TOKENIZER_JSON".into());
    };
    let tokenizer = TextTokenizer::from_file(tokenizer)?;
    let dataset = Dataset::open(path)?;
    for name in dataset.split_names() {
        let split = dataset.split(name)?;
        let columns = Columns::resolve(&split, &[], None, false)?;
        println!(
            "{name}: {} rows, text in {}",
            split.len(),
            columns.text.join(" and ")
        );
        let data = split.tokenize(&tokenizer, 512)?;
        let (lengths, report) = (data.lengths(), data.build_report());
        println!(
            "  {} tokens at {:.0} rows/s; per row {} to {}, mean {:.1}, 95 % at most {}; {} rows cut",
            data.total_tokens(),
            report.rows_per_second,
            lengths.min,
            lengths.max,
            lengths.mean,
            lengths.p95,
            data.truncated_rows()
        );
        if columns.label.is_some() {
            let labels = LabelSchema::infer(&[&split], &columns, None, None)?;
            for (class, count) in labels.class_names().iter().zip(data.class_counts()) {
                println!("  {class}: {count} rows");
            }
        }
    }
    Ok(())
}
