//! `finetune fill-mask`: fills masks in texts with their likeliest words.

use std::{
    fmt::Write,
    io::{BufReader, stdin},
    process::ExitCode,
};

use burn::tensor::Device;
use finetune_data::{Columns, Dataset, Error, Place, text_lines};
use finetune_infer::{FillMask, Filling, device};
use serde_json::json;

use crate::{
    cli::{fill_mask_args::FillMaskArguments, interrupt},
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        model::{self, Verification},
        run_model,
    },
    view::{
        output::{print_json, say, show},
        terminal::{fit, width},
    },
};

/// Maximum width of a word in columns of the terminal.
const WORD_WIDTH: usize = 24;

/// A text and where it is from; nowhere if it was typed.
struct Text {
    text: String,
    place: Option<Place>,
}

/// Fills the masks of texts.
///
/// # Errors
/// Fails if the model cannot be read or is no masked language model, or if a text cannot be read or has
/// no mask.
pub fn run(arguments: &FillMaskArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    interrupt::at_once(true);
    let device = device(&arguments.device)?;
    let model = load(arguments, &device)?;
    for text in texts(arguments)? {
        let Text { text, place } = text?;
        if let Some(foreign) = model.foreign_mask(&text) {
            say!(
                "note: {foreign} in the texts is read as {}, the mask token of this model's tokenizer",
                model.mask_token()
            );
        }
        let masks = model.fill(&text, arguments.top_k as usize);
        let masks = masks.map_err(|error| {
            let whence = |problem| match &place {
                Some(place) => format!("{place}: {problem}"),
                None => format!("\"{text}\": {problem}"),
            };
            Failure::from(error).with_message(whence)
        })?;
        if let Some(tokens) = model.truncated(&text)? {
            let whence = place.map_or_else(String::new, |place| format!("{place}: "));
            say!(
                "note: {whence}the text is truncated to {tokens} tokens, which are all that the model reads"
            );
        }
        match arguments.json {
            true => print_json(json!({ "text": text, "masks": masks }))?,
            false => show(&table(&text, &masks))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn load(arguments: &FillMaskArguments, device: &Device) -> Result<FillMask, Failure> {
    let name = run_model::resolve(&arguments.model)?;
    let files = model::find(&name, arguments.revision.as_deref())?;
    let verification = Verification::begin(&files)?;
    let loaded = FillMask::load_on(&files.dir, device);
    verification.wait()?;
    let model = loaded?;
    for note in model.notes() {
        say!("note: {note}");
    }
    Ok(model)
}

/// Opens the texts of the arguments, a file or standard input.
fn texts(
    arguments: &FillMaskArguments,
) -> Result<Box<dyn Iterator<Item = Result<Text, Error>>>, Failure> {
    let row = |row: Result<finetune_data::TextRow, Error>| {
        row.map(|row| Text {
            text: row.first,
            place: Some(row.place),
        })
    };
    if let Some(path) = &arguments.file {
        let options = read_options(arguments.csv.options());
        let dataset = Dataset::open_file_with(path, &options)?;
        let split = dataset.split("train")?;
        say_notes(&dataset.notes());
        let columns = Columns::resolve(&split, &arguments.columns.text_column, &[], false)?;
        if columns.is_pair() {
            return Err(Failure::User(
                "masks are filled in single texts; name one column: --text-column COLUMN".into(),
            ));
        }
        return Ok(Box::new(split.texts(&columns)?.map(row)));
    }
    if arguments.texts.is_empty() {
        let lines = text_lines(BufReader::new(stdin()), "standard input");
        return Ok(Box::new(lines.map(row)));
    }
    let typed = arguments.texts.clone().into_iter();
    Ok(Box::new(typed.map(|text| Ok(Text { text, place: None }))))
}

/// Formats the words of each mask of a text with their probabilities and the whole text.
fn table(text: &str, masks: &[Vec<Filling>]) -> String {
    let mut shown = format!("{text}\n");
    for (number, words) in (1..).zip(masks) {
        if masks.len() > 1 {
            let _ = writeln!(shown, "  mask {number} of {}", masks.len());
        }
        let word = |filling: &Filling| filling.token_str.trim().to_owned();
        let widest = words.iter().map(|filling| width(&word(filling))).max();
        let widest = widest.unwrap_or(0).min(WORD_WIDTH);
        for filling in words {
            let (word, sequence) = (fit(&word(filling), widest), &filling.sequence);
            let _ = writeln!(shown, "  {:.4}  {word}  {sequence}", filling.score);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling(score: f32, word: &str) -> Filling {
        Filling {
            score,
            token: 1,
            token_str: word.into(),
            sequence: format!("a {word} film"),
        }
    }

    #[test]
    fn words_are_aligned_and_several_masks_numbered() {
        let one = vec![filling(0.75, "good"), filling(0.03125, "dreadful")];
        assert_eq!(
            table("a [MASK] film", std::slice::from_ref(&one)),
            "a [MASK] film\n  0.7500  good      a good film\n  0.0312  dreadful  a dreadful film\n"
        );
        let both = table("a [MASK] [MASK]", &[one, vec![filling(1.0, " x")]]);
        assert!(both.contains("  mask 1 of 2\n  0.7500  good "), "{both}");
        assert!(
            both.contains("  mask 2 of 2\n  1.0000  x  a  x film\n"),
            "{both}"
        );
    }
}
