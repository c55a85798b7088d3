//! An evaluation as files have it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Evaluation;

/// The metrics of an evaluation as the event log, a checkpoint's state and the results have them.
/// It does not say whose task they are of: whoever reads it knows that from the run's plan or the
/// model. What is undefined is null there, and has no value here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EvaluationRecord(Map<String, Value>);

impl EvaluationRecord {
    pub(crate) fn of(evaluation: &Evaluation) -> Self {
        match serde_json::to_value(evaluation) {
            Ok(Value::Object(metrics)) => Self(metrics),
            _ => Self::default(),
        }
    }

    /// The value of a metric by its name; `None` where it is undefined or there is none.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// Whether there is a metric of this name, defined or not.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The metrics that are defined and one number each, by name.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let metrics = self.0.iter().filter(|(name, _)| *name != Self::ROWS);
        metrics.filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)))
    }

    /// Number of rows that were evaluated.
    pub fn rows(&self) -> u64 {
        self.0.get(Self::ROWS).and_then(Value::as_u64).unwrap_or(0)
    }

    /// The key of the number of rows, which is no metric.
    const ROWS: &str = "rows";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_null_and_comes_back() {
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
