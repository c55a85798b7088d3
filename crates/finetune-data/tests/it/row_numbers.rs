//! Rows of a batch lead back to their places and texts; fingerprints cover what they should.

use finetune_data::{BatchSize, Dataset, Sampler, SamplerOptions, Split, Task};

use crate::common::{assert_has, build, folder, message, parquet, path, texts};

fn numbered(n: usize) -> (tempfile::TempDir, Split) {
    let rows: String = (0..n).map(|i| format!("r{i},{}\n", i % 2)).collect();
    let folder = folder(&[("x.csv", &format!("text,label\n{rows}"))]);
    let split = Dataset::open(path(&folder, "x.csv")).and_then(|d| d.split("train"));
    (folder, split.unwrap())
}

/// Batches of a drawn split name rows of the draw, which lead to the rows of the file.
#[test]
fn rows_of_a_batch_after_a_draw() {
    let (_folder, split) = numbered(3000);
    let drawn = split.shuffle_take(7, 40).unwrap();
    let data = build(&drawn, None, 8, None).unwrap();
    let options = SamplerOptions {
        batch: BatchSize::Rows(16),
        seed: 1,
        shuffle: true,
        length_buckets: None,
    };
    let order = texts(&drawn);
    let mut seen = 0;
    for rows in Sampler::new(&data, options).unwrap().epoch(0).unwrap() {
        let batch = data.batch(&rows.unwrap()).unwrap();
        let found = data.texts(&batch.rows).unwrap();
        assert_eq!(found.len(), batch.batch_size());
        for (&row, text) in batch.rows.iter().zip(&found) {
            assert_eq!(text.first, order[row as usize]);
            let place = data.source(row).unwrap();
            assert_eq!((text.place.row, &text.place.file), (place.row, &place.file));
            assert_eq!(text.first, format!("r{}", place.row));
            assert_eq!(text.place.line, Some(place.row + 2));
        }
        seen += found.len();
    }
    assert_eq!(seen, 40);
}

#[test]
fn texts_in_the_order_asked_for() {
    let folder = folder(&[
        ("a-0.csv", "sentence1,sentence2\na,b\nc,d\n"),
        ("a-1.csv", "sentence1,sentence2\ne,f\n"),
    ]);
    let split = Dataset::open(path(&folder, "a-*.csv"))
        .and_then(|d| d.split("train[1:]+train[:2]"))
        .unwrap();
    let data = build(&split, None, 8, None).unwrap();
    // Rows c, e, a, c: repeated, from two files, and in any order.
    let found = data.texts(&[3, 1, 0, 1, 2]).unwrap();
    let firsts: Vec<_> = found.iter().map(|row| &row.first[..]).collect();
    assert_eq!(firsts, ["c", "e", "c", "e", "a"]);
    assert_eq!(found[1].second.as_deref(), Some("f"));
    assert_has(&found[1].place.to_string(), &["a-1.csv, row 0 (line 2)"]);
    assert_eq!(data.texts(&[]).unwrap(), []);
    assert_has(
        &message(data.texts(&[0, 4])),
        &["row 4 was asked for, but there are 4 rows"],
    );
    let chosen = split.select(&[2, 0, 2]).unwrap();
    assert_eq!(
        (chosen.len(), texts(&chosen)),
        (2, vec!["c".to_owned(), "a".to_owned()])
    );
}

/// A file that has shrunk can no longer provide the texts.
#[test]
fn texts_of_a_file_that_changed() {
    let (folder, split) = numbered(5);
    let data = build(&split, None, 8, None).unwrap();
    std::fs::write(folder.path().join("x.csv"), "text,label\nr0,0\n").unwrap();
    assert_eq!(data.texts(&[0]).unwrap()[0].first, "r0");
    assert_has(
        &message(data.texts(&[4])),
        &["did a file change meanwhile?"],
    );
}

#[test]
fn fingerprint_is_of_the_contents() {
    let fingerprint = |content: &str, max_length, cache| {
        let folder = folder(&[("x.csv", content)]);
        let split = Dataset::open(path(&folder, "x.csv")).and_then(|d| d.split("train"));
        let names = Task::Classes(vec!["a".to_owned(), "b".to_owned()]);
        let cache = Some(folder.path()).filter(|_| cache);
        let data = build(&split.unwrap(), Some(&names), max_length, cache).unwrap();
        let hex: String = data
            .fingerprint()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(data.fingerprint_hex(), hex);
        hex
    };
    let csv = "text,label\nnot bad,a\nworld,b\n";
    let first = fingerprint(csv, 8, false);
    // The fingerprint does not depend on the place, the cache, or unused columns.
    assert_eq!(fingerprint(csv, 8, true), first);
    let more = "id,text,label\n1,not bad,a\n2,world,b\n";
    assert_eq!(fingerprint(more, 8, false), first);
    let folder = folder(&[]);
    let file = folder.path().join("x.parquet");
    parquet(
        &file,
        &["not bad", "world"],
        &[Some(0), Some(1)],
        &["a", "b"],
    );
    let split = Dataset::open_file(&file).unwrap().split("train").unwrap();
    let schema = |names: [&str; 2]| Task::Classes(names.map(str::to_owned).to_vec());
    let of = |schema: Option<&Task>| build(&split, schema, 8, None).unwrap();
    assert_eq!(of(Some(&schema(["a", "b"]))).fingerprint_hex(), first);
    // It does depend on texts, order, labels, their names, and the length.
    for other in [
        fingerprint("text,label\nnot bad,a\nhello,b\n", 8, false),
        fingerprint("text,label\nworld,b\nnot bad,a\n", 8, false),
        fingerprint("text,label\nnot bad,b\nworld,b\n", 8, false),
        fingerprint("text,label\nnot,a\nbad world,b\n", 8, false),
        fingerprint(csv, 9, false),
        of(Some(&schema(["A", "B"]))).fingerprint_hex(),
        of(None).fingerprint_hex(),
    ] {
        assert_ne!(other, first);
    }
}
