//! Reservation and locking of run directories.

use std::fs;

use finetune_train::{Event, Observers, RunDirectory, Start, TrainError};

use crate::kit::{KilledAt, Kit};

#[test]
fn a_run_that_never_begins_leaves_nothing() {
    let kit = Kit::new();
    let path = kit.path("some/where/run");
    drop(RunDirectory::create(&path).unwrap());
    assert!(!kit.path("some").exists());
    // A run whose plan is refused leaves nothing either.
    let mut run = RunDirectory::create(&path).unwrap();
    let mut plan = kit.plan.clone();
    plan.evaluation.metric_for_best_model = "beauty".into();
    let start = Start::fresh(kit.prepared());
    let error = run.execute(&plan, start, &kit.inputs(), Observers::default());
    assert!(error.unwrap_err().to_string().contains("beauty"));
    drop(run);
    assert!(!kit.path("some").exists());
}

#[test]
fn existing_files_are_never_overwritten() {
    let kit = Kit::new();
    kit.whole("run");
    let refused = |name: &str, words: &str| {
        let error = RunDirectory::create(&kit.path(name)).unwrap_err();
        assert!(matches!(error, TrainError::RunDirectory { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused("run", "complete run");
    fs::create_dir(kit.path("mine")).unwrap();
    fs::write(kit.path("mine/letter.txt"), "dear").unwrap();
    refused("mine", "exists already");
    let killed = KilledAt(|event| matches!(event, Event::Progress { .. }));
    kit.begin("half", Observers::default().with(killed))
        .unwrap_err();
    refused("half", "not complete");
    // An empty directory may be used.
    fs::create_dir(kit.path("empty")).unwrap();
    kit.whole("empty");
}

#[test]
fn one_session_at_a_time() {
    let kit = Kit::new();
    let killed = KilledAt(|event| matches!(event, Event::Progress { .. }));
    kit.begin("run", Observers::default().with(killed))
        .unwrap_err();
    let path = kit.path("run");
    let first = RunDirectory::open(&path).unwrap();
    let error = RunDirectory::open(&path).unwrap_err();
    assert!(matches!(error, TrainError::Lock(_)), "{error}");
    // A run can be read while another process works on it, but not worked on.
    let (mut read_only, saved) = RunDirectory::read(&path).unwrap();
    let start = Start::fresh(kit.prepared());
    let plan = saved.written().unwrap();
    let error = read_only.execute(plan, start, &kit.inputs(), Observers::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("RunDirectory::open"), "{error}");
    drop(first);
    RunDirectory::open(&path).unwrap();
}

#[test]
fn a_complete_run_stays_as_it_is() {
    let kit = Kit::new();
    kit.whole("run");
    let results = fs::read(kit.path("run/results.json")).unwrap();
    let error = kit.resume("run", Observers::default()).unwrap_err();
    assert!(error.to_string().contains("complete run"), "{error}");
    assert_eq!(fs::read(kit.path("run/results.json")).unwrap(), results);
}
