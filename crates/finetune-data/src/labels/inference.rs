//! Infers what label columns mean.

use std::collections::HashSet;

use crate::error::listed;
use crate::labels::array::unusable;
use crate::labels::class_index::classes_of_metadata;
use crate::labels::facts::{FileLabels, Form, Search, TextLists, first_label};
use crate::labels::inferred::Inferred;
use crate::rows::column::{Kind, list_item, type_name};
use crate::{
    Columns, Error, IntegerLists, Note, ProblemType, Result, Split, Task,
    labels::{columns, lists, values},
};

impl Inferred {
    /// Infers what the labels mean from all of their values.
    ///
    /// One label column:
    ///
    /// * Strings (also in CSV): the distinct strings, sorted, are the classes; for booleans,
    ///   `false` and `true`.
    /// * Integers (also CSV fields that are all integers): classes `0` to `n-1` without a gap, with
    ///   the names of `ClassLabel` if the `huggingface` schema metadata has them.
    /// * Floating-point numbers: regression, with the output named after the column. If all are
    ///   whole, few and `0` to `n-1`, which is how pandas writes integers with missing values, they
    ///   are classes.
    /// * Lists of integers or strings: multi-label, with classes as above; integers are class
    ///   indices. If all lists have the same length and contain only zeros and ones, each position
    ///   is a class: with exactly one 1 in each row it is single-label, else multi-label.
    /// * Lists of floating-point numbers, all of the same length: multi-label if all are 0.0 and
    ///   1.0, else regression with several outputs, named `column_0`, `column_1`, …. Lists of
    ///   booleans have one indicator per class. Classes without a name are called `0`, `1`, ….
    /// * In CSV, a list is a JSON array, `[0, 3]`, `["joy", "anger"]`, `[0.5, 1.0]`, or a text with
    ///   separators ([`LabelCells`](crate::LabelCells)).
    ///
    /// Several label columns: booleans or only zeros and ones are multi-label with one class per
    /// column; numbers, some of them floating-point, are regression with one output per column. The
    /// outputs are named after the columns.
    ///
    /// Each file is read by its own types and class names; then the classes of all files are merged
    /// into one list by name. `names` (the flag `--labels`) gives the names of the outputs in
    /// order. String labels, `ClassLabel` names and columns are matched with them as in
    /// [`match_names`](crate::match_names): exactly, or else ignoring case and surrounding blanks,
    /// or else by position, but only if `columns` says so. Integers match by name if names are
    /// integers (`--labels 1,2,3,4,5`), else by index.
    ///
    /// `problem_type` overrides the guess. All `splits` are inspected, so that a class that occurs
    /// only in validation is still in the list. If types, metadata and arguments do not settle the
    /// question, the label columns are read once, up to the point where nothing can change the
    /// answer; memory grows only with the number of classes.
    ///
    /// # Errors
    /// Fails for a missing label column, null labels, `-1` labels, floating-point labels for
    /// classes, integers with gaps, fewer than two classes (one, if multi-label), repeated or
    /// contradictory names, columns that do not fit the problem type, and files whose labels do not
    /// fit together.
    pub fn of(
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
        let label = columns.required_labels(first)?;
        label.iter().try_for_each(|c| check_column(splits, c))?;
        let asked = Asked {
            splits,
            names,
            by_position: columns.labels_by_position,
            problem_type,
        };
        let mut inferred = Self {
            task: Task::Classes(Vec::new()),
            columns: columns.clone(),
            notes: Vec::new(),
        };
        inferred.task = match label {
            [column] => asked.one_column(column, &mut inferred)?,
            _ => columns::task(&asked, label, &mut inferred.notes)?,
        };
        Ok(inferred)
    }
}

/// Infers the task as [`Inferred::of`] does, without the notes.
///
/// # Errors
/// The errors of [`Inferred::of`], and an error if the labels can only be read with the columns
/// that it returns.
pub fn infer_task(
    splits: &[&Split],
    columns: &Columns,
    names: Option<&[String]>,
    problem_type: Option<ProblemType>,
) -> Result<Task> {
    let inferred = Inferred::of(splits, columns, names, problem_type)?;
    if inferred.columns != *columns {
        return Err(Error::Classes {
            message: format!(
                "the lists of integers in column `{}` are marks of classes, not indices; take the columns that Inferred::of gives, which say so",
                columns.label.join(", ")
            ),
        });
    }
    Ok(inferred.task)
}

/// Checks that the column is in all splits, with types that can hold labels.
fn check_column(splits: &[&Split], column: &str) -> Result<()> {
    for split in splits {
        for schema in split.schemas()? {
            let Ok(field) = schema.field_with_name(column) else {
                return Err(Error::UnknownColumn {
                    column: format!("{column}` of split `{}", split.name()),
                    available: crate::rows::column::describe(&schema),
                });
            };
            let holds = list_item(field.data_type()).map_or(field.data_type(), |i| i.data_type());
            if Kind::of(field.data_type()) == Kind::Other || Kind::of(holds) == Kind::Other {
                return Err(unusable(field.data_type(), column));
            }
        }
    }
    Ok(())
}

/// The rows to examine and what the caller said about their labels.
pub(crate) struct Asked<'a> {
    pub(crate) splits: &'a [&'a Split],
    /// Names of the outputs that the caller specified.
    pub(crate) names: Option<&'a [String]>,
    pub(crate) by_position: bool,
    pub(crate) problem_type: Option<ProblemType>,
}

