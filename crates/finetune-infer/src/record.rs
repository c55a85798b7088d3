//! An evaluation as stored in files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Evaluation;

/// The metrics of an evaluation as the event log, checkpoint state and `results.json` store them.
/// The record does not name the task: a reader knows it from the run's plan or the model. An
/// undefined metric is null in the file and has no value here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EvaluationRecord(Map<String, Value>);

impl EvaluationRecord {
    /// Converts an evaluation to its stored form.
    pub(crate) fn of(evaluation: &Evaluation) -> Self {
        match serde_json::to_value(evaluation) {
            Ok(Value::Object(metrics)) => Self(metrics),
            _ => Self::default(),
        }
    }

    /// Returns the value of a metric by name; `None` if it is undefined or absent.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// Returns whether there is a metric with this name, defined or not.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the defined metrics that are a single number, by name.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let metrics = self.0.iter().filter(|(name, _)| *name != Self::ROWS);
        metrics.filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)))
    }

    /// Returns the number of rows that were evaluated.
    pub fn rows(&self) -> u64 {
        self.0.get(Self::ROWS).and_then(Value::as_u64).unwrap_or(0)
    }

    /// The key of the number of rows, which is not a metric.
    const ROWS: &str = "rows";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_metrics_round_trip_as_null() {
        let json = r#"{"rows":3,"loss":0.1,"roc_auc":null,"per_class":{"a":{"f1":1.0}}}"#;
        let record: EvaluationRecord = serde_json::from_str(json).unwrap();
        assert_eq!(record.rows(), 3);
        assert_eq!(record.get("loss"), Some(0.1));
        assert_eq!(record.get("roc_auc"), None);
        assert!(record.has("roc_auc") && !record.has("mse"));
        assert_eq!(record.values().collect::<Vec<_>>(), [("loss", 0.1)]);
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
    }
}
