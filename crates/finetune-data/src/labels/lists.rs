//! Infers what a column with one list per row means.

use std::collections::BTreeSet;
use std::path::Path;

use crate::labels::facts::{FileLabels, Form, Found, Lists, Scalars};
use crate::labels::inference::{Asked, checked, read_lists_as};
use crate::labels::names::{look_alike, separators};
use crate::labels::union::{Classes, FileClasses, union};
use crate::rows::column::type_name;
use crate::{Error, Inferred, IntegerLists, Note, ProblemType, Result, Task};

/// Infers whether the lists of all files hold classes, indicators of classes, or numbers.
pub(crate) fn task(
    asked: &Asked<'_>,
    column: &str,
    files: &[FileLabels],
    inferred: &mut Inferred,
) -> Result<Task> {
    let shape = Shape::new(column, files);
    if let Some(note) = shape.rows_without_a_class(inferred.columns.cells.separator.is_some()) {
        inferred.notes.push(note);
    }
    let guess = asked.problem_type.is_none();
    if asked.problem_type == Some(ProblemType::SingleLabelClassification) {
        shape.one_class_a_row(asked)?;
        return shape.one_hot(asked);
    }
    if shape.has_names() {
        let names = match asked.names {
            Some(_) => asked.given(files, column, 1)?,
            None => shape.names(&mut inferred.notes)?,
        };
        return Ok(Task::MultiLabel(names));
    }
    if shape.any(|items| items.bool.is_some()) {
        return shape.marks(asked);
    }
    if shape.any(|items| items.fraction.is_some() || !items.wholes.is_empty()) {
        return match guess {
            true if shape.are_marks() => {
                inferred.notes.push(shape.floats_are_marks());
                shape.marks(asked)
            }
            true => {
                shape.one_kind_of_file(2..=usize::MAX)?;
                asked.regression(column)
            }
            false => shape.marks(asked),
        };
    }
    if !shape.integers_are_marks(asked, inferred.columns.cells.lists)? {
        let names = match asked.names {
            Some(_) => asked.given(files, column, 1)?,
            None => shape.indices()?,
        };
        // Longer lists are told apart row by row.
        shape.one_kind_of_file(2..=2)?;
        return Ok(Task::MultiLabel(names));
    }
    if guess && shape.not_one.is_none() {
        let note = "contain only zeros and a single one, and are read as one class per row; if a row could have several, add --problem-type multi_label, and to predict numbers add --problem-type regression";
        inferred.notes.push(shape.note("integers", note));
        return shape.one_hot(asked);
    }
    let note = "contain only zeros and ones, and are read as an indicator for each class; to predict numbers add --problem-type regression";
    let note = guess.then(|| shape.note("integers", note));
    // With more classes each row is unambiguous, because a list of indices names none twice.
    match shape.width {
        2 => read_lists_as(inferred, IntegerLists::Marks, note),
        _ => inferred.notes.extend(note),
    }
    shape.marks(asked)
}

/// The lists of all files together.
struct Shape<'a> {
    column: &'a str,
    files: &'a [FileLabels],
    lists: Vec<(&'a Path, &'a Lists)>,
    /// Length of the first list.
    width: usize,
    /// The first list whose length differs.
    other_width: Option<&'a Found>,
    /// The first list that contains anything but zeros and ones.
    not_marks: Option<&'a Found>,
    /// The first list without exactly one 1.
    not_one: Option<&'a Found>,
}

impl<'a> Shape<'a> {
    fn new(column: &'a str, files: &'a [FileLabels]) -> Self {
        let lists: Vec<_> = files
            .iter()
            .filter_map(|file| match &file.form {
                Form::Lists(lists) if lists.rows > 0 => Some((&*file.file, &**lists)),
                _ => None,
            })
            .collect();
        let first =
            |of: fn(&Lists) -> Option<&Found>| lists.iter().find_map(|(_, lists)| of(lists));
        let width = lists.first().map_or(0, |(_, lists)| lists.width);
        let other = lists.iter().find(|(_, lists)| lists.width != width);
        let other = other.and_then(|(_, lists)| lists.first.as_ref());
        Self {
            column,
            files,
            width,
            other_width: first(|lists| lists.other_width.as_ref()).or(other),
            not_marks: first(|lists| lists.not_marks.as_ref()),
            not_one: first(|lists| lists.not_one.as_ref()),
            lists,
        }
    }

