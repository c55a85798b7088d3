//! The kinds of things that a model predicts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a model is to predict, by the names that `problem_type` has in transformers. It reads and
/// writes those names, and reads `classification` and `multi_label` too. By default it is one class
/// per row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ProblemType {
    /// `single_label_classification`: one of several classes per row.
    #[default]
    SingleLabelClassification,
    /// `multi_label_classification`: any number of classes per row.
    MultiLabelClassification,
    /// `regression`: one or several numbers per row.
    Regression,
}

/// A name that no problem type has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no problem type {found:?}; expected single_label_classification (or classification), multi_label_classification (or multi_label), or regression{hint}"
)]
pub struct UnknownProblemType {
    /// The name asked for.
    pub found: String,
    /// `; did you mean …?`, or empty.
    pub hint: String,
}

impl ProblemType {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::SingleLabelClassification,
        Self::MultiLabelClassification,
        Self::Regression,
    ];

    /// The name in transformers.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabelClassification => "single_label_classification",
            Self::MultiLabelClassification => "multi_label_classification",
            Self::Regression => "regression",
        }
    }

    /// The short name.
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

/// `; did you mean …?` with the names that are like `text`, or nothing.
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
}
