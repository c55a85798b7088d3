//! `finetune train`.

use std::process::ExitCode;

use finetune_models::ModelConfig;
use finetune_train::{RunDirectory, device, resolve_auto};

use crate::{
    args::TrainArguments,
    error::Failure,
    execute::{execute, load},
    interrupt, model,
    output::print,
    paths,
    plan::{plan, with_model},
    rows::Rows,
    settings,
};

pub fn run(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    let file = settings::read(arguments.config.as_deref(), &arguments.set)?;
    let options = arguments.options.over(file);
    interrupt::listen()?;

    // Whatever can be refused is refused before the first download.
    let device_name = resolve_auto(options.device.as_deref().unwrap_or("auto"));
    device(&device_name)?;
    let rows = Rows::choose(&options)?;
    let output = options
        .output
        .clone()
        .unwrap_or_else(|| paths::default_run(&rows.dataset));
    let mut run = RunDirectory::create(&output)?;
    let plan = plan(&options, &rows, device_name, &run)?;

    let revision = Some(plan.revision.as_str()).filter(|name| !name.is_empty());
    let files = model::resolve(&plan.model, revision)?;
    let config = ModelConfig::from_directory(&files.dir)?;
    let plan = with_model(plan, &options, &files, &config)?;
    let loaded = load(&plan, &rows, files)?;
    if arguments.list_trainable {
        eprintln!("  {}", loaded.prepared.names.join("\n  "));
    }
    let report = execute(&plan, loaded, &mut run)?;
    print(&match arguments.json {
        true => format!("{}\n", report.json(&run)),
        false => report.text(&plan, &run),
    })?;
    Ok(ExitCode::SUCCESS)
}
