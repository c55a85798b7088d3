//! Runs without interruption.

use std::fs;

use finetune_metrics::{Metric, RowScores};
use finetune_train::{
    Classifier, Event, FileFacts, HeldOutLogits, Manifest, ModelPlan, Observers, ProgramFacts,
    RunDirectory, Start, StopReason, TrainPlan,
};

use crate::kit::{EPOCHS, InterruptAt, Kit, STEPS_PER_EPOCH, complete};

#[test]
fn a_run_writes_all_its_files() {
    let kit = Kit::new();
    let results = kit.whole("run");
    let run = kit.path("run");
    let mut names: Vec<_> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    let expected = [
        "checkpoints",
        "events.jsonl",
        "manifest.json",
        "model",
        "plan.toml",
        "predictions.safetensors",
        "results.json",
        "tensorboard",
    ];
    assert_eq!(names, expected);
    for name in [
        "config.json",
        "finetune.json",
        "model.safetensors",
        "tokenizer.json",
    ] {
        assert!(run.join("model").join(name).exists(), "{name}");
    }

    // The file has the results that were returned, including the test rows.
    assert_eq!(kit.json("run/results.json"), results.to_json());
    assert_eq!(results.outcome.steps, EPOCHS * STEPS_PER_EPOCH);
    assert_eq!(results.outcome.reason, StopReason::Completed);
    let test = results.test.as_ref().unwrap().evaluation();
    assert_eq!(
        kit.json("run/results.json")["test"]["accuracy"],
        test.get("accuracy").unwrap()
    );
    assert!(kit.json("run/results.json")["test"]["confidence_intervals"]["accuracy"].is_object());
    let events = kit.events("run");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["split"]),
        (&"evaluated".into(), &"test".into())
    );
    assert_eq!(last["metrics"]["accuracy"], test.get("accuracy").unwrap());

    // The kept model has the plan's outputs.
    let model = Classifier::load(run.join("model")).unwrap();
    assert_eq!(model.outputs(), &kit.plan.outputs());

    let held_out = HeldOutLogits::read(&run).unwrap().unwrap();
    assert_eq!((held_out.split.as_str(), held_out.rows()), ("test", 10));
    let rows: Vec<_> = held_out.places.iter().map(|(_, row)| *row).collect();
    assert_eq!(rows, (0..10).collect::<Vec<_>>());
    let all: Vec<u32> = (0..10).collect();
    let numbers: Vec<u64> = (0..10).collect();
    let scores = RowScores::new(&held_out.predictions().unwrap(), &[], &numbers).unwrap();
    let accuracy = scores.score(Metric::Accuracy, &all);
    assert_eq!(accuracy, test.get("accuracy").unwrap());

    let manifest = Manifest::read(&run).unwrap().unwrap();
    let splits = manifest
        .rows
        .iter()
        .map(|rows| (rows.name.as_str(), rows.rows));
    let expected = [("train", 32), ("validation", 12), ("test", 10)];
    assert_eq!(splits.collect::<Vec<_>>(), expected);
    let [session] = manifest.sessions.as_slice() else {
        panic!("{:?}", manifest.sessions);
    };
    assert_eq!(session.program, ProgramFacts::default());
    assert_eq!(session.machine.device, "cpu");
    assert_eq!(session.first_step, 0);
    let end = session.end.as_ref().unwrap();
    assert_eq!(end.step, EPOCHS * STEPS_PER_EPOCH);
    assert!(end.seconds >= end.train_seconds + end.test_seconds);
    let result = manifest.result.unwrap();
    let weights = run.join("model/model.safetensors");
    assert_eq!(
        result.weights.sha256,
        FileFacts::of(&weights).unwrap().sha256
    );
    assert_eq!(manifest.data.len(), 3);
    assert_eq!(manifest.plan_sha256, manifest.plan.sha256().unwrap());
    let (opened, saved) = RunDirectory::read(&run).unwrap();
    assert!(opened.is_complete());
    assert_eq!(saved.written().unwrap(), &manifest.plan);
}

/// The engine completes the plan with facts about files and rows, and keeps what the caller has set.
#[test]
fn the_plan_names_what_the_run_was_made_from() {
    let kit = Kit::new();
    kit.whole("run");
    let plan = RunDirectory::read(&kit.path("run")).unwrap().1;
    let plan = plan.written().unwrap();
    assert_eq!(
        plan.model.sha256,
        ModelPlan::hash_weights(&kit.base).unwrap()
    );
    assert!(plan.model.files.contains_key("tokenizer.json"));
    plan.model.check_files(&kit.base).unwrap();
    assert_eq!(plan.data.dataset_fingerprints, kit.data.fingerprints());
    assert_eq!(plan.saving.output, kit.path("run").display().to_string());
    // Nothing else has changed.
    let mut given = plan.clone();
    given.model.name.clear();
    given.model.sha256.clear();
    given.model.files.clear();
    given.data.dataset_fingerprints.clear();
    given.saving.output.clear();
    assert_eq!(given, kit.plan);

    let mut named = TrainPlan::clone(&kit.plan);
    named.model.name = "org/model".into();
    let mut run = RunDirectory::create(&kit.path("named")).unwrap();
    let start = Start::fresh(kit.prepared());
    complete(
        run.execute(&named, start, &kit.inputs(), Observers::default())
            .unwrap(),
    );
    assert_eq!(
        Manifest::read(run.path()).unwrap().unwrap().model.name,
        "org/model"
    );
}

#[test]
fn the_same_plan_gives_the_same_run() {
    let kit = Kit::new();
    kit.whole("one");
    kit.whole("two");
    kit.assert_same("one", "two");
    // Another seed gives another run.
    let mut other = Kit::new();
    other.plan.seed += 1;
    other.whole("run");
    assert!(kit.weights("one") != other.weights("run"));
}

#[test]
fn without_test_rows_there_is_no_test() {
    let mut kit = Kit::new();
    kit.data.test = None;
    let results = kit.whole("run");
    assert!(results.test.is_none());
    assert_eq!(kit.json("run/results.json").get("test"), None);
    let ends_with = kit.events("run").pop().unwrap();
    assert_eq!(ends_with["event"], "finished");
}

/// Without test rows the predictions are those for the validation rows, and a session that resumes after the kept step
/// makes them again.
#[test]
fn validation_rows_have_predictions_in_any_session() {
    let mut kit = Kit::new();
    kit.data.test = None;
    kit.whole("whole");
    let whole = HeldOutLogits::read(&kit.path("whole")).unwrap().unwrap();
    assert_eq!((whole.split.as_str(), whole.rows()), ("validation", 12));
    // Nothing is learned, so the first evaluation stays the best, and the second session has not made it.
    kit.plan.optimization.learning_rate = 1e-30;
    kit.whole("one");
    let late = InterruptAt::new(|event| matches!(event, Event::Step { step: 9, .. }));
    kit.begin("two", Observers::default().with(late)).unwrap();
    let results = complete(kit.resume("two", Observers::default()).unwrap());
    assert!(
        results.outcome.kept_step < 9,
        "{}",
        results.outcome.kept_step
    );
    let [one, two] = ["one", "two"]
        .map(|name| fs::read(kit.path(name).join("predictions.safetensors")).unwrap());
    assert!(one == two);
}
