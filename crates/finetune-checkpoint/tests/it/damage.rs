//! Tests that damage to a saved checkpoint is found and reported, and the checkpoint skipped.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use finetune_checkpoint::{Checkpoint, CheckpointError, CheckpointStore};
use tempfile::TempDir;

use crate::support::{KEEP_ALL, assert_content, content, noise, store};

const BYTES: usize = 5_000;

/// Saves steps 1 to 3 and returns the path of the newest.
fn three() -> (TempDir, CheckpointStore, PathBuf) {
    let (folder, mut store) = store(KEEP_ALL);
    for step in 1..=3 {
        store.save(step, content(step, BYTES), step == 1).unwrap();
    }
    let newest = store.directory().path_of(3);
    (folder, store, newest)
}

/// Checks that step 3 is skipped for this reason and step 2 found instead.
fn assert_passed_over(store: &CheckpointStore, newest: &Path, reason: &str) {
    let found = store.newest_valid().unwrap().unwrap();
    assert_eq!(found.checkpoint.step(), 2);
    assert_content(&found.checkpoint, BYTES);
    let [(path, error)] = found.damaged.as_slice() else {
        panic!("{:?}", found.damaged)
    };
    assert_eq!(path, newest);
    let message = error.to_string();
    assert!(message.contains(reason), "{message}");
    assert!(message.contains(&newest.display().to_string()), "{message}");
}

fn flip_bit(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit() {
    for bit in [0, 8 * BYTES / 2 + 3, 8 * BYTES - 1] {
        let (_folder, store, newest) = three();
        flip_bit(&newest.join("optimizer/moments.bin"), bit);
        assert_passed_over(&store, &newest, "expected SHA-256");
    }
}

#[test]
fn a_flipped_bit_of_the_manifest() {
    let (_folder, store, newest) = three();
    let path = newest.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    // Changes a digit of the metadata, so that the text is still a manifest.
    let at = text.find("\"loss\": 0.3").unwrap() + "\"loss\": 0.".len();
    flip_bit(&path, 8 * at);
    assert_passed_over(&store, &newest, "manifest.json is damaged");
}

#[test]
fn a_truncated_file() {
    let (_folder, store, newest) = three();
    let file = OpenOptions::new()
        .write(true)
        .open(newest.join("model.bin"))
        .unwrap();
    file.set_len(BYTES as u64 - 1).unwrap();
    assert_passed_over(&store, &newest, "expected 5000 bytes, found 4999");
}

#[test]
fn a_missing_file() {
    let (_folder, store, newest) = three();
    fs::remove_file(newest.join("model.bin")).unwrap();
    assert_passed_over(&store, &newest, "model.bin is missing");
}

#[test]
fn a_directory_in_the_place_of_a_file() {
    let (_folder, store, newest) = three();
    fs::remove_file(newest.join("model.bin")).unwrap();
    fs::create_dir(newest.join("model.bin")).unwrap();
    assert_passed_over(&store, &newest, "it is not a file");
}

#[test]
fn a_missing_manifest() {
    let (_folder, store, newest) = three();
    fs::remove_file(newest.join("manifest.json")).unwrap();
    assert_passed_over(&store, &newest, "it has no manifest.json");
}

#[test]
fn an_empty_or_nonsensical_manifest() {
    for text in [
        "",
        "{}",
        "[1]",
        "{\"format\": 0}",
        "{\"format\": -1}",
        "{\"format\": 1}",
        "\u{0}\u{0}",
    ] {
        let (_folder, store, newest) = three();
        fs::write(newest.join("manifest.json"), text).unwrap();
        assert_passed_over(&store, &newest, "manifest.json is damaged");
    }
}

#[test]
fn another_steps_checkpoint_under_this_name() {
    let (_folder, store, newest) = three();
    fs::remove_dir_all(&newest).unwrap();
    fs::rename(store.directory().path_of(1), &newest).unwrap();
    assert_passed_over(&store, &newest, "expected step 3, found step 1");

    // It is still valid under a name that is not a step's.
    let elsewhere = store.directory().path().join("from-another-run");
    fs::rename(&newest, &elsewhere).unwrap();
    assert_eq!(Checkpoint::open(elsewhere).unwrap().step(), 1);
}

#[test]
fn a_newer_format_is_no_damage() {
    let (_folder, mut store, newest) = three();
    let path = newest.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"format\": 1", "\"format\": 7")).unwrap();
    let error = store.newest_valid().unwrap_err();
    assert!(matches!(
        error,
        CheckpointError::NewerFormat { format: 7, .. }
    ));
    let message = error.to_string();
    assert!(
        message.contains("was written by a newer version")
            && message.contains("(format 7, this program reads up to 1); update finetune"),
        "{message}"
    );
    // It is not overwritten either.
    let again = store.save(3, content(3, BYTES), false);
    assert!(matches!(again, Err(CheckpointError::NewerFormat { .. })));

    // A checkpoint of a newer version that is older than a valid one does no harm.
    store.save(4, content(4, BYTES), false).unwrap();
    let found = store.newest_valid().unwrap().unwrap();
    assert_eq!((found.checkpoint.step(), found.damaged.len()), (4, 0));
}

#[test]
fn if_all_are_damaged_each_is_named() {
    let (_folder, store, _) = three();
    for step in 1..=3 {
        fs::remove_file(store.directory().path_of(step).join("model.bin")).unwrap();
    }
    let message = store.newest_valid().unwrap_err().to_string();
    assert!(message.contains("none of the checkpoints"), "{message}");
    for step in 1..=3 {
        let path = store.directory().path_of(step).join("model.bin");
        assert!(
            message.contains(&format!("{} is missing", path.display())),
            "{message}"
        );
    }
}

#[test]
fn a_run_that_goes_back_keeps_what_it_saves() {
    let (_folder, mut store) = store(crate::support::keep_last(1));
    for step in [1, 2, 5] {
        store.save(step, content(step, BYTES), false).unwrap();
    }
    fs::remove_file(store.directory().path_of(5).join("model.bin")).unwrap();
    store.save(3, content(3, BYTES), false).unwrap();
    let found = store.newest_valid().unwrap().unwrap();
    assert_eq!((found.checkpoint.step(), found.damaged.len()), (3, 1));
    let saved = store.save(5, content(5, BYTES), false).unwrap();
    assert_eq!(saved.removed, [3]);
    assert_eq!(store.newest_valid().unwrap().unwrap().checkpoint.step(), 5);
}

#[test]
fn files_that_are_whole_can_be_had_from_a_damaged_checkpoint() {
    let (_folder, mut store) = store(KEEP_ALL);
    let path = store.save(1, content(1, 1000), false).unwrap().path;
    fs::write(path.join("optimizer/moments.bin"), noise(7, 1000)).unwrap();
    assert!(Checkpoint::open(&path).unwrap_err().is_damage());
    let checkpoint = Checkpoint::open_manifest(&path).unwrap();
    let model = checkpoint.verified("model.bin").unwrap();
    assert!(fs::read(&model).unwrap() == noise(1, 1000));
    let spare = path.join("spare");
    fs::write(&spare, noise(!1, 1000)).unwrap();
    assert!(checkpoint.is_copy("optimizer/moments.bin", &spare));
    assert!(!checkpoint.is_copy("optimizer/moments.bin", &model));
    assert!(
        checkpoint
            .verified("optimizer/moments.bin")
            .unwrap_err()
            .is_damage()
    );
    fs::remove_file(path.join("model.bin")).unwrap();
    assert!(checkpoint.verified("model.bin").unwrap_err().is_damage());
    assert!(!checkpoint.verified("absent").unwrap_err().is_damage());
}
