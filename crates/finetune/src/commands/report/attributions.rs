//! Adds to listed errors what each word speaks for.

use std::path::Path;

use finetune_infer::{Classifier, Explaining, InferError, Precision, device};
use finetune_report::Word;
use finetune_train::layout;

use super::facts::ReadRun;
use crate::{error::Failure, view::output::say};

/// Words of a row beyond which the weaker ones are left out, so that the page stays small.
const MOST_WORDS: usize = 200;

/// Explains the first `count` of the most wrong rows by the run's model.
///
/// # Errors
/// Fails if the model cannot be loaded or a text not be explained.
pub fn add(run: &Path, read: &mut ReadRun, count: usize) -> Result<(), Failure> {
    let Some(held_out) = &mut read.facts.held_out else {
        say!("note: the run has no predictions to explain");
        return Ok(());
    };
    let device = device(&read.plan.model.device)?;
    let mut classifier = Classifier::load_on(run.join(layout::MODEL), &device)?;
    // The gradients of many points are added up, and so are their errors.
    classifier.set_precision(Precision::F32);
    let pairs = read.plan.data.text_column.len() == 2;
    let encoder = classifier.encoder(read.plan.data.max_length, pairs)?;
    for listed in held_out.most_wrong().iter().take(count) {
        let Some(text) = held_out.texts.get_mut(&listed.row) else {
            continue;
        };
        let explaining = Explaining::default();
        let explained =
            classifier.explain(&text.first, text.second.as_deref(), &encoder, &explaining);
        let explanation = match explained {
            Err(InferError::NothingToExplain) => continue,
            other => other?,
        };
        let strongest = explanation.words.iter().map(|word| word.attribution.abs());
        let strongest = strongest.fold(f64::MIN_POSITIVE, f64::max);
        let words = explanation.words.iter().take(MOST_WORDS).map(|word| Word {
            text: word.text,
            start: word.start,
            end: word.end,
            share: word.attribution / strongest,
        });
        text.words = words.collect();
    }
    Ok(())
}
