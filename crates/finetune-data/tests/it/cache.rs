//! The token cache is reused, but never trusted when damaged.

use std::ops::ControlFlow;
use std::path::Path;

use finetune_data::{
    CacheSource, Columns, Dataset, Offsets, Task, TokenizeOptions, TokenizedDataset,
};
use tempfile::TempDir;

use crate::common::{assert_has, build, folder, message, path, regression, tokenizer};

const CSV: &str = "text,label\nnot bad,a\nworld world world,b\n\"\",a\nhello all,b\n";

fn source() -> TempDir {
    folder(&[("x.csv", CSV)])
}

fn tokenize(folder: &TempDir, max_length: usize) -> TokenizedDataset {
    let split = Dataset::open(path(folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let labels = Task::Classes(vec!["a".to_owned(), "b".to_owned()]);
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
    // Another maximum length and other content each need another cache.
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
    // Nothing but the cache itself is left behind.
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
    assert_eq!(*batch.tokens.type_ids, [0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(batch.tokens.offsets, Offsets::from_lengths([4, 7]));
    assert_eq!(
        batch.labels,
        finetune_data::Labels::Values {
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

/// In a pool of one thread, waiting for the pool would deadlock.
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

/// A cache that cannot be written costs nothing but the cache.
#[test]
fn a_cache_directory_that_cannot_be_made() {
    let folder = source();
    let kept = tokenize(&folder, 5);
    assert_eq!(kept.build_report().not_kept, None);
    let split = Dataset::open(path(&folder, "x.csv")).unwrap();
    let split = split.split("train").unwrap();
    let labels = Task::Classes(vec!["a".to_owned(), "b".to_owned()]);
    // Nobody can create a directory below a file, whatever their permissions, nor below /proc.
    for cache in [
        folder.path().join("x.csv/cache"),
        "/proc/finetune/tokens".into(),
    ] {
        let data = build(&split, Some(&labels), 5, Some(&cache)).unwrap();
        let why = data.build_report().not_kept.as_deref().unwrap();
        assert_has(why, &[cache.to_str().unwrap(), "cannot create"]);
        assert_eq!(data.build_report().source, CacheSource::Tokenized);
        assert_eq!(data.fingerprint(), kept.fingerprint());
        let rows = [3, 0, 2, 1];
        assert_eq!(data.batch(&rows).unwrap(), kept.batch(&rows).unwrap());
    }
}

/// The disk is full before the tokens are written, or fills up while they are.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_for_the_cache() {
    let mut text = String::from("text\n");
    (0..4000).for_each(|_| text.push_str("world world world world world world\n"));
    let folder = folder(&[("x.csv", &text)]);
    let split = Dataset::open(path(&folder, "x.csv")).unwrap();
    let split = split.split("train").unwrap();
    let expected = build(&split, None, 8, None).unwrap();
    for (size, filled) in [("16k", 0), ("64k", 60_000)] {
        let cache = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(cache.path())
            .output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            eprintln!("skipped: a small file system cannot be mounted here");
            return;
        }
        std::fs::write(cache.path().join("filler"), vec![1; filled]).unwrap();
        let data = build(&split, None, 8, Some(cache.path()));
        let left = files(cache.path());
        let unmounted = std::process::Command::new("umount")
            .arg(cache.path())
            .status();
        assert!(unmounted.unwrap().success());
        let data = data.unwrap();
        let why = data.build_report().not_kept.as_deref().unwrap();
        assert_has(why, &["cannot write tokens to", "No space left"]);
        assert_eq!(data.fingerprint(), expected.fingerprint());
        assert_eq!(left, 1);
    }
}
