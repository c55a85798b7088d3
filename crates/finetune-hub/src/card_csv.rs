//! Translates a card's CSV options, which are those of pandas' `read_csv`.

use std::collections::BTreeMap;

use serde_json::Value;

/// CSV options; `None` and empty values are unspecified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvSettings {
    /// The character between fields.
    pub delimiter: Option<String>,
    /// The quotes around fields: `double`, `single` or `none`.
    pub quoting: Option<String>,
    /// How a quote is written inside quotes: `backslash`.
    pub escape: Option<String>,
    /// The character that begins a comment line.
    pub comment: Option<String>,
    /// The encoding, by a name that Python or the WHATWG standard uses.
    pub encoding: Option<String>,
    /// The column names.
    pub names: Vec<String>,
    /// Whether the first line is a header, if specified.
    pub has_header: Option<bool>,
}

/// Options that do not affect rows of texts and labels.
const SAYS_NOTHING: [&str; 8] = [
    "description",
    "features",
    "version",
    "drop_labels",
    "engine",
    "low_memory",
    "memory_map",
    "chunksize",
];

impl CsvSettings {
    /// Translates the options of a card's configuration, and returns the names of those that are
    /// not understood or have no equivalent.
    pub(crate) fn of_card(settings: &BTreeMap<String, Value>) -> (Self, Vec<&str>) {
        let mut csv = Self::default();
        let mut others = Vec::new();
        for (name, value) in settings {
            if !SAYS_NOTHING.contains(&name.as_str()) && !csv.take(name, value) {
                others.push(name.as_str());
            }
        }
        // Quotes that are not doubled must be escaped, or they could not be read.
        if csv.escape.is_none() && settings.get("doublequote") == Some(&Value::Bool(false)) {
            others.push("doublequote");
        }
        (csv, others)
    }

    /// Returns whether no option is specified.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Applies one option; returns false if that is not possible. Numbers in a card are parsed as
    /// strings.
    fn take(&mut self, name: &str, value: &Value) -> bool {
        let character = |text: &str| Some(text.to_string()).filter(|text| text.len() == 1);
        match (name, value) {
            // Null means unspecified.
            ("delimiter" | "quotechar" | "escapechar" | "comment" | "encoding", Value::Null)
            | ("names" | "column_names", Value::Null)
            | ("doublequote", Value::Bool(_))
            | ("sep", Value::Null) => true,
            ("sep" | "delimiter", Value::String(text)) => {
                self.delimiter = character(text);
                self.delimiter.is_some()
            }
            // QUOTE_MINIMAL, QUOTE_ALL and QUOTE_NONNUMERIC are read alike.
            ("quoting", Value::String(number)) => match number.as_str() {
                "0" | "1" | "2" => true,
                "3" => {
                    self.quoting = Some("none".into());
                    true
                }
                _ => false,
            },
            ("quotechar", Value::String(text)) => {
                let quoting = match text.as_str() {
                    "\"" => "double",
                    "'" => "single",
                    _ => return false,
                };
                self.quoting.get_or_insert_with(|| quoting.into());
                true
            }
            ("escapechar", Value::String(text)) if text == "\\" => {
                self.escape = Some("backslash".into());
                true
            }
            ("comment", Value::String(text)) => {
                self.comment = character(text);
                self.comment.is_some()
            }
            ("encoding", Value::String(text)) => {
                self.encoding = Some(text.clone());
                true
            }
            ("header", Value::Null) => {
                self.has_header = Some(false);
                true
            }
            ("header", Value::String(line)) if line == "0" => {
                self.has_header = Some(true);
                true
            }
            ("header", Value::String(text)) => text == "infer",
            ("names" | "column_names", Value::Array(names)) => {
                let names = names.iter().map(|name| name.as_str().map(str::to_string));
                match names.collect::<Option<Vec<_>>>() {
                    Some(names) if !names.is_empty() => {
                        self.names = names;
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Describes the options in words: `delimiter ;, encoding latin-1`.
    pub(crate) fn describe(&self) -> String {
        let mut parts = Vec::new();
        for (name, value) in [
            ("delimiter", &self.delimiter),
            ("quoting", &self.quoting),
            ("escape", &self.escape),
            ("comment", &self.comment),
            ("encoding", &self.encoding),
        ] {
            if let Some(value) = value {
                parts.push(match value.as_str() {
                    "\t" => format!("{name} tab"),
                    _ => format!("{name} {value}"),
                });
            }
        }
        if !self.names.is_empty() {
            parts.push(format!("columns {}", self.names.join(", ")));
        }
        match self.has_header {
            Some(false) => parts.push("no header".into()),
            Some(true) if !self.names.is_empty() => parts.push("in place of the header".into()),
            _ => {}
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &str) -> (CsvSettings, Vec<String>) {
        let Value::Object(settings) = crate::yaml::parse(settings).unwrap() else {
            panic!("{settings}");
        };
        let settings: BTreeMap<String, Value> = settings.into_iter().collect();
        let (csv, others) = CsvSettings::of_card(&settings);
        (csv, others.into_iter().map(str::to_string).collect())
    }

    #[test]
    fn settings_of_pandas_are_followed_or_named() {
        let some = |text: &str| Some(text.to_string());
        let (csv, others) = of(
            "sep: \"\\t\"\nquoting: 3\nencoding: latin-1\nheader: null\nnames: [text, label]\ndescription: x\nna_values: [\"-\"]\nskiprows: 1",
        );
        let expected = CsvSettings {
            delimiter: some("\t"),
            quoting: some("none"),
            encoding: some("latin-1"),
            names: vec!["text".into(), "label".into()],
            has_header: Some(false),
            ..CsvSettings::default()
        };
        assert_eq!(csv, expected);
        assert_eq!(others, ["na_values", "skiprows"]);
        assert_eq!(
            csv.describe(),
            "delimiter tab, quoting none, encoding latin-1, columns text, label, no header"
        );
        let (csv, others) = of(
            "delimiter: ;\nquotechar: \"'\"\nescapechar: \\\ndoublequote: false\nheader: 0\ncolumn_names: [a]\ncomment: \"#\"",
        );
        assert_eq!(
            (csv.quoting, csv.escape),
            (some("single"), some("backslash"))
        );
        assert_eq!((csv.comment, csv.has_header), (some("#"), Some(true)));
        assert!(others.is_empty(), "{others:?}");
        // Without quoting, the quote character does not matter.
        let (csv, _) = of("quotechar: \"'\"\nquoting: 3");
        assert_eq!(csv.quoting, some("none"));
    }

    #[test]
    fn what_has_no_equivalent_is_named() {
        for setting in [
            "sep: \"::\"",
            "sep: \",|;\"",
            "header: 2",
            "header: [0, 1]",
            "quoting: 7",
            "quotechar: \"|\"",
            "escapechar: ^",
            "doublequote: false",
            "names: []",
            "skiprows: 3",
        ] {
            let (csv, others) = of(setting);
            let name = setting.split_once(':').map(|(name, _)| name.to_string());
            assert_eq!(others, name.as_slice(), "{setting}");
            assert!(csv.is_default(), "{setting}");
        }
        for setting in [
            "header: infer",
            "quoting: 0",
            "comment: null",
            "features: []",
        ] {
            let (csv, others) = of(setting);
            assert!(csv.is_default() && others.is_empty(), "{setting}");
        }
    }
}
