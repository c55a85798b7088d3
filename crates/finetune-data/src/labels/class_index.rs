//! Maps the value of a label to its class.

use crate::error::{listed, nearest};
use crate::labels::name_matching::{Lookup, NameList, NameMatch, match_names};
use crate::rows::cell::Cell;
use crate::rows::value::Value;
use crate::{Error, Result};

#[derive(Clone, Debug)]
pub(crate) struct ClassIndex {
    names: Vec<String>,
    lookup: Lookup,
    /// The names in the metadata of a `ClassLabel` column, with the class of each.
    metadata: Option<(Vec<String>, Vec<Option<u32>>)>,
    /// Whether any name is an integer, in which case integers are names rather than indices.
    integer_names: bool,
}

impl ClassIndex {
    /// Creates an index of the classes in `names`. `own` holds the names that a file's metadata
    /// gives to its indices; they are matched with `names`.
    pub(crate) fn new(
        names: &[String],
        own: Option<Vec<String>>,
        column: &str,
        by_position: bool,
    ) -> Result<Self> {
        let metadata = match own {
            Some(hf) => {
                let classes = classes_of_metadata(&hf, names, column, by_position)?.indices;
                let classes = classes.iter().map(|class| class.map(|class| class as u32));
                Some((hf, classes.collect()))
            }
            None => None,
        };
        Ok(Self {
            lookup: Lookup::new(names),
            integer_names: names.iter().any(|name| name.parse::<i64>().is_ok()),
            names: names.to_vec(),
            metadata,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the class that a value refers to by name or by index.
    pub(crate) fn class(&self, value: &Value<'_>, cell: &Cell<'_>) -> Result<u32> {
        let unknown = |found: &str| self.unknown(found, cell);
        match value {
            Value::Integer(value) => match &self.metadata {
                Some((hf, classes)) => {
                    let i = by_index(*value, hf, cell, false)?;
                    classes[i].ok_or_else(|| unknown(&hf[i]))
                }
                None if self.integer_names => self.by_name(&value.to_string(), cell),
                None => Ok(by_index(*value, &self.names, cell, true)? as u32),
            },
            Value::Text(text) => match self.find(text) {
                Some(class) => Ok(class),
                None => match value.integer() {
                    Some(integer) => match self.find(&integer.to_string()) {
                        Some(class) => Ok(class),
                        None if self.integer_names => Err(unknown(text)),
                        None => Ok(by_index(integer, &self.names, cell, true)? as u32),
                    },
                    None if text.trim().parse::<f64>().is_ok() => Err(cell.float(value)),
                    None if value.items().is_some() => self.one_hot(value, cell),
                    None => Err(unknown(text)),
                },
            },
            Value::Bool(value) => match self.find(if *value { "true" } else { "false" }) {
                Some(class) => Ok(class),
                None if self.names.len() == 2 => Ok(u32::from(*value)),
                None => Err(unknown(&value.to_string())),
            },
            Value::Float(_) => match value.integer() {
                Some(integer) => self.class(&Value::Integer(integer), cell),
                None => Err(cell.float(value)),
            },
            Value::List(_) => self.one_hot(value, cell),
            Value::Object => Err(unknown(&value.to_string())),
            Value::Null => Err(cell.null()),
        }
    }

    /// Returns the class of a one-hot row: a 0 or 1 for each class, with a single 1.
    fn one_hot(&self, label: &Value<'_>, cell: &Cell<'_>) -> Result<u32> {
        let not_one_hot = || Error::NotOneHot {
            place: cell.place(),
            column: cell.column.to_owned(),
            found: label.to_string(),
        };
        let named = |item: &Value<'_>| matches!(item, Value::Text(_)) && item.indicator().is_none();
        if label.items().is_some_and(|items| items.iter().any(named)) {
            return Err(not_one_hot());
        }
        let mut marks = vec![false; self.names.len()];
        self.mark(label, true, cell, &mut marks)?;
        let ones: Vec<_> = (0..).zip(&marks).filter(|(_, mark)| **mark).collect();
        match ones[..] {
            [(class, _)] => Ok(class),
            _ => Err(not_one_hot()),
        }
    }

    /// Marks the classes of one row, which is a list of indices or names, or has a 0 or 1 for each
    /// class. With three or more classes, a list of one 0 or 1 per class cannot be anything else:
    /// as indices it would name a class twice.
    pub(crate) fn mark(
        &self,
        label: &Value<'_>,
        is_mask: bool,
        cell: &Cell<'_>,
        marks: &mut [bool],
    ) -> Result<()> {
        let items = label.items().ok_or_else(|| cell.not_a_list(label))?;
        let of_mask = |item: &Value<'_>| matches!(item, Value::Float(_) | Value::Bool(_));
        let zero_or_one = |item: &Value<'_>| matches!(item, Value::Integer(0 | 1));
        let must_be_mask = || {
            let as_many = items.len() == marks.len() && items.len() > 2;
            as_many && self.metadata.is_none() && items.iter().all(zero_or_one)
        };
        if is_mask || items.iter().any(of_mask) || must_be_mask() {
            if items.len() != marks.len() {
                return Err(cell.length(items.len(), marks.len()));
            }
            for (mark, item) in marks.iter_mut().zip(items.iter()) {
                *mark = item
                    .indicator()
                    .ok_or_else(|| cell.not_an_indicator(item))?;
            }
            return Ok(());
        }
        for item in items.iter() {
            let class = self.class(item, cell)? as usize;
            if marks[class] {
                return Err(Error::RepeatedLabel {
                    place: cell.place(),
                    column: cell.column.to_owned(),
                    found: self.names[class].clone(),
                });
            }
            marks[class] = true;
        }
        Ok(())
    }

    /// Finds the class of this name, exactly or ignoring case and surrounding blanks.
    fn find(&self, name: &str) -> Option<u32> {
        self.lookup.find(name).map(|class| class as u32)
    }

    fn by_name(&self, name: &str, cell: &Cell<'_>) -> Result<u32> {
        self.find(name).ok_or_else(|| self.unknown(name, cell))
    }

    fn unknown(&self, found: &str, cell: &Cell<'_>) -> Error {
        Error::UnknownLabel {
            place: cell.place(),
            column: cell.column.to_owned(),
            found: found.to_owned(),
            classes: format!(
                "{} classes ({}){}",
                self.names.len(),
                listed(&self.names, 12),
                nearest(found, &self.names)
            ),
        }
    }
}

/// Returns the position of a class index. `counted` is set if the user may have counted the names
/// from 1.
fn by_index(value: i64, names: &[String], cell: &Cell<'_>, counted: bool) -> Result<usize> {
    match usize::try_from(value) {
        Ok(i) if i < names.len() => Ok(i),
        _ if value == -1 => Err(cell.unlabelled()),
        _ => Err(Error::ClassIndex {
            place: cell.place(),
            column: cell.column.to_owned(),
            found: value,
            count: names.len(),
            classes: match counted && value as usize == names.len() {
                true => format!(
                    "({}); if they count from 1, train with --labels {}",
                    listed(names, 12),
                    from_one(value)
                ),
                false => format!("({})", listed(names, 12)),
            },
        }),
    }
}

/// Lists `1,2,…` up to `count`.
fn from_one(count: i64) -> String {
    let all: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
    all.join(",")
}

/// Matches the names in the metadata of a `ClassLabel` column with the classes.
pub(crate) fn classes_of_metadata(
    metadata: &[String],
    names: &[String],
    column: &str,
    by_position: bool,
) -> Result<NameMatch> {
    let whose = whose_metadata(column);
    match_names(
        NameList {
            whose: &whose,
            names: metadata,
        },
        wanted_names(names),
        by_position,
    )
}

/// Describes the names in the metadata, for messages.
pub(crate) fn whose_metadata(column: &str) -> String {
    format!("the classes of column `{column}`")
}

/// The names that labels are expected to have.
pub(crate) fn wanted_names(names: &[String]) -> NameList<'_> {
    NameList {
        whose: "the class names",
        names,
    }
}
