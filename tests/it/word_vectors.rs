//! Training from word vectors, and with a frozen word table.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use finetune_data::TextTokenizer;
use finetune_models::SafetensorsFile;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

/// The width of the tiny model's word table, and of that of the encoder `lab`.
const WIDTH: usize = 32;
const LAB: usize = 100;
const TABLE: &str = "bert.embeddings.word_embeddings.weight";
const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";

/// Vectors by counting: for each word, how often others are at most two words away, summed over groups of
/// words and brought to a small size.
fn vectors(width: usize) -> BTreeMap<String, Vec<f32>> {
    let texts = samples::examples(200);
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, _) in &texts {
        for word in text.split_whitespace() {
            let next = numbers.len();
            numbers.entry(word).or_insert(next);
        }
    }
    let mut counts: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for (text, _) in &texts {
        let words: Vec<_> = text.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let near = at.saturating_sub(2)..(at + 3).min(words.len());
            for other in near.filter(|other| *other != at) {
                let vector = counts.entry(word.to_string()).or_insert(vec![0.0; width]);
                vector[numbers[words[other]] % width] += 1.0;
            }
        }
    }
    for vector in counts.values_mut() {
        vector
            .iter_mut()
            .for_each(|count| *count = (*count + 1.0).ln() / 10.0 - 0.1);
    }
    counts
}

/// A file of all vectors but those of some words.
fn file(vectors: &BTreeMap<String, Vec<f32>>) -> String {
    let mut text = String::new();
    for (word, vector) in vectors {
        let numbers: Vec<_> = vector.iter().map(f32::to_string).collect();
        writeln!(text, "{word} {}", numbers.join(" ")).unwrap();
    }
    text
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let mut vectors = vectors(WIDTH);
    vectors.remove("film");
    scratch.write("vectors.txt", file(&vectors));
    scratch
}

fn train(scratch: &Scratch, options: &str) -> Run {
    let model = fixtures::path("tiny_bert");
    let mut arguments = vec!["train", "--model", argument(&model), "--dataset", "data"];
    arguments.extend(split(options));
    scratch.run(&arguments)
}

fn tensor(directory: std::path::PathBuf, name: &str) -> Vec<f32> {
    let file = SafetensorsFile::open(&directory.join("model.safetensors"));
    file.unwrap().read_f32(name).unwrap()
}

