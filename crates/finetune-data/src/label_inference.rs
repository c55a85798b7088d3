//! From columns to what their labels mean.

use std::collections::HashSet;

use arrow::datatypes::DataType;

use crate::cell::Cell;
use crate::class_index::classes_of_metadata;
use crate::column::{Kind, list_item, type_name};
use crate::error::listed;
use crate::label_array::unusable;
use crate::label_decoder::{outputs_of_columns, several_for_one};
use crate::label_scan::{Scan, each_label, first_label};
use crate::{Columns, Error, LabelSchema, ProblemType, Result, Split, hf_metadata};

impl LabelSchema {
    /// Finds out what the labels are.
    ///
    /// One label column:
    ///
    /// * Strings (also CSV): classes, the distinct strings, sorted; booleans: `false`, `true`.
    /// * Integers (also CSV fields that are all integers): classes `0` to `n-1`, without a gap; with
    ///   `ClassLabel` in the `huggingface` schema metadata, its names.
    /// * Floating-point numbers: regression, the output named as the column.
    /// * Lists of integers or strings: multi-label, the classes found as above. Integers are class
    ///   indices.
    /// * Lists of floating-point numbers, all of one length: regression with several outputs, named
    ///   `column_0`, `column_1`, …; with `problem_type` multi-label, and for lists of booleans, a 0 or
    ///   1 for each class, as transformers expects it, the classes named `0`, `1`, ….
    /// * In CSV a list is a JSON array: `[0, 3]`, `["joy", "anger"]`, `[0.5, 1.0]`.
    ///
    /// Several label columns: all booleans or integers 0 and 1, multi-label with a class for each
    /// column; numbers, some of them floating-point, regression with an output for each column. The
    /// names are those of the columns.
    ///
    /// `names` (the flag `--labels`) are the names of the outputs, in this order. String labels,
    /// `ClassLabel` names and columns match by name as [`match_names`](crate::match_names) has it:
    /// exactly, else but for case and surrounding blanks, else only if `columns` says by position.
    /// Integers match by name when all names are integers (`--labels 1,2,3,4,5`), else by index.
    ///
    /// `problem_type` overrides the guess. All `splits` are looked through, so that a class known to
    /// validation alone is still in the list. Where types, metadata and
    /// arguments do not answer, this reads the label columns once; memory grows with the number of
    /// classes only.
    ///
    /// # Errors
    /// No label column, null labels, `-1` labels, floating-point labels for classes, integers with
    /// gaps, fewer than two classes (one, if multi-label), repeated or contradicting names, columns
    /// that do not fit the problem type.
    pub fn infer(
        splits: &[&Split],
        columns: &Columns,
        names: Option<&[String]>,
        problem_type: Option<ProblemType>,
    ) -> Result<Self> {
        let Some(first) = splits.first() else {
            return Err(Error::Classes {
                message: "no split to infer labels from".to_owned(),
            });
        };
        let by_position = columns.labels_by_position;
        let columns = columns.required_labels(first)?;
        for column in columns {
            for split in splits {
                let Ok(field) = split.schema().field_with_name(column) else {
                    return Err(Error::UnknownColumn {
                        column: format!("{column}` of split `{}", split.name()),
                        available: crate::column::describe(split.schema()),
                    });
                };
                if Kind::of(field.data_type()) == Kind::Other {
                    return Err(unusable(field.data_type(), column));
                }
            }
        }
        match columns {
            [column] => OneColumn::new(splits, column, names, by_position)?.schema(problem_type),
            columns => of_columns(splits, columns, names, problem_type, by_position),
        }
    }
}

/// Labels in one column.
struct OneColumn<'a> {
    splits: &'a [&'a Split],
    column: &'a str,
    names: Option<&'a [String]>,
    by_position: bool,
    data_type: &'a DataType,
    /// Class names in the metadata.
    metadata: Option<Vec<String>>,
}

