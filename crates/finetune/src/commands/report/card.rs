//! Writes `README.md` into a saved model: a model card in Hugging Face's form.

use std::{fs, io::Write as _, path::Path};

use finetune_files::{IoContext, replace_file};
use finetune_hub::is_dataset_name;
use finetune_infer::objective;
use finetune_peft::ADAPTER_CONFIG;
use finetune_report::Card;
use finetune_task::ProblemType;
use finetune_train::layout;

use super::facts::ReadRun;
use crate::{error::Failure, view::output::say};

const FILE: &str = "README.md";

/// Writes the card of a complete run, unless a user has changed the one that is there.
///
/// # Errors
/// Fails if it cannot be read or written.
pub fn write(run: &Path, read: &ReadRun) -> Result<(), Failure> {
    let path = run.join(layout::MODEL).join(FILE);
    if path.exists() && !Card::is_unchanged(&fs::read_to_string(&path).context("read", &path)?) {
        say!(
            "note: {} was changed by hand and stays as it is",
            path.display()
        );
        return Ok(());
    }
    let card = card(run, read).to_markdown();
    Ok(replace_file(&path, |out| out.write_all(card.as_bytes()))?)
}

/// Collects what the card says. None of it depends on the time or the place of the run.
fn card(run: &Path, read: &ReadRun) -> Card {
    let (plan, facts) = (&read.plan, &read.facts);
    let is_adapter = run.join(layout::MODEL).join(ADAPTER_CONFIG).exists();
    let model = short(&plan.model.name);
    let dataset = short(&plan.data.dataset);
    let is_masked = plan.pretraining.is_some();
    let mut tags = vec!["finetune".to_owned(), plan.model.strategy.to_string()];
    if plan.data.problem_type == ProblemType::Regression && !is_masked {
        tags.push("regression".into());
    }
    let on_hub = plan.data.dataset_revision.is_some() && is_dataset_name(&plan.data.dataset);
    let results = read.results.as_ref();
    let split = match results {
        Some(results) if results["test"].is_object() => "test",
        _ => "validation",
    };
    let all = results
        .map(|results| results[split].clone())
        .unwrap_or_default();
    let names: Vec<&str> = match is_masked {
        true => vec!["loss", "perplexity"],
        false => {
            let compared = objective::of(plan.data.problem_type).compared().iter();
            compared.map(|(name, _)| *name).collect()
        }
    };
    let metrics = names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), all[name].as_f64()?)));
    let started = facts.log.started.as_ref();
    let mut settings = vec![
        ("strategy".to_owned(), plan.model.strategy.to_string()),
        ("steps".into(), facts.log.last_step().to_string()),
        (
            "learning rate".into(),
            plan.optimization.learning_rate.to_string(),
        ),
        (
            "maximum length in tokens".into(),
            plan.data.max_length.to_string(),
        ),
        ("seed".into(), plan.seed.to_string()),
    ];
    if let Some(started) = started {
        let trained = format!("{} of {}", started.trainable_parameters, started.parameters);
        settings.insert(1, ("training rows".into(), started.train_rows.to_string()));
        settings.push(("trained parameters".into(), trained));
    }
    let what = match is_masked {
        true => "for masked language modelling".to_owned(),
        false => format!(
            "to predict {}",
            objective::of(plan.data.problem_type).describe(&plan.outputs())
        ),
    };
    Card {
        title: format!("{model} on {dataset}"),
        description: format!("{model}, trained on {dataset} {what}."),
        license: license(Path::new(&plan.model.name)),
        base_model: base_model(&plan.model.name),
        datasets: on_hub
            .then(|| plan.data.dataset.clone())
            .into_iter()
            .collect(),
        tags,
        pipeline_tag: if is_masked {
            "fill-mask"
        } else {
            "text-classification"
        },
        library_name: if is_adapter { "peft" } else { "transformers" },
        dataset,
        split: split.into(),
        rows: all["rows"].as_u64().unwrap_or(0),
        metrics: metrics.collect(),
        settings,
        usage: usage(is_masked, is_adapter),
    }
}

/// The last part of a path, or a name on the hub as it is.
fn short(name: &str) -> String {
    let path = Path::new(name);
    let is_path = path.is_absolute() || path.exists() || !is_dataset_name(name);
    let last = match path.is_dir() {
        true => path.file_name(),
        false => path.file_stem(),
    };
    let last = last.filter(|_| is_path);
    last.map_or_else(
        || name.to_owned(),
        |last| last.to_string_lossy().into_owned(),
    )
}

/// The name of a base model on the hub; none for directories.
fn base_model(name: &str) -> Option<String> {
    let is_name = is_dataset_name(name) && !Path::new(name).exists() && name != "scratch";
    is_name.then(|| name.to_owned())
}

/// The licence in the card of a base model that is a directory.
fn license(base: &Path) -> Option<String> {
    let card = fs::read_to_string(base.join(FILE)).ok()?;
    let header = card.strip_prefix("---")?.split("\n---").next()?;
    let mut lines = header
        .lines()
        .filter_map(|line| line.strip_prefix("license:"));
    let license = lines.next()?.trim().trim_matches(['"', '\'']);
    (!license.is_empty()).then(|| license.to_owned())
}

fn usage(is_masked: bool, is_adapter: bool) -> String {
    match (is_masked, is_adapter) {
        (true, _) => "from transformers import pipeline\n\nfill = pipeline(\"fill-mask\", \"PATH/TO/THIS/MODEL\")",
        (false, true) => {
            "from peft import AutoPeftModelForSequenceClassification\n\nmodel = \
             AutoPeftModelForSequenceClassification.from_pretrained(\"PATH/TO/THIS/MODEL\")"
        }
        (false, false) => {
            "from transformers import pipeline\n\nclassify = pipeline(\"text-classification\", \
             \"PATH/TO/THIS/MODEL\")"
        }
    }
    .into()
}
