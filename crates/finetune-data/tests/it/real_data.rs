//! Real data sets, where they lie beside the workspace.

use finetune_data::{BatchSize, Columns, Dataset, LabelSchema, Sampler, SamplerOptions};

use crate::common::{assert_has, build, message, shared, tokenizer};

#[test]
fn rotten_tomatoes() {
    let Some(path) = shared("rotten_tomatoes") else {
        return;
    };
    let dataset = Dataset::open(path.to_str().unwrap()).unwrap();
    assert_eq!(dataset.split_names(), ["train", "validation", "test"]);
    assert_eq!(dataset.split("train[:1%]").unwrap().len(), 85);
    let train = dataset.split("train").unwrap();
    assert_eq!(
        (train.len(), dataset.split("test").unwrap().len()),
        (8530, 1066)
    );
    let columns = Columns::resolve(&train, &[], None, true).unwrap();
    let labels = LabelSchema::infer(&[&train], &columns, None, None).unwrap();
    assert_eq!(labels.class_names(), ["neg", "pos"]);
    let data = build(&train, Some(&labels), 64, None).unwrap();
    assert_eq!((data.len(), data.class_counts()), (8530, &[4265, 4265][..]));
    // The reduced vocabulary makes one token of an unknown word; real lengths are a little longer.
    let lengths = data.lengths();
    assert!(
        lengths.min >= 3 && lengths.max <= 64 && (20.0..26.0).contains(&lengths.mean),
        "{lengths:?}"
    );
    let options = SamplerOptions {
        batch: BatchSize::Rows(16),
        seed: 1,
        shuffle: true,
        length_buckets: None,
    };
    let padding = Sampler::new(&data, options).unwrap().padding(0).unwrap();
    assert_eq!(padding.tokens, data.total_tokens());
    assert!(
        (0.3..0.6).contains(&padding.avoided()),
        "{}",
        padding.avoided()
    );
    let (_, validation) = train
        .stratified_split(&columns, Some(&labels), 0.1, 3)
        .unwrap();
    let validation = build(&validation, Some(&labels), 64, None).unwrap();
    assert!(
        validation
            .class_counts()
            .iter()
            .all(|&count| count == 426 || count == 427)
    );
}

#[test]
fn pairs_and_regression() {
    if let Some(path) = shared("mrpc") {
        let data = Dataset::open(path.to_str().unwrap())
            .unwrap()
            .split("validation")
            .unwrap();
        let data = data.tokenize(&tokenizer(), 64).unwrap();
        assert_eq!((data.len(), data.class_counts()), (408, &[129, 279][..]));
        assert!(data.batch(&[0, 1]).unwrap().type_ids.contains(&1));
    }
    if let Some(path) = shared("stsb") {
        let split = Dataset::open(path.to_str().unwrap())
            .unwrap()
            .split("test")
            .unwrap();
        let columns = Columns::resolve(&split, &[], None, true).unwrap();
        assert_eq!(columns.text, ["sentence1", "sentence2"]);
        let labels = LabelSchema::infer(&[&split], &columns, None, None).unwrap();
        assert_eq!(labels, LabelSchema::Regression);
        assert_eq!(build(&split, Some(&labels), 64, None).unwrap().len(), 1379);
        assert_has(
            &message(LabelSchema::infer(&[&split], &columns, None, Some(false))),
            &["test.parquet, row 0", "classes are meant"],
        );
    }
}

#[test]
fn multi_label_is_refused() {
    let Some(path) = shared("go_emotions") else {
        return;
    };
    let split = Dataset::open(path.to_str().unwrap())
        .unwrap()
        .split("validation")
        .unwrap();
    assert_has(
        &message(Columns::resolve(&split, &[], None, true)),
        &[
            "`labels`",
            "list of int64",
            "multi-label classification is not supported yet",
        ],
    );
    assert!(Columns::resolve(&split, &[], None, false).is_ok());
}