impl Asked<'_> {
    fn one_column(&self, column: &str, inferred: &mut Inferred) -> Result<Task> {
        if self.problem_type == Some(ProblemType::Regression) {
            return self.regression(column);
        }
        let cells = inferred.columns.cells;
        let classes = self.problem_type == Some(ProblemType::SingleLabelClassification);
        let search = match self.names {
            Some(_) => Search::Numbers,
            None => Search::Classes,
        };
        let text_lists = match (self.problem_type, self.names) {
            (Some(ProblemType::MultiLabelClassification), _) => TextLists::Always,
            (None, _) => TextLists::AsFirst,
            (_, None) => TextLists::WhereAll,
            // The decoder decides whether a text that looks like a list is a class.
            (_, Some(_)) => TextLists::Never,
        };
        let files = FileLabels::of_splits(self.splits, column, cells, text_lists, search)?;
        let is_list = |file: &&FileLabels| {
            matches!(
                file.form,
                Form::Lists(_) | Form::ClassLabel { lists: true, .. }
            )
        };
        let list = files.iter().find(is_list);
        match (list, files.iter().find(|file| !is_list(file))) {
            // A string is a class name if the user says so, whatever it looks like.
            (Some(list), _) if classes && self.is_text(list, column)? && !self.one_each(&files) => {
                let never = TextLists::Never;
                let files = FileLabels::of_splits(self.splits, column, cells, never, search)?;
                values::task(self, column, &files, &mut inferred.notes)
            }
            (Some(list), Some(other)) => Err(Error::Classes {
                message: format!(
                    "column `{column}` holds a list per row in {}, but one value per row in {}; write all labels in one way",
                    list.file.display(),
                    other.file.display()
                ),
            }),
            (Some(_), None) => lists::task(self, column, &files, inferred),
            (None, _) if self.problem_type == Some(ProblemType::MultiLabelClassification) => {
                self.lists_needed(column)
            }
            (None, _) => values::task(self, column, &files, &mut inferred.notes),
        }
    }

    /// Returns whether the column holds texts in this file.
    fn is_text(&self, file: &FileLabels, column: &str) -> Result<bool> {
        for split in self.splits {
            for (path, schema) in split.files().iter().zip(split.schemas()?) {
                if *path == file.file {
                    let field = schema.field_with_name(column);
                    return Ok(field.is_ok_and(|f| Kind::of(f.data_type()) == Kind::Text));
                }
            }
        }
        Ok(false)
    }

    /// Returns whether every row is a list of zeros and a single one.
    fn one_each(&self, files: &[FileLabels]) -> bool {
        files.iter().all(|file| match &file.form {
            Form::Lists(lists) => lists.not_marks.is_none() && lists.not_one.is_none(),
            _ => false,
        })
    }

    fn lists_needed(&self, column: &str) -> Result<Task> {
        let field = self.splits[0].schema().field_with_name(column);
        let found = field.map_or("null".to_owned(), |f| type_name(f.data_type()));
        Err(Error::Classes {
            message: format!(
                "label column `{column}` holds one value per row ({found}), but multi-label classification needs a list per row, a text with a --label-separator, or a column of zeros and ones for each class"
            ),
        })
    }

    /// Infers the outputs of a regression with one or several numbers per row.
    pub(crate) fn regression(&self, column: &str) -> Result<Task> {
        let width = self.width(column)?;
        let names = match self.names {
            Some(names) if names.len() != width => {
                return Err(Error::Classes {
                    message: format!(
                        "label column `{column}` holds {width} number{} per row, but {} output names were given ({})",
                        if width == 1 { "" } else { "s" },
                        names.len(),
                        listed(names, 12)
                    ),
                });
            }
            Some(names) => names.to_vec(),
            None if width == 1 => vec![column.to_owned()],
            None => (0..width).map(|i| format!("{column}_{i}")).collect(),
        };
        Ok(Task::Regression(checked(names, 1, column)?))
    }

    /// Returns the length of the list in the first row, which all others must have; 1 for a number.
    fn width(&self, column: &str) -> Result<usize> {
        let width = first_label(self.splits, column, |label| {
            label.items().map_or(1, |items| items.len())
        })?;
        if width == 0 {
            return Err(Error::Classes {
                message: format!(
                    "the list in the first row of column `{column}` is empty; every row needs a value for each output"
                ),
            });
        }
        Ok(width)
    }

    /// Returns the caller's names after checking that they fit those in the metadata of the files.
    pub(crate) fn given(
        &self,
        files: &[FileLabels],
        column: &str,
        at_least: usize,
    ) -> Result<Vec<String>> {
        let names = self.names.unwrap_or_default();
        for file in files {
            if let Form::ClassLabel { names: own, .. } = &file.form {
                classes_of_metadata(own, names, column, self.by_position)?;
            }
        }
        checked(names.to_vec(), at_least, column)
    }
}

/// Sets how lists of integers are read from here on.
pub(crate) fn read_lists_as(inferred: &mut Inferred, meaning: IntegerLists, why: Option<Note>) {
    inferred.columns.cells.lists = Some(meaning);
    inferred.notes.extend(why);
}

pub(crate) fn checked(names: Vec<String>, at_least: usize, column: &str) -> Result<Vec<String>> {
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
