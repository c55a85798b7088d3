//! The arguments of `cargo xtask lab`, and the settings that follow from them.

use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};

/// The news and the reviews that the project's own recipes build.
pub(super) const RECIPES: [&str; 2] = ["domains", "movie_reviews"];

/// Repeat the course's lab: train from scratch, pretrain on other texts, transfer, and compare
///
/// Everything is done by commands of `finetune`, which are printed. Typed again, it goes on where it
/// stopped. See docs/lab.md.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Folder for the runs, lab.json and lab.md
    #[arg(long, value_name = "DIR", default_value = "runs/lab", value_parser = folder)]
    pub output: PathBuf,
    /// Number of seeds, from 1 on, with which everything is repeated
    #[arg(long, value_name = "N", default_value = "3")]
    pub seeds: NonZeroU32,
    /// Data sets (files, or directories with a file per split) to pretrain on and to transfer to
    /// [default: `domains` and `movie_reviews` of datasets/]
    #[arg(long, value_name = "news=DATA,reviews=DATA")]
    pub data: Option<Data>,
    /// Passes over the training rows in every run [default: 3; 2 with --data]
    #[arg(long)]
    pub epochs: Option<NonZeroU32>,
    /// Rows per step [default: 32]
    #[arg(long, value_name = "ROWS")]
    pub batch_size: Option<NonZeroU32>,
    /// Maximum length of a text in tokens [default: 256]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<NonZeroUsize>,
    /// Peak learning rate [default: 1e-3]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub learning_rate: Option<f64>,
    /// Peak learning rate of the runs in which only the head is trained [default: 1e-2]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub head_learning_rate: Option<f64>,
    /// Words in the vocabulary, special tokens included [default: 5000; 20000 with
    /// --data]
    #[arg(long, value_name = "WORDS")]
    pub vocab_size: Option<NonZeroUsize>,
}

/// The value of `--data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The data set to pretrain on.
    pub news: String,
    /// The data set to transfer to.
    pub reviews: String,
}

/// What all runs share. The table compares runs with equal settings only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The data set to pretrain on, as commands name it, and a hash of its rows.
    pub(super) news: String,
    pub(super) news_sha256: String,
    /// The data set to transfer to.
    pub(super) reviews: String,
    pub(super) reviews_sha256: String,
    pub(super) epochs: u32,
    pub(super) batch_size: u32,
    pub(super) max_length: usize,
    pub(super) learning_rate: f64,
    pub(super) head_learning_rate: f64,
    pub(super) vocab_size: usize,
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected news=DATA,reviews=DATA";
        let mut parts: [(&str, Option<String>); 2] = [("news", None), ("reviews", None)];
        let mut last = None;
        for piece in text.split(',') {
            match (piece.split_once('='), last) {
                // A path may contain commas.
                (None, Some(index)) => {
                    let (_, value): &mut (_, Option<String>) = &mut parts[index];
                    value.get_or_insert_default().push_str(&format!(",{piece}"));
                }
                (None, None) => return Err(format!("`{piece}` names no data set; {FORM}")),
                (Some((key, value)), _) => {
                    let Some(index) = parts.iter().position(|(known, _)| *known == key.trim())
                    else {
                        return Err(format!("there is no `{}`; {FORM}", key.trim()));
                    };
                    if parts[index].1.replace(value.to_owned()).is_some() {
                        return Err(format!("`{key}` is given twice; {FORM}"));
                    }
                    last = Some(index);
                }
            }
        }
        let [news, reviews] = parts.map(|(key, value)| match value {
            Some(value) if !value.trim().is_empty() => Ok(no_option(&value)),
            _ => Err(format!("`{key}=` is missing; {FORM}")),
        });
        Ok(Self {
            news: news?,
            reviews: reviews?,
        })
    }
}

