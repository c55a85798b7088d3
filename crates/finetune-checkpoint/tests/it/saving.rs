//! Tests of the files that saves leave.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use finetune_checkpoint::{
    Checkpoint, CheckpointDirectory, CheckpointError, CheckpointFile, CheckpointStore, Content,
};
use serde_json::{Value, json};

use crate::support::{KEEP_ALL, assert_content, content, entries, store};

#[test]
fn a_checkpoint_comes_back_as_it_was_saved() {
    let (_folder, mut store) = store(KEEP_ALL);
    let saved = store.save(126, content(126, 300_000), false).unwrap();
    assert!(saved.path.ends_with("checkpoints/step-000126"));
    assert!(!saved.already_there && saved.notes.is_empty() && saved.removed.is_empty());
    assert_eq!(entries(store.directory().path()), ["step-000126"]);

    let checkpoint = Checkpoint::open(&saved.path).unwrap();
    assert_eq!(checkpoint.step(), 126);
    assert_content(&checkpoint, 300_000);
    let names: Vec<&str> = checkpoint.names().collect();
    assert_eq!(names, ["model.bin", "optimizer/moments.bin"]);
    let manifest = saved.path.join("manifest.json").metadata().unwrap().len();
    assert_eq!(
        (saved.bytes, checkpoint.bytes()),
        (600_000 + manifest, 600_000 + manifest)
    );

    let message = checkpoint.file("weights.bin").unwrap_err().to_string();
    assert!(
        message.ends_with("has no file \"weights.bin\"; it has model.bin, optimizer/moments.bin"),
        "{message}"
    );
}

#[test]
fn checksums_in_the_manifest_are_sha256() {
    let (_folder, mut store) = store(KEEP_ALL);
    let saved = store
        .save(1, Content::default().bytes("hello", "hello\n"), false)
        .unwrap();
    let text = fs::read_to_string(saved.path.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["format"], 1);
    assert_eq!(
        manifest["files"]["hello"],
        json!({
            "bytes": 6,
            "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        })
    );
    assert!(
        manifest["written_by"]
            .as_str()
            .unwrap()
            .starts_with("finetune-checkpoint ")
    );
}

#[test]
fn metadata_keeps_every_bit_of_a_number() {
    let (_folder, mut store) = store(KEEP_ALL);
    // A fixed sequence of bit patterns, of which about one in a hundred needs exact parsing.
    let numbers: Vec<f64> = (1..5_000_u64)
        .map(|index| f64::from_bits(index.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .filter(|number| number.is_finite())
        .collect();
    let saved = store.save(1, Content::new(json!(numbers)), false).unwrap();
    let checkpoint = Checkpoint::open(saved.path).unwrap();
    let found = checkpoint.metadata().as_array().unwrap();
    assert_eq!(found.len(), numbers.len());
    for (found, expected) in found.iter().zip(&numbers) {
        assert_eq!(found.as_f64().unwrap().to_bits(), expected.to_bits());
    }
}

#[test]
fn files_are_copied_written_and_made_from_bytes() {
    let (folder, mut store) = store(KEEP_ALL);
    let source = folder.path().join("tokenizer.json");
    fs::write(&source, vec![7; 700_000]).unwrap();
    let content = Content::default()
        .copy("tokenizer.json", &source)
        .bytes("empty", "")
        .writer("a/b/c.txt", None, |out| write!(out, "{}", 42));
    let saved = store.save(1, content, false).unwrap();
    let checkpoint = Checkpoint::open(saved.path).unwrap();
    let read = |name| fs::read(checkpoint.file(name).unwrap()).unwrap();
    assert!(read("tokenizer.json") == vec![7; 700_000]);
    assert!(read("empty").is_empty());
    assert_eq!(read("a/b/c.txt"), b"42");

    let absent = Content::default().copy("tokenizer.json", folder.path().join("absent"));
    let message = store.save(2, absent, true).unwrap_err().to_string();
    assert!(
        message.contains("cannot read") && message.contains("absent"),
        "{message}"
    );
    assert_eq!(entries(store.directory().path()), ["step-000001"]);
    assert_eq!(store.best().unwrap(), None);
}

#[test]
fn bad_names_are_refused_before_anything_is_written() {
    let (_folder, mut store) = store(KEEP_ALL);
    for name in ["../model", "/tmp/model", "a/../../b", "", "manifest.json"] {
        let result = store.save(1, Content::default().bytes(name, "x"), true);
        assert!(
            matches!(result, Err(CheckpointError::BadName { .. })),
            "{name}"
        );
    }
    let twice = Content::default().bytes("a", "x").bytes("a", "y");
    assert!(matches!(
        store.save(1, twice, true),
        Err(CheckpointError::DuplicateName { .. })
    ));
    assert!(entries(store.directory().path()).is_empty());
}

/// A file that fails after some bytes.
struct Failing;

impl CheckpointFile for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&[1; 1_000_000])?;
        Err(io::Error::other("no more tensors"))
    }
}

#[test]
fn a_failed_save_leaves_nothing_and_the_next_works() {
    let (_folder, mut store) = store(KEEP_ALL);
    store.save(1, content(1, 100), true).unwrap();
    let message = store
        .save(2, content(2, 100).file(Failing), true)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("failing") && message.contains("no more tensors"),
        "{message}"
    );
    assert_eq!(
        entries(store.directory().path()),
        ["best.json", "step-000001"]
    );
    assert_eq!(store.best().unwrap(), Some(1));
    store.save(2, content(2, 100), true).unwrap();
    assert_eq!(store.best().unwrap(), Some(2));
}

