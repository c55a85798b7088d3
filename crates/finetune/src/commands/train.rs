//! `finetune train`, `finetune pretrain` and `finetune distill`: train a model, or resume its run.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use finetune_models::{MaskedLm, SequenceClassifier};
use finetune_train::{RunDirectory, layout};

use crate::{
    cli::{
        args::{ResumeArguments, TrainArguments},
        interrupt,
        pretrain_options::{self, TrainsOn},
        settings,
        train_options::TrainOptions,
    },
    commands::{
        adapt::adapted,
        execute::{RunModel, execute, fresh_start},
        find_batch_size::find_batch_size,
        resume::{refuse_adaptation, resume},
        supervise::supervise,
    },
    error::Failure,
    resolve::{
        device, paths,
        rows::{RowChoice, Rows},
        special_files,
        whole_plan::WholePlan,
    },
    view::output::say,
};

/// Trains a model on labelled rows, or resumes its run.
///
/// # Errors
/// Fails if options are invalid, if a file cannot be read or written, or if training fails.
pub fn run(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    train(arguments, TrainsOn::Labels)
}

/// Trains a masked language model on texts, or resumes its run.
///
/// # Errors
/// Fails like [`run`].
pub fn pretrain(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    train(arguments, TrainsOn::Texts)
}

/// Trains a model to imitate another one, or resumes its run.
///
/// # Errors
/// Fails like [`run`].
pub fn distill(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    train(arguments, TrainsOn::Teacher)
}

fn train(arguments: TrainArguments, on: TrainsOn) -> Result<ExitCode, Failure> {
    let options = settings::read(
        arguments.config.as_deref(),
        &arguments.set,
        &arguments.options,
    )?;
    pretrain_options::check(&options, on)?;
    interrupt::listen()?;

    // Invalid options are reported before the first download.
    let device_name = device::chosen(&options)?;
    let rows = match on {
        TrainsOn::Labels | TrainsOn::Teacher => Rows::choose(&options)?,
        TrainsOn::Texts => Rows::choose(RowChoice::texts(&options))?,
    };
    if let Some(path) = resumed(&arguments, &options, &rows)? {
        special_files::refuse_in(&path)?;
        refuse_adaptation(&path)?;
        let (run, saved) = RunDirectory::open(&path)?;
        let WholePlan {
            plan: mut now,
            loaded,
            verification,
        } = WholePlan::resolve(&options, &rows, device_name, &path)?;
        now.model.sha256 = verification.wait()?.weights_sha256;
        now.optimization
            .keep_batch_size_of(&saved.trained().optimization);
        paths::keep_paths_of(saved.trained(), &mut now);
        let accepted = &arguments.accept;
        if now.optimization.auto_find_batch_size && !run.is_complete() {
            let mut worker = worker_options(&arguments);
            for difference in saved.check_resumable(&now, accepted)? {
                worker.push("--set".into());
                worker.push(format!("{}={}", difference.key, difference.now).into());
            }
            drop((run, loaded));
            return supervise(&path, &worker);
        }
        let arguments = ResumeArguments {
            run: path,
            set: Vec::new(),
            accept: arguments.accept,
            pause: arguments.pause,
            json: arguments.json,
            worker: false,
            list_trainable: arguments.list_trainable,
        };
        return resume(run, &saved, now, &arguments, |_| Ok(loaded));
    }
    let output = options
        .output
        .clone()
        .unwrap_or_else(|| paths::default_run(&rows.dataset));
    let mut run = RunDirectory::create(&output)?;
    let mut whole = WholePlan::resolve(&options, &rows, device_name, run.path())?;
    whole.plan.make_paths_absolute();
    if whole.plan.optimization.auto_find_batch_size {
        let WholePlan {
            mut plan,
            loaded,
            verification,
        } = whole;
        // A trial that fails because of damaged weights would look like a lack of memory.
        loaded.files.clone().verify()?;
        plan = find_batch_size(plan, &loaded)?;
        plan.model.sha256 = verification.wait()?.weights_sha256;
        run.begin(&plan, &loaded.files.dir)?;
        drop((run, loaded));
        return supervise(&output, &worker_options(&arguments));
    }
    match on {
        TrainsOn::Labels | TrainsOn::Teacher => begin::<SequenceClassifier>(whole, run, &arguments),
        TrainsOn::Texts => begin::<MaskedLm>(whole, run, &arguments),
    }
}

/// Trains a model in a new run.
fn begin<M: RunModel>(
    whole: WholePlan,
    mut run: RunDirectory,
    arguments: &TrainArguments,
) -> Result<ExitCode, Failure> {
    let WholePlan {
        mut plan,
        loaded,
        verification,
    } = whole;
    if plan.adaptation.is_some() {
        // The run begins before its base model is adapted, so the plan has to be complete.
        plan.model.sha256 = loaded.files.clone().verify()?.weights_sha256;
    }
    let base = adapted(&plan, &loaded, &mut run)?;
    let prepared = M::prepare(&plan, &base, &loaded.device);
    plan.model.sha256 = verification.wait()?.weights_sha256;
    let start = fresh_start(&loaded, prepared?);
    if arguments.list_trainable {
        say!("  {}", start.prepared.names.join("\n  "));
    }
    let end = execute(&plan, loaded, start, &mut run, arguments.pause.point())?;
    end.print(&plan, &run, arguments.json);
    Ok(ExitCode::SUCCESS)
}

/// Returns the options of the training process that are not in the plan.
fn worker_options(arguments: &TrainArguments) -> Vec<OsString> {
    let flags = [
        ("--json", arguments.json),
        ("--list-trainable", arguments.list_trainable),
    ];
    let flags = flags.into_iter().filter(|(_, given)| *given);
    let accepted = arguments.accept.iter().flat_map(|key| ["--accept", key]);
    let flags = flags.map(|(flag, _)| flag);
    let words = flags.chain(accepted).map(OsString::from);
    words.chain(arguments.pause.options()).collect()
}

/// Returns the run to resume, if any: the one named, or with `auto` the run in the output directory
/// (without one, the data set's last run, if it is incomplete).
fn resumed(
    arguments: &TrainArguments,
    options: &TrainOptions,
    rows: &Rows,
) -> Result<Option<PathBuf>, Failure> {
    let Some(named) = &arguments.resume else {
        return Ok(None);
    };
    if named != Path::new("auto") {
        return match &options.output {
            Some(output) if output != named => Err(Failure::User(format!(
                "--resume names {}, but the output is {}; leave one out",
                named.display(),
                output.display()
            ))),
            _ => Ok(Some(named.clone())),
        };
    }
    Ok(match &options.output {
        Some(output) => Some(output.clone()).filter(|path| layout::has_begun(path)),
        None => paths::last_run(&rows.dataset)
            .filter(|path| layout::has_begun(path) && !layout::is_complete(path)),
    })
}
