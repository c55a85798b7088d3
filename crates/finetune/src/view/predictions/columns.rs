//! Converts predictions into the columns of a table.

use std::sync::Arc;

use finetune_data::arrow::{
    array::{ArrayRef, Float32Array, ListBuilder, StringArray, StringBuilder},
    datatypes::{self, DataType, Schema},
};
use finetune_infer::{Column, Field, Prediction, objective};
use finetune_models::Task;

/// The columns of predictions, as the [objective](objective::Objective::columns) defines them, with nulls
/// for rows without a prediction.
pub struct Columns {
    columns: Vec<Column>,
    fields: Vec<datatypes::Field>,
}

impl Columns {
    /// Creates columns to add to those of `taken`. A column whose name is taken gets a number; the pairs of
    /// old and new names are returned too.
    pub fn new(outputs: &Task, taken: &Schema) -> (Self, Vec<(String, String)>) {
        let columns = objective::of(outputs.problem_type()).columns(outputs);
        let mut fields: Vec<datatypes::Field> = Vec::new();
        let mut renamed = Vec::new();
        for column in &columns {
            let wanted = &column.name;
            let is_free = |name: &String| {
                taken.field_with_name(name).is_err()
                    && fields.iter().all(|field| field.name() != name)
            };
            let numbered = (2..).map(|number: u64| format!("{wanted}_{number}"));
            let mut candidates = std::iter::once(wanted.clone()).chain(numbered);
            let name = candidates.find(is_free).unwrap_or_default();
            if name != *wanted {
                renamed.push((wanted.clone(), name.clone()));
            }
            fields.push(datatypes::Field::new(name, data_type(column.field), true));
        }
        (Self { columns, fields }, renamed)
    }

    /// Returns the names and types of the columns.
    pub fn fields(&self) -> &[datatypes::Field] {
        &self.fields
    }

    /// Returns the values of the columns.
    pub fn arrays(&self, predictions: &[Option<Prediction>]) -> Vec<ArrayRef> {
        let columns = self.columns.iter();
        columns
            .map(|column| array(column.field, predictions))
            .collect()
    }
}

/// Returns the type of a column.
fn data_type(field: Field) -> DataType {
    match field {
        Field::Label => DataType::Utf8,
        Field::Labels => {
            let item = datatypes::Field::new_list_field(DataType::Utf8, true);
            DataType::List(Arc::new(item))
        }
        Field::Confidence | Field::Probability(_) | Field::Output(_) => DataType::Float32,
    }
}

/// Returns the values of a column.
fn array(field: Field, predictions: &[Option<Prediction>]) -> ArrayRef {
    match field {
        Field::Label => {
            let labels = predictions.iter();
            let labels = labels.map(|prediction| {
                prediction
                    .as_ref()
                    .map(|prediction| prediction.label.as_str())
            });
            Arc::new(labels.collect::<StringArray>())
        }
        Field::Labels => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for prediction in predictions {
                let labels = prediction.as_ref().map(|prediction| {
                    let labels = prediction.labels.iter().flatten();
                    labels.map(|label| Some(label.as_str())).collect::<Vec<_>>()
                });
                lists.append_option(labels);
            }
            Arc::new(lists.finish())
        }
        number => {
            let values = predictions.iter();
            let values = values.map(|prediction| number.number(prediction.as_ref()?));
            Arc::new(values.collect::<Float32Array>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_names_get_a_number() {
        let taken = ["prediction", "prediction_2", "confidence"];
        let taken: Vec<_> = taken
            .map(|name| datatypes::Field::new(name, DataType::Utf8, true))
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
