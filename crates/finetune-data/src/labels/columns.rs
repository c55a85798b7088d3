//! Infers what several label columns mean together.

use crate::error::listed;
use crate::labels::array::LabelArray;
use crate::labels::decoder::{class_names, outputs_of_columns, several_for_one};
use crate::labels::inference::{Asked, checked};
use crate::rows::cell::Cell;
use crate::rows::column::{Kind, type_name};
use crate::rows::split::Source;
use crate::rows::value::{Value, whole};
use crate::{Error, LabelCells, Note, ProblemType, Result, Task};

/// Infers whether each column is a class or a number to predict.
pub(crate) fn task(asked: &Asked<'_>, columns: &[String], notes: &mut Vec<Note>) -> Result<Task> {
    let mut sources = Vec::new();
    for split in asked.splits {
        sources.extend(split.sources()?);
    }
    let mut kinds = Vec::new();
    for column in columns {
        for source in &sources {
            let field = source.schema.field_with_name(column);
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
    let regression = match asked.problem_type {
        Some(ProblemType::SingleLabelClassification) => return Err(several_for_one(columns)),
        Some(ProblemType::MultiLabelClassification) => false,
        Some(ProblemType::Regression) => true,
        None if kinds.iter().all(|&kind| kind == Kind::Bool) => false,
        None => are_numbers(&sources, columns, notes)?,
    };
    if !regression {
        check_metadata(&sources, columns, notes)?;
    }
    let names = match asked.names {
        Some(names) => {
            outputs_of_columns(columns, names, asked.by_position)?;
            checked(names.to_vec(), 1, &columns[0])?
        }
        None => columns.to_vec(),
    };
    Ok(match regression {
        true => Task::Regression(names),
        false => Task::MultiLabel(names),
    })
}

/// Returns whether the columns hold numbers (true) or only zeros and ones (false).
fn are_numbers(sources: &[Source], columns: &[String], notes: &mut Vec<Note>) -> Result<bool> {
    let mut found = Values::default();
    for source in sources {
        found.read(source, columns)?;
    }
    match (found.fraction, found.beyond) {
        (true, _) => Ok(true),
        (false, Some(_)) if found.float.is_some() => Ok(true),
        (false, Some(error)) => Err(error),
        (false, None) => {
            if let Some(first) = found.float {
                notes.push(Note::new(format!(
                    "the label columns {} contain only zeros and ones ({first}), and each is read as a class that a row has or lacks; to predict numbers add --problem-type regression",
                    listed(columns, 12)
                )));
            }
            Ok(false)
        }
    }
}

#[derive(Default)]
struct Values {
    fraction: bool,
    /// Whether there is a number that is not whole.
    /// The first float that is a whole number, with its place.
    float: Option<String>,
    /// The error for the first whole number that is neither 0 nor 1.
    beyond: Option<Error>,
}

impl Values {
    fn read(&mut self, source: &Source, columns: &[String]) -> Result<()> {
        for rows in source.read(columns) {
            let rows = rows?;
            for (array, column) in rows.batch.columns().iter().zip(columns) {
                let labels = LabelArray::new(array, column, LabelCells::default(), &rows)?;
                for index in 0..rows.batch.num_rows() {
                    let cell = Cell {
                        rows: &rows,
                        index,
                        column,
                    };
                    self.add(&labels.get(index), &cell)?;
                }
            }
            if self.fraction {
                return Ok(());
            }
        }
        Ok(())
    }

    fn add(&mut self, label: &Value<'_>, cell: &Cell<'_>) -> Result<()> {
        let float = match label {
            Value::Bool(_) | Value::Integer(0 | 1) => return Ok(()),
            Value::Float(value) => Some(*value),
            Value::Text(text) if text.trim().parse::<i64>().is_err() => text.trim().parse().ok(),
            _ => None,
        };
        match (label.number(), float) {
            (None, _) if label.indicator().is_some() => return Ok(()),
            (None, Some(_)) => return Err(cell.not_a_number(label)),
            (None, None) => return Err(cell.not_an_indicator(label)),
            (Some(_), Some(value)) if whole(value).is_none() => self.fraction = true,
            (Some(_), Some(_)) => {
                let shown = || format!("{}: {label} in column `{}`", cell.place(), cell.column);
                self.float.get_or_insert_with(shown);
            }
            (Some(_), None) => {}
        }
        if label.indicator().is_none() {
            self.beyond
                .get_or_insert_with(|| cell.not_an_indicator(label));
        }
        Ok(())
    }
}

/// Checks the class names that metadata declares for columns of zeros and ones: they must be the
/// same in all files, and are noted unless they plainly mean no and yes.
fn check_metadata(sources: &[Source], columns: &[String], notes: &mut Vec<Note>) -> Result<()> {
    for column in columns {
        let names = |source: &Source| class_names(&source.schema, column);
        let mut named = sources.iter().filter_map(|s| Some((s.path(), names(s)?)));
        let Some((first, names)) = named.next() else {
            continue;
        };
        if let Some((other, others)) = named.find(|(_, others)| *others != names) {
            return Err(Error::Classes {
                message: format!(
                    "column `{column}` has the classes {} in {} and {} in {}, so that 1 means one thing here and another there; write the same in both",
                    listed(&names, 12),
                    first.display(),
                    listed(&others, 12),
                    other.display()
                ),
            });
        }
        let lower: Vec<_> = names
            .iter()
            .map(|name| name.trim().to_lowercase())
            .collect();
        let plain = match lower.as_slice() {
            [no, yes] => {
                ["no", "false", "0", "absent", "negative"].contains(&no.as_str())
                    || *no == format!("not {yes}")
                    || *no == format!("no_{yes}")
                    || *no == format!("not_{yes}")
                    || *no == format!("non-{yes}")
            }
            _ => false,
        };
        if !plain {
            notes.push(Note::new(format!(
                "1 in column `{column}` ({}) says that a row has the class `{column}`, and 0 that it has not, though its metadata names them {}",
                first.display(),
                listed(&names, 12)
            )));
        }
    }
    Ok(())
}
