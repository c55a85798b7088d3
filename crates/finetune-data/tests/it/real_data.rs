//! Real data sets, if they are present beside the workspace.

use finetune_data::{
    BatchSize, Columns, Dataset, Labels, ProblemType, Sampler, SamplerOptions, Task, infer_task,
};

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
    let columns = Columns::resolve(&train, &[], &[], true).unwrap();
    let labels = infer_task(&[&train], &columns, None, None).unwrap();
    assert_eq!(labels.class_names(), ["neg", "pos"]);
    let data = build(&train, Some(&labels), 64, None).unwrap();
    assert_eq!(
        (data.len(), data.class_counts()),
        (8530, Some(vec![4265, 4265]))
    );
    // The reduced vocabulary turns an unknown word into one token; real lengths are slightly
    // longer.
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
            .unwrap()
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
        assert_eq!(
            (data.len(), data.class_counts()),
            (408, Some(vec![129, 279]))
        );
        assert!(data.batch(&[0, 1]).unwrap().tokens.type_ids.contains(&1));
    }
    if let Some(path) = shared("stsb") {
        let split = Dataset::open(path.to_str().unwrap())
            .unwrap()
            .split("test")
            .unwrap();
        let columns = Columns::resolve(&split, &[], &[], true).unwrap();
        assert_eq!(columns.text, ["sentence1", "sentence2"]);
        let labels = infer_task(&[&split], &columns, None, None).unwrap();
        assert_eq!(labels, Task::Regression(vec!["label".to_owned()]));
        assert_eq!(build(&split, Some(&labels), 64, None).unwrap().len(), 1379);
        assert_has(
            &message(infer_task(
                &[&split],
                &columns,
                None,
                Some(ProblemType::SingleLabelClassification),
            )),
            &["test.parquet, row 0", "classes are meant"],
        );
    }
}

/// GoEmotions: lists of class indices, with class names in the metadata.
#[test]
fn multi_label() {
    let Some(path) = shared("go_emotions") else {
        return;
    };
    let dataset = Dataset::open(path.to_str().unwrap()).unwrap();
    let split = dataset.split("validation").unwrap();
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    assert_eq!(columns.label, ["labels"]);
    let labels = infer_task(&[&split], &columns, None, None).unwrap();
    assert_eq!(labels.problem_type(), ProblemType::MultiLabelClassification);
    assert_eq!(labels.num_labels(), 28);
    assert_eq!(
        (&labels.names()[0][..], &labels.names()[27][..]),
        ("admiration", "neutral")
    );

    let data = build(&split, Some(&labels), 64, None).unwrap();
    let counts = data.class_counts().unwrap();
    let all: Vec<u64> = (0..data.len()).collect();
    let Labels::MultiLabel { width, values } = data.labels(&all).unwrap() else {
        panic!("{labels:?}");
    };
    assert_eq!((width, values.len()), (28, 5426 * 28));
    assert!(
        values
            .chunks(28)
            .all(|row| (1..=5).contains(&row.iter().filter(|&&mark| mark).count()))
    );
    for (class, &count) in counts.iter().enumerate() {
        let column = values.iter().skip(class).step_by(28);
        assert_eq!(column.filter(|&&mark| mark).count() as u64, count);
    }
    // The rarest class, grief, has 13 of 5,426 rows; a tenth of them is 1.
    assert_eq!((counts[16], counts[27]), (13, 1766));
    let (_, tenth) = split
        .stratified_split(&columns, Some(&labels), 0.1, 1)
        .unwrap();
    let tenth = build(&tenth, Some(&labels), 64, None).unwrap();
    for (&few, &all) in tenth.class_counts().unwrap().iter().zip(&counts) {
        let expected = all as f64 / 10.0;
        assert!(
            (few as f64 - expected).abs() < 2.0 + expected / 5.0,
            "{few} of {all}"
        );
    }
}
