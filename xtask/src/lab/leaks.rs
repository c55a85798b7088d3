//! Finds test texts among training texts. News and reviews may come from the same source, and a
//! text that pretraining has seen is no new one.

use std::collections::HashSet;

use anyhow::Result;
use finetune_data::{Columns, Split};

use crate::datasets::text::normalized;
use crate::table::thousands;

/// The different texts of a split, by their letters and digits.
pub(super) fn keys(split: &Split) -> Result<HashSet<String>> {
    let columns = Columns::resolve(split, &[], &[], false)?;
    let mut keys = HashSet::new();
    for text in split.texts(&columns)? {
        let text = text?;
        let second = text.second.unwrap_or_default();
        keys.insert(normalized(&(text.first + &second)));
    }
    Ok(keys)
}

/// Says how many test texts are among the training texts of both data sets.
pub(super) fn describe(
    test: &HashSet<String>,
    [news, reviews]: [&HashSet<String>; 2],
) -> Vec<String> {
    let found = |training: &HashSet<String>| test.intersection(training).count();
    let (in_news, in_reviews) = (found(news), found(reviews));
    let texts = thousands(test.len());
    let mut lines = Vec::new();
    if in_news == 0 && in_reviews == 0 {
        lines.push(format!(
            "none of the {texts} different test texts is a training text of news or reviews"
        ));
    }
    for (number, consequence) in [
        (
            in_news,
            "training texts of news; pretraining sees them, with the labels of news only",
        ),
        (
            in_reviews,
            "training texts of reviews too; all rows of the table are a little too high",
        ),
    ] {
        if number > 0 {
            lines.push(format!(
                "{} of the {texts} different test texts are {consequence}",
                thousands(number)
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use finetune_data::Dataset;

    use super::*;

    #[test]
    fn texts_are_compared_by_letters_and_digits() {
        let folder = tempfile::tempdir().unwrap();
        let keys = |name: &str, rows: &str| {
            let path = folder.path().join(format!("{name}.csv"));
            std::fs::write(&path, format!("text,label\n{rows}")).unwrap();
            let data = Dataset::open_file(&path).unwrap();
            keys(&data.split("train").unwrap()).unwrap()
        };
        let test = keys("test", "A good film!,1\na bad one,0\nA GOOD FILM,1\n");
        assert_eq!(test.len(), 2);
        let other = keys("other", "nothing else,1\n");
        let same = keys("same", "a good film,2\nmore,1\n");
        assert_eq!(
            describe(&test, [&other, &other]),
            ["none of the 2 different test texts is a training text of news or reviews"]
        );
        let both = describe(&test, [&same, &test]);
        assert!(both[0].starts_with("1 of the 2 different test texts are training texts of news;"));
        assert!(
            both[1].starts_with("2 of the 2 different test texts are training texts of reviews")
        );
        assert_eq!(describe(&test, [&same, &other]).len(), 1);
    }
}
