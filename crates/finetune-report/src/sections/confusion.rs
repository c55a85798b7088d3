//! The confusion matrix: counts, and shares of each class's rows.

use finetune_metrics::ConfusionMatrix;
use maud::{Markup, html};

use super::Section;
use crate::{
    HeldOut, ReportError, RunFacts,
    format::{count, percent, visible},
    plots::{Table, table},
};

/// Classes beyond which the most frequent confusions are listed instead of the matrix.
const MOST_CLASSES: usize = 24;
/// The number of confusions in that list.
const CONFUSIONS: usize = 40;

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let Some(matrix) = held_out.confusion_matrix()? else {
        return Ok(None);
    };
    let body = match matrix.classes() {
        ..=MOST_CLASSES => whole(held_out, &matrix),
        _ => most_frequent(held_out, &matrix),
    };
    Ok(Some(Section {
        id: "confusion",
        title: "Confusion matrix",
        body,
    }))
}

fn share(matrix: &ConfusionMatrix, target: usize, prediction: usize) -> f64 {
    matrix.count(target, prediction) as f64 / matrix.support(target).max(1) as f64
}

fn whole(held_out: &HeldOut, matrix: &ConfusionMatrix) -> Markup {
    let classes = 0..matrix.classes();
    let cell = |target: usize, prediction: usize| {
        let share = share(matrix, target, prediction);
        let kind = if target == prediction {
            "right"
        } else {
            "wrong"
        };
        html! {
            td.cell.(kind) style={ "--share:" (format!("{share:.3}")) } {
                (count(matrix.count(target, prediction))) br; small { (percent(share)) }
            }
        }
    };
    html! {
        p.note { "A row per true class and a column per prediction, with the number of rows and their share of the true class." }
        div.scroll tabindex="0" role="region" aria-label="Rows by true class and prediction" { table.matrix {
            thead { tr {
                td {} @for class in classes.clone() { th scope="col" { (visible(&held_out.name(class))) } }
                th scope="col" { "rows" }
            } }
            tbody { @for target in classes.clone() { tr {
                th scope="row" { (visible(&held_out.name(target))) }
                @for prediction in classes.clone() { (cell(target, prediction)) }
                td { (count(matrix.support(target))) }
            } } }
        } }
    }
}

fn most_frequent(held_out: &HeldOut, matrix: &ConfusionMatrix) -> Markup {
    let classes = 0..matrix.classes();
    let pairs = classes
        .clone()
        .flat_map(|target| classes.clone().map(move |other| (target, other)));
    let mut pairs: Vec<_> = pairs
        .filter(|(target, other)| target != other && matrix.count(*target, *other) > 0)
        .collect();
    pairs.sort_by_key(|(target, other)| std::cmp::Reverse(matrix.count(*target, *other)));
    let number = pairs.len().min(CONFUSIONS);
    let rows = pairs.iter().take(CONFUSIONS).map(|&(target, other)| {
        vec![
            held_out.name(target),
            held_out.name(other),
            count(matrix.count(target, other)),
            percent(share(matrix, target, other)),
        ]
    });
    let head = [
        "true class",
        "prediction",
        "rows",
        "share of the true class",
    ];
    let content = Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    };
    html! {
        p.note { "The " (number) " most frequent of " (count(pairs.len() as u64)) " kinds of confusions between "
            (matrix.classes()) " classes." }
        (table("Most frequent confusions", &content))
    }
}
