//! Rows with labels, followed by rows without.

use std::ops::ControlFlow;
use std::path::Path;

use finetune_data::{
    CacheSource, Columns, Dataset, Labels, Split, TokenizeOptions, TokenizedDataset, infer_task,
};

use crate::common::{folder, path, tokenizer};

fn rows(file: &str) -> Split {
    Dataset::open(file).unwrap().split("train").unwrap()
}

fn joined(labelled: &str, unlabelled: &str, cache: Option<&Path>) -> TokenizedDataset {
    let (labelled, unlabelled) = (rows(labelled), rows(unlabelled));
    let columns = Columns::resolve(&labelled, &[], &[], true).unwrap();
    let task = infer_task(&[&labelled], &columns, None, None).unwrap();
    let texts = Columns::resolve(&unlabelled, &[], &[], false).unwrap();
    let options = TokenizeOptions {
        max_length: 16,
        cache_dir: cache,
    };
    TokenizedDataset::build_with_unlabelled(
        (&labelled, &columns),
        &[(&unlabelled, &texts)],
        &task,
        &tokenizer(),
        &options,
        |_, _| ControlFlow::Continue(()),
    )
    .unwrap()
}

#[test]
fn only_the_first_rows_have_labels() {
    for (labels, expected) in [
        (["no", "yes", "no"], Labels::Classes(vec![0, 1])),
        (
            ["0.5", "1.5", "2.25"],
            Labels::Values {
                width: 1,
                values: vec![2.25, 1.5],
            },
        ),
    ] {
        let [a, b, c] = labels;
        let csv = format!("text,label\nnot bad,{a}\nhello world,{b}\nbad,{c}\n");
        let folder = folder(&[("x.csv", &csv), ("y.csv", "text\nworld\nhello bad\n")]);
        let cache = folder.path().join("cache");
        let (x, y) = (path(&folder, "x.csv"), path(&folder, "y.csv"));
        let data = joined(&x, &y, Some(&cache));
        assert_eq!((data.len(), data.labelled()), (5, 3));
        let batch = data.batch(&[4, 2, 3, 1]).unwrap();
        assert_eq!(batch.rows, [4, 2, 3, 1]);
        assert_eq!(batch.labels, expected);
        assert_eq!(data.labels(&[4, 2, 3, 1]).unwrap(), expected);
        let lengths: Vec<_> = batch.lengths().collect();
        assert_eq!(lengths, [4, 3, 3, 4]);
        let places = data.places(&[0, 4]).unwrap();
        assert!(places[1].file.ends_with("y.csv"), "{places:?}");
        assert_eq!(places[1].row, 1);
        if let Some(counts) = data.class_counts() {
            assert_eq!(counts, [2, 1]);
        }
        let again = joined(&x, &y, Some(&cache));
        assert_eq!(again.build_report().source, CacheSource::Cached);
        assert_eq!(again.fingerprint(), data.fingerprint());
        assert_eq!(again.batch(&[4, 2, 3, 1]).unwrap(), batch);
        // The same tokens, but for which rows have labels.
        assert_ne!(joined(&x, &x, None).fingerprint(), data.fingerprint());
    }
}
