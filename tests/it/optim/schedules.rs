//! Learning rates and momenta of every schedule equal those of torch and transformers.

use finetune_train::{Epochs, Schedule, ScheduleConfig};

use super::{cases, doubles};

/// With and without warm-up, and past the end.
#[test]
fn schedules_are_transformers_and_torchs() {
    for case in cases("schedules.json") {
        let config: ScheduleConfig = serde_json::from_value(case["config"].clone()).unwrap();
        let peak = case["learning_rate"].as_f64().unwrap();
        let warmup = case["warmup_steps"].as_u64().unwrap();
        let total = case["total_steps"].as_u64().unwrap();
        let mut schedule = Schedule::new(&config, peak, warmup, total).unwrap();
        if let Some(steps) = case.get("steps_per_epoch") {
            schedule = schedule.with_epochs(Epochs::Even(steps.as_u64().unwrap()));
        }
        for (step, expected) in doubles(&case["rates"]).into_iter().enumerate() {
            let found = schedule.at(step as u64);
            assert!(
                (found - expected).abs() <= 1e-12 * peak,
                "{config:?}, step {step} of {total}: {found:e} instead of {expected:e}"
            );
        }
        match case.get("momentum") {
            None => assert_eq!(schedule.momentum_at(0), None),
            Some(momentum) => {
                for (step, expected) in doubles(momentum).into_iter().enumerate() {
                    let found = schedule.momentum_at(step as u64).unwrap();
                    assert!((found - expected).abs() <= 1e-12, "{config:?}, step {step}");
                }
            }
        }
    }
}
