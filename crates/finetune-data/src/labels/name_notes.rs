//! Notes on how labels were matched with names that come from elsewhere.

use std::collections::{BTreeMap, HashSet};

use crate::error::{Place, listed};
use crate::labels::class_index::{classes_of_metadata, wanted_names, whose_metadata};
use crate::labels::decoder::{class_names, columns_and_names, outputs_of_columns};
use crate::labels::facts::each_label;
use crate::labels::name_matching::{Lookup, NameList, are_numbers};
use crate::rows::column::Kind;
use crate::rows::split::Source;
use crate::rows::value::Value;
use crate::{Columns, LabelCells, Note, Result, Split, Task};

/// The origin of the class names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesOf {
    /// The user, who named these labels.
    User,
    /// A model, whose names may have been made for other labels.
    Model,
}

/// How the labels of some rows match names that come from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameNotes {
    /// What the user should know about the match.
    pub notes: Vec<Note>,
    /// Whether labels are numbers that stand for names by their index, from 0.
    pub by_index: bool,
}

impl NameNotes {
    /// Examines how the labels of `splits` match the names of `task`, which come from `names_of`.
    /// Reads the label column once if the labels are strings.
    ///
    /// # Errors
    /// Fails for names that do not match, as a [`LabelDecoder`](crate::LabelDecoder) would, and for
    /// a file that cannot be read.
    pub fn new(
        task: &Task,
        splits: &[&Split],
        columns: &Columns,
        names_of: NamesOf,
    ) -> Result<Self> {
        let mut found = Self::default();
        let (names, by_position) = (task.names(), columns.labels_by_position);
        match (&columns.label[..], task) {
            ([], _) | ([_], Task::Regression(_)) => {}
            ([column], _) => {
                let of = Of {
                    column,
                    cells: columns.cells,
                    names,
                    by_position,
                    names_of,
                };
                for split in splits {
                    for source in split.sources()? {
                        found.of_file(&source, &of)?;
                    }
                }
            }
            (several, _) => {
                let (_, matched) = outputs_of_columns(several, names, by_position)?;
                let (columns, names) = columns_and_names(several, names);
                found.notes.extend(matched.note(columns, names));
            }
        }
        let mut seen = HashSet::new();
        found.notes.retain(|note| seen.insert(note.clone()));
        Ok(found)
    }

    fn of_file(&mut self, source: &Source, of: &Of<'_>) -> Result<()> {
        let Of {
            column,
            names,
            by_position,
            names_of,
            ..
        } = *of;
        let Ok(field) = source.schema.field_with_name(column) else {
            return Ok(());
        };
        if let Some(metadata) = class_names(&source.schema, column) {
            let matched = classes_of_metadata(&metadata, names, column, by_position)?;
            let whose = whose_metadata(column);
            let metadata = NameList {
                whose: &whose,
                names: &metadata,
            };
            self.notes
                .extend(matched.note(metadata, wanted_names(names)));
            return Ok(());
        }
        let met = match Kind::of(field.data_type()) {
            Kind::Text | Kind::Null | Kind::List => Met::read(source, of)?,
            Kind::Integer | Kind::Float => {
                Met::by_index(names.iter().all(|name| name.parse::<i64>().is_err()))
            }
            Kind::Bool => Met::by_index(Lookup::new(names).find("true").is_none()),
            Kind::Other => Met::default(),
        };
        self.notes.extend(met.note(column, names));
        if met.by_index {
            self.by_index = true;
            if names_of == NamesOf::Model && !are_numbers(names) {
                let meant = names.iter().enumerate();
                let meant: Vec<_> = meant.map(|(i, name)| format!("{i} is {name:?}")).collect();
                self.notes.push(Note::new(format!(
                    "the labels in column `{column}` are numbers without names, and are taken as the model's classes by number: {}",
                    listed(&meant, 12)
                )));
            }
        }
        Ok(())
    }
}

/// What is examined in each file.
struct Of<'a> {
    column: &'a str,
    cells: LabelCells,
    names: &'a [String],
    by_position: bool,
    names_of: NamesOf,
}

/// How the values in a label column were matched.
#[derive(Default)]
struct Met {
    /// Strings that match a class only ignoring case and blanks, with the index of that class and
    /// the first row.
    loose: BTreeMap<String, (usize, Place)>,
    /// Whether some value is a number that is not a name.
    by_index: bool,
}

impl Met {
    fn by_index(by_index: bool) -> Self {
        Self {
            by_index,
            ..Self::default()
        }
    }

    fn read(source: &Source, of: &Of<'_>) -> Result<Self> {
        let names = of.names;
        let lookup = Lookup::new(names);
        let mut met = Self::default();
        let mut look = |label: &Value<'_>, place: &dyn Fn() -> Place| match label {
            Value::Text(text) if lookup.exact(text).is_none() => match lookup.find(text) {
                Some(class) if !met.loose.contains_key(&**text) => {
                    met.loose.insert(text.to_string(), (class, place()));
                }
                Some(_) => {}
                None => {
                    let integer = label.integer().map(|integer| integer.to_string());
                    met.by_index |= integer.is_some_and(|integer| lookup.find(&integer).is_none());
                }
            },
            Value::Integer(value) => met.by_index |= lookup.find(&value.to_string()).is_none(),
            _ => {}
        };
        // A null among the labels is rejected where the rows are read.
        each_label(source, of.column, of.cells, |label, cell| {
            match label.items() {
                // Zeros and ones for each class are in the order of the classes, whatever their
                // names.
                Some(items) if is_mask(&items, names.len()) => {}
                Some(items) => items.iter().for_each(|item| look(item, &|| cell.place())),
                None => look(label, &|| cell.place()),
            }
            Ok(true)
        })?;
        Ok(met)
    }

    fn note(&self, column: &str, names: &[String]) -> Option<Note> {
        let taken = self.loose.iter().map(|(found, (class, place))| {
            format!("{found:?} is {:?} (first in {place})", names[*class])
        });
        let taken: Vec<_> = taken.collect();
        (!taken.is_empty()).then(|| {
            Note::new(format!(
                "labels in column `{column}` are matched with the class names ignoring case and surrounding blanks: {}",
                listed(&taken, 12)
            ))
        })
    }
}

fn is_mask(items: &[Value<'_>], classes: usize) -> bool {
    items.len() == classes && items.iter().all(|item| item.indicator().is_some())
}
