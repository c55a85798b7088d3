//! Handles rows and splits without labels.

use finetune_data::{Columns, ProblemType, Skipped, Split};

use crate::{error::Failure, view::output::say};

/// Returns the rows that have a text and a label, if others are to be skipped, and prints how many are.
///
/// # Errors
/// Fails if no row is left, or if the rows cannot be read.
pub fn valid(split: Split, columns: &Columns, skip_invalid: bool) -> Result<Split, Failure> {
    Ok(valid_of(split, columns, skip_invalid)?.0)
}

/// Returns the rows as [`valid`] does, and which were skipped.
///
/// # Errors
/// Fails as `valid` does.
pub fn valid_of(
    split: Split,
    columns: &Columns,
    skip_invalid: bool,
) -> Result<(Split, Option<Skipped>), Failure> {
    if !skip_invalid {
        return Ok((split, None));
    }
    let (valid, skipped) = split.without_invalid(columns)?;
    if let Some(skipped) = &skipped {
        say!("note: {}: {skipped}", split.name());
    }
    match valid.is_empty() {
        true => Err(Failure::User(format!(
            "{}: no row has a text and a label",
            split.name()
        ))),
        false => Ok((valid, skipped)),
    }
}

/// Detects splits without labels: their column is missing, or all labels are -1, which marks hidden ones.
pub struct Hidden<'a> {
    pub columns: &'a Columns,
    /// The names that the user gave; -1 among them is a class.
    pub labels: &'a [String],
    pub problem_type: Option<ProblemType>,
}

impl Hidden<'_> {
    /// Explains why the rows of a split have no labels; `None` if they have some.
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
                    "{}: there is no column `{column}`, which the training rows have, but there is {alike:?}; use the same name in all files",
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
        Ok(hidden.then(|| "all its labels are -1, which marks hidden labels".to_owned()))
    }

    /// Returns the test rows, unless their labels are hidden.
    ///
    /// # Errors
    /// Fails if the labels are hidden and the user `named` this split.
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
                say!("note: the test split {name} is not used: {why}");
                Ok(None)
            }
        }
    }

    /// Returns the validation rows, unless their labels are hidden.
    ///
    /// # Errors
    /// Fails if the labels are hidden and the user `named` this split.
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
                    "note: the validation split {} is not used: {why}; a share of the training rows is held out instead",
                    split.name()
                );
                Ok(None)
            }
        }
    }
}
