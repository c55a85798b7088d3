//! Runs that are killed, interrupted or damaged, and then resumed.

use std::{fs, num::NonZeroU64};

use finetune_train::{
    Event, Interruption, Manifest, Observers, PausePoint, RunDirectory, RunEnd, StopReason,
    TrainError,
};

use crate::kit::{InterruptAt, KilledAt, Kit, Notes, STEPS_PER_EPOCH, complete};

/// A run can be killed at any point, and repeatedly, and still ends with the same result.
#[test]
fn a_killed_run_resumes_to_the_same_bits() {
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
        killed(kit.resume("run", at(*moment)));
    }
    assert!(!kit.path("run/results.json").exists());
    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");

    // Killed sessions have no end, but every session records its first step.
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
    let at_step = InterruptAt::new(|event| matches!(event, Event::Progress { step: 6, .. }));
    let end = kit
        .begin("run", Observers::default().with(at_step))
        .unwrap();
    let RunEnd::Interrupted(interruption) = end else {
        panic!("not interrupted");
    };
    assert_eq!(interruption, Interruption::AfterStep(6));
    assert!(interruption.to_string().contains("after step 6"));
    assert!(kit.path("run/checkpoints/step-000006").exists());
    let (run, _) = RunDirectory::open(&kit.path("run")).unwrap();
    assert!(!run.is_complete() && !run.model().exists());
    drop(run);

    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
    let sessions = Manifest::read(&kit.path("run")).unwrap().unwrap().sessions;
    let end = sessions[0].end.as_ref().unwrap();
    assert_eq!((end.step, &end.reason), (6, &StopReason::Interrupted));
    assert_eq!(sessions[1].first_step, 6);
    assert_eq!(sessions.len(), 2);
}

/// A pause comes after the evaluation of its step, leaves no trace in the run, and ends nothing that is over.
#[test]
fn a_run_pauses_where_it_is_told() {
    let kit = Kit::new();
    kit.whole("whole");
    let pausing = |point| Observers::default().pausing(Some(point));
    let number = |number| NonZeroU64::new(number).unwrap();
    let paused = |end: RunEnd, step| {
        assert!(matches!(end, RunEnd::Interrupted(Interruption::AtPause(at)) if at == step));
        assert!(
            kit.path(&format!("run/checkpoints/step-{step:06}"))
                .exists()
        );
    };
    paused(
        kit.begin("run", pausing(PausePoint::Epoch(number(1))))
            .unwrap(),
        STEPS_PER_EPOCH,
    );
    let evaluated = |event: &serde_json::Value| {
        event["event"] == "evaluated" && event["step"] == STEPS_PER_EPOCH
    };
    assert!(kit.events("run").iter().any(evaluated));
    // It is there already, so nothing is trained.
    paused(
        kit.resume("run", pausing(PausePoint::Step(number(STEPS_PER_EPOCH))))
            .unwrap(),
        STEPS_PER_EPOCH,
    );
    // No checkpoint is due here.
    paused(
        kit.resume(
            "run",
            pausing(PausePoint::Step(number(STEPS_PER_EPOCH + 1))),
        )
        .unwrap(),
        STEPS_PER_EPOCH + 1,
    );
    complete(
        kit.resume("run", pausing(PausePoint::Epoch(number(1_000))))
            .unwrap(),
    );
    kit.assert_same("whole", "run");
}

/// The step is done and saved; the next session does the evaluation that follows it.
#[test]
fn an_interrupted_evaluation_is_repeated() {
    let kit = Kit::new();
    kit.whole("whole");
    // The first evaluation, before the first step, must not be interrupted.
    let in_second = InterruptAt::new(
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
    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

#[test]
fn an_interrupted_test_is_repeated() {
    let kit = Kit::new();
    kit.whole("whole");
    let in_test =
        InterruptAt::new(|event| matches!(event, Event::Evaluating { split: "test", .. }));
    let end = kit
        .begin("run", Observers::default().with(in_test))
        .unwrap();
    let RunEnd::Interrupted(interruption) = end else {
        panic!("not interrupted");
    };
    assert_eq!(interruption, Interruption::InTest(kit.path("run/model")));
    assert!(!kit.path("run/results.json").exists());
    // Training is complete.
    assert!(kit.weights("run") == kit.weights("whole"));
    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

#[test]
fn before_the_first_step_there_is_no_checkpoint() {
    let kit = Kit::new();
    let at_once = InterruptAt::new(|event| matches!(event, Event::Started { .. }));
    let end = kit
        .begin("run", Observers::default().with(at_once))
        .unwrap();
    assert!(matches!(
        end,
        RunEnd::Interrupted(Interruption::BeforeFirstStep)
    ));
    // The run has begun nevertheless.
    complete(kit.resume("run", Observers::default()).unwrap());
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
    let error = kit.resume("run", Observers::default()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("training and validation rows of"), "{error}");
    assert_eq!(fs::read(kit.path("run/manifest.json")).unwrap(), manifest);
}

/// Notes report damaged files and how they were repaired.
#[test]
fn damage_is_repaired_and_reported() {
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
    complete(kit.resume("run", observers).unwrap());
    kit.assert_same("whole", "run");
    let text = notes.text();
    for words in [
        "manifest.json is damaged",
        "without the earlier sessions",
        "events.jsonl was damaged",
        "restored from the checkpoint",
        "tensorboard is rebuilt from",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let sessions = Manifest::read(&kit.path("run")).unwrap().unwrap().sessions;
    assert_eq!(sessions.len(), 1);
}
