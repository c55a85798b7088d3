use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::nearest;

/// What a model is to predict, by the names that `problem_type` has in transformers. It reads and
/// writes those names, and reads `classification` and `multi_label` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ProblemType {
    /// `single_label_classification`: one of several classes per row.
    SingleLabelClassification,
    /// `multi_label_classification`: any number of classes per row.
    MultiLabelClassification,
    /// `regression`: one or several numbers per row.
    Regression,
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
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fits = |kind: &Self| [kind.name(), kind.alias()].contains(&text);
        Self::ALL.into_iter().find(fits).ok_or_else(|| {
            let names: Vec<_> = Self::ALL
                .iter()
                .flat_map(|kind| [kind.alias(), kind.name()])
                .collect();
            Error::ProblemType {
                found: text.to_owned(),
                hint: nearest(text, &names[..5]),
            }
        })
    }
}

impl TryFrom<String> for ProblemType {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
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
