//! Contents that follow from a step, and the invariants of a directory of checkpoints.

use std::fs;
use std::path::Path;

use finetune_checkpoint::{Checkpoint, CheckpointStore, Content, Retention};
use serde_json::json;
use tempfile::TempDir;

pub const KEEP_ALL: Retention = Retention {
    keep_last: usize::MAX,
    byte_budget: None,
};

pub fn keep_last(keep_last: usize) -> Retention {
    Retention {
        keep_last,
        byte_budget: None,
    }
}

/// Creates a temporary directory with a store.
pub fn store(retention: Retention) -> (TempDir, CheckpointStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(folder.path().join("checkpoints"), retention).unwrap();
    (folder, store)
}

/// Returns `bytes` bytes that differ from those of any other step.
pub fn noise(step: u64, bytes: usize) -> Vec<u8> {
    let mut state = step.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Returns two files of `bytes` bytes each, one of them nested.
pub fn content(step: u64, bytes: usize) -> Content {
    Content::new(json!({ "step": step, "loss": 1.0 / (step as f64 + 0.1) }))
        .bytes("model.bin", noise(step, bytes))
        .bytes("optimizer/moments.bin", noise(!step, bytes))
}

/// Checks that a valid checkpoint has the [`content`] of its step.
pub fn assert_content(checkpoint: &Checkpoint, bytes: usize) {
    let step = checkpoint.step();
    let read = |name| fs::read(checkpoint.file(name).unwrap()).unwrap();
    assert!(read("model.bin") == noise(step, bytes), "step {step}");
    assert!(
        read("optimizer/moments.bin") == noise(!step, bytes),
        "step {step}"
    );
    assert_eq!(checkpoint.metadata(), &content(step, 0).metadata);
}

/// Lists the names in a directory of checkpoints, sorted, without the lock.
pub fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    names
}
