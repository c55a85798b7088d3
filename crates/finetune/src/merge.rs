//! `finetune merge`.

use std::process::ExitCode;

use finetune_data::has_tokenizer;
use finetune_peft::AdapterFile;
use finetune_train::device;

use crate::{
    args::{MergeArguments, ModelArguments},
    error::Failure,
    model,
    output::print,
    paths,
};

/// What the merged model is compared on.
const SAMPLES: [&str; 4] = [
    "A moving, beautifully acted film.",
    "A dull and pointless mess.",
    "It rained in the morning.",
    "What does it cost, and when can it be here?",
];

pub fn run(arguments: &MergeArguments) -> Result<ExitCode, Failure> {
    let device = device(&arguments.device)?;
    let directory = arguments.adapter.display().to_string();
    let file = AdapterFile::read(&arguments.adapter)?;
    if arguments.output.exists() {
        return Err(Failure::User(format!(
            "{} exists already, and nothing is overwritten; choose another --output",
            arguments.output.display()
        )));
    }
    let open = ModelArguments {
        revision: None,
        model_base: arguments.model.clone(),
        labels: arguments.labels.clone(),
    };
    let mut classifier = model::classifier(&directory, &open, &device)?;
    let before = classifier.predict(&SAMPLES)?;
    classifier.merge_adapter()?;
    let after = classifier.predict(&SAMPLES)?;
    let difference = before
        .iter()
        .zip(&after)
        .flat_map(|(before, after)| before.logits.iter().zip(&after.logits))
        .map(|(before, after)| (before - after).abs())
        .fold(0.0, f32::max);
    let tokenizer_from = match has_tokenizer(&arguments.adapter) {
        true => arguments.adapter.clone(),
        false => model::adapter_base(&arguments.adapter, &file, &open)?.dir,
    };
    classifier
        .model()
        .save(&arguments.output, &tokenizer_from)?;
    let (output, program) = (arguments.output.display(), paths::program());
    print(&format!(
        "merged  {directory} into its base model, in f32; all weights are finite\n\
         check   logits of {} texts before and after differ by at most {difference:.1e}\n\
         saved   {output}\n\n\
         Next:\n  {program} predict --model {output} \"a text of yours\"\n",
        SAMPLES.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
