//! A key in which two plans differ, as messages show it.

use std::fmt;

use crate::layout::PLAN;

/// A key with its values in two plans.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The key; nested keys are joined by dots.
    pub key: String,
    /// Its value in the run's plan; empty if the run has none.
    pub saved: String,
    /// Its value now; empty if there is none.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, saved, now } = self;
        match (saved.as_str(), now.as_str()) {
            ("", now) => write!(f, "{key}: not in the run, now {now}"),
            (saved, "") => write!(f, "{key}: {saved} in the run, now gone"),
            (saved, now) => write!(f, "{key}: {saved} in the run, now {now}"),
        }
    }
}

/// Returns the message of [`TrainError::ChangedPlan`](crate::TrainError::ChangedPlan).
pub(crate) fn changed_plan(differences: &[Difference], restore: &[String]) -> String {
    let lines: Vec<_> = differences
        .iter()
        .map(|difference| format!("  {difference}"))
        .collect();
    let accept: Vec<_> = differences
        .iter()
        .map(|difference| format!("--accept {}", difference.key))
        .collect();
    let message = format!(
        "the plan differs from the run's, so the result would match neither:\n{}\nStart another run, or add {} if you know the change to be harmless",
        lines.join("\n"),
        accept.join(" ")
    );
    match restore.is_empty() {
        true => message,
        false => format!(
            "{PLAN} was changed since the last session of the run: {message}. To resume as before, add {}",
            restore.join(" ")
        ),
    }
}
