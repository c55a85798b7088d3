//! The rows that are most wrong and those of which the model is least certain, with their texts.

use finetune_task::Labels;
use maud::{Markup, html};

use super::Section;
use crate::{
    HeldOut, ListedRow, ReportError, RowText, RunFacts, Word,
    format::{cut, decimals, visible},
};

/// The most characters of a text.
const MOST_CHARACTERS: usize = 1200;

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let (wrong, uncertain) = (held_out.most_wrong(), held_out.least_certain());
    let measure = match held_out.targets {
        Labels::Values { .. } => "error",
        Labels::MultiLabel { .. } => "error in all labels",
        _ => "confidence",
    };
    let title = match held_out.targets {
        Labels::Values { .. } => "Largest errors",
        Labels::MultiLabel { .. } => "Most wrong label sets",
        _ => "Most confident errors",
    };
    let is_explained = held_out.texts.values().any(|text| !text.words.is_empty());
    let body = html! {
        label.search hidden { "Search in these rows " input type="search" autocomplete="off"; }
        @if is_explained {
            p.note { "Coloured words speak for the prediction (" mark.favours { "so" } ") or against it (" mark.against { "so" }
                "), by integrated gradients." }
        }
        h3 { (title) }
        @if wrong.is_empty() { p { "There are no errors." } }
        @else { (list(held_out, title, measure, &wrong)) }
        @if !uncertain.is_empty() {
            h3 { "Least certain rows" }
            (list(held_out, "Least certain rows", measure, &uncertain))
        }
    };
    Ok(Some(Section {
        id: "rows",
        title: "Rows",
        body,
    }))
}

fn list(held_out: &HeldOut, name: &str, measure: &str, rows: &[ListedRow]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) { table.rows {
            thead { tr { th scope="col" { "text" } th scope="col" { "target" } th scope="col" { "prediction" }
                th scope="col" { (measure) } } }
            tbody { @for row in rows { tr {
                td { @match held_out.texts.get(&row.row) {
                    Some(text) => { (shown(text)) }
                    None => { span.place { "row " (row.row) } }
                } }
                td { (visible(&row.target)) } td { (visible(&row.prediction)) } td { (decimals(row.size)) }
            } } }
        } }
    }
}

fn shown(text: &RowText) -> Markup {
    html! {
        div.text dir="auto" { (coloured(&text.first, 0, &text.words)) }
        @if let Some(second) = &text.second { div.text dir="auto" { (coloured(second, 1, &text.words)) } }
        div.place { (visible(&text.place)) }
    }
}

/// Shows a text with its explained words in colour.
fn coloured(text: &str, index: usize, words: &[Word]) -> Markup {
    let mut at = 0;
    let mut pieces: Vec<(&str, Option<f64>)> = Vec::new();
    for word in words.iter().filter(|word| word.text == index) {
        let (Some(before), Some(inner)) =
            (text.get(at..word.start), text.get(word.start..word.end))
        else {
            continue;
        };
        pieces.extend([(before, None), (inner, Some(word.share))]);
        at = word.end;
    }
    pieces.push((text.get(at..).unwrap_or_default(), None));
    let mut left = MOST_CHARACTERS;
    let pieces = pieces.into_iter().map_while(|(piece, share)| {
        if left == 0 {
            return None;
        }
        let shown = cut(piece, left);
        left = left.saturating_sub(piece.chars().count());
        Some((visible(&shown), share))
    });
    html! { @for (piece, share) in pieces { @match share {
        Some(share) if share.abs() >= 0.05 => {
            mark.(if share > 0.0 { "favours" } else { "against" }) style={ "--share:" (format!("{:.2}", share.abs())) } { (piece) }
        }
        _ => { (piece) }
    } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_coloured_and_long_texts_cut() {
        let word = |start, end, share| Word {
            text: 0,
            start,
            end,
            share,
        };
        let words = [word(0, 4, 1.0), word(5, 8, -0.5), word(9, 11, 0.01)];
        let shown = coloured("good <b> is", 0, &words).into_string();
        assert_eq!(
            shown,
            "<mark class=\"favours\" style=\"--share:1.00\">good</mark> <mark class=\"against\" style=\"--share:0.50\">&lt;b&gt;</mark> is"
        );
        // Words that do not fit the text are left out.
        let other = coloured("é", 0, &[word(1, 9, 1.0)]).into_string();
        assert_eq!(other, "é");
        let long = coloured(&"a".repeat(5000), 0, &[]).into_string();
        assert_eq!(long.chars().count(), MOST_CHARACTERS + 1);
    }
}
