//! Predictions as columns of a table.

use std::sync::Arc;

use finetune_data::arrow::{
    array::{ArrayRef, Float32Array, ListBuilder, StringArray, StringBuilder},
    datatypes::{DataType, Field, Schema},
};
use finetune_infer::Prediction;
use finetune_models::Task;

/// Columns of predictions, each null where a row has none:
///
/// * of one class per row `prediction`, `confidence` and one `probability_CLASS` per class;
/// * of several the list `prediction` and the probabilities;
/// * of a regression `prediction`, or one `prediction_NAME` per output.
pub struct Columns {
    outputs: Task,
    fields: Vec<Field>,
}

impl Columns {
    /// Columns to stand beside those of `taken`. Where that has one of the same name, the
    /// prediction's gets a number; also gives these pairs of names.
    pub fn new(outputs: &Task, taken: &Schema) -> (Self, Vec<(String, String)>) {
        let mut fields: Vec<Field> = Vec::new();
        let mut renamed = Vec::new();
        for (wanted, data_type) in names(outputs) {
            let is_free = |name: &String| {
                taken.field_with_name(name).is_err()
                    && fields.iter().all(|field| field.name() != name)
            };
            let numbered = (2..).map(|number: u64| format!("{wanted}_{number}"));
            let mut candidates = std::iter::once(wanted.clone()).chain(numbered);
            let name = candidates.find(is_free).unwrap_or_default();
            if name != wanted {
                renamed.push((wanted, name.clone()));
            }
            fields.push(Field::new(name, data_type, true));
        }
        let columns = Self {
            outputs: outputs.clone(),
            fields,
        };
        (columns, renamed)
    }

    /// Their names and types.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Their values.
    pub fn arrays(&self, predictions: &[Option<Prediction>]) -> Vec<ArrayRef> {
        let numbers = |value: &dyn Fn(&Prediction) -> f32| -> ArrayRef {
            let values = predictions.iter().map(|found| found.as_ref().map(value));
            Arc::new(values.collect::<Float32Array>())
        };
        let mut columns: Vec<ArrayRef> = Vec::new();
        match &self.outputs {
            Task::Classes(_) => {
                let labels = predictions.iter();
                let labels = labels.map(|found| found.as_ref().map(|found| found.label.as_str()));
                columns.push(Arc::new(labels.collect::<StringArray>()));
                columns.push(numbers(&|found| found.confidence));
            }
            Task::MultiLabel(_) => {
                let mut lists = ListBuilder::new(StringBuilder::new());
                for found in predictions {
                    let labels = found.as_ref().map(|found| {
                        let labels = found.labels.iter().flatten();
                        labels.map(|label| Some(label.as_str())).collect::<Vec<_>>()
                    });
                    lists.append_option(labels);
                }
                columns.push(Arc::new(lists.finish()));
            }
            Task::Regression(_) => {}
        }
        for output in 0..self.outputs.num_labels() {
            columns.push(match self.outputs {
                Task::Regression(_) => numbers(&|found| found.logits[output]),
                _ => numbers(&|found| found.probabilities[output]),
            });
        }
        columns
    }
}

fn names(outputs: &Task) -> Vec<(String, DataType)> {
    let number = |name: String| (name, DataType::Float32);
    let probabilities = |names: &[String]| {
        let names = names.iter().map(|name| format!("probability_{name}"));
        names.map(number).collect::<Vec<_>>()
    };
    let mut columns = Vec::new();
    match outputs {
        Task::Classes(names) => {
            columns.push(("prediction".into(), DataType::Utf8));
            columns.push(number("confidence".into()));
            columns.extend(probabilities(names));
        }
        Task::MultiLabel(names) => {
            let item = Field::new_list_field(DataType::Utf8, true);
            columns.push(("prediction".into(), DataType::List(Arc::new(item))));
            columns.extend(probabilities(names));
        }
        Task::Regression(names) if names.len() == 1 => {
            columns.push(number("prediction".into()));
        }
        Task::Regression(names) => {
            let names = names.iter().map(|name| format!("prediction_{name}"));
            columns.extend(names.map(number));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["prediction", "prediction_2", "confidence"];
        let taken: Vec<_> = taken
            .map(|name| Field::new(name, DataType::Utf8, true))
            .into();
        let outputs = Task::Classes(vec!["a".into(), "b".into()]);
        let (columns, renamed) = Columns::new(&outputs, &Schema::new(taken));
        let names: Vec<_> = columns
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            names,
            [
                "prediction_3",
                "confidence_2",
                "probability_a",
                "probability_b"
            ]
        );
        assert_eq!(renamed[0], ("prediction".into(), "prediction_3".into()));
        assert_eq!(renamed.len(), 2);
    }
}
