//! Removes duplicates and makes a stratified split by a hash of the text.

use std::collections::BTreeMap;

use super::recipe::Split;
use super::text::{normalized, sha256_hex};

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The text, cleaned.
    pub text: String,
    /// Index of the class.
    pub label: i64,
    /// Mean human rating, if the data set has ratings.
    pub rating: Option<f32>,
}

/// One value for each of the three splits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Splits<T> {
    /// The training split.
    pub train: T,
    /// The validation split.
    pub validation: T,
    /// The test split.
    pub test: T,
}

impl<T> Splits<T> {
    /// Iterates over names and contents in the usual order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &T)> {
        [
            ("train", &self.train),
            ("validation", &self.validation),
            ("test", &self.test),
        ]
        .into_iter()
    }

    /// Applies `make` to the content of each split.
    ///
    /// # Errors
    /// The first error of `make`.
    pub fn try_map<U, E>(
        &self,
        mut make: impl FnMut(&'static str, &T) -> Result<U, E>,
    ) -> Result<Splits<U>, E> {
        Ok(Splits {
            train: make("train", &self.train)?,
            validation: make("validation", &self.validation)?,
            test: make("test", &self.test)?,
        })
    }
}

/// Numbers of rows left out by [`deduplicate`], by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Texts without a letter or digit.
    pub empty: usize,
    /// Exact repetitions of a text with the same class; the first is kept.
    pub repeated: usize,
    /// Texts with the same key but different classes; none of them is kept.
    pub conflicting: usize,
}

/// Rows whose texts have the same key ([`normalized`]). They therefore have the same class and must
/// be in the same split.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// SHA-256 of the key, by which groups are ordered.
    pub hash: String,
    /// At least one row, all of one class, without repeated texts.
    pub examples: Vec<Example>,
}

/// Groups rows by key, in the order of the key's hash, and counts the rows left out by reason.
#[must_use]
pub fn deduplicate(examples: Vec<Example>) -> (Vec<Group>, Dropped) {
    let mut dropped = Dropped::default();
    let mut groups: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    for example in examples {
        let key = normalized(&example.text);
        if key.is_empty() {
            dropped.empty += 1;
            continue;
        }
        groups
            .entry(sha256_hex(key.as_bytes()))
            .or_default()
            .push(example);
    }
    let mut kept = Vec::new();
    for (hash, group) in groups {
        if group.iter().any(|example| example.label != group[0].label) {
            dropped.conflicting += group.len();
            continue;
        }
        let mut examples: Vec<Example> = Vec::new();
        for example in group {
            if examples.iter().any(|known| known.text == example.text) {
                dropped.repeated += 1;
            } else {
                examples.push(example);
            }
        }
        kept.push(Group { hash, examples });
    }
    (kept, dropped)
}

/// Splits groups so that every class has the same shares in every split. Within each class, the
/// groups with the smallest hashes go to the test split, the next ones to the validation split, and
/// all others to the training split. Each split is in the order of the hashes, which mixes the
/// classes.
#[must_use]
pub fn stratified(groups: Vec<Group>, shares: Split) -> Splits<Vec<Example>> {
    let mut rows_of_class: BTreeMap<i64, usize> = BTreeMap::new();
    for group in &groups {
        *rows_of_class.entry(group.examples[0].label).or_default() += group.examples.len();
    }
    let mut taken: BTreeMap<i64, usize> = BTreeMap::new();
    let mut splits = Splits::default();
    for group in groups {
        let label = group.examples[0].label;
        let rows = rows_of_class.get(&label).copied().unwrap_or(0) as f64;
        let taken = taken.entry(label).or_default();
        let test = (rows * shares.test).round() as usize;
        let held_out = (rows * (shares.test + shares.validation)).round() as usize;
        let split: &mut Vec<Example> = match *taken {
            taken if taken < test => &mut splits.test,
            taken if taken < held_out => &mut splits.validation,
            _ => &mut splits.train,
        };
        *taken += group.examples.len();
        split.extend(group.examples);
    }
    splits
}

