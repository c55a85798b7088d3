//! Infers what a column with one label per row means.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{Place, listed};
use crate::labels::facts::{FileLabels, Form, Found, Scalars};
use crate::labels::inference::{Asked, checked};
use crate::labels::names::{look_alike, separators, too_many};
use crate::labels::union::{Classes, FileClasses, union};
use crate::{Error, Note, ProblemType, Result, Task};

/// Whole floats count as classes if there are at most this many different ones.
const FEW: usize = 20;

/// A fraction that follows at least this many integers is worth a note.
const CLOSE: u64 = 20;

/// Infers whether the values of all files are classes or numbers.
pub(crate) fn task(
    asked: &Asked<'_>,
    column: &str,
    files: &[FileLabels],
    notes: &mut Vec<Note>,
) -> Result<Task> {
    let values = Values {
        column,
        classes: asked.problem_type == Some(ProblemType::SingleLabelClassification),
        files,
    };
    if asked.names.is_some() {
        let names = asked.given(files, column, 2)?;
        if let Some(found) = values.fraction() {
            return Err(values.no_class(found));
        }
        return Ok(Task::Classes(names));
    }
    values.list()?;
    match values.meaning()? {
        Meaning::Numbers => {
            notes.extend(values.why_numbers());
            Ok(Task::Regression(vec![column.to_owned()]))
        }
        Meaning::Integers => {
            let (names, _) = union(&values.of_files(), column)?;
            let names = checked(values.without_gaps(names)?, 2, column)?;
            notes.extend(values.why_integers(&names));
            notes.extend(too_many(column, values.rows(), names.len()));
            Ok(Task::Classes(names))
        }
        Meaning::Names => {
            let (names, why) = union(&values.of_files(), column)?;
            let names = checked(names, 2, column)?;
            values.decimal_commas(&names)?;
            notes.extend(why);
            notes.extend(values.words_among_numbers());
            let scalars: Vec<_> = values.texts().map(|(_, scalars)| scalars).collect();
            notes.extend(look_alike(&names, &scalars));
            notes.extend(separators(&names, &scalars));
            if scalars.len() == files.len() {
                notes.extend(too_many(column, values.rows(), names.len()));
            }
            Ok(Task::Classes(names))
        }
    }
}

enum Meaning {
    /// Numbers to predict.
    Numbers,
    /// Class indices without names.
    Integers,
    /// Classes with names.
    Names,
}

struct Values<'a> {
    column: &'a str,
    /// Whether the user said that the values are classes.
    classes: bool,
    files: &'a [FileLabels],
}

impl<'a> Values<'a> {
    fn scalars(&self) -> impl Iterator<Item = (&'a Path, &'a Scalars)> {
        self.files.iter().filter_map(|file| match &file.form {
            Form::Scalars(scalars) => Some((&*file.file, &**scalars)),
            _ => None,
        })
    }

    /// Returns the files whose values are names.
    fn texts(&self) -> impl Iterator<Item = (&'a Path, &'a Scalars)> {
        self.scalars()
            .filter(|(_, scalars)| self.are_names(scalars))
    }

    fn numbers(&self) -> impl Iterator<Item = (&'a Path, &'a Scalars)> {
        self.scalars()
            .filter(|(_, scalars)| !self.are_names(scalars))
    }

    /// Returns whether the texts of a file are names: if one of them is not a number, or if one
    /// stands for a missing value and the file has no numbers or the user said that they are
    /// classes.
    fn are_names(&self, scalars: &Scalars) -> bool {
        let numbers = scalars.all_integers().next().is_some() || scalars.fraction.is_some();
        let marks_missing = !scalars.numerals.is_empty() && scalars.missing.is_some();
        !scalars.words.is_empty() || marks_missing && (self.classes || !numbers)
    }

