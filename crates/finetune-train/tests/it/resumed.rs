//! Runs that are killed, interrupted or damaged, and gone on with.

use std::fs;

use finetune_train::{
    Event, Interruption, Manifest, Observers, RunDirectory, RunEnd, StopReason, TrainError,
};

use crate::kit::{KilledAt, Kit, LeaveAt, Notes, STEPS_PER_EPOCH, complete};

/// Whatever the run is killed at, going on leads to the same; and it can be killed again.
#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let kit = Kit::new();
    kit.whole("whole");
    let moments: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Progress { step: 2, .. }),
        |event| matches!(event, Event::Progress { step: 6, .. }),
        |event| matches!(event, Event::Evaluated { step: 8, .. }),
        |event| matches!(event, Event::Evaluated { split: "test", .. }),
    ];
    let killed = |end: Result<RunEnd, TrainError>| {
        assert_eq!(end.unwrap_err().to_string(), "killed");
    };
    let at = |moment| Observers::default().with(KilledAt(moment));
    killed(kit.begin("run", at(moments[0])));
    for moment in &moments[1..] {
        killed(kit.go_on("run", at(*moment)));
    }
    assert!(!kit.path("run/results.json").exists());
    complete(kit.go_on("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");

    // Sessions that were killed have no end; each says where it began.
    let sessions = Manifest::read(&kit.path("run")).unwrap().unwrap().sessions;
    let firsts: Vec<_> = sessions.iter().map(|session| session.first_step).collect();
    assert_eq!(firsts, [0, 0, 4, 4, 12]);
    let ended: Vec<_> = sessions
        .iter()
        .map(|session| session.end.is_some())
        .collect();
    assert_eq!(ended, [false, false, false, false, true]);
}

#[test]
fn an_interrupted_run_saves_its_step() {
    let kit = Kit::new();
    kit.whole("whole");
    let at_step = LeaveAt::new(|event| matches!(event, Event::Progress { step: 6, .. }));
    let end = kit
        .begin("run", Observers::default().with(at_step))
        .unwrap();
    let RunEnd::Interrupted(interruption) = end else {
        panic!("it is left");
    };
    assert_eq!(interruption, Interruption::AfterStep(6));
    assert!(interruption.to_string().contains("after step 6"));
    assert!(kit.path("run/checkpoints/step-000006").exists());
    let (run, _) = RunDirectory::open(&kit.path("run")).unwrap();
    assert!(!run.is_complete() && !run.model().exists());
    drop(run);

    complete(kit.go_on("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
    let sessions = Manifest::read(&kit.path("run")).unwrap().unwrap().sessions;
    let end = sessions[0].end.as_ref().unwrap();
    assert_eq!((end.step, &end.reason), (6, &StopReason::Interrupted));
    assert_eq!(sessions[1].first_step, 6);
    assert_eq!(sessions.len(), 2);
}

/// The step is done and saved; what follows it is done by whoever goes on.
#[test]
fn an_evaluation_is_interrupted_and_made_up_for() {
    let kit = Kit::new();
    kit.whole("whole");
    // The first comes before the first step, and has the same rows.
    let in_second = LeaveAt::new(
        |event| matches!(event, Event::Progress { step, .. } if *step == STEPS_PER_EPOCH),
    );
    let end = kit
        .begin("run", Observers::default().with(in_second))
        .unwrap();
    assert!(matches!(
        end,
        RunEnd::Interrupted(Interruption::AfterStep(STEPS_PER_EPOCH))
    ));
    let evaluated = |event: &serde_json::Value| {
        event["event"] == "evaluated" && event["step"] == STEPS_PER_EPOCH
    };
    assert!(!kit.events("run").iter().any(evaluated));
    complete(kit.go_on("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

#[test]
fn an_interrupted_test_is_made_up_for() {
    let kit = Kit::new();
    kit.whole("whole");
    let in_test = LeaveAt::new(|event| matches!(event, Event::Evaluating { split: "test", .. }));
    let end = kit
        .begin("run", Observers::default().with(in_test))
        .unwrap();
    let RunEnd::Interrupted(interruption) = end else {
        panic!("it is left");
    };
    assert_eq!(interruption, Interruption::InTest(kit.path("run/model")));
    assert!(!kit.path("run/results.json").exists());
    // Training is complete.
    assert!(kit.weights("run") == kit.weights("whole"));
    complete(kit.go_on("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

#[test]
fn before_the_first_step_there_is_nothing_to_go_on_from() {
    let kit = Kit::new();
    let at_once = LeaveAt::new(|event| matches!(event, Event::Started { .. }));
    let end = kit
        .begin("run", Observers::default().with(at_once))
        .unwrap();
    assert!(matches!(
        end,
        RunEnd::Interrupted(Interruption::BeforeFirstStep)
    ));
    // It has begun all the same.
    complete(kit.go_on("run", Observers::default()).unwrap());
    kit.whole("whole");
    kit.assert_same("whole", "run");
}

#[test]
fn other_rows_are_refused() {
    let mut kit = Kit::new();
    let killed = KilledAt(|event| matches!(event, Event::Progress { step: 6, .. }));
    kit.begin("run", Observers::default().with(killed))
        .unwrap_err();
    let manifest = fs::read(kit.path("run/manifest.json")).unwrap();
    std::mem::swap(&mut kit.data.train, &mut kit.data.validation);
    let error = kit.go_on("run", Observers::default()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("training and validation rows of"), "{error}");
    assert_eq!(fs::read(kit.path("run/manifest.json")).unwrap(), manifest);
}

/// Of files that are damaged a note says what was done.
#[test]
fn damage_is_mended_and_said() {
    let kit = Kit::new();
    kit.whole("whole");
    let killed = KilledAt(|event| matches!(event, Event::Progress { step: 6, .. }));
    kit.begin("run", Observers::default().with(killed))
        .unwrap_err();
    fs::write(kit.path("run/manifest.json"), "{").unwrap();
    fs::write(kit.path("run/events.jsonl"), "").unwrap();
    fs::remove_dir_all(kit.path("run/tensorboard")).unwrap();
    let notes = Notes::default();
    let observers = Observers::default().with(notes.clone());
    complete(kit.go_on("run", observers).unwrap());
    kit.assert_same("whole", "run");
    let said = notes.text();
    for words in [
        "manifest.json is damaged",
        "without the earlier sessions",
        "events.jsonl was damaged",
        "restored from the checkpoint",
        "tensorboard is rebuilt from",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let sessions = Manifest::read(&kit.path("run")).unwrap().unwrap().sessions;
    assert_eq!(sessions.len(), 1);
}
