//! Tests of the checkpoints that exist after many saves.

use std::fs;

use finetune_checkpoint::{CheckpointStore, Note, Retention};

use crate::support::{content, entries, keep_last, store};

/// Saves steps 1 to `last` and returns the steps that each save removed.
fn save(store: &mut CheckpointStore, last: u64, best: &[u64]) -> Vec<Vec<u64>> {
    (1..=last)
        .map(|step| {
            let best = best.contains(&step);
            let saved = store.save(step, content(step, 1000), best).unwrap();
            assert!(saved.notes.is_empty(), "{:?}", saved.notes);
            saved.removed
        })
        .collect()
}

#[test]
fn the_best_is_kept_though_it_is_the_oldest() {
    let (_folder, mut store) = store(keep_last(2));
    let removed = save(&mut store, 5, &[1]);
    assert_eq!(removed, [vec![], vec![], vec![], vec![2], vec![3]]);
    assert_eq!(
        entries(store.directory().path()),
        ["best.json", "step-000001", "step-000004", "step-000005"]
    );
    // A new best checkpoint allows removing the old one.
    let saved = store.save(6, content(6, 1000), true).unwrap();
    assert_eq!(saved.removed, [1, 4]);
    assert_eq!(store.best().unwrap(), Some(6));
    assert_eq!(store.steps().unwrap(), [5, 6]);
}

#[test]
fn the_best_within_the_newest_is_not_counted_twice() {
    let (_folder, mut store) = store(keep_last(2));
    save(&mut store, 5, &[2, 4]);
    assert_eq!(store.steps().unwrap(), [4, 5]);
}

#[test]
fn without_a_best_only_the_newest_stay() {
    let (_folder, mut store) = store(keep_last(0));
    save(&mut store, 4, &[]);
    assert_eq!(store.steps().unwrap(), [4]);
    assert_eq!(store.best().unwrap(), None);
}

#[test]
fn the_budget_removes_the_oldest_but_the_best() {
    let (_folder, mut unlimited) = store(keep_last(9));
    let one = unlimited.save(1, content(1, 1000), false).unwrap().bytes;
    // Room for three and a half, since manifests differ by some digits.
    let (_folder, mut store) = store(Retention {
        keep_last: 9,
        byte_budget: Some(one * 7 / 2),
    });
    let removed = save(&mut store, 6, &[2]);
    assert_eq!(removed, [vec![], vec![], vec![], vec![1], vec![3], vec![4]]);
    assert_eq!(store.steps().unwrap(), [2, 5, 6]);
}

#[test]
fn a_checkpoint_above_the_budget_is_kept_with_a_note() {
    let (_folder, mut store) = store(Retention {
        keep_last: 9,
        byte_budget: Some(1500),
    });
    let first = store.save(1, content(1, 1000), true).unwrap();
    let bytes = first.bytes;
    let note = Note::LargerThanBudget {
        bytes,
        budget: 1500,
    };
    assert_eq!(first.notes, std::slice::from_ref(&note));
    assert!(
        note.to_string()
            .contains("more than the budget of 1.5 kB for all")
    );
    let second = store.save(2, content(2, 1000), false).unwrap();
    assert!(matches!(second.notes[..], [Note::LargerThanBudget { .. }]));
    let third = store.save(3, content(3, 1000), false).unwrap();
    assert_eq!(third.removed, [2]);
    assert_eq!(store.steps().unwrap(), [1, 3]);
}

#[test]
fn newest_and_best_above_the_budget_are_kept_with_a_note() {
    let (_folder, mut store) = store(Retention {
        keep_last: 9,
        byte_budget: Some(3500),
    });
    let first = store.save(1, content(1, 1000), true).unwrap();
    assert!(first.notes.is_empty());
    let second = store.save(2, content(2, 1000), false).unwrap();
    let bytes = first.bytes + second.bytes;
    let budget = 3500;
    assert_eq!(second.notes, [Note::OverBudget { bytes, budget }]);
    assert_eq!(store.steps().unwrap(), [1, 2]);
}

#[test]
fn nothing_is_removed_while_nobody_knows_the_best() {
    let (_folder, mut first) = store(keep_last(1));
    first.save(1, content(1, 1000), true).unwrap();
    let path = first.directory().path().to_path_buf();
    drop(first);
    fs::write(path.join("best.json"), "{\"st").unwrap();
    let mut store = CheckpointStore::open(&path, keep_last(1)).unwrap();
    let saved = store.save(2, content(2, 1000), false).unwrap();
    assert!(saved.removed.is_empty());
    let [note @ Note::NotRemoved { .. }] = &saved.notes[..] else {
        panic!("{:?}", saved.notes)
    };
    assert!(note.to_string().contains("best.json is damaged"), "{note}");
    let saved = store.save(3, content(3, 1000), true).unwrap();
    assert_eq!(saved.removed, [1, 2]);
}

#[test]
fn the_best_that_the_caller_knows_is_kept_whatever_its_record_says() {
    for record in [None, Some("{"), Some("{\"step\":3}"), Some("{\"step\":99}")] {
        let (_folder, mut first) = store(keep_last(9));
        save(&mut first, 3, &[1]);
        let path = first.directory().path().to_path_buf();
        drop(first);
        let best = path.join("best.json");
        match record {
            Some(text) => fs::write(&best, text).unwrap(),
            None => fs::remove_file(&best).unwrap(),
        }
        let mut store = CheckpointStore::open(&path, keep_last(1)).unwrap();
        store.trust_best(Some(1)).unwrap();
        assert_eq!(store.best().unwrap(), Some(1));
        store.save(4, content(4, 1000), false).unwrap();
        assert_eq!(store.steps().unwrap(), [1, 4]);
        // A later best replaces it.
        store.save(5, content(5, 1000), true).unwrap();
        assert_eq!(store.steps().unwrap(), [5]);
        // A step without a checkpoint does not count.
        store.trust_best(Some(99)).unwrap();
        assert_eq!(store.best().unwrap(), None);
    }
}

#[test]
fn what_a_killed_save_did_not_remove_is_removed_by_the_next_session() {
    let (_folder, mut first) = store(keep_last(9));
    save(&mut first, 5, &[2]);
    let path = first.directory().path().to_path_buf();
    drop(first);
    let mut store = CheckpointStore::open(&path, keep_last(1)).unwrap();
    assert!(store.tidy(4).is_empty());
    // The best, the newest, and the later ones are left.
    assert_eq!(store.steps().unwrap(), [2, 4, 5]);
}