    fn fraction(&self) -> Option<&'a Found> {
        self.scalars()
            .find_map(|(_, scalars)| scalars.fraction.as_ref())
    }

    fn rows(&self) -> u64 {
        self.scalars().map(|(_, scalars)| scalars.count).sum()
    }

    fn whole_floats(&self) -> bool {
        self.numbers()
            .any(|(_, scalars)| !scalars.wholes.is_empty())
    }

    fn integers(&self) -> BTreeSet<i64> {
        let numbers = self.numbers();
        let integers = numbers.flat_map(|(_, scalars)| scalars.all_integers());
        integers.map(|(integer, _)| integer).collect()
    }

    /// Returns what each file calls its classes.
    fn of_files(&self) -> Vec<FileClasses<'a>> {
        let classes = |file: &'a FileLabels| FileClasses {
            file: &file.file,
            classes: match &file.form {
                Form::ClassLabel { names, .. } => Classes::Named(names),
                Form::Scalars(scalars) if self.are_names(scalars) => Classes::Texts(scalars),
                Form::Scalars(scalars) => Classes::Integers(scalars),
                Form::Bool | Form::Lists(_) => Classes::Bool,
            },
        };
        let has_rows = |file: &&FileLabels| match &file.form {
            Form::Scalars(scalars) => scalars.count > 0,
            _ => true,
        };
        self.files.iter().filter(has_rows).map(classes).collect()
    }

    fn meaning(&self) -> Result<Meaning> {
        // Numbers among the words of one file are names; in a file of their own they are not.
        let fraction = self.numbers().find_map(|(file, scalars)| {
            let many = scalars.many.then(|| scalars.wholes.values().next());
            let place = scalars.fraction.as_ref().map(|found| &found.place);
            place
                .or(many.flatten().map(|seen| &seen.first))
                .map(|place| (file, place))
        });
        let others = self.of_files().into_iter();
        let named = others
            .into_iter()
            .find(|file| !matches!(file.classes, Classes::Integers(_)));
        if let Some((_, place)) = fraction {
            if let (true, Some(found)) = (self.classes, self.fraction()) {
                return Err(self.no_class(found));
            }
            if let Some(named) = named {
                return Err(self.numbers_beside_classes(place, &named));
            }
            self.missing()?;
            return Ok(Meaning::Numbers);
        }
        self.missing()?;
        if named.is_some() {
            return Ok(Meaning::Names);
        }
        let integers = self.integers();
        let few = integers.len() <= FEW
            && (integers.len() <= 2 || 2 * integers.len() as u64 <= self.rows());
        let classes = integers.iter().copied().eq(0..integers.len() as i64);
        match self.whole_floats() && !self.classes && !(few && classes) {
            true => Ok(Meaning::Numbers),
            false => Ok(Meaning::Integers),
        }
    }

    /// Rejects a list in a file whose first row has a single label.
    fn list(&self) -> Result<()> {
        let list = self
            .scalars()
            .find_map(|(_, scalars)| scalars.list.as_ref());
        match list.filter(|_| !self.classes) {
            None => Ok(()),
            Some(found) => Err(Error::Classes {
                message: format!(
                    "{}: label {:?} in column `{}` is a list, but the first row of the file has a single label; write lists in every row, or, if all are class names as they stand, say --problem-type classification",
                    found.place, found.shown, self.column
                ),
            }),
        }
    }

    /// Rejects numbers with a comma, which could be decimals, thousands or two labels.
    fn decimal_commas(&self, names: &[String]) -> Result<()> {
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let is_number = |text: &str| {
            let text = text.trim().trim_start_matches('-');
            let mut parts = text.split([',', '.']);
            text.starts_with(|c: char| c.is_ascii_digit()) && parts.all(all_digits)
        };
        let with_comma = |scalars: &'a Scalars| {
            let mut words = scalars.words.iter();
            words.find(|(word, _)| word.contains(','))
        };
        let found = self.texts().find_map(|(_, scalars)| with_comma(scalars));
        match found.filter(|_| !self.classes && names.iter().all(|name| is_number(name))) {
            None => Ok(()),
            Some((word, seen)) => Err(Error::Classes {
                message: format!(
                    "{}: label {word:?} in column `{}` looks like a number with a comma; to predict numbers write them as 1.5 or 1000; if each is a class, say --problem-type classification; if a cell has several labels, say --label-separator ','",
                    seen.first, self.column
                ),
            }),
        }
    }

    /// Rejects a text that stands for a missing value among numbers.
    fn missing(&self) -> Result<()> {
        match self
            .numbers()
            .find_map(|(_, scalars)| scalars.missing.as_ref())
        {
            None => Ok(()),
            Some(found) => Err(Error::MissingNumber {
                place: found.place.clone(),
                column: self.column.to_owned(),
                found: found.shown.clone(),
            }),
        }
    }

    fn no_class(&self, found: &Found) -> Error {
        Error::FloatLabel {
            place: found.place.clone(),
            column: self.column.to_owned(),
            found: found.shown.clone(),
        }
    }

    fn numbers_beside_classes(&self, place: &Place, other: &FileClasses<'_>) -> Error {
        Error::Classes {
            message: format!(
                "the labels in column `{}` do not fit together: {place} has a number that is not a class, but {}; write all labels in one way, or name the files of one kind",
                self.column,
                other.describe()
            ),
        }
    }

    /// Returns the classes `0` to `n-1`, or an error that lists the values found.
    fn without_gaps(&self, names: Vec<String>) -> Result<Vec<String>> {
        let mut integers: Vec<i64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        integers.sort_unstable();
        if integers.iter().copied().eq(0..integers.len() as i64) {
            return Ok(integers.iter().map(i64::to_string).collect());
        }
        Err(self.gaps(&integers))
    }

    fn gaps(&self, integers: &[i64]) -> Error {
        let column = self.column.to_owned();
        let found: Vec<_> = integers.iter().map(i64::to_string).collect();
        let all_different = too_many(&column, self.rows(), found.len()).is_some();
        // Check whether the values would be valid classes without the -1 of hidden labels.
        let rest = integers.iter().filter(|&&value| value != -1).copied();
        let hidden = self.numbers().find_map(|(_, scalars)| {
            let mut all = scalars.all_integers();
            all.find(|(value, _)| *value == -1)
                .map(|(_, seen)| seen.first.clone())
        });
        match hidden {
            Some(place) if integers.len() != 2 && rest.eq(0..integers.len() as i64 - 1) => {
                match integers.len() {
                    1 => Error::Unlabelled { place, column },
                    _ => Error::MinusOne {
                        place,
                        column,
                        found: found.join(","),
                    },
                }
            }
            _ if found.len() <= 100 && !all_different => Error::IntegerLabels {
                column,
                found: found.join(","),
            },
            _ => Error::Classes {
                message: format!(
                    "the labels in column `{column}` are {} different integers ({}), which are not 0 to n-1: is this the label column? Name another with --label-column, or, for numbers to predict, choose --problem-type regression",
                    found.len(),
                    listed(&found, 8)
                ),
            },
        }
    }

    /// Explains why the labels are numbers, where it was close.
    fn why_numbers(&self) -> Option<Note> {
        let column = self.column;
        let Some(found) = self.fraction() else {
            let integers = self.integers();
            let names: Vec<_> = integers.iter().map(i64::to_string).collect();
            let few = integers.len() <= FEW && !self.numbers().any(|(_, scalars)| scalars.many);
            return few.then(|| Note::new(format!(
                "the labels in column `{column}` are floating-point numbers, all of them whole ({}), and are taken for numbers to predict; if each is a class, add --problem-type classification --labels {}",
                names.join(", "),
                names.join(",")
            )));
        };
        let before: u64 = self
            .numbers()
            .map(|(_, scalars)| scalars.count.saturating_sub(1))
            .sum();
        let few = self.integers().len() <= FEW;
        (few && before >= CLOSE).then(|| Note::new(format!(
            "the labels in column `{column}` are taken for numbers to predict, because of {} in {}; those before it are whole",
            found.shown, found.place
        )))
    }

    /// Explains why the labels are classes, where there are floats.
    fn why_integers(&self, names: &[String]) -> Option<Note> {
        if !self.whole_floats() || self.classes {
            return None;
        }
        let (column, classes) = (self.column, listed(names, FEW));
        let count = |of: fn(&Scalars) -> u64| self.numbers().map(|(_, s)| of(s)).sum::<u64>();
        let integers = count(|s| s.integers.values().map(|seen| seen.count).sum());
        let floats = count(|s| s.wholes.values().map(|seen| seen.count).sum());
        let all = self
            .numbers()
            .flat_map(|(_, scalars)| scalars.wholes.iter());
        let (value, seen) = all.min_by_key(|(_, seen)| seen.count)?;
        let mixed = self
            .numbers()
            .find_map(|(_, scalars)| scalars.mixed.clone());
        Some(Note::new(match mixed {
            Some(place) => format!(
                "{place}: a floating-point number in column `{column}` follows integers, but all numbers are whole, and they are taken for the classes {classes}; to predict numbers add --problem-type regression"
            ),
            None if integers > 0 && floats <= integers => format!(
                "{}: label {value:?}.0 in column `{column}` is among integers and is taken for the class {value}; to predict numbers add --problem-type regression",
                seen.first
            ),
            None => format!(
                "the floating-point labels in column `{column}` are all whole numbers ({}: {value:?}.0) and are taken for the classes {classes}; to predict numbers add --problem-type regression",
                seen.first
            ),
        }))
    }

    /// Notes numbers among names: they are names too, but possibly by mistake.
    fn words_among_numbers(&self) -> Option<Note> {
        let column = self.column;
        self.texts().find_map(|(_, scalars)| {
            if let Some(found) = scalars.missing.as_ref().filter(|_| !self.classes) {
                // "none" and "-" are left out, because they are sensible names.
                let text = found.shown.trim().to_ascii_lowercase();
                // Capitalised, it is Python's None.
                let blank = ["na", "n/a", "#n/a", "<na>", "nan", "null"].contains(&&*text)
                    || found.shown.trim() == "None";
                if blank {
                    return Some(Note::new(format!(
                        "{}: label {:?} in column `{column}` is taken for a class of its own; if it stands for no label, take such rows out of the file",
                        found.place, found.shown
                    )));
                }
            }
            let (number, _) = scalars.numerals.iter().find(|(text, _)| {
                text.trim().parse::<f64>().is_ok_and(f64::is_finite)
            })?;
            let rows = |seen: &crate::labels::facts::Seen| seen.count;
            let words: u64 = scalars.words.values().map(rows).sum();
            let numbers: u64 = scalars.numerals.values().map(rows).sum();
            let (word, seen) = scalars.words.iter().min_by_key(|(_, seen)| seen.count)?;
            (numbers > words).then(|| Note::new(format!(
                "the labels in column `{column}` are classes, because {word:?} ({}) is not a number, while most others are, such as {number}",
                seen.first
            )))
        })
    }
}
