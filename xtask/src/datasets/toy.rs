//! Small generated data for tests: sentences from templates whose adjective determines class and
//! rating.

use std::path::Path;

use anyhow::Result;

use super::recipe::Split;
use super::split::{Example, Splits, deduplicate, stratified};
use super::write::{Format, encode, write_atomically};

/// Names of the classes.
pub const CLASSES: [&str; 2] = ["negative", "positive"];

const ROWS: usize = 400;
const SUBJECTS: [&str; 10] = [
    "film",
    "soup",
    "hotel",
    "concert",
    "lecture",
    "train ride",
    "garden",
    "novel",
    "coffee",
    "museum",
];
const PLACES: [&str; 8] = [
    "in Bergen",
    "by the river",
    "on Sunday",
    "last night",
    "next door",
    "in the old town",
    "at noon",
    "after work",
];
const FRAMES: [&str; 5] = [
    "The {subject} {place} was {adjective}.",
    "We found the {subject} {place} {adjective}.",
    "My sister called the {subject} {place} {adjective}.",
    "Honestly, a {adjective} {subject} {place}.",
    "I remember the {subject} {place}; it was {adjective}!",
];
const ADJECTIVES: [(&str, f32); 12] = [
    ("awful", -3.0),
    ("terrible", -2.5),
    ("boring", -2.0),
    ("disappointing", -1.5),
    ("dull", -1.0),
    ("bland", -0.5),
    ("decent", 0.5),
    ("pleasant", 1.0),
    ("good", 1.5),
    ("charming", 2.0),
    ("excellent", 2.5),
    ("wonderful", 3.0),
];

/// Generates 400 rows, half of each class, without repeated texts, split by the hash of the text.
/// The same seed gives the same rows on every machine.
#[must_use]
pub fn rows(seed: u64, shares: Split) -> Splits<Vec<Example>> {
    let mut state = seed;
    let mut examples: Vec<Example> = Vec::with_capacity(ROWS);
    while examples.len() < ROWS {
        let mut pick = |count: usize| (next(&mut state) % count as u64) as usize;
        let half = ADJECTIVES.len() / 2;
        let label = examples.len() % 2;
        let (adjective, rating) = ADJECTIVES[label * half + pick(half)];
        let text = FRAMES[pick(FRAMES.len())]
            .replace("{subject}", SUBJECTS[pick(SUBJECTS.len())])
            .replace("{place}", PLACES[pick(PLACES.len())])
            .replace("{adjective}", adjective);
        if examples.iter().all(|known| known.text != text) {
            examples.push(Example {
                text,
                label: label as i64,
                rating: Some(rating),
            });
        }
    }
    stratified(deduplicate(examples).0, shares)
}

/// Writes the rows for `seed`, split 80/10/10, to `train`, `validation` and `test` with the
/// extension of `format`.
///
/// # Errors
/// Fails if a file cannot be written.
pub fn write(folder: &Path, seed: u64, format: Format) -> Result<()> {
    let shares = Split {
        train: 0.8,
        validation: 0.1,
        test: 0.1,
    };
    let classes = CLASSES.map(str::to_owned);
    for (name, rows) in rows(seed, shares).iter() {
        let path = folder.join(format!("{name}.{}", format.extension()));
        write_atomically(&path, &encode(rows, &classes, format)?)?;
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea & Flood 2014): eight lines that no library update can change.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first values of the reference implementation for the seed 1234567.
        let mut state = 1_234_567;
        let values = [next(&mut state), next(&mut state), next(&mut state)];
        assert_eq!(
            values,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn every_format_has_the_same_rows_in_three_files() {
        let folder = tempfile::tempdir().unwrap();
        for format in [Format::Parquet, Format::Csv, Format::JsonLines] {
            write(folder.path(), 7, format).unwrap();
        }
        let lines = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            text.lines().count()
        };
        assert_eq!(lines("train.csv"), 321);
        assert_eq!(lines("validation.jsonl"), 40);
        assert_eq!(lines("test.jsonl"), 40);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 9);
    }
}
