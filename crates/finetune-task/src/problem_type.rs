//! The kinds of prediction problem.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kind of prediction problem, transformers' `problem_type`. It is parsed from and written as
/// transformers' names; `classification` and `multi_label` are accepted as short forms. By default it is one class
/// per row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ProblemType {
    /// `single_label_classification`: one of several classes per row.
    #[default]
    SingleLabelClassification,
    /// `multi_label_classification`: any number of classes per row.
    MultiLabelClassification,
    /// `regression`: one or several floating-point values per row.
    Regression,
}

/// The error for a name that is not a problem type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no problem type {found:?}; expected single_label_classification (or classification), multi_label_classification (or multi_label), or regression{hint}"
)]
pub struct UnknownProblemType {
    /// The name that was given.
    pub found: String,
    /// `; did you mean …?`, or empty if no name is similar.
    pub hint: String,
}

impl ProblemType {
    /// All problem types.
    pub const ALL: [Self; 3] = [
        Self::SingleLabelClassification,
        Self::MultiLabelClassification,
        Self::Regression,
    ];

    /// Returns the name that transformers uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabelClassification => "single_label_classification",
            Self::MultiLabelClassification => "multi_label_classification",
            Self::Regression => "regression",
        }
    }

    /// Returns the short name.
    pub fn alias(self) -> &'static str {
        match self {
            Self::SingleLabelClassification => "classification",
            Self::MultiLabelClassification => "multi_label",
            Self::Regression => "regression",
        }
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProblemType {
    type Err = UnknownProblemType;

    fn from_str(text: &str) -> Result<Self, UnknownProblemType> {
        let fits = |kind: &Self| [kind.name(), kind.alias()].contains(&text);
        let found = Self::ALL.into_iter().find(fits);
        found.ok_or_else(|| UnknownProblemType {
            found: text.to_owned(),
            hint: nearest(text),
        })
    }
}

/// Returns `; did you mean …?` with the names similar to `text`, or an empty string.
fn nearest(text: &str) -> String {
    let mut near: Vec<(f64, &str)> = Vec::new();
    for kind in ProblemType::ALL {
        for name in [kind.alias(), kind.name()] {
            let similarity = strsim::jaro_winkler(text, name);
            if similarity > 0.75 && near.iter().all(|(_, other)| *other != name) {
                near.push((similarity, name));
            }
        }
    }
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let names: Vec<_> = near.into_iter().take(3).map(|(_, name)| name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", names.join(" or ")),
    }
}

impl TryFrom<String> for ProblemType {
    type Error = UnknownProblemType;

    fn try_from(text: String) -> Result<Self, UnknownProblemType> {
        text.parse()
    }
}

impl From<ProblemType> for &'static str {
    fn from(kind: ProblemType) -> Self {
        kind.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases() {
        for kind in ProblemType::ALL {
            assert_eq!(kind.name().parse::<ProblemType>().unwrap(), kind);
            assert_eq!(kind.alias().parse::<ProblemType>().unwrap(), kind);
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<ProblemType>(&json).unwrap(), kind);
        }
        let error = "multilabel".parse::<ProblemType>().unwrap_err().to_string();
        for part in [
            "\"multilabel\"",
            "single_label_classification",
            "did you mean multi_label",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = serde_json::from_str::<ProblemType>("\"Regression\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean regression?"), "{error}");
    }

    #[test]
    fn errors_list_the_names_and_suggest_similar_ones_only() {
        let error = "clasification".parse::<ProblemType>().unwrap_err();
        assert_eq!(error.found, "clasification");
        assert!(error.hint.contains("did you mean classification"));
        let error = "ranking?".parse::<ProblemType>().unwrap_err();
        assert_eq!(error.hint, "");
        let message = error.to_string();
        for kind in ProblemType::ALL {
            for name in [kind.name(), kind.alias()] {
                assert!(message.contains(name), "{message} lacks {name}");
            }
        }
        assert!("".parse::<ProblemType>().is_err());
        assert!(serde_json::from_str::<ProblemType>("1").is_err());
    }
}
