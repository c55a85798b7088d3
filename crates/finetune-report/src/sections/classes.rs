//! Precision, recall and F1 of each class.

use finetune_metrics::{ConfusionMatrix, MultiLabelAccumulator, Scores};
use finetune_task::Labels;
use maud::html;

use super::Section;
use crate::{
    HeldOut, ReportError, RunFacts,
    format::{count, decimals},
    plots::{Table, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let rows = match (held_out.confusion_matrix()?, &held_out.targets) {
        (Some(matrix), _) => of_classes(held_out, &matrix),
        (None, Labels::MultiLabel { .. }) => of_labels(held_out)?,
        _ => return Ok(None),
    };
    let rows = rows.into_iter().map(|(name, scores)| {
        vec![
            name,
            decimals(scores.precision),
            decimals(scores.recall),
            decimals(scores.f1),
            count(scores.support),
        ]
    });
    let head = ["class", "precision", "recall", "F1", "rows"];
    let content = Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    };
    Ok(Some(Section {
        id: "classes",
        title: "Classes",
        body: html! { (table("Scores of each class", &content)) },
    }))
}

fn of_classes(held_out: &HeldOut, matrix: &ConfusionMatrix) -> Vec<(String, Scores)> {
    let names = (0..matrix.classes()).map(|class| held_out.name(class));
    let mut rows: Vec<_> = names.zip(matrix.per_class()).collect();
    rows.push(("macro average".into(), matrix.macro_average()));
    rows.push(("weighted average".into(), matrix.weighted_average()));
    rows
}

fn of_labels(held_out: &HeldOut) -> Result<Vec<(String, Scores)>, ReportError> {
    let summary = accumulated(held_out)?.summary();
    Ok(summary.per_class.0)
}

/// Returns the rows of a multi-label task as metrics take them.
pub(super) fn accumulated(held_out: &HeldOut) -> Result<MultiLabelAccumulator, ReportError> {
    let names = (0..held_out.outputs).map(|label| held_out.name(label));
    let mut all = MultiLabelAccumulator::new(names.collect());
    all.reserve(held_out.rows());
    if !held_out.thresholds.is_empty() {
        all.set_thresholds(&held_out.thresholds)?;
    }
    if let Labels::MultiLabel { width, values } = &held_out.targets {
        for (row, marks) in values.chunks_exact((*width).max(1)).enumerate() {
            all.update(held_out.row(row), marks, 0.0)?;
        }
    }
    Ok(all)
}
