//! Assigns the files of a repository to splits by the rules of `datasets` (`data_files.py`): by the
//! configurations in its card, or else by the names of the files. A Parquet conversion is assigned
//! by its folders.

use std::collections::BTreeMap;

use crate::card::Card;
use crate::card_csv::CsvSettings;
use crate::error::HubError;
use crate::pattern::Pattern;

/// The splits of one configuration with their files, as indices into the list of all files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Name of the configuration.
    pub config: String,
    pub splits: Vec<(String, Vec<usize>)>,
    /// CSV options for the files.
    pub csv: CsvSettings,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

/// Words that denote a split in file and folder names, in the order of `datasets`.
const KEYWORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];
/// `-._ 0-9`: the characters that may surround such a word.
const SEPARATOR: &str = "[-._ 0-9]";
const SHARDS: &str = "data/*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*";
const IGNORED: [&str; 6] = [
    "README.md",
    "config.json",
    "dataset_info.json",
    "dataset_infos.json",
    "dummy_data.zip",
    "dataset_dict.json",
];
/// Formats with their extensions. Among formats with equally many files, the first one wins.
const FORMATS: [(&str, &[&str]); 7] = [
    ("parquet", &["parquet"]),
    ("arrow", &["arrow", "feather", "ipc"]),
    ("jsonl", &["jsonl", "ndjson"]),
    ("json", &["json"]),
    ("csv", &["csv"]),
    ("tsv", &["tsv"]),
    ("txt", &["txt"]),
];
const COMPRESSIONS: [&str; 2] = ["gz", "zst"];
/// The configuration of a data set that declares none.
pub(crate) const DEFAULT_CONFIG: &str = "default";

/// Returns the files of a data set's configuration. `place` describes the data set in messages,
/// `config` is the requested configuration.
pub(crate) fn by_card(
    place: &str,
    card: &Card,
    config: Option<&str>,
    files: &[&str],
) -> Result<Layout, HubError> {
    let configs = card.configs();
    let names: Vec<&str> = configs
        .iter()
        .map(|config| config.config_name.as_str())
        .collect();
    if configs.is_empty() {
        choose(place, config, &[DEFAULT_CONFIG], |name| {
            name == DEFAULT_CONFIG
        })?;
        let splits = by_names(place, "", files)?;
        return layout(place, DEFAULT_CONFIG, splits, files);
    }
    let is_default = |name: &str| {
        name == DEFAULT_CONFIG
            || configs
                .iter()
                .any(|config| config.config_name == name && config.default == Some(true))
    };
    let chosen = choose(place, config, &names, is_default)?;
    let config = configs
        .iter()
        .find(|config| config.config_name == chosen)
        .ok_or_else(|| no_files(place, files))?;
    let folder = match config.data_dir.as_deref() {
        None => String::new(),
        Some(folder) => folder
            .trim_start_matches("./")
            .trim_matches('/')
            .to_string(),
    };
    let splits = match &config.data_files {
        None => by_names(place, &folder, files)?,
        Some(data_files) => {
            let patterns = data_files.clone().by_split().ok_or_else(|| HubError::Card {
                place: place.to_string(),
                reason: format!(
                    "data_files of the configuration {chosen} names a split twice, or has files with and without a split"
                ),
            })?;
            by_patterns(place, &folder, &patterns, files)?
        }
    };
    let mut layout = layout(place, chosen, splits, files)?;
    let mut chosen_files = layout.splits.iter().flat_map(|(_, indices)| indices);
    let is_csv = chosen_files.any(|&index| is_csv_file(files[index]));
    let (csv, others) = CsvSettings::of_card(&config.settings);
    layout.notes.extend(ignored_settings(chosen, &others));
    if is_csv && !csv.is_default() {
        layout
            .notes
            .push(format!("CSV is read as the card says: {}", csv.describe()));
        layout.csv = csv;
    }
    Ok(layout)
}

fn is_csv_file(path: &str) -> bool {
    format_of(path).is_some_and(|format| matches!(FORMATS[format].0, "csv" | "tsv"))
}

/// Names the card's options for reading the files that are not supported here.
fn ignored_settings(config: &str, names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "the card sets {} for reading the files of {config}, which is not supported: check that the rows are right",
            names.join(", ")
        )
    })
}

