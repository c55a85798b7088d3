//! The ends of runs, and the models they keep.

use std::{fs, num::NonZeroU64};

use finetune_train::{EarlyStop, Event, Observer, Observers, StopReason, TrainError};

use crate::kit::{EPOCHS, Kit, STEPS_PER_EPOCH, complete};

/// The threshold is so large that no evaluation counts as an improvement on the first.
#[test]
fn patience_ends_a_run() {
    let mut kit = Kit::new();
    kit.plan.evaluation.early_stopping_patience = NonZeroU64::new(1);
    kit.plan.evaluation.early_stopping_threshold = 10.0;
    let results = kit.whole("run");
    let outcome = &results.outcome;
    assert_eq!(outcome.reason, StopReason::EarlyStopping);
    assert_eq!(outcome.steps, 2 * STEPS_PER_EPOCH);
    let stop = outcome.early_stop.as_ref().unwrap();
    let best = outcome.best.as_ref().unwrap();
    let expected = EarlyStop {
        step: 2 * STEPS_PER_EPOCH,
        metric: kit.plan.evaluation.metric_for_best_model.clone(),
        evaluations: 1,
        best_value: Some(best.value),
        best_step: Some(best.step),
    };
    assert_eq!(stop, &expected);
    let written = kit.json("run/results.json");
    assert_eq!(written["train"]["stopped"], "early_stopping");
    assert_eq!(
        written["train"]["early_stopping"]["step"],
        2 * STEPS_PER_EPOCH
    );
}

/// The kept model is, to the bit, that of the best evaluation, or of the first of several equally good
/// ones; if the best model is not asked for, it is the last one.
#[test]
fn the_best_model_is_kept() {
    let mut kit = Kit::new();
    // The steps are so large that the last evaluation is unlikely to be the best.
    kit.plan.optimization.learning_rate = 0.05;
    kit.plan.optimization.head_learning_rate = 0.05;
    kit.plan.evaluation.metric_for_best_model = "loss".into();
    kit.plan.saving.save_total_limit = 10;
    let results = kit.whole("run");
    let evaluations: Vec<(u64, f64)> = kit
        .events("run")
        .iter()
        .filter(|event| event["event"] == "evaluated" && event["split"] == "validation")
        .filter(|event| event["step"] != 0)
        .map(|event| {
            let loss = event["metrics"]["loss"].as_f64().unwrap();
            (event["step"].as_u64().unwrap(), loss)
        })
        .collect();
    assert_eq!(evaluations.len(), EPOCHS as usize);
    let least = evaluations.iter().map(|(_, loss)| *loss);
    let least = least.fold(f64::INFINITY, f64::min);
    let (step, _) = evaluations.iter().find(|(_, loss)| *loss == least).unwrap();
    assert_eq!(results.outcome.kept_step, *step);
    assert_eq!(kit.json("run/results.json")["best_step"], *step);
    assert_eq!(kit.json("run/results.json")["validation"]["loss"], least);
    let of_step = |kit: &Kit, step: u64| {
        let path = format!("run/checkpoints/step-{step:06}/model.safetensors");
        fs::read(kit.path(&path)).unwrap()
    };
    assert!(kit.weights("run") == of_step(&kit, *step));

    kit.plan.evaluation.load_best_model_at_end = false;
    let results = kit.whole("last");
    assert_eq!(results.outcome.kept_step, EPOCHS * STEPS_PER_EPOCH);
    assert!(kit.weights("last") == of_step(&kit, EPOCHS * STEPS_PER_EPOCH));
}

/// An observer that ends the run after a few steps.
struct Enough(u64);

impl Observer for Enough {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if let Event::Progress { step, .. } = event {
            self.0 = *step;
        }
        Ok(())
    }

    fn stop(&self) -> Option<String> {
        (self.0 >= 5).then(|| "seen enough".into())
    }
}

/// A run that an observer ends is complete: it is evaluated, keeps a model, and cannot be resumed.
#[test]
fn an_observer_ends_a_run() {
    let kit = Kit::new();
    let end = kit.begin("run", Observers::default().with(Enough(0)));
    let results = complete(end.unwrap());
    let reason = StopReason::Observer("seen enough".into());
    assert_eq!((results.outcome.steps, results.outcome.reason), (5, reason));
    assert!(results.test.is_some());
    assert!(results.outcome.last.is_some());
    assert!(kit.resume("run", Observers::default()).is_err());
}