#[test]
fn the_same_step_again_is_left_but_may_become_the_best() {
    let (_folder, mut store) = store(KEEP_ALL);
    store.save(1, content(1, 100), true).unwrap();
    let first = store.save(2, content(2, 100), false).unwrap();
    let written = first.path.join("model.bin").metadata().unwrap();
    assert_eq!(store.best().unwrap(), Some(1));

    let again = store.save(2, content(3, 100), true).unwrap();
    assert!(again.already_there);
    assert_eq!((again.bytes, &again.path), (first.bytes, &first.path));
    let now = again.path.join("model.bin").metadata().unwrap();
    assert_eq!(now.modified().unwrap(), written.modified().unwrap());
    assert_content(&Checkpoint::open(&again.path).unwrap(), 100);
    assert_eq!(store.best().unwrap(), Some(2));
}

#[test]
fn a_damaged_checkpoint_of_the_same_step_is_replaced() {
    let (_folder, mut store) = store(KEEP_ALL);
    let saved = store.save(2, content(2, 100), false).unwrap();
    fs::write(saved.path.join("model.bin"), "short").unwrap();
    assert!(store.newest_valid().is_err());
    let again = store.save(2, content(2, 100), false).unwrap();
    assert!(!again.already_there);
    assert_content(&Checkpoint::open(&again.path).unwrap(), 100);
    assert_eq!(entries(store.directory().path()), ["step-000002"]);
}

#[test]
fn opening_clears_away_what_kills_have_left() {
    let (_folder, mut store) = store(KEEP_ALL);
    store.save(1, content(1, 100), true).unwrap();
    let path = store.directory().path().to_path_buf();
    drop(store);
    for name in [".partial-step-000002/a", ".removed-step-000000/a"] {
        fs::create_dir_all(path.join(name)).unwrap();
    }
    fs::write(path.join(".partial-best.json"), "{").unwrap();
    fs::write(path.join("notes.txt"), "the user's own").unwrap();
    fs::write(path.join("best.json"), r#"{"step":2,"previous":1}"#).unwrap();

    let store = CheckpointStore::open(&path, KEEP_ALL).unwrap();
    assert_eq!(entries(&path), ["best.json", "notes.txt", "step-000001"]);
    assert_eq!(store.best().unwrap(), Some(1));
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let (_folder, mut store) = store(KEEP_ALL);
    store.save(1, content(1, 100), true).unwrap();
    let path = store.directory().path().to_path_buf();
    let error = CheckpointStore::open(&path, KEEP_ALL).unwrap_err();
    let message = error.to_string();
    for part in [
        format!(
            "{} is in use by process {} on ",
            path.display(),
            std::process::id()
        ),
        " (since 20".to_owned(),
        "; wait until that ends, or use another directory".to_owned(),
    ] {
        assert!(message.contains(&part), "{message}");
    }
    let reader = CheckpointDirectory::new(&path);
    assert_eq!(reader.newest_valid().unwrap().unwrap().checkpoint.step(), 1);
    drop(store);
    CheckpointStore::open(&path, KEEP_ALL).unwrap();
}

#[test]
fn a_directory_that_cannot_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("checkpoints")] {
        let message = CheckpointStore::open(&path, KEEP_ALL)
            .unwrap_err()
            .to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
    assert!(Checkpoint::open(Path::new("no/such/checkpoint")).is_err());
}
