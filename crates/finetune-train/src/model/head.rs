//! Reuse of a trained head for other outputs.

use std::path::Path;

use finetune_data::{MatchRule, NameList, labels_argument, match_names, mismatch, name_numbers};
use finetune_infer::AdapterOutputs;
use finetune_models::Task;

use crate::{BaseModel, ModelSettings, TrainError, TrainPlan};

/// The origin of the head for new outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The head of the model; output `i` is the model's output `order[i]`.
    Kept {
        order: Vec<usize>,
        /// A note for the user on how the names were matched.
        note: Option<String>,
    },
    /// A randomly initialized head, and why the model's head was not used.
    Fresh { why: String },
}

impl Head {
    /// Chooses the head for the outputs `wanted` of a model with a head for `own`. The head is kept if
    /// both have the same problem type and each name has a counterpart, in any order, by the rules of
    /// [`match_names`]; numbers match only if neither side has names. A single number needs no name.
    pub fn choose(own: &Task, wanted: &Task, by_position: bool) -> Self {
        if own.problem_type() != wanted.problem_type() {
            return Self::Fresh {
                why: format!(
                    "it is for {} ({}), but the labels are for {} ({})",
                    own.problem_type(),
                    shown(own.names()),
                    wanted.problem_type(),
                    shown(wanted.names())
                ),
            };
        }
        if wanted.is_single_number() && own.is_single_number() {
            let other = own.names() != wanted.names();
            return Self::Kept {
                order: vec![0],
                note: other.then(|| {
                    format!(
                        "the model's head is kept: {} is the number that it predicts, called {} there; --reset-head begins with a new one",
                        shown(wanted.names()),
                        shown(own.names())
                    )
                }),
            };
        }
        let found = NameList {
            whose: "the labels of the data",
            names: wanted.names(),
        };
        let names = NameList {
            whose: "the outputs of the model's head",
            names: own.names(),
        };
        let matched = match match_names(found, names, by_position) {
            Ok(matched) => matched,
            Err(error) => {
                return Self::Fresh {
                    why: error.to_string(),
                };
            }
        };
        let unnamed = name_numbers(wanted.names()).is_some() && name_numbers(own.names()).is_some();
        if matched.rule == MatchRule::Numbered && !unnamed {
            return Self::Fresh {
                why: mismatch(found, names).to_string(),
            };
        }
        match matched.one_to_one(own.num_labels()) {
            Some(order) => Self::Kept {
                order,
                note: matched.note(found, names).map(|note| note.to_string()),
            },
            None => Self::Fresh {
                why: partly(found, names),
            },
        }
    }
}

