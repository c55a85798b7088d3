//! Shows what a sweep has found: the trials from the best on, and the importance of the keys.

use finetune_sweep::Outcome;

use crate::view::aligned;

/// Formats the tables, the failures and what the tables mean.
pub fn text(outcome: &Outcome) -> String {
    let mut text = format!("\n{}", aligned::table(&outcome.cells(), 0));
    for failure in outcome.failures() {
        text += &format!("{failure}\n");
    }
    let importance = outcome.importance_cells();
    if !importance.is_empty() {
        text += &format!("\n{}", aligned::table(&importance, 1));
    }
    text.push('\n');
    for line in outcome.legend() {
        text += &format!("{line}\n");
    }
    text
}
