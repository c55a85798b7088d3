//! A part of the trials, for one of several machines.

use std::{fmt, str::FromStr};

/// One of several equal parts of the trials: number `part` of `parts`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    parts: usize,
}

impl Shard {
    /// All trials.
    pub const WHOLE: Self = Self { part: 1, parts: 1 };

    /// Returns whether these are all trials.
    pub fn is_whole(self) -> bool {
        self.parts == 1
    }

    /// Returns whether trial `number`, from 0, is in this part.
    pub fn has(self, number: usize) -> bool {
        number % self.parts == self.part - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "{text:?} is no shard; expected K/N with K from 1 to N, such as 2/8 for the second of eight"
            )
        };
        let (part, parts) = text.split_once('/').ok_or_else(expected)?;
        let (part, parts) = part
            .parse()
            .ok()
            .zip(parts.parse().ok())
            .ok_or_else(expected)?;
        match (1..=parts).contains(&part) {
            true => Ok(Self { part, parts }),
            false => Err(expected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trial_is_in_one_part() {
        let shards = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Shard>().unwrap());
        for number in 0..10 {
            let having = shards.iter().filter(|shard| shard.has(number));
            assert_eq!(having.count(), 1, "{number}");
        }
        assert_eq!(shards[1].to_string(), "2/3");
        for text in ["3/2", "0/2", "2", "a/b", "1/0", "-1/2", ""] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains("expected K/N"), "{error}");
        }
    }
}
