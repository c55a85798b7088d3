//! Parses dataset cards: the YAML at the head of a README.md, as far as it describes the data
//! files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::HubError;
use crate::yaml;

/// The relevant contents of a card.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Card {
    #[serde(default)]
    configs: Option<Vec<CardConfig>>,
    #[serde(default)]
    dataset_info: Option<Value>,
}

/// One configuration, which selects files.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CardConfig {
    pub config_name: String,
    #[serde(default)]
    pub data_files: Option<DataFiles>,
    #[serde(default)]
    pub data_dir: Option<String>,
    #[serde(default)]
    pub default: Option<bool>,
    /// Options of the Python class that reads the files.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Value>,
}

/// Files by split, or those of a single split.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum DataFiles {
    One(String),
    Many(Vec<DataFile>),
    BySplit(BTreeMap<String, Paths>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum DataFile {
    Path(String),
    Split { split: String, path: Paths },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Paths {
    One(String),
    Many(Vec<String>),
}

impl Paths {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(path) => vec![path],
            Self::Many(paths) => paths,
        }
    }
}

impl DataFiles {
    /// Returns the patterns of each split; without splits, all belong to `train`. Returns `None` if
    /// a split occurs twice, or if some files have a split and others do not.
    pub(crate) fn by_split(self) -> Option<Vec<(String, Vec<String>)>> {
        let train = |paths: Vec<String>| vec![("train".to_string(), paths)];
        let items = match self {
            Self::One(path) => return Some(train(vec![path])),
            Self::BySplit(splits) => {
                let splits = splits.into_iter();
                return Some(
                    splits
                        .map(|(split, paths)| (split, paths.into_vec()))
                        .collect(),
                );
            }
            Self::Many(items) => items,
        };
        let mut splits: Vec<(String, Vec<String>)> = Vec::new();
        let mut plain = Vec::new();
        for item in items {
            match item {
                DataFile::Path(path) => plain.push(path),
                DataFile::Split { split, .. } if splits.iter().any(|(name, _)| *name == split) => {
                    return None;
                }
                DataFile::Split { split, path } => splits.push((split, path.into_vec())),
            }
        }
        match (splits.is_empty(), plain.is_empty()) {
            (false, false) => None,
            (true, _) => Some(train(plain)),
            (false, true) => Some(splits),
        }
    }
}

impl Card {
    /// Parses the head of a README.md, or returns an empty card if there is none. `place` names the
    /// file in errors.
    pub(crate) fn of_readme(place: &str, text: &str) -> Result<Self, HubError> {
        match head(text) {
            Some(head) => Self::of_yaml(place, head),
            None => Ok(Self::default()),
        }
    }

    /// Parses a file that consists of YAML.
    pub(crate) fn of_yaml(place: &str, text: &str) -> Result<Self, HubError> {
        let refuse = |reason: String| HubError::Card {
            place: place.to_string(),
            reason,
        };
        match yaml::parse(text).map_err(refuse)? {
            Value::Null => Ok(Self::default()),
            value => serde_json::from_value(value).map_err(|error| refuse(error.to_string())),
        }
    }

    /// Overrides this card's entries with those of `other`.
    pub(crate) fn overlaid(self, other: Self) -> Self {
        Self {
            configs: other.configs.or(self.configs),
            dataset_info: other.dataset_info.or(self.dataset_info),
        }
    }

    /// Returns whether any configuration lists files.
    pub(crate) fn names_files(&self) -> bool {
        let mut configs = self.configs().iter();
        configs.any(|config| config.data_files.is_some() || config.data_dir.is_some())
    }

    /// Returns whether the card describes the files of the data set at all.
    pub(crate) fn speaks_of_data(&self) -> bool {
        self.dataset_info.is_some() || !self.configs().is_empty()
    }

    pub(crate) fn configs(&self) -> &[CardConfig] {
        self.configs.as_deref().unwrap_or_default()
    }