    fn items(&self) -> impl Iterator<Item = (&'a Path, &'a Scalars)> {
        self.lists.iter().map(|(file, lists)| (*file, &lists.items))
    }

    fn any(&self, is: impl Fn(&Scalars) -> bool) -> bool {
        self.items().any(|(_, items)| is(items))
    }

    /// Returns whether every list has a zero or one for each class.
    fn are_marks(&self) -> bool {
        self.width > 0 && self.other_width.is_none() && self.not_marks.is_none()
    }

    fn has_names(&self) -> bool {
        let named = |file: &FileLabels| matches!(file.form, Form::ClassLabel { .. });
        self.files.iter().any(named) || self.any(are_names)
    }

    /// Collects the names of the classes in the lists.
    fn names(&self, notes: &mut Vec<Note>) -> Result<Vec<String>> {
        let classes = |file: &'a FileLabels| {
            let classes = match &file.form {
                Form::ClassLabel { names, .. } => Classes::Named(names),
                Form::Lists(lists) if are_names(&lists.items) => Classes::Texts(&lists.items),
                Form::Lists(lists) if lists.items.count > 0 => Classes::Integers(&lists.items),
                _ => return None,
            };
            Some(FileClasses {
                file: &file.file,
                classes,
            })
        };
        let files: Vec<_> = self.files.iter().filter_map(classes).collect();
        let number = |(_, items): (&Path, &'a Scalars)| {
            let mut integers = items.integers.iter().filter(|_| are_names(items));
            integers.find(|(number, _)| !items.numerals.contains_key(&number.to_string()))
        };
        if let Some((number, seen)) = self.items().find_map(number) {
            return Err(Error::Classes {
                message: format!(
                    "{}: \"{number}\" in column `{}` is not a class name, but other lists hold names; write all lists in one way",
                    seen.first, self.column
                ),
            });
        }
        if let Some(found) = self
            .items()
            .find_map(|(_, items)| items.bool.as_ref().or(items.fraction.as_ref()))
        {
            return Err(Error::Classes {
                message: format!(
                    "{}: {:?} in column `{}` is not a class name, but other lists hold names; write all lists in one way",
                    found.place, found.shown, self.column
                ),
            });
        }
        let (names, why) = union(&files, self.column)?;
        notes.extend(why);
        let texts: Vec<_> = self.items().map(|(_, items)| items).collect();
        notes.extend(look_alike(&names, &texts));
        notes.extend(separators(&names, &texts));
        checked(names, 1, self.column)
    }

    /// Returns the names of classes that appear as indices.
    fn indices(&self) -> Result<Vec<String>> {
        let integers = self.items().flat_map(|(_, items)| items.all_integers());
        let integers: BTreeSet<i64> = integers.map(|(integer, _)| integer).collect();
        let names: Vec<_> = integers.iter().map(i64::to_string).collect();
        if !integers.into_iter().eq(0..names.len() as i64) {
            return Err(Error::IntegerLabels {
                column: self.column.to_owned(),
                found: names.join(","),
            });
        }
        checked(names, 1, self.column)
    }

    /// Makes each position in the lists a class, any number of which a row can have.
    fn marks(&self, asked: &Asked<'_>) -> Result<Task> {
        Ok(Task::MultiLabel(self.numbered(asked, 1)?))
    }

    /// Makes each position in the lists a class, exactly one of which a row has.
    fn one_hot(&self, asked: &Asked<'_>) -> Result<Task> {
        Ok(Task::Classes(self.numbered(asked, 2)?))
    }

    fn numbered(&self, asked: &Asked<'_>, at_least: usize) -> Result<Vec<String>> {
        match asked.names {
            Some(_) => asked.given(self.files, self.column, at_least),
            None => {
                let names = (0..self.width).map(|i| i.to_string()).collect();
                checked(names, at_least, self.column)
            }
        }
    }

    /// Rejects lists that do not give exactly one class per row.
    fn one_class_a_row(&self, asked: &Asked<'_>) -> Result<()> {
        match self
            .not_one
            .filter(|_| self.are_marks() && !self.has_names())
        {
            Some(found) => Err(Error::NotOneHot {
                place: found.place.clone(),
                column: self.column.to_owned(),
                found: found.shown.clone(),
            }),
            None if self.are_marks() && !self.has_names() => Ok(()),
            None => {
                let field = asked.splits[0].schema().field_with_name(self.column);
                Err(Error::UnexpectedList {
                    column: self.column.to_owned(),
                    found: field.map_or("list".to_owned(), |f| type_name(f.data_type())),
                    wanted: "single-label classification needs",
                })
            }
        }
    }

    /// Returns whether lists of integers are indicators rather than indices. With two classes, a
    /// single row does not tell.
    fn integers_are_marks(&self, asked: &Asked<'_>, told: Option<IntegerLists>) -> Result<bool> {
        if let Some(told) = told {
            return Ok(told == IntegerLists::Marks);
        }
        let as_many = asked.names.is_none_or(|names| names.len() == self.width);
        if !self.are_marks() || self.width < 2 || !as_many {
            return Ok(false);
        }
        let first = self
            .lists
            .first()
            .and_then(|(_, lists)| lists.first.as_ref());
        let first_shown = first.map(|found| &found.shown);
        let same = |(_, lists): &(&Path, &Lists)| {
            !lists.vary && lists.first.as_ref().map(|found| &found.shown) == first_shown
        };
        match first {
            Some(first)
                if self.width == 2 && self.not_one.is_none() && self.lists.iter().all(same) =>
            {
                Err(Error::Classes {
                    message: format!(
                        "{}: the list {} in column `{}`, which all rows have, could name both classes by their indices or mark one of them; write marks as floats (0.0, 1.0) or booleans, or write class names",
                        first.place, first.shown, self.column
                    ),
                })
            }
            _ => Ok(true),
        }
    }

    /// Rejects a mixture of files whose lists, with one of these lengths, hold only zeros and ones,
    /// and files whose lists hold other numbers.
    fn one_kind_of_file(&self, widths: std::ops::RangeInclusive<usize>) -> Result<()> {
        let marks = |lists: &Lists| {
            let same = lists.not_marks.is_none() && lists.other_width.is_none();
            same && widths.contains(&lists.width) && lists.vary
        };
        let file = |is: bool| self.lists.iter().find(|(_, lists)| marks(lists) == is);
        let (Some((file, _)), Some((_, others))) = (file(true), file(false)) else {
            return Ok(());
        };
        let other = others.not_marks.as_ref().or(others.first.as_ref());
        Err(Error::Classes {
            message: format!(
                "the lists in column `{}` do not fit together: those in {} contain only zeros and ones, as indicators of classes, but {}; write all in one way",
                self.column,
                file.display(),
                other.map_or(String::new(), |found| format!(
                    "{} has {}",
                    found.place, found.shown
                ))
            ),
        })
    }

    fn floats_are_marks(&self) -> Note {
        self.note("floating-point numbers", "contain only 0.0 and 1.0, and are read as an indicator for each class; to predict numbers add --problem-type regression")
    }

    fn note(&self, of: &str, what: &str) -> Note {
        let first = self
            .lists
            .first()
            .and_then(|(_, lists)| lists.first.as_ref());
        let first = first.map_or(String::new(), |first| {
            format!(" ({}: {})", first.place, first.shown)
        });
        Note::new(format!(
            "the lists of {of} in column `{}`{first} {what}",
            self.column
        ))
    }

    fn rows_without_a_class(&self, separated: bool) -> Option<Note> {
        let rows: u64 = self.lists.iter().map(|(_, lists)| lists.empty_rows).sum();
        let first = self
            .lists
            .iter()
            .find_map(|(_, lists)| lists.empty.as_ref());
        let first = first.filter(|_| separated)?;
        Some(Note::new(format!(
            "{rows} row{} without a label in column `{}`, the first in {first}, {} of no class",
            if rows == 1 { "" } else { "s" },
            self.column,
            if rows == 1 { "is" } else { "are" },
        )))
    }
}

/// Returns whether texts in lists are names, which they are unless all of them are integers.
fn are_names(items: &Scalars) -> bool {
    !items.words.is_empty() || (!items.numerals.is_empty() && items.missing.is_some())
}
