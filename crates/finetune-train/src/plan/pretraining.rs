//! Masked language modelling: which tokens are hidden from the model, which learns to predict them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The settings of a run that pretrains on texts without labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingPlan {
    /// The share of the tokens that are predicted.
    pub mlm_probability: f64,
    /// What is masked as a whole.
    pub masking: MaskUnit,
    /// Whether each line of a text file is a text, not all lines up to a blank one; `None` detects blank
    /// lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_by_line: Option<bool>,
}

impl Default for PretrainingPlan {
    fn default() -> Self {
        Self {
            mlm_probability: 0.15,
            masking: MaskUnit::Tokens,
            line_by_line: None,
        }
    }
}

impl PretrainingPlan {
    /// Tokens per batch, unless a plan says otherwise: those of 8 rows of 512, as in transformers'
    /// `run_mlm`.
    pub const BATCH_TOKENS: usize = 4096;
    /// The notation of the strategies that pretraining has, for messages and help.
    pub const STRATEGIES: &str =
        "full, head, last:N, layers:N,N,…, params:REGEX, gradual or bitfit";
}

/// What is masked as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskUnit {
    /// Each token by itself, as BERT began.
    #[default]
    Tokens,
    /// Whole words, with all their pieces, as in BERT's later models.
    Words,
    /// Spans of up to 10 whole words, 3.8 on average, as in SpanBERT (Joshi et al. 2020).
    Spans,
}

impl MaskUnit {
    const ALL: [(Self, &str); 3] = [
        (Self::Tokens, "tokens"),
        (Self::Words, "words"),
        (Self::Spans, "spans"),
    ];
}

impl fmt::Display for MaskUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(unit, _)| unit == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for MaskUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = Self::ALL.iter().find(|(_, name)| *name == text);
        unit.map(|(unit, _)| *unit)
            .ok_or_else(|| format!("unknown masking \"{text}\"; expected tokens, words or spans"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_same_names_everywhere() {
        for (unit, name) in MaskUnit::ALL {
            assert_eq!(name.parse(), Ok(unit));
            assert_eq!(unit.to_string(), name);
            assert_eq!(serde_json::to_value(unit).unwrap(), name);
        }
        assert!("word".parse::<MaskUnit>().unwrap_err().contains("words"));
    }
}
