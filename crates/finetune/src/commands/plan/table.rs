//! The plan of a run in words, and the table of strategies.

use std::{fmt::Write, path::Path};

use finetune_data::BatchSize;
use finetune_train::{Interval, TrainPlan, Workload};

use super::{forecast::Forecast, probing::Done};
use crate::{resolve::loaded::Loaded, view::progress::count};

/// Describes what a run would do, and what it takes with each strategy.
pub fn text(
    plan: &TrainPlan,
    output: &Path,
    workload: &Workload,
    loaded: &Loaded,
    forecasts: &[Forecast],
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "{name:7} {what}");
    };
    line("output", output.display().to_string());
    line("steps", steps(plan, workload));
    line("tokens", tokens(workload));
    line("", truncation(plan, workload));
    line("rate", rate(plan, workload));
    line("eval", evaluations(plan, workload));
    line("save", saving(plan, workload));
    if let Some(adaptation) = &loaded.adaptation {
        line(
            "adapt",
            format!(
                "the base model is adapted to {} texts first, which takes more time than the table says",
                count(adaptation.train.len())
            ),
        );
    }
    if plan.evaluation.early_stopping_patience.is_some() {
        line(
            "stop",
            "the run may stop early; the times are those without".into(),
        );
    }
    if let Some(Forecast {
        measured: Ok(asked),
        ..
    }) = forecasts.iter().find(|forecast| forecast.is_asked)
    {
        line("disk", disk(plan, asked));
        line("time", time(asked));
    }
    text.push('\n');
    text += &table(forecasts);
    text
}

fn steps(plan: &TrainPlan, workload: &Workload) -> String {
    let optimization = &plan.optimization;
    let what = match workload.pairs_per_epoch {
        Some(_) => "pairs",
        None => "rows",
    };
    let batch = match optimization.batch {
        BatchSize::Rows(rows) => format!("{} {what}", count(rows as u64)),
        BatchSize::Tokens(tokens) => format!("up to {} tokens", count(tokens as u64)),
    };
    let batches = match optimization.gradient_accumulation_steps {
        1 => String::new(),
        batches => format!("{batches} batches of "),
    };
    let of = match workload.pairs_per_epoch {
        Some(pairs) => format!(", {} pairs per epoch", count(pairs)),
        None => String::new(),
    };
    format!(
        "{} of {batches}{batch}: {} epochs of {} steps on {} rows{of}",
        count(workload.steps),
        short(workload.epochs),
        count(workload.steps_per_epoch.round() as u64),
        count(workload.train_rows),
    )
}

fn tokens(workload: &Workload) -> String {
    let mean = workload.tokens_per_epoch as f64 / workload.train_rows.max(1) as f64;
    let avoided = match workload.padding_avoided {
        Some(avoided) => format!("; packing avoids {:.1} % padding", 100.0 * avoided),
        None => String::new(),
    };
    format!(
        "{} in all rows, {mean:.1} on average, {} in the longest{avoided}",
        count(workload.tokens_per_epoch),
        count(workload.longest_row),
    )
}

fn truncation(plan: &TrainPlan, workload: &Workload) -> String {
    let length = plan.data.max_length;
    match workload.truncated_rows {
        0 => format!("no row is truncated at {length} tokens"),
        rows => format!(
            "{} rows ({:.1} %) are truncated at {length} tokens",
            count(rows),
            100.0 * rows as f64 / workload.train_rows.max(1) as f64
        ),
    }
}

fn rate(plan: &TrainPlan, workload: &Workload) -> String {
    let optimization = &plan.optimization;
    let head = match optimization.head_learning_rate == optimization.learning_rate {
        true => String::new(),
        false => format!(", {:e} for the head", optimization.head_learning_rate),
    };
    format!(
        "{:e}{head}, schedule {}, after {} steps of warm-up",
        optimization.learning_rate,
        optimization.schedule.lr_scheduler_type.name(),
        count(workload.warmup_steps)
    )
}

/// Says how often something happens.
fn often(interval: Interval) -> String {
    match interval {
        Interval::No => "never".into(),
        Interval::Epoch => "after each epoch".into(),
        Interval::Steps(steps) => {
            format!("every {} steps and after the last one", count(steps.get()))
        }
    }
}

