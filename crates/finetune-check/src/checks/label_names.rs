//! `label-names`: classes whose names differ only in case, blanks or forms of characters.

use std::collections::BTreeMap;

use crate::checks::Facts;
use crate::finding::{Finding, Severity};
use crate::scan::fold::folded;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let names = facts.data.task.map_or(&[][..], |task| task.class_names());
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (class, name) in names.iter().enumerate() {
        alike.entry(folded(name)).or_default().push(class);
    }
    let rows = |class: usize| -> u64 {
        let parts = facts.scan.parts.iter();
        parts.filter_map(|part| part.classes.get(class)).sum()
    };
    let details: Vec<String> = alike
        .into_values()
        .filter(|classes| classes.len() > 1)
        .map(|classes| {
            let named = classes
                .iter()
                .map(|class| format!("{:?} ({} rows)", names[*class], rows(*class)));
            named.collect::<Vec<_>>().join(" and ")
        })
        .collect();
    if details.is_empty() {
        return Vec::new();
    }
    let summary = "classes differ only in case, blanks or forms of characters, and are learned as different ones; write each name in one way";
    vec![Finding::of_all(
        "label-names",
        Severity::Error,
        summary,
        details,
    )]
}
