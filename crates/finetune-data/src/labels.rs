use std::collections::{BTreeSet, HashSet};

use crate::column::Kind;
use crate::error::{Place, listed};
use crate::hf_metadata;
use crate::label_array::{LabelArray, RawLabel, unusable};
use crate::{Columns, Error, Result, Split};

/// More distinct labels than this, and the column is taken for text.
const MAX_CLASSES: usize = 10_000;

/// What the label column means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSchema {
    /// One class per row; the names in the order of their indices.
    Classes(Vec<String>),
    /// One floating-point number per row.
    Regression,
}

impl LabelSchema {
    /// Finds out what the labels are.
    ///
    /// * `labels` (the flag `--labels`): these classes, in this order. String labels match by name.
    ///   Integers match by name when all names are integers (`--labels 1,2,3,4,5`), else by index.
    /// * `ClassLabel` in the `huggingface` schema metadata: its names.
    /// * Strings (also CSV): the distinct strings, sorted; booleans: `false`, `true`.
    /// * Integers (also CSV fields that are all integers): `0` to `n-1`, without a gap.
    /// * Floating-point numbers: regression, unless `labels` or `regression == Some(false)`.
    ///
    /// `regression` is `Some` when the user says which of the two is meant. All `splits` are looked
    /// through, so that a class known to validation alone is still in the list (see
    /// [`check_classes_in_training`]). Where the metadata does not answer, this reads the label
    /// columns once; memory grows with the number of classes only.
    ///
    /// # Errors
    /// No label column, a list per row, null labels, `-1` labels, floating-point labels for classes,
    /// integers with gaps, fewer than two classes, repeated or contradicting names in `labels`.
    pub fn infer(
        splits: &[&Split],
        columns: &Columns,
        labels: Option<&[String]>,
        regression: Option<bool>,
    ) -> Result<Self> {
        let Some(first) = splits.first() else {
            return Err(Error::Classes {
                message: "no split to infer labels from".to_owned(),
            });
        };
        let column = columns.required_label(first)?;
        for split in splits {
            let Ok(field) = split.schema().field_with_name(column) else {
                return Err(Error::UnknownColumn {
                    column: format!("{column}` of split `{}", split.name()),
                    available: crate::column::describe(split.schema()),
                });
            };
            if matches!(Kind::of(field.data_type()), Kind::List | Kind::Other) {
                return Err(unusable(field.data_type(), column));
            }
        }
        let field = first
            .schema()
            .field_with_name(column)
            .map_err(|e| Error::Classes {
                message: e.to_string(),
            })?;
        let kind = Kind::of(field.data_type());
        if regression == Some(true) {
            if labels.is_some() {
                let message = "class names were given, but regression has no classes".to_owned();
                return Err(Error::Classes { message });
            }
            return Ok(LabelSchema::Regression);
        }
        let metadata = (kind == Kind::Integer)
            .then(|| hf_metadata::class_names(first.schema(), column))
            .flatten();
        if let Some(labels) = labels {
            if kind == Kind::Float {
                return Err(Scan::run(splits, column)?.float_label(column));
            }
            if let Some(names) = &metadata {
                index_of_metadata(names, labels, column)?;
            }
            return classes(labels.to_vec(), column);
        }
        if let Some(names) = metadata {
            return classes(names, column);
        }
        match kind {
            Kind::Float if regression.is_none() => Ok(LabelSchema::Regression),
            Kind::Bool => classes(vec!["false".to_owned(), "true".to_owned()], column),
            _ => Scan::run(splits, column)?.schema(column, regression),
        }
    }

    /// Class names by index; empty for regression.
    pub fn class_names(&self) -> &[String] {
        match self {
            LabelSchema::Classes(names) => names,
            LabelSchema::Regression => &[],
        }
    }

    /// Width of the model's output: the number of classes, or 1 for regression.
    pub fn num_labels(&self) -> usize {
        match self {
            LabelSchema::Classes(names) => names.len(),
            LabelSchema::Regression => 1,
        }
    }
}

/// Refuses a class that `other` has rows of and training has none of. Counts are per class, in the
/// order of `names`; `other_name` is for the message.
///
/// # Errors
/// [`Error::ClassNotInTraining`] for the first such class.
pub fn check_classes_in_training(
    names: &[String],
    training: &[u64],
    other: &[u64],
    other_name: &str,
) -> Result<()> {
    for (index, name) in names.iter().enumerate() {
        let count = |counts: &[u64]| counts.get(index).copied().unwrap_or(0);
        if count(training) == 0 && count(other) > 0 {
            return Err(Error::ClassNotInTraining {
                class: name.clone(),
                count: count(other),
                other: other_name.to_owned(),
            });
        }
    }
    Ok(())
}

/// Class index of each `ClassLabel` index when the user or a model brings other names: by name where
/// the names occur, else by position when none does and the number fits.
pub(crate) fn index_of_metadata(
    metadata: &[String],
    names: &[String],
    column: &str,
) -> Result<Vec<Option<u32>>> {
    let position = |name: &String| names.iter().position(|n| n == name).map(|i| i as u32);
    let by_name: Vec<_> = metadata.iter().map(position).collect();
    if by_name.iter().any(Option::is_some) {
        return Ok(by_name);
    }
    if metadata.len() != names.len() {
        return Err(Error::Classes {
            message: format!(
                "column `{column}` has the {} classes {}, which do not fit the {} class names {}",
                metadata.len(),
                listed(metadata, 12),
                names.len(),
                listed(names, 12)
            ),
        });
    }
    Ok((0..names.len() as u32).map(Some).collect())
}