fn evaluations(plan: &TrainPlan, workload: &Workload) -> String {
    let start = match (plan.evaluation.eval_on_start, plan.evaluation.eval) {
        (true, Interval::No) => {
            return format!(
                "before the first step alone, on {} rows",
                count(workload.validation_rows)
            );
        }
        (true, _) => "before the first step and ",
        (false, _) => "",
    };
    let best = match plan.evaluation.load_best_model_at_end {
        true => format!(
            "; the best {} is kept",
            plan.evaluation.metric_for_best_model
        ),
        false => String::new(),
    };
    let test = match workload.test_rows {
        0 => String::new(),
        rows => format!("; at the end {} test rows", count(rows)),
    };
    format!(
        "{start}{}: {} times {} rows{best}{test}",
        often(plan.evaluation.eval),
        count(workload.evaluations),
        count(workload.validation_rows)
    )
}

fn saving(plan: &TrainPlan, workload: &Workload) -> String {
    let more = match workload.checkpoints_if_best {
        0 => String::new(),
        more => format!(", and up to {} of best models", count(more)),
    };
    format!(
        "{}: {} checkpoints{more}",
        often(plan.saving.save),
        count(workload.checkpoints)
    )
}

fn disk(plan: &TrainPlan, done: &Done) -> String {
    let probe = &done.probe;
    let features = match probe.feature_bytes {
        (0, 0) => String::new(),
        (memory, 0) => format!("; results of frozen layers, {} in memory", bytes(memory)),
        (memory, disk) => format!(
            "; results of frozen layers, {} in memory and {} on disk",
            bytes(memory),
            bytes(disk)
        ),
    };
    format!(
        "up to {}: {} checkpoints at once of {}, and the model of {}{features}",
        bytes(done.disk_bytes(plan)),
        count(done.checkpoints_at_once(plan)),
        bytes(probe.checkpoint_bytes),
        bytes(probe.model_bytes)
    )
}

fn time(done: &Done) -> String {
    let probe = &done.probe;
    let frozen = match probe.feature_bytes {
        (0, 0) => String::new(),
        _ => format!(
            "{} for frozen layers, ",
            duration(probe.preparation_seconds)
        ),
    };
    format!(
        "about {}: {frozen}{} for the steps, {} for evaluations, {} for saving",
        duration(done.seconds()),
        duration(done.training_seconds()),
        duration(done.evaluating_seconds()),
        duration(done.saving_seconds())
    )
}

/// The table of strategies; that of the run is marked.
fn table(forecasts: &[Forecast]) -> String {
    let widest = forecasts.iter().map(|forecast| forecast.strategy.len());
    let width = widest.max().unwrap_or(0).max("strategy".len());
    let mut text = format!(
        "  {:width$} {:>13} {:>11} {:>12} {:>10} {:>11} {:>14}\n",
        "strategy", "trainable", "trainable%", "peak memory", "step", "checkpoint", "time"
    );
    for forecast in forecasts {
        let mark = if forecast.is_asked { '>' } else { ' ' };
        let name = &forecast.strategy;
        let _ = match &forecast.measured {
            Err(problem) => writeln!(text, "{mark} {name:width$} {problem}"),
            Ok(done) => {
                let probe = &done.probe;
                let share = probe.trainable_parameters as f64 / probe.parameters.max(1) as f64;
                let memory = probe.peak_memory_bytes.map_or("unknown".into(), bytes);
                writeln!(
                    text,
                    "{mark} {name:width$} {:>13} {:>11.4} {memory:>12} {:>10} {:>11} {:>14}",
                    count(probe.trainable_parameters),
                    100.0 * share,
                    format!("{:.3} s", probe.step_seconds),
                    bytes(probe.checkpoint_bytes),
                    duration(done.seconds())
                )
            }
        };
    }
    text
}

/// Formats a number of bytes as the results of a run do.
fn bytes(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} kB", bytes as f64 / 1e3),
    }
}

/// Formats a number of seconds.
fn duration(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// Formats a number without trailing zeros.
fn short(number: f64) -> String {
    format!("{}", (100.0 * number).round() / 100.0)
}