#[test]
fn a_frozen_table_of_vectors_stays_and_the_rest_is_trained() {
    let scratch = scratch();
    let options = "--vectors vectors.txt --freeze-embeddings --max-steps 4 --save-steps 2 \
        --eval-steps 2 --save-total-limit 3 --learning-rate 1e-2 --output run";
    let run = train(&scratch, options).succeeded();
    let vectors = vectors(WIDTH);
    let words = vectors.len() - 1;
    let coverage = format!("vectors.txt: it has vectors for {words} of the vocabulary's");
    assert!(run.stderr.contains(&coverage), "{run}");
    assert!(
        run.stderr.contains("the word table stays as it is"),
        "{run}"
    );
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    for line in [
        "vectors = \"vectors.txt\"",
        "vectors_sha256 = \"",
        "freeze_embeddings = true",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    let tokenizer = TextTokenizer::from_directory(scratch.path("run/model")).unwrap();
    let table = tensor(scratch.path("run/model"), TABLE);
    let row = |word: &str| {
        let id = tokenizer.token_to_id(word).unwrap() as usize;
        &table[id * WIDTH..][..WIDTH]
    };
    for (word, vector) in &vectors {
        assert_eq!(row(word) == vector.as_slice(), word != "film", "{word}");
    }
    let before = tensor(fixtures::path("tiny_bert"), POSITIONS);
    assert_ne!(tensor(scratch.path("run/model"), POSITIONS), before);

    // A checkpoint has the table, so that the file is no longer needed.
    let bits = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    let whole = bits("run");
    fs::rename(scratch.path("vectors.txt"), scratch.path("elsewhere.txt")).unwrap();
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    fs::remove_dir_all(scratch.path("run/model")).unwrap();
    fs::remove_dir_all(scratch.path("run/checkpoints/step-000004")).unwrap();
    scratch.run(&split("resume run")).succeeded();
    assert!(bits("run") == whole);

    // A replay reads it again, and refuses another one.
    let replay = scratch.run(&split("replay run --output again"));
    replay.failed(2, &["vectors.txt"]);
    fs::rename(scratch.path("elsewhere.txt"), scratch.path("vectors.txt")).unwrap();
    scratch.run(&split("replay run --output again")).succeeded();
    assert!(bits("again") == whole);
    scratch.write("vectors.txt", file(&vectors));
    let replay = scratch.run(&split("replay run --output other"));
    replay.failed(
        2,
        &["is not the file of word vectors that the run began with"],
    );
}

#[test]
fn rows_without_a_vector_depend_on_the_seed() {
    let scratch = scratch();
    let table = |seed: &str, run: &str| {
        let options = format!(
            "--vectors vectors.txt --strategy head --max-steps 1 --seed {seed} --output {run}"
        );
        train(&scratch, &options).succeeded();
        tensor(scratch.path(&format!("{run}/model")), TABLE)
    };
    let (one, same, other) = (table("1", "a"), table("1", "b"), table("2", "c"));
    assert_eq!(one, same);
    let changed = one.chunks(WIDTH).zip(other.chunks(WIDTH));
    let changed = changed.filter(|(one, other)| one != other).count();
    let vectors = vectors(WIDTH).len() - 1;
    assert_eq!(changed, one.len() / WIDTH - vectors);
}

#[test]
fn every_strategy_leaves_a_frozen_table() {
    let scratch = scratch();
    let before = tensor(fixtures::path("tiny_bert"), TABLE);
    for (number, strategy) in [
        "full",
        "head",
        "last:1",
        "gradual --unfreeze-every 0.05",
        "params:embeddings|classifier",
        "bitfit",
        "lora",
    ]
    .iter()
    .enumerate()
    {
        let options = format!(
            "--strategy {strategy} --freeze-embeddings --max-steps 3 --learning-rate 1e-2 --output {number}"
        );
        train(&scratch, &options).succeeded();
        let model = scratch.path(&format!("{number}/model"));
        // An adapter has no table at all.
        if *strategy != "lora" {
            assert_eq!(tensor(model, TABLE), before, "{strategy}");
        }
    }
}

#[test]
fn what_contradicts_vectors_is_refused() {
    let scratch = scratch();
    scratch.write("narrow.txt", "the 1 2 3\n");
    scratch.write("twice.txt", format!("{0}{0}", file(&vectors(WIDTH))));
    for (options, words) in [
        (
            "--vectors vectors.txt --strategy lora",
            "vectors fill the word table",
        ),
        (
            "--vectors narrow.txt",
            "narrow.txt: its vectors have 3 numbers, but the model's word embeddings have 32",
        ),
        ("--vectors twice.txt", "has a vector on line 1 already"),
        ("--vectors none.txt", "none.txt"),
        (
            "--freeze-embeddings --strategy params:word_embeddings",
            "trains the word table alone, but freeze_embeddings keeps it",
        ),
    ] {
        let before = scratch.entries();
        train(&scratch, &format!("{options} --output run")).refused(&[words]);
        scratch.unchanged_since(&before);
    }
}

/// The course's lab: a vocabulary of whole words, word vectors that stay as they are, and a small encoder.
#[test]
fn an_encoder_from_scratch_begins_with_vectors() {
    let scratch = scratch();
    let vectors = vectors(LAB);
    scratch.write("wide.txt", file(&vectors));
    let tokenizer = "tokenizer train data --kind words --lowercase --vocab-size 500 -o words";
    let made = scratch.run(&split(tokenizer)).succeeded();
    for options in [
        "train --dataset data --vectors wide.txt --freeze-embeddings",
        // Of a masked language model the table is also the output layer.
        "pretrain --dataset data --vectors wide.txt --freeze-embeddings --masking words",
    ] {
        let command = options.split(' ').next().unwrap();
        let more = "--init scratch --encoder lab --tokenizer words --max-steps 2 --output";
        let arguments = [split(options), split(more), vec![command]].concat();
        let run = scratch.run(&arguments).succeeded();
        let words = vectors.len();
        let coverage = format!("for {words} of the vocabulary's {words} words (100.0 %)");
        assert!(run.stderr.contains(&coverage), "{run}");
        let model = scratch.path(&format!("{command}/model"));
        let tokenizer = TextTokenizer::from_directory(&model).unwrap();
        let table = tensor(model, "encoder.embeddings.word.weight");
        for (word, vector) in &vectors {
            let id = tokenizer.token_to_id(word).unwrap() as usize;
            assert_eq!(&table[id * LAB..][..LAB], vector, "{command}: {word}");
        }
    }
    // What `tokenizer train` suggests works.
    let next = made.stdout.lines().last().unwrap().trim();
    let (_, next) = next.split_once(" train ").unwrap();
    let next = format!("train {next} --max-steps 1 --output next");
    scratch.run(&split(&next)).succeeded();
    scratch.run(&split("predict --model next film")).succeeded();
}