fn classes(names: Vec<String>, column: &str) -> Result<LabelSchema> {
    if names.len() < 2 {
        return Err(Error::Classes {
            message: format!(
                "column `{column}` has {} class{}; classification needs at least two",
                names.len(),
                names
                    .first()
                    .map_or(String::new(), |name| format!(" ({name:?})"))
            ),
        });
    }
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Error::Classes {
            message: format!("the class {name:?} is named twice"),
        });
    }
    Ok(LabelSchema::Classes(names))
}

/// One pass over the labels.
#[derive(Default)]
struct Scan {
    /// Distinct labels that are not integers.
    others: BTreeSet<String>,
    integers: BTreeSet<i64>,
    /// Does every label read as a finite number?
    not_number: bool,
    first_float: Option<(Place, String)>,
    first_minus_one: Option<Place>,
}

impl Scan {
    fn run(splits: &[&Split], column: &str) -> Result<Self> {
        let mut scan = Scan::default();
        for split in splits {
            for rows in split.read(&[column])? {
                let rows = rows?;
                let labels = LabelArray::new(rows.batch.column(0), column)?;
                for index in 0..rows.batch.num_rows() {
                    match labels.get(index) {
                        RawLabel::Null => {
                            let column = column.to_owned();
                            return Err(Error::NullLabel {
                                place: rows.at(index),
                                column,
                            });
                        }
                        RawLabel::Integer(value) => scan.integer(value, || rows.at(index)),
                        RawLabel::Float(value) => {
                            let place = rows.at(index);
                            scan.first_float.get_or_insert((place, value.to_string()));
                        }
                        RawLabel::Bool(value) => scan.other(&value.to_string()),
                        RawLabel::Text(text) => match text.parse::<i64>() {
                            // "007" and "+7" are names, not numbers.
                            Ok(value) if value.to_string() == text => {
                                scan.integer(value, || rows.at(index));
                            }
                            parsed => {
                                match text.parse::<f64>() {
                                    Ok(value) if value.is_finite() && parsed.is_err() => {
                                        let float = (rows.at(index), text.to_owned());
                                        scan.first_float.get_or_insert(float);
                                    }
                                    _ => scan.not_number = true,
                                }
                                scan.other(text);
                            }
                        },
                    }
                }
                if scan.others.len() + scan.integers.len() > MAX_CLASSES {
                    // Many distinct numbers are a regression; many distinct strings are no label.
                    if scan.not_number || scan.first_float.is_none() {
                        return Err(Error::Classes {
                            message: format!(
                                "column `{column}` has more than {MAX_CLASSES} distinct labels; it does not look like a label column"
                            ),
                        });
                    }
                    scan.others.clear();
                    scan.integers.clear();
                }
            }
        }
        Ok(scan)
    }

    fn integer(&mut self, value: i64, place: impl FnOnce() -> Place) {
        if value == -1 && self.first_minus_one.is_none() {
            self.first_minus_one = Some(place());
        }
        self.integers.insert(value);
    }

    fn other(&mut self, text: &str) {
        if !self.others.contains(text) {
            self.others.insert(text.to_owned());
        }
    }

    fn schema(self, column: &str, regression: Option<bool>) -> Result<LabelSchema> {
        let strings = self.not_number || (!self.others.is_empty() && self.first_float.is_none());
        if strings {
            let integers = self.integers.iter().map(i64::to_string);
            let names: BTreeSet<String> = self.others.into_iter().chain(integers).collect();
            return classes(names.into_iter().collect(), column);
        }
        if self.first_float.is_some() {
            if regression == Some(false) {
                return Err(self.float_label(column));
            }
            return Ok(LabelSchema::Regression);
        }
        if !self
            .integers
            .iter()
            .copied()
            .eq(0..self.integers.len() as i64)
        {
            // Without the -1 of hidden labels, would it be a class list?
            let rest = self.integers.iter().filter(|&&v| v != -1).copied();
            if let Some(place) = self.first_minus_one
                && rest.eq(0..self.integers.len() as i64 - 1)
                && self.integers.len() != 2
            {
                return Err(Error::Unlabelled {
                    place,
                    column: column.to_owned(),
                });
            }
            let found: Vec<_> = self.integers.iter().map(i64::to_string).collect();
            let found = if found.len() <= 20 {
                found.join(",")
            } else {
                format!("{},…", found[..20].join(","))
            };
            return Err(Error::IntegerLabels {
                column: column.to_owned(),
                found,
            });
        }
        classes(self.integers.iter().map(i64::to_string).collect(), column)
    }

    fn float_label(self, column: &str) -> Error {
        let column = column.to_owned();
        match self.first_float {
            Some((place, found)) => Error::FloatLabel {
                place,
                column,
                found,
            },
            None => Error::Classes {
                message: format!(
                    "column `{column}` holds floating-point numbers, but classes are meant"
                ),
            },
        }
    }
}
