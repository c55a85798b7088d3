//! Kills a process that does nothing but save, at random moments, and checks what it left behind.
#![cfg(unix)]

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use finetune_checkpoint::{
    Checkpoint, CheckpointDirectory, CheckpointError, CheckpointStore, Retention,
};

use finetune_files::LockError;

use crate::support::{assert_content, content, entries, keep_last};

const DIRECTORY: &str = "FINETUNE_CHECKPOINT_TEST_DIRECTORY";
const BYTES: usize = 2_000_000;
const RETENTION: Retention = Retention {
    keep_last: 2,
    byte_budget: None,
};
/// Number of kills; there are more if by chance none hit a save, or if nothing was saved between them.
const KILLS: usize = 20;

fn is_best(step: u64) -> bool {
    step % 3 == 1
}

/// Returns the best step of a run that has saved up to `step`.
fn best_up_to(step: u64) -> u64 {
    (1..=step).rev().find(|step| is_best(*step)).unwrap()
}

/// Not a test, but the process that is killed: it resumes from the newest checkpoint, saves endlessly,
/// and prints each step once it is safe.
#[test]
#[ignore = "started by the test below"]
fn saves_without_end() {
    let directory = env::var_os(DIRECTORY).unwrap();
    let mut store = CheckpointStore::open(directory, RETENTION).unwrap();
    let found = store.newest_valid().unwrap();
    let first = found.map_or(1, |found| found.checkpoint.step() + 1);
    println!("opened");
    for step in first.. {
        store
            .save(step, content(step, BYTES), is_best(step))
            .unwrap();
        println!("saved {step}");
    }
}

fn start(directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "kill::saves_without_end",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("opened\n") {
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "{line}");
    }
    (child, lines)
}

/// Returns the last step that the killed process reported as safe.
fn last_saved(mut lines: BufReader<ChildStdout>) -> Option<u64> {
    let mut text = String::new();
    lines.read_to_string(&mut text).unwrap();
    // The last line may be incomplete.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix("saved "))
        .map(|step| step.parse().unwrap())
        .next_back()
}

#[test]
fn kills_at_random_moments_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("checkpoints");
    // The kill hits the process during its first five saves, however fast the disk is.
    let moments_within = 5 * time_of_a_save(folder.path());
    let mut safe = 0;
    let mut during_a_save = 0;
    let mut moments = Vec::new();
    while moments.len() < KILLS || (during_a_save == 0 || safe == 0) && moments.len() < 20 * KILLS {
        let kill = moments.len();
        let (mut child, lines) = start(&directory);
        if kill == 0 {
            refuses_a_second_writer(&directory, child.id());
        }
        let part = RandomState::new().hash_one(kill) as f64 / u64::MAX as f64;
        let moment = moments_within.mul_f64(part);
        moments.push(moment);
        thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        safe = last_saved(lines).unwrap_or(safe);

        let left = entries(&directory);
        during_a_save += usize::from(left.iter().any(|name| name.starts_with('.')));
        // A save that the process could not report before the kill counts from here on.
        safe = check_what_is_left(&directory, safe);
    }
    println!(
        "{} kills, {during_a_save} during a save, {safe} steps; after {moments:?}",
        moments.len()
    );
    assert!(during_a_save > 0, "no kill was during a save");
    assert!(safe > 0, "nothing was ever saved");
}

fn time_of_a_save(folder: &Path) -> Duration {
    let mut store = CheckpointStore::open(folder.join("timed"), RETENTION).unwrap();
    let content = content(1, BYTES);
    let started = Instant::now();
    store.save(1, content, false).unwrap();
    started.elapsed()
}

fn refuses_a_second_writer(directory: &Path, holder: u32) {
    let error = CheckpointStore::open(directory, RETENTION).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::Lock(LockError::Taken { holder: Some(found), .. }) if found.pid == holder),
        "{error}"
    );
}

/// Checks that readers and writers find every step that was reported as safe, and returns the newest.
fn check_what_is_left(directory: &Path, safe: u64) -> u64 {
    let reader = CheckpointDirectory::new(directory);
    let read = reader
        .newest_valid()
        .unwrap()
        .map(|found| found.checkpoint.step());
    // The smaller retention shows that opening alone does not remove checkpoints.
    let store = CheckpointStore::open(directory, keep_last(1)).unwrap();
    let left = entries(directory);
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");

    let Some(found) = store.newest_valid().unwrap() else {
        assert_eq!((safe, store.best().unwrap(), read), (0, None, None));
        return 0;
    };
    assert!(found.damaged.is_empty(), "{:?}", found.damaged);
    let newest = found.checkpoint.step();
    assert_eq!(read, Some(newest));
    // There is one more than reported if the kill came between the save and the report.
    assert!((safe..=safe + 1).contains(&newest), "{newest} after {safe}");
    assert_eq!(store.best().unwrap(), Some(best_up_to(newest)));

    let steps = store.steps().unwrap();
    for step in &steps {
        let checkpoint = Checkpoint::open(store.directory().path_of(*step)).unwrap();
        assert_content(&checkpoint, BYTES);
    }
    let mut promised = vec![best_up_to(newest), newest.saturating_sub(1).max(1), newest];
    promised.dedup();
    assert!(
        promised.iter().all(|step| steps.contains(step)),
        "{steps:?}"
    );
    // Three, and one or two more if the kill came before a removal.
    assert!(steps.len() <= 5, "{steps:?}");
    newest
}
