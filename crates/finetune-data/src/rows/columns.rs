//! Chooses the text and label columns, by name or by convention.

use crate::arrow::datatypes::Schema;

use crate::labels::array::unusable;
use crate::read::Format;
use crate::rows::column::{Kind, describe, list_item, type_name};
use crate::{Error, LabelCells, Note, Result, Split};

/// The columns that hold the texts (one, or two for pairs) and the labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// One column, or two for sentence pairs.
    pub text: Vec<String>,
    /// The label columns: none, one, or one per output (see [`Task`](crate::Task)).
    pub label: Vec<String>,
    /// Whether label columns and `ClassLabel` classes whose names match none of the expected names
    /// are assigned by position (see [`match_names`](crate::match_names)).
    pub labels_by_position: bool,
    /// How the cells of the label columns are written.
    pub cells: LabelCells,
}

/// Conventional text columns in order of preference: the names that GLUE, SuperGLUE and most
/// single-sentence data sets use.
const TEXT: [&[&str]; 9] = [
    &["text"],
    &["sentence"],
    &["sentence1", "sentence2"],
    &["premise", "hypothesis"],
    &["question1", "question2"],
    &["question", "sentence"],
    &["question", "passage"],
    &["question", "answer"],
    &["query", "passage"],
];
/// Names that are taken for the text only if no other of them is present.
const LOOSE_TEXT: [&str; 8] = [
    "content",
    "review",
    "comment",
    "tweet",
    "body",
    "document",
    "utterance",
    "message",
];
const LABEL: [&str; 2] = ["label", "labels"];
const LOOSE_LABEL: [&str; 4] = ["class", "target", "category", "sentiment"];

impl Columns {
    /// Finds the columns named by flags, or by convention where there are none.
    ///
    /// Text: `text`, `sentence`, `sentence1` + `sentence2`, `premise` + `hypothesis`, `question1` +
    /// `question2`, `question` + `sentence`/`passage`/`answer`, `query` + `passage`; failing those,
    /// the only one of `content`, `review`, `comment`, `tweet`, `body`, `document`, `utterance`,
    /// `message`. Label: `label`, `labels`; failing those, the only one of `class`, `target`,
    /// `category`, `sentiment`. Case is ignored if no name matches exactly.
    ///
    /// Several label columns are never chosen by convention; `label_flags` has to name them.
    ///
    /// Unless `require_label` is set, a missing label column is fine and leaves [`Columns::label`]
    /// empty.
    ///
    /// # Errors
    /// Fails for a flag that names no column, for no or several candidates, for a text column
    /// without strings, for a label column whose type cannot hold labels, and for a column named
    /// twice. Messages list the columns with their types.
    pub fn resolve(
        split: &Split,
        text_flags: &[String],
        label_flags: &[String],
        require_label: bool,
    ) -> Result<Self> {
        let schema = split.schema();
        if text_flags.len() > 2 {
            return Err(Error::Columns {
                message: format!(
                    "{} text columns were named ({}); a row has one text or a pair of texts",
                    text_flags.len(),
                    text_flags.join(", ")
                ),
            });
        }
        let text = match text_flags {
            [] => conventional_text(schema, first_line(split))?,
            flags => flags
                .iter()
                .map(|f| named(schema, f))
                .collect::<Result<_>>()?,
        };
        for column in &text {
            same_text(split, column)?;
            let data_type = data_type(schema, column)?;
            if !is_text(data_type) {
                return Err(Error::ColumnType {
                    column: column.clone(),
                    role: "the text".to_owned(),
                    expected: "strings".to_owned(),
                    found: type_name(data_type),
                });
            }
        }
        not_twice(&text, "text")?;
        let label: Vec<String> = match label_flags {
            [] => conventional_label(schema, &text, require_label)?
                .into_iter()
                .collect(),
            flags => flags
                .iter()
                .map(|f| named(schema, f))
                .collect::<Result<_>>()?,
        };
        not_twice(&label, "label")?;
        if let Some(label) = label.iter().find(|label| text.contains(label)) {
            let message = format!("column `{label}` cannot be text and label at once");
            return Err(Error::Columns { message });
        }
        if require_label || !label_flags.is_empty() {
            label.iter().try_for_each(|l| check_label_type(schema, l))?;
        }
        Ok(Self {
            text,
            label,
            labels_by_position: false,
            cells: LabelCells::default(),
        })
    }

    /// Returns notes on columns of `split` that were chosen by convention although others could be
    /// meant. `text_flags` and `label_flags` are those given to [`Columns::resolve`].
    pub fn other_choices(
        &self,
        split: &Split,
        text_flags: &[String],
        label_flags: &[String],
    ) -> Vec<Note> {
        let schema = split.schema();
        let found = |name: &&str| find(schema, name);
        let free = |column: &String| !self.text.contains(column) && !self.label.contains(column);
        let note = |role: &str, chosen: &[String], others: Vec<String>| {
            (!others.is_empty() && !chosen.is_empty()).then(|| {
                Note::new(format!(
                    "the {role} is read from `{}`; `{}` could be meant too, which --{role}-column names",
                    chosen.join("` and `"),
                    others.join("`, `")
                ))
            })
        };
        let single = TEXT.iter().filter(|names| names.len() == 1);
        let texts = single.flat_map(|names| names.iter()).chain(&LOOSE_TEXT);
        let texts = texts.filter_map(found).filter(|column| {
            let field = schema.field_with_name(column);
            free(column) && field.is_ok_and(|field| is_text(field.data_type()))
        });
        let labels = LABEL.iter().chain(&LOOSE_LABEL).filter_map(found);
        let texts = match text_flags {
            [] => note("text", &self.text, texts.collect()),
            _ => None,
        };
        let labels = match label_flags {
            [] => note("label", &self.label, labels.filter(free).collect()),
            _ => None,
        };
        texts.into_iter().chain(labels).collect()
    }

