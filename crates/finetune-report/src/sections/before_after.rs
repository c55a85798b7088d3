//! Metrics before and after training, and of teacher and student.

use maud::html;

use super::Section;
use crate::{
    ReportError, RunFacts,
    format::decimals,
    plots::{Table, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    if facts.changes.is_empty() {
        return Ok(None);
    }
    let tables = facts.changes.iter().map(|change| {
        let rows = change.rows.iter().map(|(name, first, second)| {
            let shown = |value: &Option<f64>| value.map_or("–".into(), decimals);
            let difference = first.zip(*second).map(|(first, second)| second - first);
            let difference = difference.map_or("–".into(), |value| format!("{value:+.4}"));
            vec![name.clone(), shown(first), shown(second), difference]
        });
        let [first, second] = &change.columns;
        let head = vec![
            "metric".into(),
            first.clone(),
            second.clone(),
            "difference".into(),
        ];
        let rows = rows.collect();
        (change.title.clone(), Table { head, rows })
    });
    let tables: Vec<_> = tables.collect();
    let body = html! { @for (title, content) in &tables {
        h3 { (title) }
        (table(title, content))
    } };
    Ok(Some(Section {
        id: "before-and-after",
        title: "Before and after",
        body,
    }))
}
