//! The probabilities from which labels count as predicted, and better ones.

use finetune_task::Labels;
use maud::html;

use super::{Section, classes::accumulated};
use crate::{
    ReportError, RunFacts,
    format::decimals,
    plots::{Table, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let Labels::MultiLabel { .. } = held_out.targets else {
        return Ok(None);
    };
    let all = accumulated(held_out)?;
    let (now, best) = (all.summary(), all.best_thresholds());
    let scores = now.per_class.0.iter().zip(all.thresholds());
    let better = best.per_class.iter().zip(&best.f1_per_class);
    let rows = scores
        .zip(better)
        .map(|(((name, scores), threshold), (best, f1))| {
            let numbers = [*threshold, scores.f1, *best, *f1].map(decimals);
            [&[name.clone()][..], &numbers[..]].concat()
        });
    let head = [
        "label",
        "threshold",
        "F1",
        "best threshold here",
        "F1 there",
    ];
    let content = Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    };
    let body = html! {
        p { "A label is predicted from its threshold on. The best ones were found on the same rows that they are judged "
            "by here, so they look better than they are; choose thresholds on validation rows with "
            code { "finetune evaluate RUN --find-thresholds" } "." }
        (table("Thresholds of each label", &content))
    };
    Ok(Some(Section {
        id: "thresholds",
        title: "Thresholds",
        body,
    }))
}
