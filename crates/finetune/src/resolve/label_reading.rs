//! What is done about labels before they are classes or numbers: rows without one, and notes.

use finetune_data::{Columns, ProblemType, Split};

use crate::{error::Failure, view::output::say};

/// The rows with text and label, where others are to be left out; says how many those are.
pub fn valid(split: Split, columns: &Columns, skip_invalid: bool) -> Result<Split, Failure> {
    if !skip_invalid {
        return Ok(split);
    }
    let (valid, skipped) = split.without_invalid(columns)?;
    if let Some(skipped) = skipped {
        say!("note: {}: {skipped}", split.name());
    }
    match valid.is_empty() {
        true => Err(Failure::User(format!(
            "{}: no row has a text and a label",
            split.name()
        ))),
        false => Ok(valid),
    }
}

/// Splits without labels: their column is not there, or all are -1, by which hidden labels are marked.
pub struct Hidden<'a> {
    pub columns: &'a Columns,
    /// Names that the user gave; -1 among them is a class.
    pub labels: &'a [String],
    pub problem_type: Option<ProblemType>,
}

impl Hidden<'_> {
    /// Why the rows of a split have no labels; `None` where they have some.
    fn hidden(&self, split: &Split) -> Result<Option<String>, Failure> {
        let schema = split.schema();
        let is_there = |column: &String| schema.field_with_name(column).is_ok();
        if let Some(column) = self.columns.label.iter().find(|column| !is_there(column)) {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let names: Vec<_> = names.collect();
            let file = split.files();
            let file = file.first().map(|file| file.display().to_string());
            let alike = |name: &&&str| name.trim().eq_ignore_ascii_case(column.trim());
            if let Some(alike) = names.iter().find(alike) {
                return Err(Failure::User(format!(
                    "{}: there is no column `{column}`, as the training rows have, but {alike:?}; name it alike in all files",
                    file.unwrap_or_default()
                )));
            }
            return Ok(Some(format!(
                "{} has no column `{column}`, only {}",
                file.unwrap_or_default(),
                names.join(", ")
            )));
        }
        let is_label = self.problem_type == Some(ProblemType::Regression)
            || self.labels.iter().any(|name| name == "-1");
        let hidden = !is_label && split.labels_are_hidden(self.columns)?;
        Ok(hidden.then(|| "all its labels are -1, which marks rows without a label".to_owned()))
    }

    /// The test rows, unless their labels are hidden; an error where the user `named` these.
    pub fn without_test(
        &self,
        test: Option<(Split, String)>,
        named: bool,
    ) -> Result<Option<(Split, String)>, Failure> {
        let Some((split, name)) = test else {
            return Ok(None);
        };
        match self.hidden(&split)? {
            None => Ok(Some((split, name))),
            Some(why) if named => Err(Failure::User(format!(
                "the test split {name} has no labels: {why}; choose another, or none with --test-split \"\""
            ))),
            Some(why) => {
                say!("note: the test split {name} is left out: {why}");
                Ok(None)
            }
        }
    }

    /// The validation rows likewise.
    pub fn without_validation(
        &self,
        validation: Option<Split>,
        named: bool,
    ) -> Result<Option<Split>, Failure> {
        let Some(split) = validation else {
            return Ok(None);
        };
        match self.hidden(&split)? {
            None => Ok(Some(split)),
            Some(why) if named => Err(Failure::User(format!(
                "the validation split {} has no labels: {why}; choose another, or a share of the training rows with --validation-split \"\"",
                split.name()
            ))),
            Some(why) => {
                say!(
                    "note: the validation split {} is left out: {why}; a share of the training rows is taken instead",
                    split.name()
                );
                Ok(None)
            }
        }
    }
}
