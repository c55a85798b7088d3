//! Whether runs can be compared, and by which metric.

use super::{
    facts::{EvaluationFacts, RunFacts},
    group::Group,
};
use crate::CompareError;

pub(super) fn check_tasks(groups: &[Group]) -> Result<(), CompareError> {
    let mut runs = groups.iter().flat_map(|group| &group.runs);
    let Some(first) = runs.next() else {
        return Ok(());
    };
    let Some(other) = runs.find(|run| run.task != first.task) else {
        return Ok(());
    };
    let shown = |run: &RunFacts| match run.task.labels.is_empty() {
        true => run.task.kind.clone(),
        false => format!("{} of {}", run.task.kind, run.task.labels.join(", ")),
    };
    Err(CompareError::Incomparable {
        problem: format!(
            "{} and {} have different tasks, whose metrics cannot be compared: {}; and {}",
            first.name,
            other.name,
            shown(first),
            shown(other)
        ),
    })
}

pub(super) fn check_seeds(groups: &[Group]) -> Result<(), CompareError> {
    for group in groups {
        for (number, run) in group.runs.iter().enumerate() {
            let mut others = group.runs[..number].iter();
            if let Some(other) = others.find(|other| other.seed == run.seed) {
                return Err(CompareError::Incomparable {
                    problem: format!(
                        "{} and {} are the same variant ({}) with the same seed ({}), and would count twice; \
                         leave one out, or give them different names as NAME=RUN",
                        other.name, run.name, group.name, run.seed
                    ),
                });
            }
        }
    }
    Ok(())
}

/// The metric to compare.
pub(super) fn chosen_metric<'a>(
    asked: Option<&str>,
    first: &RunFacts,
    mut runs: impl Iterator<Item = &'a RunFacts>,
    evaluation: &dyn Fn(&RunFacts) -> Option<EvaluationFacts>,
) -> Result<String, CompareError> {
    let names = |run: &RunFacts| -> Vec<String> {
        let metrics = evaluation(run).map(|evaluation| evaluation.metrics);
        metrics
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .collect()
    };
    let known = names(first);
    let wanted = finetune_metrics::bare_name(asked.unwrap_or(&first.metric));
    if !known.iter().any(|name| name == wanted) {
        let nearest = known
            .iter()
            .map(|name| (strsim::jaro_winkler(name, wanted), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let advice = match nearest {
            Some((_, name)) => format!("did you mean {name}?"),
            None => format!("expected one of {}", known.join(", ")),
        };
        return Err(CompareError::Incomparable {
            problem: format!("{} has no metric {wanted:?}; {advice}", first.name),
        });
    }
    match runs.find(|run| !names(run).iter().any(|name| name == wanted)) {
        Some(run) => Err(CompareError::Incomparable {
            problem: format!(
                "{wanted} is undefined for {}, so that it cannot be compared; choose another metric, such as \
                 {}",
                run.name,
                names(run).first().map_or("loss", String::as_str)
            ),
        }),
        None => Ok(wanted.to_owned()),
    }
}
