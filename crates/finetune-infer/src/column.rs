//! Predictions as the columns of a table.

use crate::Prediction;

/// A column of a table of predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it has of each prediction.
    pub field: Field,
}

/// A part of a [`Prediction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The class.
    Label,
    /// The classes.
    Labels,
    /// Probability of the class.
    Confidence,
    /// Probability of the class of this index.
    Probability(usize),
    /// The number of this index.
    Output(usize),
}

impl Field {
    /// The number that a prediction has here; `None` for names.
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
    /// Of one field.
    pub(crate) fn new(name: impl Into<String>, field: Field) -> Self {
        let name = name.into();
        Self { name, field }
    }

    /// One for each of `names`, with `prefix` before it.
    pub(crate) fn each(
        names: &[String],
        prefix: &'static str,
        field: fn(usize) -> Field,
    ) -> impl Iterator<Item = Self> {
        let named = names.iter().enumerate();
        named.map(move |(index, name)| Self::new(format!("{prefix}{name}"), field(index)))
    }
}
