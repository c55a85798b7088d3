//! One label as it stands in a file, with the errors that it can cause.

use crate::error::Place;
use crate::rows::value::Value;
use crate::{Error, RowBatch};

#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) rows: &'a RowBatch,
    /// Row in the batch.
    pub(crate) index: usize,
    pub(crate) column: &'a str,
}

impl Cell<'_> {
    pub(crate) fn place(&self) -> Place {
        self.rows.at(self.index)
    }

    fn column(&self) -> String {
        self.column.to_owned()
    }

    pub(crate) fn null(&self) -> Error {
        Error::NullLabel {
            place: self.place(),
            column: self.column(),
        }
    }

    pub(crate) fn unlabelled(&self) -> Error {
        Error::Unlabelled {
            place: self.place(),
            column: self.column(),
        }
    }

    pub(crate) fn float(&self, value: &Value<'_>) -> Error {
        Error::FloatLabel {
            place: self.place(),
            column: self.column(),
            found: value.to_string(),
        }
    }

    pub(crate) fn not_a_number(&self, value: &Value<'_>) -> Error {
        match value {
            Value::Null => self.null(),
            value => Error::NotANumber {
                place: self.place(),
                column: self.column(),
                found: value.to_string(),
            },
        }
    }

    pub(crate) fn not_an_indicator(&self, value: &Value<'_>) -> Error {
        match value {
            Value::Null => self.null(),
            value => Error::NotAnIndicator {
                place: self.place(),
                column: self.column(),
                found: value.to_string(),
            },
        }
    }

    pub(crate) fn not_a_list(&self, value: &Value<'_>) -> Error {
        match value {
            Value::Null => self.null(),
            value => Error::NotAList {
                place: self.place(),
                column: self.column(),
                found: value.to_string(),
            },
        }
    }

    pub(crate) fn length(&self, found: usize, expected: usize) -> Error {
        Error::ListLength {
            place: self.place(),
            column: self.column(),
            found,
            expected,
        }
    }
}
