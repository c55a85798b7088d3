//! Matches names from two places: a file's class names with those of a model, label columns with
//! outputs, a model's outputs with those of the data.

use std::collections::{HashMap, HashSet};

use crate::error::listed;
use crate::{Error, Note, Result, Task};

/// The names of outputs with a description for messages.
#[derive(Clone, Copy, Debug)]
pub struct NameList<'a> {
    /// What the names belong to, in the plural: "the classes of column `label`".
    pub whose: &'a str,
    /// The names, in order.
    pub names: &'a [String],
}

/// A match between two lists of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameMatch {
    /// The index of the wanted name for each found name, or `None` for a name without a match.
    /// There is at least one match, and no two names match the same one.
    pub indices: Vec<Option<usize>>,
    /// The rule by which the names match.
    pub rule: MatchRule,
}

/// A rule by which names match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchRule {
    /// The names are identical.
    Exact,
    /// Some names are identical only if case and surrounding blanks are ignored.
    IgnoringCase,
    /// The names match by number, because one side has only numbers: `0, 1, …` or transformers'
    /// `LABEL_0, LABEL_1, …`.
    Numbered,
    /// The names match by position, as the user specified.
    Position,
}

/// Matches each name in `found` with one in `wanted`: exactly, or else ignoring case and
/// surrounding blanks. If no name matches, they match by number if one side has only numbers; with
/// `by_position`, lists of equal length match by position. Some names may remain without a match.
///
/// # Errors
/// [`Error::Classes`] if no name matches, if a name could be one of several or two names match the
/// same one, and if a name matches at another position although `by_position` is set.
pub fn match_names(
    found: NameList<'_>,
    wanted: NameList<'_>,
    by_position: bool,
) -> Result<NameMatch> {
    let (indices, exact) = by_name(found, wanted)?;
    let complete = indices.iter().all(Option::is_some);
    if by_position && !complete && found.names.len() == wanted.names.len() {
        return positions(&indices, found, wanted);
    }
    if indices.iter().any(Option::is_some) {
        let rule = match exact {
            true => MatchRule::Exact,
            false => MatchRule::IgnoringCase,
        };
        return Ok(NameMatch { indices, rule });
    }
    match by_number(found.names, wanted.names) {
        Some(indices) => Ok(NameMatch {
            indices,
            rule: MatchRule::Numbered,
        }),
        None => Err(mismatch(found, wanted)),
    }
}

/// Matches lists of which at least one has no names: by their numbers if both have numbers (`1` is
/// `LABEL_1`), else by position.
fn by_number(found: &[String], wanted: &[String]) -> Option<Vec<Option<usize>>> {
    if let (Some(found), Some(wanted)) = (name_numbers(found), name_numbers(wanted)) {
        let place = |number: &i64| wanted.iter().position(|other| other == number);
        let indices: Vec<_> = found.iter().map(place).collect();
        let mut seen = HashSet::new();
        let distinct = indices.iter().flatten().all(|index| seen.insert(*index));
        return Some(indices).filter(|_| distinct && !seen.is_empty());
    }
    let is_numbered = are_numbers(found) || are_numbers(wanted);
    let place = |index: usize| Some(index).filter(|&index| index < wanted.len());
    is_numbered.then(|| (0..found.len()).map(place).collect())
}

/// Creates the error for names that do not match as they should; it shows both lists.
pub fn mismatch(found: NameList<'_>, wanted: NameList<'_>) -> Error {
    let way_out = match found.names.len() == wanted.names.len() {
        true => {
            "; use the same names, or say with --labels-by-position that they stand in the same order"
        }
        false => "; use the same names",
    };
    Error::Classes {
        message: format!(
            "{} ({}) do not match {} ({}){way_out}",
            found.whose,
            listed(found.names, 12),
            wanted.whose,
            listed(wanted.names, 12)
        ),
    }
}