impl<'a> OneColumn<'a> {
    fn new(
        splits: &'a [&'a Split],
        column: &'a str,
        names: Option<&'a [String]>,
        by_position: bool,
    ) -> Result<Self> {
        let schema = splits[0].schema();
        let field = schema.field_with_name(column);
        let data_type = field.map(|f| f.data_type()).map_err(|e| Error::Classes {
            message: e.to_string(),
        })?;
        let item = list_item(data_type).map_or(data_type, |item| item.data_type());
        Ok(Self {
            splits,
            column,
            names,
            by_position,
            data_type,
            metadata: (Kind::of(item) == Kind::Integer)
                .then(|| hf_metadata::class_names(schema, column))
                .flatten(),
        })
    }

    fn schema(&self, problem_type: Option<ProblemType>) -> Result<LabelSchema> {
        let kind = Kind::of(self.data_type);
        let is_list = match (kind, problem_type) {
            (Kind::List, _) => true,
            // A string is a class name if the user says so, whatever it looks like.
            (Kind::Text, None) => first_label(self.splits, self.column, |l| l.is_list_like())?,
            (Kind::Text | Kind::Null, Some(ProblemType::MultiLabelClassification)) => true,
            _ => false,
        };
        match problem_type {
            Some(ProblemType::Regression) => self.regression(),
            Some(ProblemType::SingleLabelClassification) if is_list => Err(Error::UnexpectedList {
                column: self.column.to_owned(),
                found: type_name(self.data_type),
                wanted: "single-label classification needs",
            }),
            Some(ProblemType::MultiLabelClassification) if !is_list => Err(Error::Classes {
                message: format!(
                    "label column `{}` holds one value per row ({}), but multi-label classification needs a list per row, or a column of zeros and ones for each class",
                    self.column,
                    type_name(self.data_type)
                ),
            }),
            Some(ProblemType::MultiLabelClassification) => self.multi_label(),
            None if is_list => self.lists(),
            problem_type => self.single(problem_type.is_some()),
        }
    }

    /// A class or a number per row; `classes` if the user says that it is a class.
    fn single(&self, classes: bool) -> Result<LabelSchema> {
        let (column, kind) = (self.column, Kind::of(self.data_type));
        let scan = || Scan::labels(self.splits, column);
        if let Some(names) = self.names {
            if kind == Kind::Float {
                return Err(scan()?.float_label(column));
            }
            return Ok(LabelSchema::Classes(self.given(names, 2)?));
        }
        if let Some(names) = &self.metadata {
            return Ok(LabelSchema::Classes(checked(names.clone(), 2, column)?));
        }
        match kind {
            Kind::Float if !classes => Ok(LabelSchema::Regression(vec![column.to_owned()])),
            Kind::Bool => Ok(LabelSchema::Classes(vec![
                "false".to_owned(),
                "true".to_owned(),
            ])),
            _ => {
                let scan = scan()?;
                if scan.is_numbers() && !classes {
                    return Ok(LabelSchema::Regression(vec![column.to_owned()]));
                }
                Ok(LabelSchema::Classes(checked(
                    scan.class_names(column)?,
                    2,
                    column,
                )?))
            }
        }
    }

    /// Lists of which nobody said what they mean.
    fn lists(&self) -> Result<LabelSchema> {
        let numbers = match self.item_kind() {
            Some(kind) => kind == Kind::Float,
            None => Scan::lists(self.splits, self.column)?.is_numbers(),
        };
        if numbers {
            self.regression()
        } else {
            self.multi_label()
        }
    }

    fn multi_label(&self) -> Result<LabelSchema> {
        let column = self.column;
        if let Some(names) = self.names {
            return Ok(LabelSchema::MultiLabel(self.given(names, 1)?));
        }
        if let Some(names) = &self.metadata {
            return Ok(LabelSchema::MultiLabel(checked(names.clone(), 1, column)?));
        }
        let numbered = |width: usize| (0..width).map(|i| i.to_string()).collect();
        let names = match self.item_kind() {
            Some(Kind::Float | Kind::Bool) => numbered(self.width()?),
            _ => {
                let scan = Scan::lists(self.splits, column)?;
                if scan.is_mask() {
                    numbered(self.width()?)
                } else {
                    scan.class_names(column)?
                }
            }
        };
        Ok(LabelSchema::MultiLabel(checked(names, 1, column)?))
    }

    fn regression(&self) -> Result<LabelSchema> {
        let width = self.width()?;
        let names = match self.names {
            Some(names) if names.len() != width => {
                return Err(Error::Classes {
                    message: format!(
                        "label column `{}` holds {width} number{} per row, but {} output names were given ({})",
                        self.column,
                        if width == 1 { "" } else { "s" },
                        names.len(),
                        listed(names, 12)
                    ),
                });
            }
            Some(names) => names.to_vec(),
            None if width == 1 => vec![self.column.to_owned()],
            None => (0..width).map(|i| format!("{}_{i}", self.column)).collect(),
        };
        Ok(LabelSchema::Regression(checked(names, 1, self.column)?))
    }

    /// What the lists hold, where the type tells: not for JSON arrays in strings, nor for lists
    /// without a value.
    fn item_kind(&self) -> Option<Kind> {
        let kind = Kind::of(list_item(self.data_type)?.data_type());
        Some(kind).filter(|&kind| kind != Kind::Null)
    }

    /// Length of the list in the first row, which all others must have; 1 for a number.
    fn width(&self) -> Result<usize> {
        let width = first_label(self.splits, self.column, |label| {
            label.items().map_or(1, |items| items.len())
        })?;
        if width == 0 {
            return Err(Error::Classes {
                message: format!(
                    "the list in the first row of column `{}` is empty; every row needs a value for each output",
                    self.column
                ),
            });
        }
        Ok(width)
    }

    /// Class names that the user gave.
    fn given(&self, names: &[String], at_least: usize) -> Result<Vec<String>> {
        if let Some(metadata) = &self.metadata {
            classes_of_metadata(metadata, names, self.column, self.by_position)?;
        }
        checked(names.to_vec(), at_least, self.column)
    }
}

