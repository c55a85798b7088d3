//! Predictions as the columns of a table.

use crate::Prediction;

/// A column of a table of predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// The part of each prediction that it shows.
    pub field: Field,
}

/// A part of a [`Prediction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The predicted class.
    Label,
    /// The predicted classes.
    Labels,
    /// Probability of the predicted class.
    Confidence,
    /// Probability of the class at this index.
    Probability(usize),
    /// Value of the output at this index.
    Output(usize),
}

impl Field {
    /// Returns the field's numeric value; `None` for names.
    pub fn number(self, prediction: &Prediction) -> Option<f32> {
        match self {
            Self::Label | Self::Labels => None,
            Self::Confidence => Some(prediction.confidence),
            Self::Probability(class) => prediction.probabilities.get(class).copied(),
            Self::Output(output) => prediction.logits.get(output).copied(),
        }
    }
}

impl Column {
    /// Creates a column of one field.
    pub(crate) fn new(name: impl Into<String>, field: Field) -> Self {
        let name = name.into();
        Self { name, field }
    }

    /// Returns one column per name, titled with `prefix` and the name.
    pub(crate) fn each(
        names: &[String],
        prefix: &'static str,
        field: fn(usize) -> Field,
    ) -> impl Iterator<Item = Self> {
        let named = names.iter().enumerate();
        named.map(move |(index, name)| Self::new(format!("{prefix}{name}"), field(index)))
    }
}
