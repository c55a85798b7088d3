//! `finetune plan`: says what `finetune train` would do with the same arguments, and what that takes, without
//! training.

mod compared;
mod forecast;
pub(crate) mod probing;
mod table;

use std::process::ExitCode;

use finetune_train::{RunDirectory, Workload};
use serde_json::json;

use self::{
    compared::compared,
    forecast::Forecast,
    probing::{Answer, Asked},
    table::text,
};
use crate::{
    cli::{
        args::PlanArguments,
        interrupt,
        pretrain_options::{self, TrainsOn},
        settings,
    },
    commands::find_batch_size::find_batch_size,
    error::Failure,
    resolve::{device, paths, rows::Rows, whole_plan::WholePlan},
    view::output::{print_json, say, show},
};

/// Says what a run would do. Whatever `train` would refuse is refused here too, with the same message.
///
/// # Errors
/// Fails if `train` would fail before its first step, or if no process can be started for a probe.
pub fn run(arguments: &PlanArguments) -> Result<ExitCode, Failure> {
    let options = settings::read(
        arguments.config.as_deref(),
        &arguments.set,
        &arguments.options,
    )?;
    pretrain_options::check(&options, TrainsOn::Labels)?;
    let compare = compared::strategies(&arguments.compare)?;
    interrupt::listen()?;
    let device_name = device::chosen(&options)?;
    let rows = Rows::choose(&options)?;
    let output = options.output.clone();
    let output = output.unwrap_or_else(|| paths::default_run(&rows.dataset));
    // Reserved as a run would do it, so that it is refused in the same cases, and removed at the end.
    let reserved = RunDirectory::create(&output)?;
    let WholePlan {
        mut plan,
        loaded,
        verification,
    } = WholePlan::resolve(&options, &rows, device_name, reserved.path())?;
    plan.make_paths_absolute();
    if plan.optimization.auto_find_batch_size {
        loaded.files.clone().verify()?;
        plan = find_batch_size(plan, &loaded)?;
    }
    plan.model.sha256 = verification.wait()?.weights_sha256;
    say!("{}", loaded.description);
    let workload = Workload::of(&plan, &loaded.data)?;
    let others = compared(&plan, &options, &rows, &loaded, compare);

    let mut forecasts = Vec::new();
    let plans = std::iter::once((plan.model.strategy.to_string(), Ok(plan.clone()))).chain(others);
    for (number, (strategy, of_strategy)) in plans.enumerate() {
        let is_asked = number == 0;
        let answer = match of_strategy {
            Ok(plan) => probing::in_other_process(&Asked {
                plan,
                directory: reserved.path().into(),
            })?,
            Err(refusal) => Answer::Refused {
                message: refusal,
                is_input: true,
            },
        };
        match answer {
            Answer::Done(done) => {
                say!(
                    "probe   {strategy}: {} steps of {:.3} s",
                    done.probe.timed_steps,
                    done.probe.step_seconds
                );
                forecasts.push(Forecast::new(strategy, is_asked, Ok(*done)));
            }
            // What the run itself would fail with is the result.
            Answer::Refused { message, is_input } if is_asked => {
                return Err(match is_input {
                    true => Failure::User(message),
                    false => Failure::Internal(message),
                });
            }
            Answer::Refused { message, .. } | Answer::Died { message } => {
                say!("probe   {strategy}: {message}");
                forecasts.push(Forecast::new(strategy, is_asked, Err(message)));
            }
        }
    }
    drop(reserved);
    match arguments.json {
        true => {
            let strategies: Vec<_> = forecasts.iter().map(Forecast::to_json).collect();
            print_json(json!({
                "output": output.display().to_string(),
                "device": plan.model.device,
                "plan": plan,
                "workload": workload,
                "data_seconds": loaded.data_seconds,
                "strategies": strategies,
            }))?;
        }
        false => show(&text(&plan, &output, &workload, &loaded, &forecasts))?,
    }
    Ok(ExitCode::SUCCESS)
}
