//! Decodes the labels of record batches.

use crate::arrow::datatypes::Schema;

use crate::error::listed;
use crate::labels::array::LabelArray;
use crate::labels::class_index::ClassIndex;
use crate::labels::name_matching::{NameList, NameMatch, match_names, mismatch};
use crate::rows::cell::Cell;
use crate::rows::column::{Kind, list_item};
use crate::rows::value::Value;
use crate::{
    Columns, Error, IntegerLists, LabelCells, Result, RowBatch, Split, Task, read::hf_metadata,
};
use finetune_task::Labels;

/// Turns the labels of record batches into class indices, class indicators, or values. The labels
/// of each file are read by its own class names.
#[derive(Clone, Debug)]
pub struct LabelDecoder {
    columns: Vec<String>,
    cells: LabelCells,
    /// How labels are read, for each distinct list of class names among the files.
    targets: Vec<Target>,
    /// The index into `targets` for each file.
    of_file: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Target {
    /// One class per row.
    Class(ClassIndex),
    /// A list of classes per row.
    ClassList(ClassIndex),
    /// A column of zeros and ones for each class, with the class of each column.
    ClassColumns(Vec<usize>),
    /// A number, or a list of this many numbers, per row.
    Values(usize),
    /// A column of numbers for each output, with the output of each column.
    ValueColumns(Vec<usize>),
}

impl LabelDecoder {
    /// Creates a decoder for the label columns of `split`. Several columns are matched with the
    /// names of `task` by name, or by position if `columns` says so and no name is the name of a
    /// column (see [`match_names`](crate::match_names)).
    ///
    /// # Errors
    /// Fails if there is no label column, and if `ClassLabel` names or columns do not fit the names
    /// of `task`.
    pub fn new(task: &Task, split: &Split, columns: &Columns) -> Result<Self> {
        let cells = columns.cells;
        let by_position = columns.labels_by_position;
        let columns = columns.required_labels(split)?;
        let mut known: Vec<Option<Vec<String>>> = Vec::new();
        let (mut targets, mut of_file) = (Vec::new(), Vec::new());
        for file in split.schemas()? {
            let own = class_names(&file, &columns[0]);
            let index = known.iter().position(|names| *names == own);
            of_file.push(index.unwrap_or(known.len()));
            if index.is_none() {
                targets.push(Target::new(task, own.clone(), columns, by_position)?);
                known.push(own);
            }
        }
        Ok(Self {
            columns: columns.to_vec(),
            cells,
            targets,
            of_file,
        })
    }

    /// Returns the label columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Decodes the labels of all rows of a batch that contains the label columns.
    ///
    /// # Errors
    /// Names the row of a label that is null, not a class, not a number, or a list that does not
    /// fit.
    pub fn decode(&self, rows: &RowBatch) -> Result<Labels> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let Some(array) = rows.batch.column_by_name(column) else {
                return Err(Error::UnknownColumn {
                    column: column.clone(),
                    available: crate::rows::column::describe(&rows.batch.schema()),
                });
            };
            arrays.push(LabelArray::new(array, column, self.cells, rows)?);
        }
        let labels = &arrays[0];
        let cell = |index| Cell {
            rows,
            index,
            column: &self.columns[0],
        };
        let target = self.of_file.get(rows.file_index());
        let Some(target) = target.and_then(|&target| self.targets.get(target)) else {
            return Err(Error::Classes {
                message: format!(
                    "{}: the file is not of this split",
                    rows.at(0).file.display()
                ),
            });
        };
        Ok(match target {
            Target::Class(classes) => {
                let class = |i| classes.class(&labels.get(i), &cell(i));
                let classes = (0..rows.batch.num_rows()).map(class);
                Labels::Classes(classes.collect::<Result<_>>()?)
            }
            Target::ClassList(classes) => {
                let is_mask =
                    labels.is_list_of_numbers() || self.cells.lists == Some(IntegerLists::Marks);
                let width = classes.len();
                let values = matrix(rows, width, |i, marks| {
                    classes.mark(&labels.get(i), is_mask, &cell(i), marks)
                })?;
                Labels::MultiLabel { width, values }
            }
            Target::ClassColumns(outputs) => Labels::MultiLabel {
                width: outputs.len(),
                values: self.columns_matrix(rows, &arrays, outputs, |value, cell| {
                    let indicator = value.indicator();
                    indicator.ok_or_else(|| cell.not_an_indicator(value))
                })?,
            },
            Target::Values(width) => Labels::Values {
                width: *width,
                values: matrix(rows, *width, |i, values| {
                    numbers(&labels.get(i), &cell(i), values)
                })?,
            },
            Target::ValueColumns(outputs) => Labels::Values {
                width: outputs.len(),
                values: self.columns_matrix(rows, &arrays, outputs, |value, cell| {
                    value.number().ok_or_else(|| cell.not_a_number(value))
                })?,
            },
        })
    }

    /// Fills a matrix with one column per output, reading each value with `read`.
    fn columns_matrix<T: Copy + Default>(
        &self,
        rows: &RowBatch,
        arrays: &[LabelArray],
        outputs: &[usize],
        read: impl Fn(&Value<'_>, &Cell<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        matrix(rows, outputs.len(), |index, values| {
            for ((array, column), &output) in arrays.iter().zip(&self.columns).zip(outputs) {
                let cell = Cell {
                    rows,
                    index,
                    column,
                };
                values[output] = read(&array.get(index), &cell)?;
            }
            Ok(())
        })
    }
}

