//! Problems that are planted in a real data set, and how many of them are found.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use finetune_check::{Options, Report, SIMILARITY};
use finetune_data::arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use finetune_data::{Columns, Dataset, LabelDecoder, Labels, infer_task, write_parquet};

use crate::{checked, count, log, shared};

/// The texts and classes of the training rows of rotten_tomatoes.
fn rows() -> Option<Vec<(String, u32)>> {
    let path = shared("rotten_tomatoes")?;
    let dataset = Dataset::open(path.to_str().unwrap()).unwrap();
    let split = dataset.split("train").unwrap();
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    let task = infer_task(&[&split], &columns, None, None).unwrap();
    let decoder = LabelDecoder::new(&task, &split, &columns).unwrap();
    let mut labels = Vec::new();
    for batch in split.read(&["label"]).unwrap() {
        match decoder.decode(&batch.unwrap()).unwrap() {
            Labels::Classes(classes) => labels.extend(classes),
            other => panic!("{other:?}"),
        }
    }
    let texts = split.texts(&columns).unwrap().map(|row| row.unwrap().first);
    Some(texts.zip(labels).collect())
}

fn write(path: &Path, rows: &[(String, u32)]) {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)));
    let names = rows.iter().map(|row| ["neg", "pos"][row.1 as usize]);
    let labels: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let batch = RecordBatch::try_from_iter([("text", texts), ("label", labels)]).unwrap();
    write_parquet(path, &batch.schema(), &[], [Ok(batch)]).unwrap();
}

/// Numbers that look random and are the same everywhere (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % most as u64) as usize
    }
}

/// Replaces a tenth of the words, at least one, by words of another text.
fn changed(text: &str, other: &str, draw: &mut Draw) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    let others: Vec<&str> = other.split(' ').collect();
    let number = ((words.len() as f64 / 10.0).round() as usize).max(1);
    let mut places = BTreeSet::new();
    while places.len() < number.min(words.len()) {
        places.insert(draw.below(words.len()));
    }
    for place in places {
        words[place] = others[draw.below(others.len())];
    }
    words.join(" ")
}

/// The rows of the test split that the report's finding is about.
fn leaks(rows: &[(String, u32)], planted: &[(String, u32)]) -> (Report, BTreeSet<(u64, String)>) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("train.parquet"), rows);
    write(&folder.path().join("test.parquet"), planted);
    let options = Options {
        mislabelled: false,
        ..Options::default()
    };
    checked(folder.path(), &options, |checked| {
        let out = tempfile::tempdir().unwrap();
        let remove = ["exact-leaks", "normalised-leaks", "near-leaks"];
        checked.write_clean(out.path(), &remove).unwrap();
        let found = log(out.path()).into_iter().map(|line| {
            assert_eq!(line["split"], "train");
            (
                line["row"].as_u64().unwrap(),
                line["finding"].as_str().unwrap().to_owned(),
            )
        });
        (checked.report().clone(), found.collect())
    })
}

/// One row in a hundred of each kind stands in the test split too.
#[test]
fn planted_duplicates_are_found() {
    let Some(rows) = rows() else { return };
    let mut draw = Draw(7);
    let number = rows.len() / 100;
    let mut chosen = BTreeSet::new();
    while chosen.len() < 3 * number {
        chosen.insert(draw.below(rows.len()));
    }
    let chosen: Vec<usize> = chosen.into_iter().collect();
    let mut planted = Vec::new();
    let mut expected: [BTreeSet<u64>; 3] = Default::default();
    for (at, row) in chosen.iter().enumerate() {
        let (text, label) = &rows[*row];
        let text = match at % 3 {
            0 => text.clone(),
            1 => format!(" {} ", text.to_uppercase()),
            _ => changed(text, &rows[draw.below(rows.len())].0, &mut draw),
        };
        expected[at % 3].insert(*row as u64);
        planted.push((text, *label));
    }
    let (report, found) = leaks(&rows, &planted);
    assert!(report.has_leaks);
    let of = |name: &str| -> BTreeSet<u64> {
        let found = found.iter().filter(|(_, finding)| finding == name);
        found.map(|(row, _)| *row).collect()
    };
    let (exact, normalised, near) = (of("exact-leaks"), of("normalised-leaks"), of("near-leaks"));
    assert!(expected[0].is_subset(&exact), "every exact duplicate");
    assert!(
        expected[1].is_subset(&normalised),
        "every one in other letters"
    );
    let right = expected[2].intersection(&near).count();
    let recall = right as f64 / expected[2].len() as f64;
    // Rows that are like a planted text without being its source, since the data have near duplicates of
    // their own, are no mistakes: only rows that are like none count as such.
    let precision = right as f64 / near.difference(&expected[0]).count().max(1) as f64;
    eprintln!(
        "near duplicates at {SIMILARITY}: recall {recall:.3}, precision {precision:.3} ({right} of {} planted, {} found)",
        expected[2].len(),
        near.len()
    );
    assert!(recall >= 0.8, "{recall}");
    assert!(precision >= 0.95, "{precision}");
}

/// Five labels of a hundred are turned.
#[test]
fn turned_labels_come_first() {
    let Some(mut rows) = rows() else { return };
    let mut draw = Draw(11);
    let number = rows.len() / 20;
    let mut turned = BTreeSet::new();
    while turned.len() < number {
        turned.insert(draw.below(rows.len()));
    }
    for row in &turned {
        rows[*row].1 = 1 - rows[*row].1;
    }
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("train.parquet"), &rows);
    checked(folder.path(), &Options::default(), |checked| {
        assert!(count(checked.report(), "mislabelled") > 0);
        let file = folder.path().join("probabilities.parquet");
        assert!(checked.write_probabilities(&file).unwrap());
        let split = Dataset::open_file(&file).unwrap().split("train").unwrap();
        let mut scores: Vec<(f32, usize)> = Vec::new();
        for batch in split.read(&["neg", "pos"]).unwrap() {
            let batch = batch.unwrap().batch;
            let column = |at: usize| {
                batch
                    .column(at)
                    .as_any()
                    .downcast_ref::<Float32Array>()
                    .unwrap()
            };
            for row in 0..batch.num_rows() {
                let both = [column(0).value(row), column(1).value(row)];
                scores.push((both[rows[scores.len()].1 as usize], scores.len()));
            }
        }
        assert_eq!(scores.len(), rows.len());
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let right = scores[..number]
            .iter()
            .filter(|(_, row)| turned.contains(row))
            .count();
        let precision = right as f64 / number as f64;
        eprintln!("turned labels: precision {precision:.3} among the {number} worst");
        // Drawn at random it would be 0.05.
        assert!(precision > 0.3, "{precision}");
        // The worst that are reported are the worst by these probabilities.
        let finding = checked
            .report()
            .findings
            .iter()
            .find(|f| f.name == "mislabelled")
            .unwrap();
        let worst: HashMap<u64, usize> = scores
            .iter()
            .enumerate()
            .map(|(rank, (_, row))| (*row as u64, rank))
            .collect();
        for example in &finding.examples {
            assert!(worst[&example.row.row] < 20, "{example:?}");
        }
    });
}
