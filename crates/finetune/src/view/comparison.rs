//! Compares two evaluations: before and after training, or of two models.

use std::collections::BTreeMap;

use finetune_infer::{EvaluationRecord, objective};
use finetune_task::ProblemType;
use serde_json::{Map, Value, json};

/// The changes of metrics between two evaluations.
pub struct Comparison {
    changes: Vec<Change>,
}

/// One metric of both evaluations.
struct Change {
    name: String,
    title: String,
    before: Option<f64>,
    after: Option<f64>,
    /// Confidence interval of the difference.
    interval: Option<[f64; 2]>,
}

impl Comparison {
    /// Compares the metrics that best show how two evaluations of a task differ.
    pub fn new(
        problem_type: ProblemType,
        before: &EvaluationRecord,
        after: &EvaluationRecord,
    ) -> Self {
        let metrics = objective::of(problem_type).compared();
        Self::of(before, after, metrics.iter().copied())
    }

    /// Compares the metrics with these names.
    pub fn of_metrics<'a>(
        before: &EvaluationRecord,
        after: &EvaluationRecord,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::of(before, after, names.into_iter().map(|name| (name, name)))
    }

    fn of<'a>(
        before: &EvaluationRecord,
        after: &EvaluationRecord,
        metrics: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let change = |(name, title): (&str, &str)| Change {
            name: name.into(),
            title: title.into(),
            before: before.get(name),
            after: after.get(name),
            interval: None,
        };
        Self {
            changes: metrics.into_iter().map(change).collect(),
        }
    }

    /// Adds confidence intervals of the differences, by name of the metric.
    pub fn with_intervals(mut self, intervals: &BTreeMap<&str, [f64; 2]>) -> Self {
        for change in &mut self.changes {
            change.interval = intervals.get(change.name.as_str()).copied();
        }
        self
    }

    /// Formats one line per metric with its title, both values and the change. `headers` are the titles of
    /// the values.
    pub fn table(&self, headers: [&str; 2]) -> String {
        let titles = self.changes.iter().map(|change| change.title.len());
        let width = titles.max().unwrap_or(0);
        let [first, second] = headers;
        let shown = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
        let rows: Vec<[String; 3]> = self
            .changes
            .iter()
            .map(|change| {
                let difference = change.difference();
                let difference = difference.map_or("-".into(), |value| format!("{value:+.4}"));
                [shown(change.before), shown(change.after), difference]
            })
            .collect();
        let columns = rows
            .iter()
            .flatten()
            .map(String::len)
            .max()
            .unwrap_or(0)
            .max(9);
        let mut text = format!(
            "{:width$}  {first:>columns$}  {second:>columns$}  {:>columns$}",
            "", "change"
        );
        if self.changes.iter().any(|change| change.interval.is_some()) {
            text += "  95 % interval";
        }
        text.push('\n');
        for (change, [before, after, difference]) in self.changes.iter().zip(rows) {
            let title = &change.title;
            text += &format!(
                "{title:width$}  {before:>columns$}  {after:>columns$}  {difference:>columns$}"
            );
            if let Some([low, high]) = change.interval {
                text += &format!("  {low:+.4} to {high:+.4}");
            }
            text.push('\n');
        }
        text
    }

    /// Returns the change and its interval, if there is one, by name of the metric.
    pub fn json(&self) -> Value {
        let changes = self.changes.iter().map(|change| {
            let mut entry = Map::new();
            entry.insert("change".into(), json!(change.difference()));
            if let Some([low, high]) = change.interval {
                entry.insert("low".into(), json!(low));
                entry.insert("high".into(), json!(high));
            }
            (change.name.clone(), Value::Object(entry))
        });
        changes.collect::<Map<_, _>>().into()
    }
}

impl Change {
    fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_the_most_telling_metrics() {
        let record = |json| serde_json::from_value::<EvaluationRecord>(json).unwrap();
        let before = json!({"accuracy": 0.5, "f1_macro": 0.25, "loss": 0.7, "confidence": 0.5125, "f1_micro": 0.5});
        let before = record(before);
        let after = json!({"accuracy": 0.75, "f1_macro": 0.75, "loss": null, "confidence": 0.875, "f1_micro": 0.75});
        let after = record(after);
        let intervals = BTreeMap::from([("accuracy", [-0.05, 0.55])]);
        let comparison = Comparison::new(ProblemType::SingleLabelClassification, &before, &after)
            .with_intervals(&intervals);
        assert_eq!(
            comparison.table(["before", "after"]),
            "                       before      after     change  95 % interval\n\
             accuracy               0.5000     0.7500    +0.2500  -0.0500 to +0.5500\n\
             F1 macro               0.2500     0.7500    +0.5000\n\
             loss                   0.7000          -          -\n\
             average confidence     0.5125     0.8750    +0.3625\n"
        );
        let json = comparison.json();
        assert_eq!(
            json["accuracy"],
            json!({"change": 0.25, "low": -0.05, "high": 0.55})
        );
        assert_eq!(json["loss"], json!({"change": null}));

        let values = json!({"mse": 1.0, "pearson": 0.5, "spearman": 0.5, "mae": 0.5, "rmse": 1.0});
        let values = record(values);
        let table = Comparison::new(ProblemType::Regression, &values, &values).table(["A", "B"]);
        assert!(
            table.contains("Pearson") && !table.contains("interval"),
            "{table}"
        );
        let large = record(json!({"loss": 9.25, "perplexity": 10404.5}));
        let table = Comparison::of_metrics(&large, &large, ["loss", "perplexity"]);
        let table = table.table(["before", "after"]);
        let lengths: Vec<_> = table.lines().map(str::len).collect();
        assert!(
            lengths.iter().all(|length| *length == lengths[0]),
            "{table}"
        );
        let chosen = Comparison::of_metrics(&values, &values, ["rmse"]).table(["A", "B"]);
        assert_eq!(chosen.lines().count(), 2);
    }
}