/// Labels in several columns.
fn of_columns(
    splits: &[&Split],
    columns: &[String],
    names: Option<&[String]>,
    problem_type: Option<ProblemType>,
    by_position: bool,
) -> Result<LabelSchema> {
    let mut kinds = Vec::new();
    for column in columns {
        for field in splits.iter().map(|s| s.schema().field_with_name(column)) {
            let data_type = field.map(|f| f.data_type()).ok();
            if let Some(found) = data_type.filter(|d| Kind::of(d) == Kind::List) {
                return Err(Error::UnexpectedList {
                    column: column.clone(),
                    found: type_name(found),
                    wanted: "several label columns need",
                });
            }
            kinds.extend(data_type.map(Kind::of));
        }
    }
    let regression = match problem_type {
        Some(ProblemType::SingleLabelClassification) => return Err(several_for_one(columns)),
        Some(ProblemType::MultiLabelClassification) => false,
        Some(ProblemType::Regression) => true,
        None if kinds.contains(&Kind::Float) => true,
        None if kinds.iter().all(|&kind| kind == Kind::Bool) => false,
        None => columns_hold_numbers(splits, columns)?,
    };
    let names = match names {
        Some(names) => {
            outputs_of_columns(columns, names, by_position)?;
            checked(names.to_vec(), 1, &columns[0])?
        }
        None => columns.to_vec(),
    };
    Ok(match regression {
        true => LabelSchema::Regression(names),
        false => LabelSchema::MultiLabel(names),
    })
}

/// Do the columns hold floating-point numbers (true), or zeros and ones alone (false)?
fn columns_hold_numbers(splits: &[&Split], columns: &[String]) -> Result<bool> {
    let (mut float, mut beyond) = (false, None);
    each_label(splits, columns, |label, cell: &Cell<'_>| {
        let text = label.to_string();
        if label.number().is_some() && text.parse::<i64>().is_err() {
            float = true;
        } else if label.indicator().is_none() {
            if label.number().is_none() {
                return Err(cell.not_an_indicator(label));
            }
            beyond.get_or_insert_with(|| cell.not_an_indicator(label));
        }
        Ok(())
    })?;
    match beyond {
        Some(error) if !float => Err(error),
        _ => Ok(float),
    }
}

fn checked(names: Vec<String>, at_least: usize, column: &str) -> Result<Vec<String>> {
    if names.len() < at_least {
        return Err(Error::Classes {
            message: format!(
                "column `{column}` has {} class{}; {} at least {}",
                names.len(),
                match names.first() {
                    Some(name) => format!(" ({name:?})"),
                    None => "es".to_owned(),
                },
                if at_least == 1 {
                    "multi-label data need"
                } else {
                    "classification needs"
                },
                if at_least == 1 { "one" } else { "two" },
            ),
        });
    }
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Error::Classes {
            message: format!("the class {name:?} is named twice"),
        });
    }
    Ok(names)
}