    /// Returns the same columns with [`labels_by_position`](Self::labels_by_position) set as given.
    pub fn by_position(self, labels_by_position: bool) -> Self {
        Self {
            labels_by_position,
            ..self
        }
    }

    /// Returns whether each row is a pair of texts.
    pub fn is_pair(&self) -> bool {
        self.text.len() == 2
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.text.iter().map(String::as_str).collect()
    }

    /// Returns the label columns, or an error that lists the available columns if there are none.
    pub(crate) fn required_labels(&self, split: &Split) -> Result<&[String]> {
        match &self.label[..] {
            [] => Err(no_label(split.schema())),
            labels => Ok(labels),
        }
    }
}

fn not_twice(columns: &[String], role: &str) -> Result<()> {
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].contains(column) {
            let message = format!("column `{column}` was named twice as {role}");
            return Err(Error::Columns { message });
        }
    }
    Ok(())
}

/// Rejects a text column that holds text in the first file but not in another.
fn same_text(split: &Split, column: &str) -> Result<()> {
    let of = |schema: &Schema| {
        schema
            .field_with_name(column)
            .ok()
            .map(|f| f.data_type().clone())
    };
    let Some(first) = of(split.schema()).filter(is_text) else {
        return Ok(());
    };
    let schemas = split.schemas()?;
    for (schema, file) in schemas.iter().zip(split.files()) {
        if let Some(found) = of(schema).filter(|found| !is_text(found)) {
            return Err(Error::Columns {
                message: format!(
                    "{}: column `{column}` has type {}, but in {} it holds {}; files of one split need texts in it",
                    file.display(),
                    type_name(&found),
                    split.files()[0].display(),
                    type_name(&first)
                ),
            });
        }
    }
    Ok(())
}

fn is_text(data_type: &crate::arrow::datatypes::DataType) -> bool {
    matches!(Kind::of(data_type), Kind::Text | Kind::Null)
}

fn data_type<'a>(
    schema: &'a Schema,
    column: &str,
) -> Result<&'a crate::arrow::datatypes::DataType> {
    schema
        .field_with_name(column)
        .map(|f| f.data_type())
        .map_err(|_| unknown(schema, column))
}

fn unknown(schema: &Schema, column: &str) -> Error {
    Error::UnknownColumn {
        column: column.to_owned(),
        available: describe(schema),
    }
}

fn named(schema: &Schema, flag: &str) -> Result<String> {
    find(schema, flag).ok_or_else(|| unknown(schema, flag))
}

/// Finds the column of this name, or else the only one that differs just in case and surrounding
/// blanks.
fn find(schema: &Schema, name: &str) -> Option<String> {
    if schema.field_with_name(name).is_ok() {
        return Some(name.to_owned());
    }
    let mut same = schema
        .fields()
        .iter()
        .filter(|f| f.name().trim().eq_ignore_ascii_case(name.trim()));
    match (same.next(), same.next()) {
        (Some(field), None) => Some(field.name().clone()),
        _ => None,
    }
}

/// Explains where the column names come from, if that may not be obvious.
fn first_line(split: &Split) -> &'static str {
    let has_header =
        |file: &std::path::Path| matches!(Format::of(file), Some(Format::Csv | Format::Tsv));
    match split.files().first().is_some_and(|file| has_header(file)) {
        true => ", as the first line of the file names them",
        false => "",
    }
}

fn conventional_text(schema: &Schema, first_line: &str) -> Result<Vec<String>> {
    let text = |name: &str| {
        find(schema, name).filter(|c| {
            schema
                .field_with_name(c)
                .is_ok_and(|f| is_text(f.data_type()))
        })
    };
    for names in TEXT {
        if let Some(columns) = names.iter().map(|name| text(name)).collect() {
            return Ok(columns);
        }
    }
    let candidates: Vec<_> = LOOSE_TEXT.iter().filter_map(|name| text(name)).collect();
    match candidates.len() {
        1 => Ok(candidates),
        0 => Err(Error::NoTextColumn {
            expected: "text, sentence, or the pair sentence1 and sentence2".to_owned(),
            available: describe(schema) + first_line,
        }),
        _ => Err(Error::AmbiguousColumn {
            role: "text",
            candidates: candidates.join(", "),
        }),
    }
}

fn conventional_label(schema: &Schema, text: &[String], required: bool) -> Result<Option<String>> {
    let free = |name: &&str| find(schema, name).filter(|column| !text.contains(column));
    if let Some(column) = LABEL.iter().find_map(free) {
        return Ok(Some(column));
    }
    let mut candidates: Vec<_> = LOOSE_LABEL.iter().filter_map(free).collect();
    match candidates.len() {
        1 => Ok(candidates.pop()),
        _ if !required => Ok(None),
        0 => Err(no_label(schema)),
        _ => Err(Error::AmbiguousColumn {
            role: "label",
            candidates: candidates.join(", "),
        }),
    }
}

fn no_label(schema: &Schema) -> Error {
    Error::NoLabelColumn {
        expected: "label, labels, class or target".to_owned(),
        available: describe(schema),
    }
}

fn check_label_type(schema: &Schema, label: &str) -> Result<()> {
    let data_type = data_type(schema, label)?;
    let holds = list_item(data_type).map_or(data_type, |item| item.data_type());
    let nested = holds != data_type && Kind::of(holds) == Kind::List;
    if nested || Kind::of(holds) == Kind::Other {
        return Err(unusable(data_type, label));
    }
    Ok(())
}