/// Lists names, or the first of many.
fn shown(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(12).map(String::as_str).collect();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// Refuses a model or adapter that this program has trained for other labels than the plan's, unless the
/// plan asks for a new head. Where either side has numbers instead of names, and for models from
/// elsewhere, [`prepare`](crate::prepare) decides, and says so.
///
/// # Errors
/// Fails with [`TrainError::OtherLabels`], or if a file cannot be read.
pub fn check_head(plan: &TrainPlan, base: &BaseModel) -> Result<(), TrainError> {
    let adapter = plan.model.adapter.as_ref().map(Path::new);
    let trained = adapter.unwrap_or(&base.directory);
    if plan.model.reset_head || ModelSettings::read(trained)?.is_none() {
        return Ok(());
    }
    let own = match adapter {
        None => base.config.outputs.clone(),
        Some(adapter) => {
            let own = AdapterOutputs::read(adapter, &base.config)?;
            if !own.own_head {
                return Ok(());
            }
            own.outputs
        }
    };
    let wanted = plan.outputs();
    let has_names = |task: &Task| name_numbers(task.names()).is_none();
    match Head::choose(&own, &wanted, plan.data.labels_by_position) {
        Head::Fresh { why } if has_names(&own) && has_names(&wanted) => {
            Err(TrainError::OtherLabels {
                model: trained.into(),
                why,
            })
        }
        _ => Ok(()),
    }
}

/// Explains why names that match only partly do not make a head.
fn partly(found: NameList<'_>, own: NameList<'_>) -> String {
    let is_part = found.names.iter().all(|name| own.names.contains(name));
    let way_out = match labels_argument(own.names).filter(|_| is_part) {
        Some(typed) => format!("; --labels {typed} keeps it"),
        None => String::new(),
    };
    format!(
        "{} ({}) are not {} ({}){way_out}",
        found.whose,
        shown(found.names),
        own.whose,
        shown(own.names)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Task {
        Task::Classes(names.iter().map(ToString::to_string).collect())
    }

    fn order(own: &[&str], wanted: &[&str], by_position: bool) -> Option<Vec<usize>> {
        match Head::choose(&classes(own), &classes(wanted), by_position) {
            Head::Kept { order, .. } => Some(order),
            Head::Fresh { .. } => None,
        }
    }

    #[test]
    fn a_head_is_kept_by_name() {
        let own = ["negative", "neutral", "positive"];
        for (wanted, expected) in [
            (own, Some(vec![0, 1, 2])),
            (["positive", "negative", "neutral"], Some(vec![2, 0, 1])),
            (["Positive", "NEGATIVE", " neutral"], Some(vec![2, 0, 1])),
            (["positive", "negative", "mixed"], None),
            (["good", "bad", "so-so"], None),
        ] {
            assert_eq!(order(&own, &wanted, false), expected, "{wanted:?}");
        }
        assert_eq!(order(&own, &own[..2], false), None);
        assert_eq!(order(&own, &["a", "b", "c"], true), Some(vec![0, 1, 2]));
        let unnamed = ["LABEL_0", "LABEL_1"];
        assert_eq!(order(&unnamed, &["0", "1"], false), Some(vec![0, 1]));
        assert_eq!(order(&unnamed, &["1", "0"], false), Some(vec![1, 0]));
        assert_eq!(order(&unnamed, &["1", "2"], false), None);
        assert_eq!(order(&unnamed, &["0", "1", "2"], false), None);
        // Nothing says that the first of these is the first of those.
        assert_eq!(order(&unnamed, &["no", "yes"], false), None);
        assert_eq!(order(&["no", "yes"], &["0", "1"], false), None);
        assert_eq!(order(&unnamed, &["no", "yes"], true), Some(vec![0, 1]));
    }

    #[test]
    fn a_reinitialized_head_is_explained() {
        let why = |own: &Task, wanted: &Task| match Head::choose(own, wanted, false) {
            Head::Fresh { why } => why,
            kept => panic!("{kept:?}"),
        };
        let own = classes(&["a", "b", "c"]);
        let why_part = why(&own, &classes(&["a", "b"]));
        for part in ["(a, b)", "(a, b, c)", "--labels a,b,c keeps it"] {
            assert!(why_part.contains(part), "{why_part}");
        }
        let why_other = why(&own, &classes(&["x", "y", "z"]));
        assert!(why_other.contains("--labels-by-position"), "{why_other}");
        let many = Task::MultiLabel(own.names().to_vec());
        assert!(why(&own, &many).contains("multi_label_classification"));
    }

    #[test]
    fn numbers_are_kept_by_name_or_alone() {
        let numbers =
            |names: &[&str]| Task::Regression(names.iter().map(ToString::to_string).collect());
        let choose =
            |own: &[&str], wanted: &[&str]| Head::choose(&numbers(own), &numbers(wanted), false);
        let Head::Kept { order, note } = choose(&["LABEL_0"], &["score"]) else {
            panic!("a number needs no name");
        };
        assert_eq!(order, [0]);
        let note = note.unwrap();
        assert!(note.contains("score") && note.contains("LABEL_0"), "{note}");
        let same = Head::Kept {
            order: vec![0],
            note: None,
        };
        assert_eq!(choose(&["score"], &["score"]), same);
        let kept = Head::Kept {
            order: vec![1, 0],
            note: None,
        };
        assert_eq!(choose(&["length", "warmth"], &["warmth", "length"]), kept);
        assert!(matches!(choose(&["a", "b"], &["a"]), Head::Fresh { .. }));
    }
}
