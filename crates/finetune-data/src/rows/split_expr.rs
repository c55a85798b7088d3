//! Parses the split expressions of `datasets`: `train`, `train[:1%]`, `train[100:200]`,
//! `train[-10%:]`, sums.

use std::ops::Range;

use crate::{Error, Result};

/// One term of a sum: a split and the selected part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) split: String,
    from: Option<i64>,
    to: Option<i64>,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Rows,
    /// Boundaries are rounded to the closest row, ties to even.
    Percent,
    /// `(pct1_dropremainder)`: every percent has the same number of rows.
    WholePercent,
}

/// Parses `term + term + …`.
pub(crate) fn parse(expression: &str) -> Result<Vec<Term>> {
    expression
        .split('+')
        .map(|term| parse_term(term.trim(), expression))
        .collect()
}

/// Returns the names of the splits in an expression.
///
/// # Errors
/// Fails for a malformed expression.
pub fn splits_in(expression: &str) -> Result<Vec<String>> {
    let terms = parse(expression)?.into_iter();
    Ok(terms.map(|term| term.split).collect())
}

fn parse_term(term: &str, expression: &str) -> Result<Term> {
    let error = |message: String| Error::SplitSyntax {
        expression: expression.to_owned(),
        message,
    };
    let (term, rounding) = match term.strip_suffix(')').and_then(|t| t.split_once('(')) {
        Some((term, rounding)) => (term, Some(rounding)),
        None => (term, None),
    };
    let (split, slice) = match term.split_once('[') {
        None => (term, None),
        Some((split, rest)) => {
            let slice = rest
                .strip_suffix(']')
                .ok_or_else(|| error("`]` is missing".to_owned()))?;
            (split, Some(slice))
        }
    };
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    if split.is_empty() || !split.chars().all(is_word) {
        return Err(error(format!("{split:?} is not the name of a split")));
    }
    let (mut from, mut to, mut unit) = (None, None, Unit::Rows);
    if let Some(slice) = slice {
        let (start, end) = slice
            .split_once(':')
            .ok_or_else(|| error(format!("expected from:to in the brackets, found {slice:?}")))?;
        let boundary = |text: &str| -> Result<Option<(i64, bool)>> {
            let number = text.strip_suffix('%').unwrap_or(text);
            if text.is_empty() {
                return Ok(None);
            }
            let value: i64 = number
                .replace('_', "")
                .parse()
                .map_err(|_| error(format!("{text:?} is not a whole number or percentage")))?;
            Ok(Some((value, number.len() != text.len())))
        };
        let (start, end) = (boundary(start)?, boundary(end)?);
        let percent = [start, end]
            .into_iter()
            .flatten()
            .any(|(_, percent)| percent);
        // `datasets` reads [10%:20] as [10%:20%], which is too easy to get wrong.
        if percent
            && [start, end]
                .into_iter()
                .flatten()
                .any(|(_, percent)| !percent)
        {
            return Err(error(
                "use percent on both sides of the colon or on none".to_owned(),
            ));
        }
        (from, to) = (start.map(|b| b.0), end.map(|b| b.0));
        if percent {
            unit = Unit::Percent;
            if from
                .into_iter()
                .chain(to)
                .any(|p| !(-100..=100).contains(&p))
            {
                return Err(error("percentages lie between -100 and 100".to_owned()));
            }
        }
    }
    match (rounding, unit) {
        (None, _) | (Some("closest"), Unit::Percent) => {}
        (Some("pct1_dropremainder"), Unit::Percent) => unit = Unit::WholePercent,
        (Some(_), Unit::Percent) => {
            return Err(error(
                "the rounding is (closest) or (pct1_dropremainder)".to_owned(),
            ));
        }
        (Some(_), _) => return Err(error("only percentages take a rounding".to_owned())),
    }
    Ok(Term {
        split: split.to_owned(),
        from,
        to,
        unit,
    })
}

