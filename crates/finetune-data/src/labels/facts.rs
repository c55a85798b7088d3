//! Collects facts about a label column in one pass over each file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::Place;
use crate::labels::array::LabelArray;
use crate::labels::decoder::class_names;
use crate::read::mixed_numbers;
use crate::rows::cell::Cell;
use crate::rows::column::Kind;
use crate::rows::split::Source;
use crate::rows::value::{Value, whole};
use crate::{Error, LabelCells, Result, RowBatch, Split};

/// A column with more distinct labels than this is taken for text.
const MAX_CLASSES: usize = 10_000;

/// A label with the place of its first occurrence.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) shown: String,
}

impl Found {
    fn new(value: &Value<'_>, cell: &Cell<'_>) -> Self {
        Self {
            place: cell.place(),
            shown: value.to_string(),
        }
    }
}

/// The first occurrence of a distinct label, and its number of rows.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) first: Place,
    pub(crate) count: u64,
}

/// The labels of one file.
pub(crate) struct FileLabels {
    pub(crate) file: Arc<Path>,
    pub(crate) form: Form,
}

/// The form in which a file holds its labels.
pub(crate) enum Form {
    /// Indices, one per row or lists of them, into the class names of the file's metadata. Not
    /// read.
    ClassLabel { names: Vec<String>, lists: bool },
    /// Booleans. Not read.
    Bool,
    /// One value per row.
    Scalars(Box<Scalars>),
    /// A list per row.
    Lists(Box<Lists>),
}

/// What a pass looks for, which decides where it may stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// Everything that a class list needs.
    Classes,
    /// Whether floats stand for given names; other types are not read.
    Numbers,
}

/// How texts that look like lists are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextLists {
    /// As texts.
    Never,
    /// As lists, whatever they look like.
    Always,
    /// As lists if the first text of the file is one; then all of them must be.
    AsFirst,
    /// As lists if all texts of the file are lists.
    WhereAll,
}

impl FileLabels {
    /// Collects the labels of each file of the splits with selected rows.
    pub(crate) fn of_splits(
        splits: &[&Split],
        column: &str,
        cells: LabelCells,
        text_lists: TextLists,
        search: Search,
    ) -> Result<Vec<Self>> {
        let mut files = Vec::new();
        for split in splits {
            for source in split.sources()? {
                files.push(Self::of(&source, column, cells, text_lists, search)?);
            }
        }
        Ok(files)
    }

    fn of(
        source: &Source,
        column: &str,
        cells: LabelCells,
        text_lists: TextLists,
        search: Search,
    ) -> Result<Self> {
        let field = source.schema.field_with_name(column);
        let data_type = field.map(|f| f.data_type()).map_err(|e| Error::Classes {
            message: e.to_string(),
        })?;
        let kind = Kind::of(data_type);
        let form = match class_names(&source.schema, column) {
            Some(names) => Form::ClassLabel {
                names,
                lists: kind == Kind::List,
            },
            None if kind == Kind::Bool => Form::Bool,
            None => {
                let scalars = || match (search, kind) {
                    (Search::Numbers, Kind::Integer | Kind::Text) => {
                        Ok(Form::Scalars(Box::default()))
                    }
                    _ => Scalars::read(source, column, cells)
                        .map(|values| Form::Scalars(Box::new(values))),
                };
                let lists =
                    || Lists::read(source, column, cells).map(|lists| Form::Lists(Box::new(lists)));
                let text = kind == Kind::Text;
                let is_list = kind == Kind::List || text && cells.separator.is_some();
                match text_lists {
                    _ if is_list => lists()?,
                    TextLists::Always if text => lists()?,
                    TextLists::AsFirst if text && starts_with_list(source, column)? => lists()?,
                    TextLists::WhereAll if text && starts_with_list(source, column)? => {
                        match lists() {
                            Err(Error::NotAList { .. }) => scalars()?,
                            lists => lists?,
                        }
                    }
                    _ => scalars()?,
                }
            }
        };
        Ok(Self {
            file: Arc::clone(source.path()),
            form,
        })
    }
}