/// Returns the requested configuration, the only one, or the default one.
fn choose<'a>(
    place: &str,
    asked: Option<&str>,
    names: &[&'a str],
    is_default: impl Fn(&str) -> bool,
) -> Result<&'a str, HubError> {
    let chosen = match (asked, names) {
        (Some(asked), names) => names.iter().copied().find(|name| *name == asked),
        (None, [one]) => Some(*one),
        (None, names) => {
            let mut defaults = names.iter().copied().filter(|name| is_default(name));
            defaults.next().filter(|_| defaults.next().is_none())
        }
    };
    chosen.ok_or_else(|| {
        let example = names.first().copied().unwrap_or(DEFAULT_CONFIG);
        HubError::DatasetConfig {
            place: place.to_string(),
            problem: match asked {
                Some(asked) => format!("has no configuration \"{asked}\""),
                None => format!("has {} configurations, and none was named", names.len()),
            },
            available: names.join(", "),
            example: example.to_string(),
        }
    })
}

type Splits = Vec<(String, Vec<usize>)>;

/// Assigns the files below `folder` by the names of files and folders.
fn by_names(place: &str, folder: &str, files: &[&str]) -> Result<Splits, HubError> {
    let below = match folder.is_empty() {
        true => String::new(),
        false => format!("{folder}/"),
    };
    let files: Vec<(usize, &str)> = files
        .iter()
        .enumerate()
        .filter_map(|(index, path)| Some((index, path.strip_prefix(below.as_str())?)))
        .filter(|(_, path)| format_of(path).is_some() && !is_ignored(path))
        .collect();
    let matching = |patterns: &[String]| -> Vec<usize> {
        let patterns: Vec<_> = patterns
            .iter()
            .filter_map(|text| Pattern::new(text))
            .collect();
        let fits = |path: &str| patterns.iter().any(|pattern| pattern.matches(path));
        let files = files.iter().filter(|(_, path)| fits(path));
        files.map(|(index, _)| *index).collect()
    };
    let sharded = matching(&[SHARDS.to_string()]);
    if !sharded.is_empty() {
        let mut splits: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, path) in files.iter().filter(|(index, _)| sharded.contains(index)) {
            if let Some(split) = split_of_shard(path) {
                splits.entry(split.to_string()).or_default().push(*index);
            }
        }
        return Ok(ordered(splits.into_iter().collect()));
    }
    let in_folders = |word: &str| {
        let s = SEPARATOR;
        [
            format!("**/{word}/**"),
            format!("**/{word}{s}*/**"),
            format!("**/*{s}{word}/**"),
            format!("**/*{s}{word}{s}*/**"),
        ]
        .to_vec()
    };
    let in_names = |word: &str| {
        let s = SEPARATOR;
        [format!("**/{word}{s}*"), format!("**/*{s}{word}{s}*")].to_vec()
    };
    for is_folder in [true, false] {
        let kind = |word: &str| match is_folder {
            true => in_folders(word),
            false => in_names(word),
        };
        let mut splits = Vec::new();
        for (split, words) in KEYWORDS {
            let patterns: Vec<_> = words.iter().flat_map(|word| kind(word)).collect();
            let found = matching(&patterns);
            if !found.is_empty() {
                splits.push((split.to_string(), found));
            }
        }
        if !splits.is_empty() {
            return Ok(splits);
        }
    }
    match matching(&["**".to_string()]) {
        all if all.is_empty() => Err(no_files(
            place,
            &files.iter().map(|f| f.1).collect::<Vec<_>>(),
        )),
        all => Ok(vec![("train".to_string(), all)]),
    }
}

/// Returns the split of a shard, such as `train` for `data/train-00000-of-00002.parquet`.
fn split_of_shard(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let numbers = name.match_indices("-of-").map(|(at, _)| at);
    let start = numbers.filter_map(|at| at.checked_sub(6)).find(|&start| {
        let number = name.get(start..start + 6);
        number.is_some_and(|text| {
            text.starts_with('-') && text[1..].bytes().all(|byte| byte.is_ascii_digit())
        })
    })?;
    Some(&name[..start])
}