impl Term {
    /// Returns the selected rows of a split of `len` rows, or an empty range if the term selects
    /// none.
    pub(crate) fn rows(&self, len: u64, expression: &str) -> Result<Range<u64>> {
        if self.unit == Unit::WholePercent && len < 100 {
            return Err(Error::SplitSyntax {
                expression: expression.to_owned(),
                message: format!(
                    "(pct1_dropremainder) needs 100 rows, `{}` has {len}",
                    self.split
                ),
            });
        }
        let len_signed = i128::from(len);
        let absolute = |boundary: i64| {
            let rows = match self.unit {
                Unit::Rows => i128::from(boundary),
                // Python computes int(round(boundary * len / 100.0)).
                Unit::Percent => {
                    ((i128::from(boundary) * len_signed) as f64 / 100.0).round_ties_even() as i128
                }
                Unit::WholePercent => i128::from(boundary) * (len_signed / 100),
            };
            let rows = if rows < 0 {
                (rows + len_signed).max(0)
            } else {
                rows
            };
            rows.min(len_signed) as u64
        };
        let start = self.from.map_or(0, absolute);
        let end = self.to.map_or(len, absolute);
        Ok(start..end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(expression: &str, len: u64) -> Range<u64> {
        parse(expression).unwrap()[0].rows(len, expression).unwrap()
    }

    /// Values computed by `datasets` 5.2.0 (`ReadInstruction.from_spec(..).to_absolute({"train":
    /// len})`).
    #[test]
    fn as_datasets() {
        for (expression, len, expected) in [
            ("train", 8530, 0..8530),
            ("train[:1%]", 8530, 0..85),
            ("train[:1%]", 50, 0..0),
            ("train[:1%]", 150, 0..2),
            ("train[:1%]", 250, 0..2),
            ("train[:3%]", 50, 0..2),
            ("train[-10%:]", 1066, 959..1066),
            ("train[10%:-10%]", 1066, 107..959),
            ("train[100:200]", 1066, 100..200),
            ("train[100:200]", 150, 100..150),
            ("train[-5:]", 3, 0..3),
            ("train[:-5]", 8, 0..3),
            ("train[1_000:]", 1066, 1000..1066),
            ("train[:33%](pct1_dropremainder)", 199, 0..33),
            ("train[:33%](closest)", 199, 0..66),
        ] {
            assert_eq!(rows(expression, len), expected, "{expression} of {len}");
        }
        assert_eq!(parse("train[:10%] + train[-10%:]+test").unwrap().len(), 3);
    }

    #[test]
    fn refused() {
        for expression in [
            "",
            "train[",
            "train[5]",
            "train[a:b]",
            "train[:101%]",
            "train[10%:20]",
            "train[:1.5%]",
            "tr ain",
            "train+",
            "[:10]",
            "train[:10](closest)",
            "train[:1%](floor)",
            "train[::2]",
        ] {
            assert!(parse(expression).is_err(), "{expression}");
        }
    }

    proptest! {
        /// Row slices select what Python's slices select.
        #[test]
        fn slices_as_python(len in 0u64..40, from in prop::option::of(-60i64..60), to in prop::option::of(-60i64..60)) {
            let show = |b: Option<i64>| b.map_or(String::new(), |b| b.to_string());
            let expression = format!("train[{}:{}]", show(from), show(to));
            let clamp = |b: i64| if b < 0 { (b + len as i64).max(0) } else { b.min(len as i64) };
            let (from, to) = (from.map_or(0, clamp), to.map_or(len as i64, clamp));
            let expected: Vec<u64> = (0..len).filter(|&row| (row as i64) >= from && (row as i64) < to).collect();
            prop_assert_eq!(rows(&expression, len).collect::<Vec<_>>(), expected);
        }

        /// Adjacent percent slices meet: no row is lost or taken twice.
        #[test]
        fn percents_tile(len in 0u64..5000, cut in 0i64..=100) {
            let (a, b) = (rows(&format!("train[:{cut}%]"), len), rows(&format!("train[{cut}%:]"), len));
            prop_assert_eq!((a.start, a.end, b.end), (0, b.start, len));
        }

        #[test]
        fn no_panic(expression in "[a-z\\[\\]:%+\\-0-9_()]{0,24}", len: u64) {
            for term in parse(&expression).unwrap_or_default() {
                let _ = term.rows(len, &expression);
            }
        }
    }
}
