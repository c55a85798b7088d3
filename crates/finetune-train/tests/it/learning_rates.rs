//! The learning rates of a run follow its schedule.

use finetune_train::{Observers, Schedule, SchedulerType, Warmup};

use crate::kit::{EPOCHS, InterruptAt, Kit, STEPS_PER_EPOCH, complete};

fn rates(kit: &Kit, run: &str) -> Vec<f64> {
    let events = kit.events(run).into_iter();
    let steps = events.filter(|event| event["event"] == "step");
    steps
        .map(|event| event["learning_rate"].as_f64().unwrap())
        .collect()
}

#[test]
fn each_step_has_its_rate() {
    let total = EPOCHS * STEPS_PER_EPOCH;
    for scheduler in [
        SchedulerType::Linear,
        SchedulerType::Cosine,
        SchedulerType::ConstantWithWarmup,
    ] {
        let mut kit = Kit::new();
        let optimization = &mut kit.plan.optimization;
        optimization.schedule.lr_scheduler_type = scheduler;
        optimization.warmup = Warmup::Ratio(0.25);
        let peak = optimization.learning_rate;
        let schedule = Schedule::new(&optimization.schedule, peak, total / 4, total).unwrap();
        // Resuming makes no difference.
        let interrupt = InterruptAt::new(|event| {
            matches!(event, finetune_train::Event::Progress { step: 5, .. })
        });
        kit.begin("run", Observers::default().with(interrupt))
            .unwrap();
        complete(kit.resume("run", Observers::default()).unwrap());
        let found = rates(&kit, "run");
        let expected: Vec<_> = (0..total).map(|step| schedule.at(step)).collect();
        assert_eq!(found, expected, "{scheduler:?}");
        // The rate rises from 0 to the peak, and never rises again.
        assert_eq!((found[0], found[3]), (0.0, peak));
        assert!(found[3..].windows(2).all(|pair| pair[1] <= pair[0]));
    }
}
