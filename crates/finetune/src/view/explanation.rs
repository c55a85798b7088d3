//! Shows the words of a text with what each adds to a prediction.

use std::fmt::Write;

use console::{Style, style};
use finetune_infer::{Attribution, Baseline, Explanation};
use serde_json::{Value, json};

use crate::view::{
    output::printable,
    terminal::{Texts, fit, width},
};

/// Maximum width of a word in columns of the terminal.
const WORD_WIDTH: usize = 32;
/// Backgrounds in the 256 colours of terminals, the strongest last.
const FOR: [u8; 4] = [194, 157, 120, 83];
const AGAINST: [u8; 4] = [224, 217, 210, 203];
/// Words of less than this share of the strongest one's attribution are not coloured.
const FAINT: f64 = 0.05;

fn text_of(texts: &Texts, index: usize) -> &str {
    match index {
        0 => &texts.0,
        _ => texts.1.as_deref().unwrap_or_default(),
    }
}

fn word<'a>(texts: &'a Texts, attribution: &Attribution) -> &'a str {
    let text = text_of(texts, attribution.text);
    text.get(attribution.start..attribution.end)
        .unwrap_or_default()
}

/// Says what is explained, and how much of it the words explain.
fn headline(explanation: &Explanation, is_numeric: bool) -> String {
    let prediction = &explanation.prediction;
    let baseline = match explanation.baseline {
        Baseline::Padding => "padding",
        Baseline::Mask => "masks",
    };
    let what = match is_numeric {
        true if explanation.label.is_empty() => "value".to_string(),
        true => explanation.label.clone(),
        false => {
            let probability = prediction.probabilities.get(explanation.target);
            let probability = probability.copied().unwrap_or(f32::NAN);
            format!("{} {probability:.4}, logit", explanation.label)
        }
    };
    format!(
        "{what} {:.4} = {:.4} of {baseline} {:+.4} of the words ({:.1} % unexplained, {} points)",
        explanation.output,
        explanation.baseline_output,
        explanation.difference(),
        100.0 * explanation.completeness_share(),
        explanation.steps
    )
}

/// Lists the words with numbers.
pub fn plain(texts: &Texts, explanation: &Explanation, is_numeric: bool) -> String {
    let mut shown = format!("{}\n", headline(explanation, is_numeric));
    let words: Vec<_> = explanation
        .words
        .iter()
        .map(|each| word(texts, each))
        .collect();
    let widest = words.iter().map(|word| width(word)).max();
    let widest = widest.unwrap_or(0).min(WORD_WIDTH);
    for (word, each) in words.iter().zip(&explanation.words) {
        let _ = writeln!(shown, "  {}  {:+.4}", fit(word, widest), each.attribution);
    }
    shown.push('\n');
    shown
}

/// Shows the texts with coloured words: green for those that speak for the output, red for those against it.
pub fn coloured(texts: &Texts, explanation: &Explanation, is_numeric: bool) -> String {
    let mut shown = format!(
        "{}\n",
        style(printable(&headline(explanation, is_numeric))).bold()
    );
    let strongest = explanation.words.iter().map(|word| word.attribution.abs());
    let strongest = strongest.fold(f64::MIN_POSITIVE, f64::max);
    for index in 0..=usize::from(texts.1.is_some()) {
        let (text, mut at) = (text_of(texts, index), 0);
        let words = explanation.words.iter();
        for each in words.filter(|word| word.text == index) {
            let Some(before) = text.get(at..each.start) else {
                continue;
            };
            let share = each.attribution / strongest;
            let shade = ((share.abs() * FOR.len() as f64) as usize).min(FOR.len() - 1);
            let shades = if share > 0.0 { FOR } else { AGAINST };
            let colour = match share.abs() < FAINT {
                true => Style::new(),
                false => Style::new().black().on_color256(shades[shade]),
            };
            let word = printable(word(texts, each));
            let _ = write!(shown, "{}{}", printable(before), colour.apply_to(word));
            at = each.end;
        }
        let rest = text.get(at..).unwrap_or_default();
        let rest = match explanation.truncated {
            Some(_) => style(printable(rest)).dim(),
            None => style(printable(rest)),
        };
        let _ = writeln!(shown, "{rest}");
    }
    shown.push('\n');
    shown
}

/// Returns an explanation as JSON.
pub fn json(texts: &Texts, explanation: &Explanation) -> Value {
    let mut json = json!(explanation);
    for (each, value) in explanation
        .words
        .iter()
        .zip(json["words"].as_array_mut().into_iter().flatten())
    {
        value["word"] = json!(word(texts, each));
    }
    json["text"] = json!(texts.0);
    if let Some(second) = &texts.1 {
        json["second_text"] = json!(second);
    }
    json["difference"] = json!(explanation.difference());
    json["completeness_error"] = json!(explanation.completeness_error());
    json["completeness_share"] = json!(explanation.completeness_share());
    json
}

#[cfg(test)]
mod tests {
    use finetune_infer::Prediction;

    use super::*;

    fn explained() -> (Texts, Explanation) {
        let attribution = |start, end, attribution| Attribution {
            text: 0,
            start,
            end,
            attribution,
        };
        let explanation = Explanation {
            words: vec![attribution(2, 6, 2.0), attribution(8, 11, -0.5)],
            tokens: vec![0.0, 2.0, -0.5, 0.0],
            target: 1,
            label: "good".into(),
            output: 1.25,
            baseline_output: -0.25,
            baseline: Baseline::Padding,
            steps: 32,
            truncated: None,
            prediction: Prediction {
                label: "good".into(),
                labels: None,
                confidence: 0.75,
                probabilities: vec![0.25, 0.75],
                logits: vec![0.0, 1.25],
            },
        };
        (("- fine, \u{1b}[1".into(), None), explanation)
    }

    #[test]
    fn words_have_their_numbers_and_texts_are_not_obeyed() {
        let (texts, explanation) = explained();
        let shown = plain(&texts, &explanation, false);
        assert!(shown.contains("good 0.7500, logit 1.2500 = -0.2500 of padding +1.5000 of the words (0.0 % unexplained, 32 points)"), "{shown}");
        assert!(
            shown.contains("  fine") && shown.contains("+2.0000"),
            "{shown}"
        );
        assert!(shown.contains("-0.5000"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        console::set_colors_enabled(true);
        let shown = coloured(&texts, &explanation, false);
        assert!(shown.contains("\\u{1b}"), "{shown}");
        assert!(
            shown.contains("48;5;83mfine") || shown.contains("fine\u{1b}[0m"),
            "{shown}"
        );
        let json = json(&texts, &explanation);
        assert_eq!(json["words"][0]["word"], "fine");
        assert_eq!(json["difference"], 1.5);
        assert_eq!(json["completeness_error"], 0.0);
    }
}
