//! Runs that learn from a teacher.

use std::path::Path;

use finetune_train::{
    BaseModel, DistillationPlan, Event, Interruption, Observers, RunDirectory, RunEnd, RunInputs,
    Start, Teacher, TeacherInputs, TrainError, TrainPlan, device, prepare,
};

use crate::kit::{InterruptAt, KilledAt, Kit, complete};

/// A kit with a teacher, trained on its rows.
fn kit() -> (Kit, RunInputs) {
    let mut kit = Kit::new();
    kit.whole("teacher");
    let directory = kit.path("teacher/model");
    kit.plan.distillation = Some(DistillationPlan {
        cosine_weight: 0.5,
        ..DistillationPlan::new(directory.display().to_string())
    });
    let inputs = RunInputs {
        teacher: Some(TeacherInputs {
            teacher: Teacher::open(&directory, None).unwrap(),
            data: None,
        }),
        ..kit.inputs()
    };
    (kit, inputs)
}

fn begin(
    (kit, inputs): &(Kit, RunInputs),
    name: &str,
    observers: Observers<'_>,
) -> Result<RunEnd, TrainError> {
    let mut run = RunDirectory::create(&kit.path(name))?;
    run.execute(&kit.plan, Start::fresh(kit.prepared()), inputs, observers)
}

fn resume(
    (kit, inputs): &(Kit, RunInputs),
    name: &str,
    observers: Observers<'_>,
) -> Result<RunEnd, TrainError> {
    let (mut run, saved) = RunDirectory::open(&kit.path(name))?;
    let base = BaseModel::open(&kit.base)?;
    let plan: &TrainPlan = saved.written()?;
    let start = Start::newest(plan, &run, &base, &device("cpu")?)?;
    run.execute(plan, start, inputs, observers)
}

/// Wherever a run is killed, it goes on to the same bits; the teacher's logits are not computed again.
#[test]
fn killed_anywhere() {
    let case = kit();
    let results = complete(begin(&case, "whole", Observers::default()).unwrap());
    let teacher = results.teacher.unwrap();
    let agreement = teacher.test_agreement.unwrap();
    assert!((0.0..=1.0).contains(&agreement), "{agreement}");
    assert!(
        results
            .outcome
            .kept_evaluation
            .unwrap()
            .get("agreement")
            .is_some()
    );

    let whens: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Teaching { split: "train", .. }),
        |event| matches!(event, Event::Teaching { split: "test", .. }),
        |event| matches!(event, Event::Progress { step: 2, .. }),
        |event| matches!(event, Event::Progress { step: 7, .. }),
    ];
    for (number, when) in whens.into_iter().enumerate() {
        let name = format!("killed-{number}");
        let killed = begin(&case, &name, Observers::default().with(KilledAt(when)));
        assert!(killed.is_err());
        let asked = |event: &Event| matches!(event, Event::Teaching { .. });
        let observers = match number {
            0 | 1 => Observers::default(),
            // This would be another error.
            _ => Observers::default().with(KilledAt(asked)),
        };
        complete(resume(&case, &name, observers).unwrap());
        case.0.assert_same("whole", &name);
    }
}

#[test]
fn interrupted_while_the_teacher_is_asked() {
    let case = kit();
    complete(begin(&case, "whole", Observers::default()).unwrap());
    let when = |event: &Event| {
        matches!(
            event,
            Event::Teaching {
                split: "validation",
                ..
            }
        )
    };
    let observers = Observers::default().with(InterruptAt::new(when));
    match begin(&case, "stopped", observers).unwrap() {
        RunEnd::Interrupted(interruption) => {
            assert_eq!(interruption, Interruption::BeforeFirstStep);
        }
        RunEnd::Complete(_) => panic!("complete"),
    }
    complete(resume(&case, "stopped", Observers::default()).unwrap());
    case.0.assert_same("whole", "stopped");
}

/// A teacher that has changed is refused where it is needed.
#[test]
fn another_teacher() {
    let case = kit();
    let when = |event: &Event| matches!(event, Event::Progress { step: 2, .. });
    let killed = begin(&case, "killed", Observers::default().with(KilledAt(when)));
    assert!(killed.is_err());
    let config = case.0.path("teacher/model/config.json");
    let text = std::fs::read_to_string(&config).unwrap() + "\n";
    std::fs::write(&config, text).unwrap();
    let error = resume(&case, "killed", Observers::default()).unwrap_err();
    assert!(
        matches!(error, TrainError::ChangedTeacher { .. }),
        "{error}"
    );
}

/// A student with layers of its teacher is the teacher without the others.
#[test]
fn a_student_of_layers() {
    let case = kit();
    let (kit, inputs) = &case;
    let teacher = &inputs.teacher.as_ref().unwrap().teacher;
    let run = RunDirectory::create(&kit.path("student")).unwrap();
    let directory = teacher.student(&[1], run.path()).unwrap();
    let student = BaseModel::open(&directory).unwrap();
    assert_eq!(student.config.num_hidden_layers, 1);
    let prepared = prepare(&kit.plan, &student, &device("cpu").unwrap()).unwrap();
    assert!(prepared.report.fresh.is_empty() && prepared.notes.is_empty());
    assert_eq!(teacher.student(&[1], run.path()).unwrap(), directory);
    assert!(Path::new(&directory).join("tokenizer.json").exists());
    let error = teacher.student(&[2], &kit.path("teacher")).unwrap_err();
    assert!(
        error.to_string().contains("choose some of 0 to 1"),
        "{error}"
    );
}