/// Assigns the files below `folder` by the patterns of each split.
fn by_patterns(
    place: &str,
    folder: &str,
    patterns: &[(String, Vec<String>)],
    files: &[&str],
) -> Result<Splits, HubError> {
    let mut splits = Vec::new();
    for (split, patterns) in patterns {
        let mut found: Vec<usize> = Vec::new();
        for text in patterns {
            let refuse = |problem: &str| HubError::Card {
                place: place.to_string(),
                reason: format!("data_files of {split} has \"{text}\", {problem}"),
            };
            if text.contains("://") {
                return Err(refuse(
                    "which lies elsewhere, outside the data set, and is not fetched",
                ));
            }
            let text = text.strip_prefix("./").unwrap_or(text);
            let whole = match folder.is_empty() {
                true => text.to_string(),
                false => format!("{folder}/{text}"),
            };
            let pattern = Pattern::new(&whole)
                .ok_or_else(|| refuse("where ** is not a whole part of the path"))?;
            let named_last = whole.rsplit('/').next().unwrap_or_default();
            let before = found.len();
            for (index, path) in files.iter().enumerate() {
                let ignored = is_ignored(path) && file_name(path) != named_last;
                if pattern.matches(path) && !ignored && !found.contains(&index) {
                    found.push(index);
                }
            }
            if pattern.is_literal()
                && found.len() == before
                && !found.iter().any(|&i| files[i] == whole)
            {
                return Err(refuse("which is not a file there"));
            }
        }
        if !found.is_empty() {
            splits.push((split.clone(), found));
        }
    }
    match splits.is_empty() {
        true => Err(no_files(place, files)),
        false => Ok(splits),
    }
}

