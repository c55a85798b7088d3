//! A prediction as a JSON object, one per line.

use finetune_task::Task;
use serde_json::{Map, Value, json};

use crate::{Prediction, objective, prediction::by_name};

/// Formats a prediction with the keys `text` (and `text_pair`), `prediction`, for classes also
/// `confidence`, the likeliest class as `label` and `probabilities` by name, and then `logits`. A row
/// without a text has the same keys with null values.
///
/// `prediction` is the class for single-label models, the list of classes for multi-label models,
/// and for regression the value, or an object of values by name if there are several.
pub fn json_line(
    texts: Option<(&str, Option<&str>)>,
    prediction: Option<&Prediction>,
    task: &Task,
) -> String {
    let mut line = Map::new();
    line.insert("text".into(), json!(texts.map(|(first, _)| first)));
    if let Some((_, Some(second))) = texts {
        line.insert("text_pair".into(), json!(second));
    }
    let objective = objective::of(task.problem_type());
    let predicted = prediction.map(|prediction| objective.predicted(prediction, task));
    line.insert("prediction".into(), json!(predicted));
    if !task.class_names().is_empty() {
        line.insert(
            "confidence".into(),
            json!(prediction.map(|prediction| prediction.confidence)),
        );
        line.insert(
            "label".into(),
            json!(prediction.map(|prediction| &prediction.label)),
        );
        let probabilities = prediction.map(|prediction| by_name(task, &prediction.probabilities));
        line.insert("probabilities".into(), json!(probabilities));
    }
    line.insert(
        "logits".into(),
        json!(prediction.map(|prediction| &prediction.logits)),
    );
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use finetune_task::ProblemType;

    use super::*;

    fn task(problem_type: ProblemType) -> Task {
        Task::new(problem_type, vec!["bad".into(), "good".into()])
    }

    #[test]
    fn class_predictions_have_names_and_probabilities() {
        let prediction = Prediction {
            label: "good".into(),
            labels: None,
            confidence: 0.75,
            probabilities: vec![0.25, 0.75],
            logits: vec![-0.5, 0.5],
        };
        let one = task(ProblemType::SingleLabelClassification);
        assert_eq!(
            json_line(Some(("fine", Some("really"))), Some(&prediction), &one),
            r#"{"text":"fine","text_pair":"really","prediction":"good","confidence":0.75,"label":"good","probabilities":{"bad":0.25,"good":0.75},"logits":[-0.5,0.5]}"#
        );
        let several = Prediction {
            labels: Some(vec!["bad".into(), "good".into()]),
            ..prediction
        };
        let line = json_line(
            Some(("fine", None)),
            Some(&several),
            &task(ProblemType::MultiLabelClassification),
        );
        assert!(line.contains(r#""prediction":["bad","good"]"#), "{line}");
    }

    #[test]
    fn a_row_without_a_text_has_all_keys() {
        assert_eq!(
            json_line(None, None, &task(ProblemType::Regression)),
            r#"{"text":null,"prediction":null,"logits":null}"#
        );
        let line = json_line(None, None, &task(ProblemType::SingleLabelClassification));
        assert!(line.contains(r#""probabilities":null"#), "{line}");
    }
}
