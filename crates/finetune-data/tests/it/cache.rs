//! The token cache is found again, and never believed when damaged.

use std::ops::ControlFlow;
use std::path::Path;

use finetune_data::{
    CacheSource, Columns, Dataset, LabelSchema, TokenizeOptions, TokenizedDataset,
};
use tempfile::TempDir;

use crate::common::{build, folder, message, path, regression, tokenizer};

const CSV: &str = "text,label\nnot bad,a\nworld world world,b\n\"\",a\nhello all,b\n";

fn source() -> TempDir {
    folder(&[("x.csv", CSV)])
}

fn tokenize(folder: &TempDir, max_length: usize) -> TokenizedDataset {
    let split = Dataset::open(path(folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let labels = LabelSchema::Classes(vec!["a".to_owned(), "b".to_owned()]);
    build(
        &split,
        Some(&labels),
        max_length,
        Some(&folder.path().join("cache")),
    )
    .unwrap()
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[test]
fn hit_and_miss() {
    let folder = source();
    let first = tokenize(&folder, 5);
    assert_eq!(first.build_report().source, CacheSource::Tokenized);
    let second = tokenize(&folder, 5);
    assert_eq!(second.build_report().source, CacheSource::Cached);
    let all = [0, 1, 2, 3];
    assert_eq!(first.batch(&all).unwrap(), second.batch(&all).unwrap());
    assert_eq!(first.lengths(), second.lengths());
    assert_eq!(
        (second.truncated_rows(), second.class_counts()),
        (0, Some(vec![2, 2]))
    );
    assert_eq!(second.source(3).unwrap().row, 3);
    let (lengths, mean) = (second.lengths(), 15.0 / 4.0);
    assert_eq!(
        (lengths.min, lengths.max, lengths.p50, lengths.p99),
        (2, 5, 4, 5)
    );
    assert!((lengths.mean - mean).abs() < 1e-12);
    // Another length, other content: another cache.
    let short = tokenize(&folder, 4);
    assert_eq!(
        (short.build_report().source.clone(), short.truncated_rows()),
        (CacheSource::Tokenized, 1)
    );
    std::fs::write(folder.path().join("x.csv"), CSV.replace("not", "all")).unwrap();
    assert_eq!(
        tokenize(&folder, 5).build_report().source,
        CacheSource::Tokenized
    );
    assert_eq!(files(&folder.path().join("cache")), 3);
}

#[test]
fn any_damaged_byte_is_found() {
    let folder = source();
    let first = tokenize(&folder, 5);
    let expected = first.batch(&[0, 1, 2, 3]).unwrap();
    let file = first.path().to_path_buf();
    let good = std::fs::read(&file).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let again = tokenize(&folder, 5);
        let source = again.build_report().source.clone();
        assert!(matches!(source, CacheSource::Rebuilt(_)), "{source:?}");
        assert_eq!(again.batch(&[0, 1, 2, 3]).unwrap(), expected);
        assert_eq!(std::fs::read(&file).unwrap(), good);
    };
    for at in (0..144).chain((144..good.len()).step_by(7)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        check(&bytes);
    }
    for len in [0, 7, 100, 144, good.len() - 1] {
        check(&good[..len]);
    }
    let longer: Vec<u8> = good.iter().copied().chain([0]).collect();
    check(&longer);
    // Nothing but the cache itself is left.
    assert_eq!(files(&folder.path().join("cache")), 1);
}

#[test]
fn pairs_keep_type_ids() {
    let folder = folder(&[(
        "x.csv",
        "sentence1,sentence2,label\nnot bad,at all,0.5\nworld,\"\",1.5\n",
    )]);
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let data = build(
        &split,
        Some(&regression(&["label"])),
        16,
        Some(folder.path()),
    )
    .unwrap();
    let batch = data.batch(&[1, 0]).unwrap();
    assert_eq!(batch.type_ids, [0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(batch.offsets, [0, 4, 11]);
    assert_eq!(
        batch.labels,
        finetune_data::BatchLabels::Values {
            width: 1,
            values: vec![1.5, 0.5]
        }
    );
}

#[test]
fn stopped_on_request() {
    let folder = source();
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    let cache = folder.path().join("cache");
    let options = TokenizeOptions {
        max_length: 8,
        cache_dir: Some(&cache),
    };
    let stop = |done, total| {
        assert_eq!((done, total), (4, 4));
        ControlFlow::Break(())
    };
    let error = TokenizedDataset::build(&split, &columns, None, &tokenizer(), &options, stop);
    assert!(message(error).contains("stopped on request"));
    assert_eq!(files(&cache), 0);
}

/// Inside a pool of one thread, waiting for the pool would wait for ever.
#[test]
fn within_a_rayon_worker() {
    let folder = source();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(pool.install(|| tokenize(&folder, 5)).len(), 4);
}

#[test]
fn many_rows_keep_their_order() {
    let text: String = (0..3000).map(|i| "world ".repeat(i % 29) + "\n").collect();
    let folder = folder(&[("x.txt", &text)]);
    let split = Dataset::open(path(&folder, "x.txt"))
        .unwrap()
        .split("train")
        .unwrap();
    let data = build(&split, None, 64, None).unwrap();
    let lengths = data.row_lens(0, 3000).unwrap();
    assert!(
        lengths
            .iter()
            .enumerate()
            .all(|(i, &len)| len as usize == i % 29 + 2)
    );
    assert_eq!(
        data.total_tokens(),
        lengths.iter().map(|&l| u64::from(l)).sum::<u64>()
    );
    assert!(
        (0..3000)
            .step_by(77)
            .all(|row| data.source(row).unwrap().row == row)
    );
}