impl Target {
    fn new(
        task: &Task,
        own: Option<Vec<String>>,
        columns: &[String],
        by_position: bool,
    ) -> Result<Self> {
        let index = |names| ClassIndex::new(names, own, &columns[0], by_position);
        let outputs = |names| outputs_of_columns(columns, names, by_position).map(|(all, _)| all);
        Ok(match (task, columns.len()) {
            (Task::Classes(names), 1) => Target::Class(index(names)?),
            (Task::Classes(_), _) => return Err(several_for_one(columns)),
            (Task::MultiLabel(names), 1) => Target::ClassList(index(names)?),
            (Task::MultiLabel(names), _) => Target::ClassColumns(outputs(names)?),
            (Task::Regression(names), 1) => Target::Values(names.len()),
            (Task::Regression(names), _) => Target::ValueColumns(outputs(names)?),
        })
    }
}

/// Returns the class names that a file's metadata declares for a column of indices or of lists of
/// indices.
pub(crate) fn class_names(schema: &Schema, column: &str) -> Option<Vec<String>> {
    let data_type = schema.field_with_name(column).ok()?.data_type();
    let item = list_item(data_type).map_or(data_type, |item| item.data_type());
    match Kind::of(item) {
        Kind::Integer => hf_metadata::class_names(schema, column),
        _ => None,
    }
}

/// Builds a matrix `[rows, width]`, each row of which is filled by `fill`.
fn matrix<T: Copy + Default>(
    rows: &RowBatch,
    width: usize,
    mut fill: impl FnMut(usize, &mut [T]) -> Result<()>,
) -> Result<Vec<T>> {
    let mut values = vec![T::default(); rows.batch.num_rows() * width];
    for (index, row) in values.chunks_exact_mut(width.max(1)).enumerate() {
        fill(index, row)?;
    }
    Ok(values)
}

/// Reads one row of numbers from one column: a number, or a list with one number per output.
fn numbers(label: &Value<'_>, cell: &Cell<'_>, row: &mut [f64]) -> Result<()> {
    let number = |item: &Value<'_>| item.number().ok_or_else(|| cell.not_a_number(item));
    match label.items() {
        Some(items) if items.len() != row.len() => Err(cell.length(items.len(), row.len())),
        Some(items) => {
            for (value, item) in row.iter_mut().zip(items.iter()) {
                *value = number(item)?;
            }
            Ok(())
        }
        None if row.len() == 1 => {
            row[0] = number(label)?;
            Ok(())
        }
        None => Err(cell.not_a_list(label)),
    }
}

/// Assigns each column to an output, one to one, and returns how they match.
pub(crate) fn outputs_of_columns(
    columns: &[String],
    names: &[String],
    by_position: bool,
) -> Result<(Vec<usize>, NameMatch)> {
    let (found, wanted) = columns_and_names(columns, names);
    let matched = match_names(found, wanted, by_position)?;
    match matched.one_to_one(names.len()) {
        Some(outputs) => Ok((outputs, matched)),
        None => Err(mismatch(found, wanted)),
    }
}

/// The two lists that [`outputs_of_columns`] matches.
pub(crate) fn columns_and_names<'a>(
    columns: &'a [String],
    names: &'a [String],
) -> (NameList<'a>, NameList<'a>) {
    let list = |whose, names| NameList { whose, names };
    (
        list("the label columns", columns),
        list("the names of the outputs", names),
    )
}

/// The error for single-label classification with several label columns.
pub(crate) fn several_for_one(columns: &[String]) -> Error {
    Error::Classes {
        message: format!(
            "{} label columns were named ({}), but single-label classification has one; name one, or choose --problem-type multi_label_classification or regression",
            columns.len(),
            listed(columns, 12)
        ),
    }
}
