//! Predictions as JSON objects, one per line.

use finetune_models::Task;
use finetune_train::Prediction;
use serde_json::{Map, Value, json};

use crate::view::terminal::Texts;

/// `text` (and `text_pair`), `prediction` and, of classes, `confidence`, `probabilities` by name and
/// the likeliest class as `label`; then `logits`. A row without a text has them all, as null.
///
/// `prediction` is the class; of a multi-label model the list of classes; of a regression the
/// number, or an object of several by name.
pub fn line(texts: Option<&Texts>, prediction: Option<&Prediction>, outputs: &Task) -> String {
    let mut line = Map::new();
    line.insert("text".into(), json!(texts.map(|texts| &texts.0)));
    if let Some(second) = texts.and_then(|texts| texts.1.as_ref()) {
        line.insert("text_pair".into(), json!(second));
    }
    let predicted = prediction.map(|prediction| predicted(prediction, outputs));
    line.insert("prediction".into(), json!(predicted));
    if !matches!(outputs, Task::Regression(_)) {
        line.insert(
            "confidence".into(),
            json!(prediction.map(|found| found.confidence)),
        );
        line.insert("label".into(), json!(prediction.map(|found| &found.label)));
        let probabilities = prediction.map(|found| by_name(outputs, &found.probabilities));
        line.insert("probabilities".into(), json!(probabilities));
    }
    line.insert(
        "logits".into(),
        json!(prediction.map(|found| &found.logits)),
    );
    Value::Object(line).to_string()
}

fn predicted(prediction: &Prediction, outputs: &Task) -> Value {
    match outputs {
        Task::Classes(_) => json!(prediction.label),
        Task::MultiLabel(_) => json!(prediction.labels),
        Task::Regression(names) if names.len() == 1 => json!(prediction.logits[0]),
        Task::Regression(_) => by_name(outputs, &prediction.logits),
    }
}

fn by_name(outputs: &Task, values: &[f32]) -> Value {
    let named = outputs.names().iter().cloned().zip(values);
    named
        .map(|(name, value)| (name, json!(value)))
        .collect::<Map<_, _>>()
        .into()
}