impl Settings {
    /// Returns the settings for data sets with these names and hashes of their rows.
    pub(super) fn new(arguments: &Arguments, [news, reviews]: [(String, String); 2]) -> Self {
        // The recipes' texts are few and short. A vocabulary with the words that occur once would teach
        // nothing about unknown words: see docs/lab.md.
        let (epochs, vocab_size) = match arguments.data {
            None => (3, 5_000),
            Some(_) => (2, 20_000),
        };
        Self {
            news: news.0,
            news_sha256: news.1,
            reviews: reviews.0,
            reviews_sha256: reviews.1,
            epochs: arguments.epochs.map_or(epochs, NonZeroU32::get),
            batch_size: arguments.batch_size.map_or(32, NonZeroU32::get),
            max_length: arguments.max_length.map_or(256, NonZeroUsize::get),
            learning_rate: arguments.learning_rate.unwrap_or(1e-3),
            head_learning_rate: arguments.head_learning_rate.unwrap_or(1e-2),
            vocab_size: arguments.vocab_size.map_or(vocab_size, NonZeroUsize::get),
        }
    }

    /// Says in words how these settings differ from those of earlier runs; empty if they do not.
    pub(super) fn differences(&self, earlier: &Self) -> Vec<String> {
        let shown = |settings: &Self| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(keys)) => keys,
            _ => serde_json::Map::new(),
        };
        let (now, before) = (shown(self), shown(earlier));
        let changed = now.into_iter().filter_map(|(key, value)| {
            let old = before.get(&key).filter(|old| **old != value)?;
            Some(match key.strip_suffix("_sha256") {
                Some(data) => format!("the rows of {data} have changed"),
                None => format!("{key} was {old} and is now {value}"),
            })
        });
        changed.collect()
    }
}

/// A path that commands do not take for an option.
fn no_option(path: &str) -> String {
    match path.starts_with('-') {
        true => format!("./{path}"),
        false => path.to_owned(),
    }
}

fn folder(text: &str) -> Result<PathBuf, Infallible> {
    Ok(no_option(text).into())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("expected a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_names_news_and_reviews() {
        let data = |news: &str, reviews: &str| Data {
            news: news.into(),
            reviews: reviews.into(),
        };
        for (text, expected) in [
            ("news=a,reviews=b", data("a", "b")),
            ("news=-a,reviews=b-", data("./-a", "b-")),
            ("reviews=../b/c.csv,news=a b", data("a b", "../b/c.csv")),
            ("news=a,1=.csv", data("", "")),
            ("news=a,b.csv,reviews=c", data("a,b.csv", "c")),
        ] {
            match text.parse::<Data>() {
                Ok(found) => assert_eq!(found, expected),
                Err(error) => assert_eq!(error, "there is no `1`; expected news=DATA,reviews=DATA"),
            }
        }
        for (text, words) in [
            ("", "names no data set"),
            ("ag_news", "`ag_news` names no data set"),
            ("news=a", "`reviews=` is missing"),
            ("reviews=b", "`news=` is missing"),
            ("news=,reviews=b", "`news=` is missing"),
            ("news=a,review=b", "there is no `review`"),
            ("news=a,reviews=b,news=c", "`news` is given twice"),
        ] {
            let error = text.parse::<Data>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("expected news=DATA,reviews=DATA"), "{error}");
        }
    }

    #[test]
    fn changed_settings_are_named() {
        let data = |hash: &str| [("a".to_owned(), hash.to_owned()), ("b".into(), "1".into())];
        let mut arguments = Arguments {
            output: PathBuf::new(),
            seeds: NonZeroU32::MIN,
            data: None,
            epochs: None,
            batch_size: None,
            max_length: None,
            learning_rate: None,
            head_learning_rate: None,
            vocab_size: None,
        };
        let earlier = Settings::new(&arguments, data("0"));
        assert!(earlier.differences(&earlier.clone()).is_empty());
        arguments.epochs = NonZeroU32::new(7);
        arguments.learning_rate = Some(0.5);
        let now = Settings::new(&arguments, data("2"));
        assert_eq!(
            now.differences(&earlier),
            [
                "the rows of news have changed",
                "epochs was 3 and is now 7",
                "learning_rate was 0.001 and is now 0.5"
            ]
        );
        // A file that another version wrote is no surprise.
        let json = serde_json::to_string(&earlier).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), earlier);
    }

    #[test]
    fn folders_are_no_options() {
        for (text, expected) in [("-lab", "./-lab"), ("a/-lab", "a/-lab"), ("lab", "lab")] {
            assert_eq!(folder(text), Ok(PathBuf::from(expected)));
        }
    }

    #[test]
    fn rates_are_above_zero() {
        assert_eq!(rate("1e-3"), Ok(1e-3));
        for text in ["0", "-1", "inf", "nan", "x"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
