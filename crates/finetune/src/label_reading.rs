//! What is done about labels before they are classes or numbers: rows without one, and notes.

use finetune_data::{Columns, ProblemType, Split};

use crate::{error::Failure, output::say};

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

/// Splits whose labels are all -1, by which hidden labels are marked.
pub struct Hidden<'a> {
    pub columns: &'a Columns,
    /// Names that the user gave; -1 among them is a class.
    pub labels: &'a [String],
    pub problem_type: Option<ProblemType>,
}

impl Hidden<'_> {
    fn are_hidden(&self, split: &Split) -> Result<bool, Failure> {
        let is_label = self.problem_type == Some(ProblemType::Regression)
            || self.labels.iter().any(|name| name == "-1");
        Ok(!is_label && split.labels_are_hidden(self.columns)?)
    }

    /// The test rows, unless their labels are hidden; an error where the user `named` these.
    pub fn without_test(
        &self,
        test: Option<(Split, String)>,
        named: bool,
    ) -> Result<Option<(Split, String)>, Failure> {
        match test {
            Some((split, name)) if self.are_hidden(&split)? => match named {
                true => Err(Failure::User(format!(
                    "all labels of the test split {name} are -1, which marks rows without a label; choose another, or none with --test-split \"\""
                ))),
                false => {
                    say!(
                        "note: the test split {name} is left out: all its labels are -1, which marks rows without a label"
                    );
                    Ok(None)
                }
            },
            test => Ok(test),
        }
    }

    /// The validation rows likewise.
    pub fn without_validation(
        &self,
        validation: Option<Split>,
        named: bool,
    ) -> Result<Option<Split>, Failure> {
        match validation {
            Some(split) if self.are_hidden(&split)? => match named {
                true => Err(Failure::User(format!(
                    "all labels of the validation split {} are -1, which marks rows without a label; choose another, or a share of the training rows with --validation-split \"\"",
                    split.name()
                ))),
                false => {
                    say!(
                        "note: the validation split {} is left out: all its labels are -1, which marks rows without a label; a share of the training rows is taken instead",
                        split.name()
                    );
                    Ok(None)
                }
            },
            validation => Ok(validation),
        }
    }
}
