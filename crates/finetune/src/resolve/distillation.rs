//! What is particular to a run that learns from a teacher.

use std::path::{Path, PathBuf};

use finetune_data::TextTokenizer;
use finetune_models::{CONFIG, ModelConfig};
use finetune_peft::{ADAPTER_CONFIG, AdapterFile};
use finetune_train::{
    DistillationPlan, Teacher, TeacherInputs, TrainPlan, device, layout, load_tokenizer,
};

use crate::{
    cli::train_options::{InitialWeights, StudentLayers, TrainOptions},
    error::Failure,
    resolve::{model, rows::Rows, run_model, special_files},
    view::{output::say, progress::count, shell::quote_path},
};

/// Finds a teacher by name: a directory, a run, an adapter whose base model can be found, or a name on the
/// hub. Its weights are not needed if its logits are there.
fn teacher(name: &str) -> Result<Teacher, Failure> {
    let found = found(name);
    found.map_err(|error| error.with_message(|message| format!("the teacher {name}: {message}")))
}

fn found(name: &str) -> Result<Teacher, Failure> {
    let resolved = run_model::resolve(name)?;
    let directory = Path::new(&resolved);
    if !directory.join(ADAPTER_CONFIG).exists() {
        if directory.join(CONFIG).exists() {
            special_files::refuse_in(directory)?;
            return Ok(Teacher::open(directory, None)?);
        }
        let files = model::find(&resolved, None)?;
        return Ok(Teacher::open(&files.dir, None)?);
    }
    let file = AdapterFile::read(directory)?;
    if let Some(base) = file
        .base_directory(directory)
        .filter(|base| base.join(CONFIG).exists())
    {
        special_files::refuse_in(&base)?;
        return Ok(Teacher::open(directory, Some(&base))?);
    }
    let advice = || {
        format!(
            "let the whole model teach, which `finetune merge {} --model-base DIR -o MODEL` makes",
            quote_path(directory)
        )
    };
    if file.base_model.is_empty() {
        let path = directory.join(ADAPTER_CONFIG);
        let path = path.display();
        return Err(Failure::User(format!(
            "{path} does not name its base model (base_model_name_or_path); {}",
            advice()
        )));
    }
    let base = model::find(&file.base_model, file.revision.as_deref()).map_err(|error| {
        error.with_message(|problem| {
            let base = &file.base_model;
            format!(
                "its base model {base}: {problem}\nIf that is somewhere else, {}",
                advice()
            )
        })
    })?;
    Ok(Teacher::open(directory, Some(&base.dir))?)
}

/// Returns the directory of the teacher's tokenizer, if there is a teacher and its student has new weights and
/// no tokenizer of its own.
///
/// # Errors
/// Fails if the teacher cannot be found.
pub fn teacher_tokenizer(options: &TrainOptions) -> Result<Option<String>, Failure> {
    let is_needed = options.init == Some(InitialWeights::Scratch) && options.tokenizer.is_none();
    match &options.teacher {
        Some(name) if is_needed => {
            let directory = teacher(name)?.tokenizer_directory().display().to_string();
            Ok(Some(directory))
        }
        _ => Ok(None),
    }
}

/// Adds to a plan what its model learns from a teacher, if options name one. Unless they name a student, it
/// begins with layers of the teacher.
///
/// # Errors
/// Fails if the teacher cannot be found or loaded or predicts something else, or if options contradict each
/// other.
pub fn distilling(options: &TrainOptions, mut plan: TrainPlan) -> Result<TrainPlan, Failure> {
    let Some(name) = &options.teacher else {
        return Ok(plan);
    };
    let teacher = teacher(name)?;
    let (outputs, by_position) = (plan.outputs(), plan.data.labels_by_position);
    if let (_, Some(note)) = teacher.order(&outputs, by_position)? {
        say!("note: {note}");
    }
    let own = [
        ("--model", options.model.is_some()),
        ("--init", options.init == Some(InitialWeights::Scratch)),
    ];
    let own = own.iter().find(|(_, given)| *given);
    let student_layers = match (own, &options.student_layers) {
        (Some((flag, _)), Some(_)) => {
            return Err(Failure::User(format!(
                "--student-layers takes layers of the teacher, but {flag} says what the student is; leave one of them out"
            )));
        }
        (Some(_), None) => {
            // Its weights are not needed before training, but that it has all of them is.
            teacher.load(&outputs, by_position, &device("cpu")?)?;
            Vec::new()
        }
        (None, wanted) => layers(wanted.as_ref(), teacher.config())?,
    };
    if !student_layers.is_empty() {
        if let Some(revision) = &options.revision {
            return Err(Failure::User(format!(
                "--revision {revision} is that of a student on the hub, but this one begins with layers of the teacher; leave it out, or name a student with --model"
            )));
        }
        plan.model.name.clone_from(name);
        plan.model.revision = None;
    }
    let default = DistillationPlan::new(name);
    plan.distillation = Some(DistillationPlan {
        teacher_sha256: teacher.hash()?,
        student_layers,
        unlabelled: options.unlabelled.clone(),
        temperature: options.temperature.unwrap_or(default.temperature),
        soft_weight: options.soft_weight.unwrap_or(default.soft_weight),
        hard_weight: options.hard_weight.unwrap_or(default.hard_weight),
        cosine_weight: options.cosine_weight.unwrap_or(default.cosine_weight),
        attention_weight: options.attention_weight.unwrap_or(default.attention_weight),
        ..default
    });
    Ok(plan)
}

