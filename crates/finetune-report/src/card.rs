//! A model card: what a saved model is, in the form that the Hugging Face hub reads.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::format::{count, decimals, visible};

/// By this comment at its end a card of ours is known to be unchanged.
const MARK: &str = "<!-- finetune: ";

/// What a card says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// Its headline.
    pub title: String,
    /// What was trained on what, in a sentence or two.
    pub description: String,
    /// The licence, if it is known.
    pub license: Option<String>,
    /// The base model's name on the hub.
    pub base_model: Option<String>,
    /// Names of data sets on the hub.
    pub datasets: Vec<String>,
    /// Further tags.
    pub tags: Vec<String>,
    /// The hub's name of the task.
    pub pipeline_tag: &'static str,
    /// The library that opens the model.
    pub library_name: &'static str,
    /// The data set of the metrics, in words.
    pub dataset: String,
    /// The split of the metrics.
    pub split: String,
    /// Number of rows of the split.
    pub rows: u64,
    /// The metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// Settings: what, and its value.
    pub settings: Vec<(String, String)>,
    /// Python code that uses the model.
    pub usage: String,
}

impl Card {
    /// Returns the card as Markdown with a YAML header.
    pub fn to_markdown(&self) -> String {
        let mut text = self.header();
        let line = |text: &str| visible(&text.replace(['\n', '\r'], " "));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n# {}\n\n{}\n",
            escaped(&line(&self.title)),
            escaped(&line(&self.description))
        );
        if !self.metrics.is_empty() {
            let _ = write!(
                text,
                "\n## Results\n\nOn {} {} rows of {}.\n\n| metric | value |\n|---|---:|\n",
                count(self.rows),
                line(&self.split),
                escaped(&line(&self.dataset))
            );
            for (name, value) in &self.metrics {
                let _ = writeln!(text, "| {} | {} |", escaped(&line(name)), decimals(*value));
            }
        }
        if !self.settings.is_empty() {
            text += "\n## Training\n\n| setting | value |\n|---|---|\n";
            for (name, value) in &self.settings {
                let _ = writeln!(
                    text,
                    "| {} | {} |",
                    escaped(&line(name)),
                    escaped(&line(value))
                );
            }
        }
        if !self.usage.is_empty() {
            let _ = write!(
                text,
                "\n## Use\n\n```python\n{}\n```\n",
                visible(self.usage.trim_end())
            );
        }
        text += "\nTrained with finetune.\n\n";
        let hash = hash(&text);
        let _ = writeln!(text, "{MARK}{hash} -->");
        text
    }

    /// Returns whether a card is one that [`to_markdown`](Self::to_markdown) made and nobody has changed since.
    pub fn is_unchanged(card: &str) -> bool {
        let parts = card.rsplit_once(MARK);
        parts.is_some_and(|(text, mark)| mark.trim_end().strip_suffix(" -->") == Some(&hash(text)))
    }

    fn header(&self) -> String {
        // A string of JSON is one of YAML too.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut yaml = String::from("---\n");
        if let Some(license) = &self.license {
            let _ = writeln!(yaml, "license: {}", quoted(license));
        }
        if let Some(base) = &self.base_model {
            let _ = writeln!(yaml, "base_model: {}", quoted(base));
        }
        let mut list = |key: &str, values: &[String]| {
            if !values.is_empty() {
                let _ = writeln!(yaml, "{key}:");
                for value in values {
                    let _ = writeln!(yaml, "- {}", quoted(value));
                }
            }
        };
        list("datasets", &self.datasets);
        list("tags", &self.tags);
        let names: Vec<_> = self.metrics.iter().map(|(name, _)| name.clone()).collect();
        list("metrics", &names);
        let _ = writeln!(yaml, "pipeline_tag: {}", self.pipeline_tag);
        let _ = writeln!(yaml, "library_name: {}", self.library_name);
        if !self.metrics.is_empty() {
            let source = self.datasets.first().unwrap_or(&self.dataset);
            let _ = write!(
                yaml,
                "model-index:\n- name: {}\n  results:\n  - task:\n      type: {}\n    dataset:\n      name: {}\n      \
                 type: {}\n      split: {}\n    metrics:\n",
                quoted(&self.title),
                self.pipeline_tag,
                quoted(&self.dataset),
                quoted(source),
                quoted(&self.split)
            );
            for (name, value) in &self.metrics {
                let name = quoted(name);
                let _ = writeln!(
                    yaml,
                    "    - type: {name}\n      name: {name}\n      value: {value}"
                );
            }
        }
        yaml + "---\n"
    }
}

/// Escapes what Markdown or HTML would obey.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '&' => shown += "&amp;",
            '\\' | '`' | '*' | '[' | ']' | '|' | '#' => shown.extend(['\\', c]),
            c => shown.push(c),
        }
    }
    shown
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            title: "a | model: \"x\"\n---".into(),
            description: "<script> of *stars*".into(),
            license: Some("mit".into()),
            base_model: Some("owner/base".into()),
            datasets: vec!["imdb".into()],
            tags: vec!["finetune".into()],
            pipeline_tag: "text-classification",
            library_name: "transformers",
            dataset: "imdb".into(),
            split: "test".into(),
            rows: 1066,
            metrics: vec![("accuracy".into(), 0.75)],
            settings: vec![("seed".into(), "42".into())],
            usage: "pipeline()".into(),
        }
    }

    #[test]
    fn the_header_is_yaml_and_the_text_stays_text() {
        let text = card().to_markdown();
        let header = text
            .strip_prefix("---\n")
            .unwrap()
            .split("\n---\n")
            .next()
            .unwrap();
        for line in [
            "license: \"mit\"",
            "base_model: \"owner/base\"",
            "datasets:\n- \"imdb\"",
            "pipeline_tag: text-classification",
            "- name: \"a | model: \\\"x\\\"\\n---\"",
            "      value: 0.75",
        ] {
            assert!(header.contains(line), "{line} in {header}");
        }
        assert!(
            text.contains("\n# a \\| model: \"x\" ---\n\n&lt;script&gt; of \\*stars\\*\n"),
            "{text}"
        );
        assert!(text.contains("On 1,066 test rows of imdb."), "{text}");
    }

    #[test]
    fn a_changed_card_is_known() {
        let text = card().to_markdown();
        assert!(Card::is_unchanged(&text));
        assert!(!Card::is_unchanged(&text.replace("1,066", "1,067")));
        assert!(!Card::is_unchanged("# My model\n"));
        assert!(!Card::is_unchanged(&format!("{text}\nMine.\n")));
    }
}