/// Calls `each` with the labels of a column of one file until it returns false.
pub(crate) fn each_label(
    source: &Source,
    column: &str,
    cells: LabelCells,
    mut each: impl FnMut(&Value<'_>, &Cell<'_>) -> Result<bool>,
) -> Result<()> {
    for rows in source.read(&[column.to_owned()]) {
        let rows = rows?;
        let labels = LabelArray::new(rows.batch.column(0), column, cells, &rows)?;
        for index in 0..rows.batch.num_rows() {
            let cell = Cell {
                rows: &rows,
                index,
                column,
            };
            if !each(&labels.get(index), &cell)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns whether the first label of a text column is a list.
fn starts_with_list(source: &Source, column: &str) -> Result<bool> {
    let mut list = false;
    each_label(source, column, LabelCells::default(), |label, _| {
        list = label.is_list_like();
        Ok(false)
    })?;
    Ok(list)
}

/// Returns what `look` finds in the label of the first row.
pub(crate) fn first_label<T>(
    splits: &[&Split],
    column: &str,
    look: impl FnOnce(&Value<'_>) -> T,
) -> Result<T> {
    for split in splits {
        if let Some(rows) = split.read(&[column])?.next() {
            let rows: RowBatch = rows?;
            let cells = LabelCells::default();
            let labels = LabelArray::new(rows.batch.column(0), column, cells, &rows)?;
            let cell = Cell {
                rows: &rows,
                index: 0,
                column,
            };
            return match labels.get(0) {
                Value::Null => Err(cell.null()),
                label => Ok(look(&label)),
            };
        }
    }
    Ok(look(&Value::Null))
}

/// The distinct values of a column, or of the lists in it.
#[derive(Default)]
pub(crate) struct Scalars {
    /// Number of values read until the pass stopped.
    pub(crate) count: u64,
    /// Texts that are not numbers.
    pub(crate) words: BTreeMap<String, Seen>,
    /// Texts that are numbers, as written; they also count among `integers` and `wholes`.
    pub(crate) numerals: BTreeMap<String, Seen>,
    pub(crate) integers: BTreeMap<i64, Seen>,
    /// Floats that are whole numbers.
    pub(crate) wholes: BTreeMap<i64, Seen>,
    /// The first number that is not whole. Nothing after it was read.
    pub(crate) fraction: Option<Found>,
    /// The first value that stands for a missing one: NaN, or a text such as `NA`.
    pub(crate) missing: Option<Found>,
    /// Whether there are too many distinct numbers, some of them floats, for classes.
    pub(crate) many: bool,
    pub(crate) bool: Option<Found>,
    /// The first label that is a list, in a file whose first label is not.
    pub(crate) list: Option<Found>,
    /// The place of the first float after integers in a file of JSON lines.
    pub(crate) mixed: Option<Place>,
}

impl Scalars {
    fn read(source: &Source, column: &str, cells: LabelCells) -> Result<Self> {
        let mut found = Self {
            mixed: mixed_numbers(&source.schema, column, source.path()),
            ..Self::default()
        };
        each_label(source, column, cells, |label, cell| {
            if *label == Value::Null {
                return Err(cell.null());
            }
            found.add(label, cell);
            found.wants_more(cell.column)
        })?;
        Ok(found)
    }

    /// Returns false if nothing that follows can change the meaning.
    fn wants_more(&mut self, column: &str) -> Result<bool> {
        let distinct = self.words.len() + self.integers.len() + self.wholes.len();
        if distinct > MAX_CLASSES {
            if !self.words.is_empty() || self.wholes.is_empty() {
                return Err(Error::Classes {
                    message: format!(
                        "column `{column}` has more than {MAX_CLASSES} distinct labels; it does not look like a label column: name another with --label-column, or predict numbers with --problem-type regression"
                    ),
                });
            }
            self.many = true;
        }
        Ok(self.fraction.is_none() && !self.many)
    }

    fn add(&mut self, value: &Value<'_>, cell: &Cell<'_>) {
        self.count += 1;
        match value {
            Value::Integer(value) => see(&mut self.integers, *value, cell),
            Value::Float(number) => match whole(*number) {
                Some(integer) => see(&mut self.wholes, integer, cell),
                None if number.is_finite() => keep_first(&mut self.fraction, value, cell),
                None => keep_first(&mut self.missing, value, cell),
            },
            Value::Text(text) => self.add_text(text, value, cell),
            Value::Bool(_) => keep_first(&mut self.bool, value, cell),
            Value::List(_) | Value::Object => keep_first(&mut self.list, value, cell),
            Value::Null => {}
        }
    }

    fn add_text(&mut self, text: &str, value: &Value<'_>, cell: &Cell<'_>) {
        if let Some(seen) = self.words.get_mut(text) {
            seen.count += 1;
            return;
        }
        let number = match self.numerals.get_mut(text) {
            Some(seen) => {
                seen.count += 1;
                number_of(text)
            }
            None => {
                let number = number_of(text);
                match number {
                    Numeral::Word => see_text(&mut self.words, text, cell),
                    _ => see_text(&mut self.numerals, text, cell),
                }
                number
            }
        };
        match number {
            Numeral::Integer(integer) => see(&mut self.integers, integer, cell),
            Numeral::Whole(integer) => see(&mut self.wholes, integer, cell),
            Numeral::Fraction => keep_first(&mut self.fraction, value, cell),
            Numeral::Missing => keep_first(&mut self.missing, value, cell),
            Numeral::Word if value.items().is_some() => keep_first(&mut self.list, value, cell),
            Numeral::Word => {}
        }
    }

    /// Returns the texts as written: one word among them makes them all names.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &Seen)> {
        let names = self.words.iter().chain(&self.numerals);
        names.map(|(name, seen)| (name.as_str(), seen))
    }

    /// Returns all whole numbers as integers.
    pub(crate) fn all_integers(&self) -> impl Iterator<Item = (i64, &Seen)> {
        let numbers = self.integers.iter().chain(&self.wholes);
        numbers.map(|(integer, seen)| (*integer, seen))
    }
}

fn see(distinct: &mut BTreeMap<i64, Seen>, value: i64, cell: &Cell<'_>) {
    match distinct.get_mut(&value) {
        Some(seen) => seen.count += 1,
        None => drop(distinct.insert(value, first(cell))),
    }
}

fn see_text(distinct: &mut BTreeMap<String, Seen>, text: &str, cell: &Cell<'_>) {
    distinct.insert(text.to_owned(), first(cell));
}

fn first(cell: &Cell<'_>) -> Seen {
    Seen {
        first: cell.place(),
        count: 1,
    }
}

fn keep_first(found: &mut Option<Found>, value: &Value<'_>, cell: &Cell<'_>) {
    found.get_or_insert_with(|| Found::new(value, cell));
}

/// The numeric meaning of a text.
enum Numeral {
    Integer(i64),
    /// A whole number written as a float, such as `1.0`.
    Whole(i64),
    Fraction,
    /// A missing value, as people and programs write it.
    Missing,
    Word,
}

fn number_of(text: &str) -> Numeral {
    let text = text.trim();
    if marks_missing_value(text) {
        return Numeral::Missing;
    }
    match text.parse::<i64>() {
        // "007" and "+7" are names, not numbers.
        Ok(value) if value.to_string() == text => Numeral::Integer(value),
        Ok(_) => Numeral::Word,
        Err(_) => match text.parse::<f64>() {
            Ok(value) if !value.is_finite() => Numeral::Missing,
            Ok(value) => whole(value).map_or(Numeral::Fraction, Numeral::Whole),
            Err(_) => Numeral::Word,
        },
    }
}

/// Returns whether a text is one of the ways to mark a missing value in a table. Among numbers it
/// certainly is.
pub(crate) fn marks_missing_value(text: &str) -> bool {
    const MARKS: [&str; 13] = [
        "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "-", "--", "?", ".",
    ];
    let text = text.trim();
    MARKS.iter().any(|mark| text.eq_ignore_ascii_case(mark))
}

/// The items and the shape of the lists of a file.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) rows: u64,
    pub(crate) items: Scalars,
    /// The first list.
    pub(crate) first: Option<Found>,
    /// Length of the first list.
    pub(crate) width: usize,
    /// The first list whose length differs.
    pub(crate) other_width: Option<Found>,
    /// The first list that contains anything but zeros and ones (or false and true).
    pub(crate) not_marks: Option<Found>,
    /// The first list without exactly one 1.
    pub(crate) not_one: Option<Found>,
    /// Whether there are two different lists.
    pub(crate) vary: bool,
    /// The first row without a class.
    pub(crate) empty: Option<Place>,
    pub(crate) empty_rows: u64,
}

impl Lists {
    fn read(source: &Source, column: &str, cells: LabelCells) -> Result<Self> {
        let mut found = Self::default();
        let mut first = Vec::new();
        each_label(source, column, cells, |label, cell| {
            if *label == Value::Null {
                return Err(cell.null());
            }
            let items = label.items().ok_or_else(|| cell.not_a_list(label))?;
            found.rows += 1;
            if found.first.is_none() {
                keep_first(&mut found.first, label, cell);
                found.width = items.len();
                first = items.iter().map(Value::to_string).collect();
            }
            if items.is_empty() {
                found.empty_rows += 1;
                found.empty.get_or_insert_with(|| cell.place());
            }
            let mut ones = 0;
            let mut marks = true;
            for item in items.iter() {
                match item {
                    Value::Null => return Err(cell.null()),
                    Value::List(_) | Value::Object => return Err(cell.not_a_list(label)),
                    item => found.items.add(item, cell),
                }
                match item.indicator() {
                    Some(one) => ones += usize::from(one),
                    None => marks = false,
                }
            }
            if items.len() != found.width {
                keep_first(&mut found.other_width, label, cell);
            }
            if !marks {
                keep_first(&mut found.not_marks, label, cell);
            }
            if ones != 1 {
                keep_first(&mut found.not_one, label, cell);
            }
            let differs = || !items.iter().map(Value::to_string).eq(first.iter().cloned());
            found.vary = found.vary || differs();
            found.items.wants_more(cell.column)
        })?;
        Ok(found)
    }
}
