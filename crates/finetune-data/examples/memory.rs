//! Generates rows with two classes (in JSON lines, with a list of labels), tokenizes them and runs
//! through one shuffled epoch, in memory that does not grow with the number of rows:
//!
//!     cargo run --release -p finetune-data --example memory -- 5000000 parquet

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use finetune_data::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use finetune_data::{
    BatchSize, Columns, Dataset, Permutation, Sampler, SamplerOptions, TextTokenizer,
    TokenizeOptions, TokenizedDataset, infer_task, write_parquet,
};

const WORDS: [&str; 12] = [
    "the", "movie", "was", "not", "bad", "at", "all", "but", "far", "too", "long", "overall",
];
const CHUNK: u64 = 10_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().as_deref().unwrap_or("10000").parse()?;
    let format = arguments.next().unwrap_or_else(|| "parquet".to_owned());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(format!("train.{format}"));
    match format.as_str() {
        "parquet" => generate_parquet(&path, rows)?,
        "csv" => generate_csv(&path, rows)?,
        "jsonl" => generate_json_lines(&path, rows)?,
        other => return Err(format!("unknown format {other:?}; use parquet, csv or jsonl").into()),
    }
    println!(
        "generated {rows} rows, {:.1} MB",
        std::fs::metadata(&path)?.len() as f64 / 1e6
    );

    let split = Dataset::open_file(&path)?.split("train")?;
    let columns = Columns::resolve(&split, &[], &[], true)?;
    let labels = infer_task(&[&split], &columns, None, None)?;
    let tokenizer = TextTokenizer::from_bytes(word_tokenizer().as_bytes())?;
    let options = TokenizeOptions {
        max_length: 64,
        cache_dir: Some(folder.path()),
    };
    let keep_going = |_, _| ControlFlow::Continue(());
    let data = TokenizedDataset::build(
        &split,
        &columns,
        Some(&labels),
        &tokenizer,
        &options,
        keep_going,
    )?;
    let report = data.build_report();
    println!(
        "tokenized at {:.0} rows/s: {} tokens",
        report.rows_per_second,
        data.total_tokens()
    );

    let options = SamplerOptions {
        batch: BatchSize::Rows(32),
        seed: 42,
        shuffle: true,
        length_buckets: Some(50),
    };
    let sampler = Sampler::new(&data, options)?;
    let started = Instant::now();
    let before = processor_seconds();
    let (mut seen, mut tokens, mut padded) = (0, 0, 0);
    for rows in sampler.epoch(0)? {
        let batch = data.batch(&rows?)?;
        seen += batch.batch_size();
        tokens += batch.num_tokens();
        padded += batch.padded_tokens();
    }
    let rate = seen as f64 / started.elapsed().as_secs_f64();
    println!("{seen} rows in one epoch at {rate:.0} rows/s");
    if let (Some(before), Some(after)) = (before, processor_seconds()) {
        println!("processor time of the epoch: {:.6} s", after - before);
    }
    println!(
        "padding avoided: {:.1} %",
        100.0 * (1.0 - tokens as f64 / padded as f64)
    );
    match peak_megabytes() {
        Some(peak) => println!("peak memory: {peak:.1} MB"),
        None => println!("peak memory is not known on this system"),
    }
    Ok(())
}

/// Generates row `i` of 4 to 27 words and a label, the same on every run.
fn row(i: u64, draws: &Permutation) -> (String, i64) {
    let noise = draws.get(i);
    let words: Vec<_> = (0..4 + noise % 24)
        .map(|k| WORDS[((noise >> (k % 16)) as usize + k as usize) % WORDS.len()])
        .collect();
    (words.join(" "), (noise % 2) as i64)
}

fn generate_parquet(path: &Path, rows: u64) -> Result<(), Failure> {
    let draws = Permutation::new(1 << 40, 7, 0)?;
    let chunk = |start: u64| -> Result<RecordBatch, finetune_data::Error> {
        let rows: Vec<_> = (start..rows.min(start + CHUNK))
            .map(|i| row(i, &draws))
            .collect();
        let texts = StringArray::from_iter_values(rows.iter().map(|row| &row.0));
        let labels = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
        RecordBatch::try_from_iter([
            ("text", Arc::new(texts) as ArrayRef),
            ("label", Arc::new(labels) as ArrayRef),
        ])
        .map_err(|e| finetune_data::Error::Arrow {
            context: "generating".to_owned(),
            message: e.to_string(),
        })
    };
    let classes = [(
        "label".to_owned(),
        vec!["negative".to_owned(), "positive".to_owned()],
    )];
    let schema = chunk(0)?.schema();
    Ok(write_parquet(
        path,
        &schema,
        &classes,
        (0..rows).step_by(CHUNK as usize).map(chunk),
    )?)
}

fn generate_csv(path: &Path, rows: u64) -> Result<(), Failure> {
    let draws = Permutation::new(1 << 40, 7, 0)?;
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "text,label")?;
    for i in 0..rows {
        let (text, label) = row(i, &draws);
        writeln!(file, "{text},{label}")?;
    }
    Ok(file.flush()?)
}

/// Generates multi-label data with a list of labels per row.
fn generate_json_lines(path: &Path, rows: u64) -> Result<(), Failure> {
    let draws = Permutation::new(1 << 40, 7, 0)?;
    let mut file = BufWriter::new(File::create(path)?);
    for i in 0..rows {
        let (text, label) = row(i, &draws);
        writeln!(
            file,
            "{{\"text\":\"{text}\",\"labels\":[{label},{}]}}",
            2 + i % 5
        )?;
    }
    Ok(file.flush()?)
}

/// Returns a whole-word tokenizer in the manner of BERT, small enough to be inlined here.
fn word_tokenizer() -> String {
    let vocabulary: Vec<_> = ["[UNK]", "[CLS]", "[SEP]"]
        .into_iter()
        .chain(WORDS)
        .collect();
    let vocabulary: Vec<_> = vocabulary
        .iter()
        .enumerate()
        .map(|(id, word)| format!("\"{word}\":{id}"))
        .collect();
    format!(
        r#"{{"version":"1.0","added_tokens":[],"normalizer":null,"decoder":null,
        "pre_tokenizer":{{"type":"Whitespace"}},
        "post_processor":{{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]}},
        "model":{{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"\#\#",
        "max_input_chars_per_word":100,"vocab":{{{}}}}}}}"#,
        vocabulary.join(",")
    )
    .replace("\\#", "#")
}

/// Returns the time for which this thread has had a processor (Linux). Unlike wall-clock time, it
/// does not advance while other programs run.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// Returns the peak resident memory of this process (Linux).
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