/// Returns the layers of the teacher that the student begins with.
fn layers(wanted: Option<&StudentLayers>, teacher: &ModelConfig) -> Result<Vec<usize>, Failure> {
    let all = teacher.num_hidden_layers;
    match wanted {
        None => Ok(DistillationPlan::spread_layers(all.div_ceil(2), all)),
        Some(StudentLayers::Number(number)) if (1..=all).contains(number) => {
            Ok(DistillationPlan::spread_layers(*number, all))
        }
        Some(StudentLayers::Number(number)) => Err(Failure::User(format!(
            "--student-layers is {number}, but the teacher has {all} layers; expected 1 to {all}, or another student with --model"
        ))),
        Some(StudentLayers::Chosen(chosen)) => match chosen.iter().find(|layer| **layer >= all) {
            Some(layer) => Err(Failure::User(format!(
                "--student-layers names layer {layer}, but the teacher has {all} layers, 0 to {}",
                all.saturating_sub(1)
            ))),
            None => Ok(chosen.clone()),
        },
    }
}

/// Returns the directory of a student that begins with layers of its teacher, which is written into the run's
/// directory; `None` for other models.
///
/// # Errors
/// Fails if the teacher cannot be found or loaded, or if a file cannot be written.
pub fn student(plan: &TrainPlan) -> Result<Option<PathBuf>, Failure> {
    let Some(distillation) = of_layers(plan) else {
        return Ok(None);
    };
    let run = Path::new(&plan.saving.output);
    let directory = run.join(layout::INITIAL);
    if directory.exists() {
        return Ok(Some(directory));
    }
    let teacher = teacher(&distillation.teacher)?;
    teacher.check_unchanged(distillation)?;
    Ok(Some(teacher.student(&distillation.student_layers, run)?))
}

/// Returns the settings of a plan whose student begins with layers of the teacher.
fn of_layers(plan: &TrainPlan) -> Option<&DistillationPlan> {
    let distillation = plan.distillation.as_ref();
    distillation.filter(|distillation| !distillation.student_layers.is_empty())
}

/// Says which layers of the teacher the student begins with, if it does.
pub fn described_layers(plan: &TrainPlan) -> Option<String> {
    let distillation = of_layers(plan)?;
    let layers = &distillation.student_layers;
    let names: Vec<_> = layers.iter().map(ToString::to_string).collect();
    let layers = match &names[..] {
        [first @ .., last] if !first.is_empty() => {
            format!("layers {} and {last}", first.join(", "))
        }
        _ => format!("layer {}", names.concat()),
    };
    let whose = match plan.model.reset_head {
        true => "with its embeddings and a new head",
        false => "with its embeddings and head",
    };
    Some(format!("{layers} of {}, {whose}", distillation.teacher))
}

/// Opens the teacher of a plan, if there is one, and tokenizes the rows for it if its tokenizer is not that of
/// the student, which `config` describes.
///
/// # Errors
/// Fails if the teacher cannot be found, if the rows cannot be tokenized, or if the encoders cannot be compared
/// as the plan says.
pub fn inputs(
    plan: &TrainPlan,
    rows: &Rows,
    config: &ModelConfig,
    tokenizer: &TextTokenizer,
) -> Result<Option<TeacherInputs>, Failure> {
    let Some(distillation) = &plan.distillation else {
        return Ok(None);
    };
    let teacher = teacher(&distillation.teacher)?;
    let own = load_tokenizer(teacher.tokenizer_directory(), teacher.config())?;
    let longest = plan
        .data
        .max_length
        .min(teacher.config().longest_sequence());
    let same_tokenizer = own.hash() == tokenizer.hash();
    let same_tokens = same_tokenizer && longest == plan.data.max_length;
    teacher.check_encoder(distillation, config, same_tokens)?;
    let data = match same_tokens {
        true => None,
        false => {
            if !same_tokenizer {
                say!(
                    "note: teacher and student have other tokenizers; each reads the texts with its own"
                );
            }
            let data = rows.tokens(longest, &own)?;
            let cut = data.train.truncated_rows();
            if cut > 0 {
                say!(
                    "note: the teacher reads at most {longest} tokens, to which it cuts {} of {} training texts",
                    count(cut),
                    count(data.train.len())
                );
            }
            Some(data)
        }
    };
    Ok(Some(TeacherInputs { teacher, data }))
}

/// Describes the teacher and the weights in a line, or as nothing without one.
pub fn described(plan: &TrainPlan, teacher: Option<&TeacherInputs>) -> String {
    let (Some(distillation), Some(inputs)) = (&plan.distillation, teacher) else {
        return String::new();
    };
    let config = inputs.teacher.config();
    let mut weights = vec![
        format!(
            "{} soft labels at temperature {}",
            distillation.soft_weight, distillation.temperature
        ),
        format!("{} labels", distillation.hard_weight),
    ];
    for (weight, what) in [
        (distillation.cosine_weight, "hidden states"),
        (distillation.attention_weight, "attention"),
    ] {
        if weight > 0.0 {
            weights.push(format!("{weight} {what}"));
        }
    }
    format!(
        "teacher {}: {} layers of width {}; weights: {}\n",
        distillation.teacher,
        config.num_hidden_layers,
        config.hidden_size,
        weights.join(", ")
    )
}