/// Matches by name, and returns whether all matches are exact.
fn by_name(found: NameList<'_>, wanted: NameList<'_>) -> Result<(Vec<Option<usize>>, bool)> {
    let lookup = Lookup::new(wanted.names);
    let mut taken: HashMap<usize, &String> = HashMap::new();
    let mut exact = true;
    let mut indices = Vec::with_capacity(found.names.len());
    for name in found.names {
        let index = match lookup.exact(name) {
            Some(index) => Some(index),
            None => match lookup.loose(name) {
                Loose::One(index) => {
                    exact = false;
                    Some(index)
                }
                Loose::None => None,
                Loose::Several => {
                    return Err(Error::Classes {
                        message: format!(
                            "{name:?} of {} could be several of {} ({}), which differ in case or blanks only; use exactly the same names",
                            found.whose,
                            wanted.whose,
                            listed(wanted.names, 12)
                        ),
                    });
                }
            },
        };
        if let Some(index) = index
            && let Some(other) = taken.insert(index, name)
        {
            return Err(Error::Classes {
                message: format!(
                    "{other:?} and {name:?} of {} would both be {:?} of {}; give each a name of its own",
                    found.whose, wanted.names[index], wanted.whose
                ),
            });
        }
        indices.push(index);
    }
    Ok((indices, exact))
}

/// Matches by position unless a name contradicts it.
fn positions(
    by_name: &[Option<usize>],
    found: NameList<'_>,
    wanted: NameList<'_>,
) -> Result<NameMatch> {
    for (position, index) in by_name.iter().enumerate() {
        if let Some(index) = index.filter(|&index| index != position) {
            return Err(Error::Classes {
                message: format!(
                    "by position {:?} of {} would be {:?} of {}, but {:?} is there too, in another position; use the same names",
                    found.names[position],
                    found.whose,
                    wanted.names[position],
                    wanted.whose,
                    wanted.names[index]
                ),
            });
        }
    }
    Ok(NameMatch {
        indices: (0..by_name.len()).map(Some).collect(),
        rule: MatchRule::Position,
    })
}

impl NameMatch {
    /// Returns the index of the wanted name for each found one, if every found name has a match and
    /// every wanted name is matched.
    pub fn one_to_one(&self, wanted: usize) -> Option<Vec<usize>> {
        let all: Vec<usize> = self.indices.iter().copied().collect::<Option<_>>()?;
        (all.len() == wanted).then_some(all)
    }

    /// Describes the match of these same lists for the user, unless it is exact.
    pub fn note(&self, found: NameList<'_>, wanted: NameList<'_>) -> Option<Note> {
        let how = match self.rule {
            MatchRule::Exact => return None,
            MatchRule::IgnoringCase => "ignoring case and surrounding blanks",
            MatchRule::Numbered => "by number, since one of them has no names",
            MatchRule::Position => "by position, as --labels-by-position says",
        };
        let pairs = found.names.iter().zip(&self.indices);
        let pairs = pairs.filter_map(|(name, index)| Some((name, &wanted.names[(*index)?])));
        let pairs: Vec<_> = pairs
            .filter(|(name, wanted)| name != wanted)
            .map(|(name, wanted)| format!("{name:?} is {wanted:?}"))
            .collect();
        Some(Note::new(format!(
            "{} are matched with {} {how}: {}",
            found.whose,
            wanted.whose,
            listed(&pairs, 12)
        )))
    }
}

/// Returns whether these are not real names but numbers in order: `0, 1, …` or `LABEL_0, LABEL_1,
/// …`, which transformers uses for unnamed classes.
pub fn are_numbers(names: &[String]) -> bool {
    name_numbers(names).is_some_and(|numbers| numbers.into_iter().eq(0..names.len() as i64))
}

/// Returns the numbers that stand in place of names, if all of the names are numbers.
pub fn name_numbers(names: &[String]) -> Option<Vec<i64>> {
    let number = |name: &String| {
        let digits = name.strip_prefix(Task::DEFAULT_PREFIX).unwrap_or(name);
        let number = digits.parse::<i64>().ok()?;
        // "007" is a name.
        (number.to_string() == digits).then_some(number)
    };
    names.iter().map(number).collect()
}

/// An index of names, in which single labels are looked up.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    exact: HashMap<String, usize>,
    /// The index for each name without case and surrounding blanks; `None` if several names are
    /// alike.
    loose: HashMap<String, Option<usize>>,
}

/// The names that equal a given name if case and surrounding blanks are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loose {
    None,
    One(usize),
    Several,
}