/// Merges the rows of several sources that are already split. Texts whose key has more than one
/// class, in whichever splits, are left out, and each split is sorted by hash.
#[must_use]
pub fn mixed(splits: Splits<Vec<Example>>) -> (Splits<Vec<Example>>, Dropped) {
    let mut class_of: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for (_, rows) in splits.iter() {
        for row in rows {
            class_of
                .entry(normalized(&row.text))
                .and_modify(|class| *class = class.filter(|&class| class == row.label))
                .or_insert(Some(row.label));
        }
    }
    let mut dropped = Dropped::default();
    let mut keep = |rows: Vec<Example>| {
        let before = rows.len();
        let mut kept: Vec<(String, Example)> = rows
            .into_iter()
            .map(|row| (normalized(&row.text), row))
            .filter(|(key, _)| class_of.get(key).is_some_and(Option::is_some))
            .map(|(key, row)| (sha256_hex(key.as_bytes()), row))
            .collect();
        dropped.conflicting += before - kept.len();
        // The sort is stable, so rows with the same key keep their order.
        kept.sort_by(|(a, _), (b, _)| a.cmp(b));
        kept.into_iter().map(|(_, row)| row).collect()
    };
    let splits = Splits {
        train: keep(splits.train),
        validation: keep(splits.validation),
        test: keep(splits.test),
    };
    (splits, dropped)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SHARES: Split = Split {
        train: 0.8,
        validation: 0.1,
        test: 0.1,
    };

    fn example(text: &str, label: i64) -> Example {
        Example {
            text: text.to_owned(),
            label,
            rating: None,
        }
    }

    /// Creates 600 texts of class 0 and 300 of class 1, each third one with a louder variant.
    fn many() -> Vec<Example> {
        let mut examples = Vec::new();
        for number in 0..900 {
            let label = i64::from(number % 3 == 0);
            examples.push(example(&format!("Text number {number}."), label));
            if number % 9 == 1 {
                examples.push(example(&format!("TEXT NUMBER {number}!!!"), label));
            }
        }
        examples
    }

    fn split(examples: Vec<Example>) -> Splits<Vec<Example>> {
        stratified(deduplicate(examples).0, SHARES)
    }

    #[test]
    fn shares_hold_in_every_class() {
        let splits = split(many());
        let count = |rows: &[Example], label| rows.iter().filter(|row| row.label == label).count();
        for (label, rows) in [(0, 700), (1, 300)] {
            assert_eq!(count(&splits.train, label), rows * 8 / 10);
            assert_eq!(count(&splits.validation, label), rows / 10);
            assert_eq!(count(&splits.test, label), rows / 10);
        }
    }

    #[test]
    fn no_text_is_in_two_splits() {
        let splits = split(many());
        let mut home = HashMap::new();
        for (name, rows) in splits.iter() {
            for row in rows {
                let first = *home.entry(normalized(&row.text)).or_insert(name);
                assert_eq!(first, name, "{}", row.text);
            }
        }
        assert_eq!(home.len(), 900);
    }

    #[test]
    fn the_order_of_the_source_does_not_matter() {
        let forward = split(many());
        // Variants of one text keep their order, so reverse only the order of different texts.
        let mut turned = many();
        turned.sort_by_key(|row| std::cmp::Reverse(normalized(&row.text)));
        assert_eq!(split(turned), forward);
        // The order is a fixed shuffle: classes are mixed from the start.
        let first = &forward.train[..20];
        assert!(first.iter().any(|row| row.label == 0) && first.iter().any(|row| row.label == 1));
    }

    #[test]
    fn mixing_leaves_out_texts_with_two_classes_and_keeps_splits() {
        let splits = Splits {
            train: vec![
                example("Sure.", 0),
                example("A film", 0),
                example("a film!", 0),
            ],
            validation: vec![example("A tweet", 1)],
            test: vec![example("sure!", 1)],
        };
        let (mixed, dropped) = mixed(splits);
        assert_eq!(dropped.conflicting, 2);
        let texts: Vec<_> = mixed.train.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["A film", "a film!"]);
        assert_eq!((mixed.validation.len(), mixed.test.len()), (1, 0));
    }

    #[test]
    fn duplicates_are_counted_by_reason() {
        let rows = vec![
            example("A good film.", 1),
            example("A good film.", 1),
            example("a good film", 1),
            example("Yes.", 1),
            example("yes!", 0),
            example("...", 0),
        ];
        let (groups, dropped) = deduplicate(rows);
        assert_eq!(
            dropped,
            Dropped {
                empty: 1,
                repeated: 1,
                conflicting: 2
            }
        );
        assert_eq!(groups.len(), 1);
        let texts: Vec<_> = groups[0].examples.iter().map(|row| &row.text).collect();
        assert_eq!(texts, ["A good film.", "a good film"]);
    }
}