/// Keeps only the files of the most frequent format; like `datasets`, it does not treat the others
/// as data.
fn layout(place: &str, config: &str, splits: Splits, files: &[&str]) -> Result<Layout, HubError> {
    let mut counts = [0usize; FORMATS.len()];
    for (_, indices) in &splits {
        for &index in indices {
            if let Some(format) = format_of(files[index]) {
                counts[format] += 1;
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let format = counts.iter().position(|&count| count == most && most > 0);
    let Some(format) = format else {
        return Err(no_files(place, files));
    };
    // `.json` and `.jsonl` are read in the same way.
    let is_json = |format: usize| matches!(FORMATS[format].0, "json" | "jsonl");
    let same = |found: usize| found == format || (is_json(found) && is_json(format));
    let splits: Splits = splits
        .into_iter()
        .map(|(split, mut indices)| {
            indices.retain(|&index| format_of(files[index]).is_some_and(same));
            (split, indices)
        })
        .filter(|(_, indices)| !indices.is_empty())
        .collect();
    Ok(Layout {
        config: config.to_string(),
        splits,
        csv: CsvSettings::default(),
        notes: Vec::new(),
    })
}

/// Returns the files of a Parquet conversion, `CONFIG/SPLIT/0000.parquet`; `None` if the files are
/// not one.
pub(crate) fn of_conversion(
    place: &str,
    config: Option<&str>,
    files: &[&str],
) -> Option<Result<Layout, HubError>> {
    const PARTIAL: &str = "partial-";
    let mut configs: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (index, path) in files.iter().enumerate() {
        if path.starts_with('.') {
            continue;
        }
        let parts: Vec<&str> = path.split('/').collect();
        let [config, split, name] = parts[..] else {
            return None;
        };
        let number = name.strip_suffix(".parquet")?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        configs
            .entry(config)
            .or_default()
            .entry(split)
            .or_default()
            .push(index);
    }
    if configs.is_empty() {
        return None;
    }
    let names: Vec<&str> = configs.keys().copied().collect();
    let chosen = choose(place, config, &names, |name| name == DEFAULT_CONFIG);
    Some(chosen.map(|chosen| {
        let mut notes = Vec::new();
        let mut splits = Vec::new();
        for (split, files) in configs.remove(chosen).unwrap_or_default() {
            let whole = split.strip_prefix(PARTIAL);
            if let Some(split) = whole {
                notes.push(format!(
                    "the Parquet conversion of {place} has only the first rows of {split}"
                ));
            }
            splits.push((whole.unwrap_or(split).to_string(), files));
        }
        Layout {
            config: chosen.to_string(),
            splits: ordered(splits),
            csv: CsvSettings::default(),
            notes,
        }
    }))
}

/// Sorts splits: train, validation and test first, then the others by name.
fn ordered(mut splits: Splits) -> Splits {
    let rank = |name: &str| {
        let known = KEYWORDS.iter().position(|(split, _)| *split == name);
        known.unwrap_or(KEYWORDS.len())
    };
    splits.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    splits
}

/// Finds files whose names promise more shards than there are. Returns the first of them, their
/// number, and the number promised.
pub(crate) fn missing_shards<'a>(files: &[&'a str]) -> Option<(&'a str, usize, usize)> {
    let promised = |path: &str| {
        let name = file_name(path);
        let (_, after) = name.rsplit_once("-of-")?;
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        after[..digits].parse::<usize>().ok()
    };
    let stem = |path: &str| path.rsplit_once("-of-").map(|(stem, _)| stem.len());
    for path in files {
        let Some(total) = promised(path) else {
            continue;
        };
        let alike = |other: &&&str| promised(other) == Some(total) && stem(other) == stem(path);
        let here = files.iter().filter(alike).count();
        if here < total {
            return Some((path, here, total));
        }
    }
    None
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_ignored(path: &str) -> bool {
    IGNORED.contains(&file_name(path))
}

/// Returns the index into [`FORMATS`] for a file's extension, which may be followed by that of a
/// compression.
fn format_of(path: &str) -> Option<usize> {
    let mut endings = file_name(path).rsplit('.');
    let mut ending = endings.next()?.to_ascii_lowercase();
    if COMPRESSIONS.contains(&ending.as_str()) {
        ending = endings.next()?.to_ascii_lowercase();
    }
    endings.next()?;
    FORMATS
        .iter()
        .position(|(_, all)| all.contains(&ending.as_str()))
}

fn no_files(place: &str, files: &[&str]) -> HubError {
    const SHOWN: usize = 5;
    let mut shown = files
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if files.len() > SHOWN {
        shown.push_str(", …");
    }
    HubError::NoDataFiles {
        place: place.to_string(),
        found: if files.is_empty() {
            "nothing".into()
        } else {
            shown
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists files by split, as `split: file file`.
    fn shown(layout: &Layout, files: &[&str]) -> Vec<String> {
        let one = |(split, indices): &(String, Vec<usize>)| {
            let names: Vec<_> = indices.iter().map(|&index| files[index]).collect();
            format!("{split}: {}", names.join(" "))
        };
        layout.splits.iter().map(one).collect()
    }

    fn by_convention(files: &[&str]) -> Vec<String> {
        let layout = by_card("data set \"x\"", &Card::default(), None, files).unwrap();
        assert_eq!(layout.config, "default");
        shown(&layout, files)
    }

    /// Expected values are those of `datasets.data_files.get_data_patterns` and `DataFilesDict` for
    /// the same folders.
    #[test]
    fn names_are_read_as_by_datasets() {
        for (files, expected) in [
            (
                &["README.md", "dataset.csv"][..],
                &["train: dataset.csv"][..],
            ),
            (
                &["train.csv", "test.csv", "README.md"],
                &["train: train.csv", "test: test.csv"],
            ),
            (
                &["data/dev.jsonl", "data/train.jsonl"],
                &["train: data/train.jsonl", "validation: data/dev.jsonl"],
            ),
            (
                &[
                    "data/random-00000-of-00001.parquet",
                    "data/train-00000-of-00002.parquet",
                    "data/train-00001-of-00002.parquet",
                    "data/validation-00000-of-00001-abc.parquet",
                ],
                &[
                    "train: data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet",
                    "validation: data/validation-00000-of-00001-abc.parquet",
                    "random: data/random-00000-of-00001.parquet",
                ],
            ),
            (
                &["data/test/0.csv", "data/train/0.csv", "data/train/1.csv"],
                &[
                    "train: data/train/0.csv data/train/1.csv",
                    "test: data/test/0.csv",
                ],
            ),
            (
                &["my_train_file.csv", "my_eval_file.csv"],
                &["train: my_train_file.csv", "test: my_eval_file.csv"],
            ),
            // The layout that `save_to_disk` writes.
            (
                &[
                    "dataset_dict.json",
                    "test/data-00000-of-00001.arrow",
                    "test/dataset_info.json",
                    "test/state.json",
                    "train/data-00000-of-00001.arrow",
                    "train/dataset_info.json",
                    "train/state.json",
                ],
                &[
                    "train: train/data-00000-of-00001.arrow",
                    "test: test/data-00000-of-00001.arrow",
                ],
            ),
            (
                &[".gitattributes", "a.csv", "b.csv", "notes.txt", "x.py"],
                &["train: a.csv b.csv"],
            ),
            (
                &["train.jsonl.gz", "test.json"],
                &["train: train.jsonl.gz", "test: test.json"],
            ),
            (&["trainer.csv"], &["train: trainer.csv"]),
        ] {
            assert_eq!(by_convention(files), expected, "{files:?}");
        }
    }

    #[test]
    fn a_repository_without_rows_is_refused() {
        let error = by_card(
            "data set \"x\"",
            &Card::default(),
            None,
            &["README.md", "images.zip"],
        );
        let error = error.unwrap_err();
        assert!(matches!(error, HubError::NoDataFiles { .. }), "{error}");
    }

    fn card(head: &str) -> Card {
        Card::of_yaml("README.md", head).unwrap()
    }

    const FILES: [&str; 6] = [
        "a/test.csv",
        "a/train-0.csv",
        "a/train-1.csv",
        "b/dev.csv",
        "b/train.csv",
        "README.md",
    ];

    #[test]
    fn the_card_names_configurations_and_their_files() {
        let card = card(
            "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: a/train-*\n  - split: held_out\n    path: [a/test.csv]\n\
             - config_name: b\n  data_dir: b\n- config_name: c\n  data_dir: a\n  sep: ;\n  data_files: train-*.csv",
        );
        let layout = |config| by_card("data set \"x\"", &card, config, &FILES);
        assert_eq!(
            shown(&layout(Some("a")).unwrap(), &FILES),
            ["train: a/train-0.csv a/train-1.csv", "held_out: a/test.csv"]
        );
        assert_eq!(
            shown(&layout(Some("b")).unwrap(), &FILES),
            ["train: b/train.csv", "validation: b/dev.csv"]
        );
        let c = layout(Some("c")).unwrap();
        assert_eq!(shown(&c, &FILES), ["train: a/train-0.csv a/train-1.csv"]);
        assert!(c.notes[0].contains("delimiter ;"), "{:?}", c.notes);
        assert_eq!(c.csv.delimiter.as_deref(), Some(";"));
        let error = layout(None).unwrap_err().to_string();
        assert!(
            error.contains("3 configurations") && error.contains("a, b, c"),
            "{error}"
        );
        assert!(error.contains("--dataset-config a"), "{error}");
        let error = layout(Some("d")).unwrap_err().to_string();
        assert!(error.contains("no configuration \"d\""), "{error}");
    }

    #[test]
    fn a_default_configuration_needs_no_name() {
        for head in [
            "configs:\n- config_name: other\n  data_dir: b\n- config_name: default\n  data_dir: a",
            "configs:\n- config_name: other\n  data_dir: b\n- config_name: mine\n  data_dir: a\n  default: true",
            "configs:\n- config_name: only\n  data_dir: a",
        ] {
            let layout = by_card("data set \"x\"", &card(head), None, &FILES).unwrap();
            assert_eq!(
                shown(&layout, &FILES),
                ["train: a/train-0.csv a/train-1.csv", "test: a/test.csv"],
                "{head}"
            );
        }
    }

    #[test]
    fn what_the_card_names_must_be_there() {
        for (files, problem) in [
            ("a/none.csv", "not a file there"),
            ("https://example.org/a.csv", "elsewhere"),
            ("a/**.csv", "**"),
            ("c/*.csv", "no files"),
            ("../*.csv", "no files"),
        ] {
            let card = card(&format!(
                "configs:\n- config_name: a\n  data_files: \"{files}\""
            ));
            let error = by_card("data set \"x\"", &card, None, &FILES).unwrap_err();
            assert!(error.to_string().contains(problem), "{files}: {error}");
        }
    }

    #[test]
    fn conversions_have_a_folder_for_each_configuration_and_split() {
        let files = [
            ".gitattributes",
            "mrpc/test/0000.parquet",
            "mrpc/train/0000.parquet",
            "mrpc/train/0001.parquet",
            "sst2/partial-train/0000.parquet",
        ];
        let layout = |config| of_conversion("data set \"x\"", config, &files).unwrap();
        let mrpc = layout(Some("mrpc")).unwrap();
        assert_eq!(
            shown(&mrpc, &files),
            [
                "train: mrpc/train/0000.parquet mrpc/train/0001.parquet",
                "test: mrpc/test/0000.parquet"
            ]
        );
        let sst2 = layout(Some("sst2")).unwrap();
        assert_eq!(
            shown(&sst2, &files),
            ["train: sst2/partial-train/0000.parquet"]
        );
        assert!(
            sst2.notes[0].contains("first rows of train"),
            "{:?}",
            sst2.notes
        );
        assert!(layout(None).unwrap_err().to_string().contains("mrpc, sst2"));
        for none in [
            &["README.md", "a/train/0000.parquet"][..],
            &["train.parquet"],
            &[".gitattributes"],
        ] {
            assert!(of_conversion("x", None, none).is_none(), "{none:?}");
        }
    }

    #[test]
    fn missing_shards_are_counted() {
        let files = [
            "d/train-00000-of-00002.parquet",
            "d/test-00000-of-00001.parquet",
        ];
        assert_eq!(missing_shards(&files), Some((files[0], 1, 2)));
        assert_eq!(missing_shards(&files[1..]), None);
        assert_eq!(missing_shards(&["a.csv", "b.csv"]), None);
    }
}