impl Lookup {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut loose = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            loose
                .entry(folded(name))
                .and_modify(|found| *found = None)
                .or_insert(Some(index));
        }
        Self {
            exact: names.iter().cloned().zip(0..).collect(),
            loose,
        }
    }

    pub(crate) fn exact(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied()
    }

    pub(crate) fn loose(&self, name: &str) -> Loose {
        match self.loose.get(&folded(name)) {
            None => Loose::None,
            Some(Some(index)) => Loose::One(*index),
            Some(None) => Loose::Several,
        }
    }

    /// Returns the index of a name, matching exactly or, if that is unambiguous, loosely.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.exact(name).or_else(|| match self.loose(name) {
            Loose::One(index) => Some(index),
            Loose::None | Loose::Several => None,
        })
    }
}

/// Returns a name without case and surrounding blanks.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn matched(found: &[&str], wanted: &[&str], by_position: bool) -> Result<NameMatch, String> {
        let (found, wanted) = (strings(found), strings(wanted));
        let lists = lists(&found, &wanted);
        match_names(lists.0, lists.1, by_position).map_err(|error| error.to_string())
    }

    fn lists<'a>(found: &'a [String], wanted: &'a [String]) -> (NameList<'a>, NameList<'a>) {
        let list = |whose, names| NameList { whose, names };
        (list("the classes", found), list("the names", wanted))
    }

    #[test]
    fn the_rules_in_their_order() {
        use MatchRule::{Exact, IgnoringCase, Numbered, Position};
        for (found, wanted, by_position, rule, indices) in [
            (&["b", "a"][..], &["a", "b"][..], false, Exact, &[1, 0][..]),
            // Names take precedence over positions.
            (&["b", "a"], &["a", "b"], true, Exact, &[1, 0]),
            (
                &["POSITIVE", " negative\u{a0}"],
                &["negative", "positive"],
                false,
                IgnoringCase,
                &[1, 0],
            ),
            (
                &["no", "yes"],
                &["LABEL_0", "LABEL_1"],
                false,
                Numbered,
                &[0, 1],
            ),
            (&["0", "1"], &["no", "yes"], false, Numbered, &[0, 1]),
            (
                &["1", "0"],
                &["LABEL_0", "LABEL_1"],
                false,
                Numbered,
                &[1, 0],
            ),
            (&["bad", "good"], &["no", "yes"], true, Position, &[0, 1]),
            (&["no", "good"], &["no", "yes"], true, Position, &[0, 1]),
        ] {
            let found = matched(found, wanted, by_position).unwrap();
            assert_eq!(found.rule, rule);
            assert_eq!(found.one_to_one(2).unwrap(), indices);
        }
    }

    #[test]
    fn some_may_be_left_without_a_match() {
        let found = matched(&["a", "x"], &["b", "a"], false).unwrap();
        assert_eq!(found.indices, [Some(1), None]);
        assert_eq!(found.one_to_one(2), None);
        let found = matched(&["no", "yes", "perhaps"], &["LABEL_0", "LABEL_1"], false).unwrap();
        assert_eq!(found.indices, [Some(0), Some(1), None]);
    }

    #[test]
    fn no_match_names_both_lists_and_the_flag() {
        let error = matched(&["bad", "good"], &["no", "yes"], false).unwrap_err();
        for part in ["(bad, good)", "(no, yes)", "--labels-by-position"] {
            assert!(error.contains(part), "{error}");
        }
        let error = matched(&["bad"], &["no", "yes"], true).unwrap_err();
        assert!(!error.contains("--labels-by-position"), "{error}");
    }

    #[test]
    fn what_leaves_a_choice_is_refused() {
        let error = matched(&["A"], &["a", " a"], false).unwrap_err();
        assert!(error.contains("could be several"), "{error}");
        let error = matched(&["a", "A"], &["a", "b"], false).unwrap_err();
        assert!(error.contains("would both be \"a\""), "{error}");
        let error = matched(&["b", "x"], &["a", "b"], true).unwrap_err();
        assert!(error.contains("in another position"), "{error}");
    }

    #[test]
    fn the_note_says_who_is_who() {
        let (found, wanted) = (strings(&["POS", "neg"]), strings(&["neg", "pos"]));
        let (found, wanted) = lists(&found, &wanted);
        let note = match_names(found, wanted, false)
            .unwrap()
            .note(found, wanted);
        assert_eq!(
            note.unwrap().as_str(),
            "the classes are matched with the names ignoring case and surrounding blanks: \"POS\" is \"pos\""
        );
        let note = match_names(wanted, wanted, true)
            .unwrap()
            .note(wanted, wanted);
        assert_eq!(note, None);
    }
}
