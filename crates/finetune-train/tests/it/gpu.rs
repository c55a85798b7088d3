//! Runs on a GPU by wgpu (a software driver will do), where the figures of several steps are read at once.

use std::num::NonZeroU64;

use finetune_train::{Event, Interval, Observers, RunEnd, TrainError, device};
use serde_json::Value;

use crate::kit::{InterruptAt, KilledAt, Kit, complete};

/// Where a run on the CPU and one on the GPU may differ: relative to 1.
const LOSS: f64 = 1e-3;

/// A run on the GPU, if there is one.
fn kit() -> Option<Kit> {
    if let Err(error) = device("wgpu") {
        println!("skipped: {error}");
        return None;
    }
    let mut kit = Kit::new();
    kit.plan.model.device = "wgpu".into();
    Some(kit)
}

/// The events that have a step, as pairs of kind and step.
fn order(events: &[Value]) -> Vec<(String, u64)> {
    let steps = events.iter().filter_map(|event| {
        let kind = event["event"].as_str()?;
        Some((kind.to_string(), event["step"].as_u64()?))
    });
    steps.collect()
}

/// The same events in the same order as on the CPU, with nearly the same figures.
#[test]
fn the_log_is_that_of_the_cpu() {
    let Some(mut kit) = kit() else { return };
    let each = |steps| Interval::Steps(NonZeroU64::new(steps).unwrap());
    for (name, logging) in [
        ("each", each(1)),
        ("some", each(3)),
        ("epochs", Interval::Epoch),
    ] {
        kit.plan.saving.logging = logging;
        let runs = ["cpu", "wgpu"].map(|device| {
            kit.plan.model.device = device.into();
            let run = format!("{device}-{name}");
            kit.whole(&run);
            kit.events(&run)
        });
        assert_eq!(order(&runs[0]), order(&runs[1]), "{name}");
        for (cpu, gpu) in runs[0].iter().zip(&runs[1]) {
            for key in ["loss", "grad_norm"] {
                let (Some(cpu), Some(gpu)) = (cpu[key].as_f64(), gpu[key].as_f64()) else {
                    continue;
                };
                let difference = (cpu - gpu).abs() / cpu.max(1.0);
                assert!(difference < LOSS, "{name}: {key} {gpu} instead of {cpu}");
            }
            assert_eq!(cpu["rows"], gpu["rows"]);
            assert_eq!(cpu["tokens"], gpu["tokens"]);
        }
    }
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let Some(kit) = kit() else { return };
    kit.whole("whole");
    kit.whole("again");
    kit.assert_same("whole", "again");
    let killed = |end: Result<RunEnd, TrainError>| {
        assert_eq!(end.unwrap_err().to_string(), "killed");
    };
    let at = |moment| Observers::default().with(KilledAt(moment));
    killed(kit.begin(
        "run",
        at(|event| matches!(event, Event::Progress { step: 2, .. })),
    ));
    killed(kit.resume(
        "run",
        at(|event| matches!(event, Event::Progress { step: 6, .. })),
    ));
    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

/// The step in which the interruption is seen is complete, whichever it is.
#[test]
fn an_interrupted_run_resumes_to_the_same_bits() {
    let Some(kit) = kit() else { return };
    kit.whole("whole");
    let at_step = InterruptAt::new(|event| matches!(event, Event::Progress { step: 5, .. }));
    let end = kit
        .begin("run", Observers::default().with(at_step))
        .unwrap();
    assert!(matches!(end, RunEnd::Interrupted(_)));
    complete(kit.resume("run", Observers::default()).unwrap());
    kit.assert_same("whole", "run");
}

/// Losses that are not finite are found before an evaluation or a checkpoint, and the first step that has one
/// is named, as on the CPU.
#[test]
fn the_first_step_that_is_not_finite_is_named() {
    let Some(mut kit) = kit() else { return };
    kit.plan.optimization.learning_rate = 1e30;
    kit.plan.optimization.head_learning_rate = 1e30;
    let steps = ["cpu", "wgpu"].map(|device| {
        kit.plan.model.device = device.into();
        match kit.begin(device, Observers::default()) {
            Err(TrainError::NotFinite { step, rows, .. }) => {
                assert!(
                    !kit.path(device)
                        .join("checkpoints")
                        .join("step-000004")
                        .exists()
                );
                (step, rows)
            }
            other => panic!("{:?}", other.map(|_| "no error")),
        }
    });
    assert_eq!(steps[0], steps[1]);
}
