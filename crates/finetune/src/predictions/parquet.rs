//! Predictions as columns of a Parquet file.

use std::{path::Path, sync::Arc};

use finetune_data::{
    ParquetSink,
    arrow::{
        array::{ArrayRef, Float32Array, ListBuilder, StringArray, StringBuilder},
        datatypes::{DataType, Field, Schema},
        record_batch::RecordBatch,
    },
};
use finetune_models::Outputs;
use finetune_train::Prediction;

use crate::{error::Failure, terminal::Texts};

/// A Parquet file of predictions: `text` (and `text_pair`), then
///
/// * of one class per row `label`, `confidence` and one `probability_CLASS` per class;
/// * of several the list `labels` and the probabilities;
/// * of a regression `prediction`, or one `prediction_NAME` per output.
pub struct Table {
    sink: Box<ParquetSink>,
    schema: Arc<Schema>,
    outputs: Outputs,
    pairs: bool,
}

impl Table {
    pub fn create(path: &Path, outputs: &Outputs, pairs: bool) -> Result<Self, Failure> {
        let schema = schema(outputs, pairs);
        Ok(Self {
            sink: Box::new(ParquetSink::create(path, &schema, &[])?),
            schema: Arc::new(schema),
            outputs: outputs.clone(),
            pairs,
        })
    }

    pub fn write(&mut self, texts: &[Texts], predictions: &[Prediction]) -> Result<(), Failure> {
        let columns = columns(texts, predictions, &self.outputs, self.pairs);
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(self.sink.write(&batch)?)
    }

    pub fn finish(self) -> Result<(), Failure> {
        Ok(self.sink.finish()?)
    }
}

fn schema(outputs: &Outputs, pairs: bool) -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: String| Field::new(name, DataType::Float32, false);
    let mut fields = vec![text("text")];
    if pairs {
        fields.push(text("text_pair"));
    }
    let probability = |name: &String| number(format!("probability_{name}"));
    match outputs {
        Outputs::Classes(names) => {
            fields.push(text("label"));
            fields.push(number("confidence".into()));
            fields.extend(names.iter().map(probability));
        }
        Outputs::MultiLabel(names) => {
            let item = Field::new_list_field(DataType::Utf8, true);
            fields.push(Field::new("labels", DataType::List(Arc::new(item)), false));
            fields.extend(names.iter().map(probability));
        }
        Outputs::Regression(names) if names.len() == 1 => {
            fields.push(number("prediction".into()));
        }
        Outputs::Regression(names) => {
            let named = names
                .iter()
                .map(|name| number(format!("prediction_{name}")));
            fields.extend(named);
        }
    }
    Schema::new(fields)
}

fn columns(
    texts: &[Texts],
    predictions: &[Prediction],
    outputs: &Outputs,
    pairs: bool,
) -> Vec<ArrayRef> {
    let strings = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let numbers = |value: &dyn Fn(&Prediction) -> f32| -> ArrayRef {
        let values = predictions.iter().map(value);
        Arc::new(Float32Array::from_iter_values(values))
    };
    let mut columns = vec![strings(
        texts.iter().map(|(first, _)| first.as_str()).collect(),
    )];
    if pairs {
        let second = texts
            .iter()
            .map(|(_, second)| second.as_deref().unwrap_or_default());
        columns.push(strings(second.collect()));
    }
    match outputs {
        Outputs::Classes(_) => {
            columns.push(strings(
                predictions.iter().map(|p| p.label.as_str()).collect(),
            ));
            columns.push(numbers(&|p| p.confidence));
        }
        Outputs::MultiLabel(_) => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for prediction in predictions {
                let labels = prediction.labels.iter().flatten();
                lists.append_value(labels.map(Some));
            }
            columns.push(Arc::new(lists.finish()));
        }
        Outputs::Regression(_) => {}
    }
    for output in 0..outputs.len() {
        columns.push(match outputs {
            Outputs::Regression(_) => numbers(&|p| p.logits[output]),
            _ => numbers(&|p| p.probabilities[output]),
        });
    }
    columns
}