    /// Returns the class names of each column, if the card lists the features of the configuration.
    pub(crate) fn class_names(&self, config: &str) -> Vec<(String, Vec<String>)> {
        let Some(info) = &self.dataset_info else {
            return Vec::new();
        };
        let all = match info {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let name = |info: &Value| match &info["config_name"] {
            Value::String(name) => name.clone(),
            _ => "default".to_string(),
        };
        let Some(info) = all.iter().find(|info| name(info) == config) else {
            return Vec::new();
        };
        let features = info["features"].as_array().into_iter().flatten();
        features
            .filter_map(|feature| {
                let names = class_label(&feature["dtype"]["class_label"]["names"])?;
                Some((feature["name"].as_str()?.to_string(), names))
            })
            .collect()
    }
}

/// Parses `{'0': neg, '1': pos}` or a list.
fn class_label(names: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match names {
        Value::Array(names) => Some(names.iter().map(text).collect()),
        Value::Object(names) => {
            let by_number = |number: usize| names.get(&number.to_string()).map(text);
            (0..names.len()).map(by_number).collect()
        }
        _ => None,
    }
}

/// Returns the text between an initial line `---` and the next such line.
fn head(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let rest = text.strip_prefix("---")?;
    let rest = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n')?;
    let mut length = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some(&rest[..length]);
        }
        length += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(head: &str) -> Card {
        Card::of_readme("README.md", &format!("---\n{head}\n---\n# Title\n---\n")).unwrap()
    }

    fn splits(config: &CardConfig) -> Vec<(String, Vec<String>)> {
        config.data_files.clone().unwrap().by_split().unwrap()
    }

    fn owned(splits: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let owned = |paths: &[&str]| paths.iter().map(|path| path.to_string()).collect();
        splits
            .iter()
            .map(|(split, paths)| (split.to_string(), owned(paths)))
            .collect()
    }

    #[test]
    fn all_forms_of_data_files_are_read() {
        let card = card(
            "license: mit\nconfigs:\n- config_name: one\n  data_files: data.csv\n\
             - config_name: many\n  data_files:\n  - a/*\n  - b/*\n\
             - config_name: splits\n  default: true\n  sep: \"\\t\"\n  data_files:\n  - split: train\n    path: [a, b]\n  - split: test\n    path: c*\n\
             - config_name: no\n  data_dir: d",
        );
        let configs = card.configs();
        assert_eq!(splits(&configs[0]), owned(&[("train", &["data.csv"])]));
        assert_eq!(splits(&configs[1]), owned(&[("train", &["a/*", "b/*"])]));
        assert_eq!(
            splits(&configs[2]),
            owned(&[("train", &["a", "b"]), ("test", &["c*"])])
        );
        assert_eq!(configs[2].default, Some(true));
        assert_eq!(configs[2].settings["sep"], "\t");
        assert_eq!(configs[3].config_name, "no");
        assert_eq!(configs[3].data_dir.as_deref(), Some("d"));
    }

    #[test]
    fn class_names_come_from_the_features() {
        let names =
            "dtype:\n      class_label:\n        names:\n          '0': neg\n          '1': pos";
        let one = card(&format!(
            "dataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    {names}"
        ));
        let expected = vec![(
            "label".to_string(),
            vec!["neg".to_string(), "pos".to_string()],
        )];
        assert_eq!(one.class_names("default"), expected);
        assert!(one.class_names("other").is_empty());
        let two = card(&format!(
            "dataset_info:\n- config_name: a\n  features:\n  - name: label\n    {names}\n- config_name: b\n  features: []"
        ));
        assert_eq!(two.class_names("a"), expected);
        assert!(two.class_names("b").is_empty());
    }

    #[test]
    fn what_is_no_card_says_nothing_or_why() {
        for text in [
            "",
            "# Title",
            "---\nlicense: mit\n",
            "text\n---\nconfigs: []\n---\n",
        ] {
            assert!(
                Card::of_readme("README.md", text)
                    .unwrap()
                    .configs()
                    .is_empty()
            );
        }
        for head in [
            "configs: 3",
            "configs:\n- data_files: a",
            "configs: [",
            "a: b: c",
        ] {
            let error = Card::of_readme("x/README.md", &format!("---\n{head}\n---\n"));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("x/README.md"), "{error}");
        }
        let twice = card(
            "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: a\n  - split: train\n    path: b",
        );
        assert!(
            twice.configs()[0]
                .data_files
                .clone()
                .unwrap()
                .by_split()
                .is_none()
        );
    }

    /// Each anchor is ten times as large as the previous one: a few hundred bytes that would expand
    /// to gigabytes.
    #[test]
    fn a_card_cannot_grow_without_bounds() {
        let mut head = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            head += &format!(
                "a{level}: &a{level} [{}]\n",
                [below.as_str(); 10].join(", ")
            );
        }
        head += "dataset_info: *a11\n";
        assert!(Card::of_readme("README.md", &format!("---\n{head}---\n")).is_err());
        let deep = format!("---\ndataset_info: {}\n---\n", "[".repeat(100_000));
        assert!(Card::of_readme("README.md", &deep).is_err());
    }
}
