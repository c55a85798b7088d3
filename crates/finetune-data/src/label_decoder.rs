use std::collections::HashMap;

use crate::error::{Place, listed};
use crate::label_array::{LabelArray, RawLabel};
use crate::labels::index_of_metadata;
use crate::{Columns, Error, LabelSchema, Result, RowBatch, Split, hf_metadata};

/// The label of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// Index of the class in the class list.
    Class(u32),
    /// The value to regress to.
    Value(f32),
}

/// Turns the labels of record batches into class indices or values.
#[derive(Clone, Debug)]
pub struct LabelDecoder {
    column: String,
    mode: Mode,
}

#[derive(Clone, Debug)]
enum Mode {
    Regression,
    Classes {
        names: Vec<String>,
        index: HashMap<String, u32>,
        /// Class of each index of a `ClassLabel` column.
        metadata: Option<(Vec<String>, Vec<Option<u32>>)>,
        /// All names are integers, so integers mean names.
        integer_names: bool,
    },
}

impl LabelDecoder {
    /// A decoder for the label column of `split`.
    ///
    /// # Errors
    /// No label column, or `ClassLabel` names that contradict those of `schema`.
    pub fn new(schema: &LabelSchema, split: &Split, columns: &Columns) -> Result<Self> {
        let column = columns.required_label(split)?.to_owned();
        let mode = match schema {
            LabelSchema::Regression => Mode::Regression,
            LabelSchema::Classes(names) => Mode::Classes {
                metadata: match hf_metadata::class_names(split.schema(), &column) {
                    Some(hf) => Some((hf.clone(), index_of_metadata(&hf, names, &column)?)),
                    None => None,
                },
                index: names.iter().cloned().zip(0..).collect(),
                integer_names: names.iter().all(|name| name.parse::<i64>().is_ok()),
                names: names.clone(),
            },
        };
        Ok(Self { column, mode })
    }

    /// The label column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Labels of all rows of a batch that contains the label column.
    ///
    /// # Errors
    /// Names the row of a label that is null, not a class, or not a number.
    pub fn decode(&self, rows: &RowBatch) -> Result<Vec<Label>> {
        let Some(array) = rows.batch.column_by_name(&self.column) else {
            return Err(Error::UnknownColumn {
                column: self.column.clone(),
                available: crate::column::describe(&rows.batch.schema()),
            });
        };
        let labels = LabelArray::new(array, &self.column)?;
        let decode = |i| self.decode_one(labels.get(i), || rows.at(i));
        (0..rows.batch.num_rows()).map(decode).collect()
    }

    fn decode_one(&self, label: RawLabel<'_>, place: impl Fn() -> Place) -> Result<Label> {
        let column = || self.column.clone();
        if label == RawLabel::Null {
            return Err(Error::NullLabel {
                place: place(),
                column: column(),
            });
        }
        let Mode::Classes {
            names,
            index,
            metadata,
            integer_names,
        } = &self.mode
        else {
            let value = match label {
                RawLabel::Integer(value) => Some(value as f32),
                RawLabel::Float(value) => Some(value as f32),
                RawLabel::Text(text) => text.trim().parse().ok(),
                RawLabel::Bool(_) | RawLabel::Null => None,
            };
            return match value.filter(|v: &f32| v.is_finite()) {
                Some(value) => Ok(Label::Value(value)),
                None => {
                    let found = display(label);
                    Err(Error::NotANumber {
                        place: place(),
                        column: column(),
                        found,
                    })
                }
            };
        };
        let unknown = |found: String| Error::UnknownLabel {
            place: place(),
            column: column(),
            found,
            classes: format!("{} classes ({})", names.len(), listed(names, 12)),
        };
        let by_index = |value: i64, list: &[String]| -> Result<usize> {
            match usize::try_from(value) {
                Ok(i) if i < list.len() => Ok(i),
                _ if value == -1 => Err(Error::Unlabelled {
                    place: place(),
                    column: column(),
                }),
                _ => Err(Error::ClassIndex {
                    place: place(),
                    column: column(),
                    found: value,
                    count: list.len(),
                    classes: listed(list, 12),
                }),
            }
        };
        let class = match label {
            RawLabel::Integer(value) => match metadata {
                Some((hf, classes)) => {
                    let i = by_index(value, hf)?;
                    classes[i].ok_or_else(|| unknown(hf[i].clone()))?
                }
                None if *integer_names => {
                    let name = value.to_string();
                    *index.get(&name).ok_or_else(|| unknown(name))?
                }
                None => by_index(value, names)? as u32,
            },
            RawLabel::Text(text) => match index.get(text) {
                Some(class) => *class,
                None => match text.parse::<i64>() {
                    Ok(value) if !integer_names => by_index(value, names)? as u32,
                    Err(_) if text.parse::<f64>().is_ok() => {
                        let found = text.to_owned();
                        return Err(Error::FloatLabel {
                            place: place(),
                            column: column(),
                            found,
                        });
                    }
                    _ => return Err(unknown(text.to_owned())),
                },
            },
            RawLabel::Bool(value) => match index.get(if value { "true" } else { "false" }) {
                Some(class) => *class,
                None if names.len() == 2 => u32::from(value),
                None => return Err(unknown(value.to_string())),
            },
            RawLabel::Float(value) => {
                let found = value.to_string();
                return Err(Error::FloatLabel {
                    place: place(),
                    column: column(),
                    found,
                });
            }
            RawLabel::Null => {
                return Err(Error::NullLabel {
                    place: place(),
                    column: column(),
                });
            }
        };
        Ok(Label::Class(class))
    }
}

fn display(label: RawLabel<'_>) -> String {
    match label {
        RawLabel::Null => "null".to_owned(),
        RawLabel::Integer(value) => value.to_string(),
        RawLabel::Float(value) => value.to_string(),
        RawLabel::Bool(value) => value.to_string(),
        RawLabel::Text(text) => text.to_owned(),
    }
}
